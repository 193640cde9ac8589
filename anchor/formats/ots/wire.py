"""The two encodings that every part of an OpenTimestamps file is made of.

A *varuint* is an unsigned LEB128 number, seven bits a byte, the lowest first; *varbytes* are a
varuint length and that many bytes (python-opentimestamps, ``core/serialize.py``).

Rules: the reader takes numbers with needless trailing zero groups, as the reference does, up to ten
bytes; the writer never makes one. Whoever needs to know compares the bytes read with those written.
"""

from __future__ import annotations

from typing import Final

from anchor.errors import LimitExceededError, TrailingDataError, TruncatedError

_MAX_VARUINT_BYTES: Final = 10
MAX_VARUINT: Final = 2**63 - 1


def varuint(value: int) -> bytes:
    """Return the shortest encoding of a number of 0 to 2**63 - 1."""
    if not 0 <= value <= MAX_VARUINT:
        raise LimitExceededError(f"a number of 0 to 2**63 - 1 is wanted, got {value}")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varbytes(data: bytes) -> bytes:
    """Return ``data`` behind its length."""
    return varuint(len(data)) + data


class Reader:
    """A position in bytes that moves forward only."""

    __slots__ = ("_data", "_offset")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, n_bytes: int, what: str) -> bytes:
        """Return the next ``n_bytes``; TruncatedError if there are fewer."""
        end = self._offset + n_bytes
        if end > len(self._data):
            left = len(self._data) - self._offset
            raise TruncatedError(
                f"{what}: {n_bytes} bytes wanted at offset {self._offset}, {left} left"
            )
        taken = self._data[self._offset : end]
        self._offset = end
        return taken

    def byte(self, what: str) -> int:
        """Return the next byte as a number."""
        return self.take(1, what)[0]

    def varuint(self, what: str) -> int:
        """Return the next number; LimitExceededError past ten bytes or 2**63 - 1."""
        value = 0
        for group in range(_MAX_VARUINT_BYTES):
            byte = self.byte(what)
            value |= (byte & 0x7F) << (7 * group)
            if byte < 0x80:
                break
        else:
            raise LimitExceededError(f"{what}: a number of more than {_MAX_VARUINT_BYTES} bytes")
        if value > MAX_VARUINT:
            raise LimitExceededError(f"{what}: the number {value} is past 2**63 - 1")
        return value

    def varbytes(self, what: str, *, max_bytes: int, min_bytes: int = 0) -> bytes:
        """Return the next bytes of announced length; the length is checked before any is read."""
        length = self.varuint(what)
        if not min_bytes <= length <= max_bytes:
            raise LimitExceededError(
                f"{what}: {length} bytes announced, {min_bytes} to {max_bytes} allowed"
            )
        return self.take(length, what)

    def finish(self, what: str) -> None:
        """Refuse whatever is left."""
        left = len(self._data) - self._offset
        if left:
            raise TrailingDataError(f"{what}: {left} bytes after the end")
