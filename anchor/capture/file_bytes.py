"""Random access to the bytes of one file, with a budget, so that no file costs more than was meant.

Reads are positioned (``pread``), so a descriptor can be shared with another process that reads the
same file. A file of any size costs what is asked of it and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from anchor.errors import LimitExceededError, TruncatedError


class FileBytes:
    """The bytes of one file.

    Args:
        read_at: ``read_at(n_bytes, offset)`` returns up to that many bytes from there.
        size: of the file, in bytes.
        max_read_bytes: the sum of what :meth:`read` and :meth:`peek` return at most.
    """

    __slots__ = ("_left", "_read_at", "size")

    def __init__(
        self, read_at: Callable[[int, int], bytes], size: int, *, max_read_bytes: int
    ) -> None:
        self._read_at = read_at
        self._left = max_read_bytes
        self.size = size

    @classmethod
    def of_descriptor(cls, descriptor: int, *, max_read_bytes: int) -> FileBytes:
        """Return the bytes of an open file, whose position is neither used nor moved."""
        return cls(
            lambda n_bytes, offset: _read_descriptor(descriptor, n_bytes, offset),
            os.fstat(descriptor).st_size,
            max_read_bytes=max_read_bytes,
        )

    @classmethod
    def of_bytes(cls, data: bytes, *, max_read_bytes: int) -> FileBytes:
        """Return bytes in memory as if they were a file."""
        return cls(
            lambda n_bytes, offset: data[offset : offset + n_bytes],
            len(data),
            max_read_bytes=max_read_bytes,
        )

    def peek(self, offset: int, n_bytes: int) -> bytes:
        """Return up to ``n_bytes`` from ``offset``; fewer only where the file ends.

        Raises:
            LimitExceededError: the budget is used up.
        """
        wanted = max(0, min(n_bytes, self.size - offset))
        if wanted > self._left:
            raise LimitExceededError(
                f"{wanted} more bytes to read, {self._left} are left of what one file may cost",
                code="capture.read_budget",
            )
        self._left -= wanted
        return self._read_at(wanted, offset) if wanted else b""

    def read(self, offset: int, n_bytes: int, what: str) -> bytes:
        """Return exactly ``n_bytes`` from ``offset``.

        Raises:
            TruncatedError: the file ends before.
            LimitExceededError: the budget is used up.
        """
        if offset + n_bytes > self.size:
            raise TruncatedError(
                f"{what}: {n_bytes} bytes wanted at byte {offset}, the file has {self.size}"
            )
        data = self.peek(offset, n_bytes)
        if len(data) != n_bytes:
            raise TruncatedError(f"{what}: the file became shorter while it was read")
        return data


def read_at(descriptor: int, n_bytes: int, offset: int) -> bytes:
    """Return what one call reads from there; where there is no ``pread``, the position moves."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, n_bytes, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, n_bytes)


def _read_descriptor(descriptor: int, n_bytes: int, offset: int) -> bytes:
    """Read until ``n_bytes`` are there or the file ends; a single call may return fewer."""
    data = read_at(descriptor, n_bytes, offset)
    if len(data) == n_bytes or not data:
        return data
    blocks = [data]
    read = len(data)
    while read < n_bytes and (block := read_at(descriptor, n_bytes - read, offset + read)):
        blocks.append(block)
        read += len(block)
    return b"".join(blocks)
