"""Read the texts of an Exif block: description, maker, model, software, artist, comment, notes.

Specification: Exif 3.0 (CIPA DC-008), TIFF 6.0 section 2. Both byte orders. Only the first image's
directory and the Exif directory it points to are read; a directory met twice ends the reading, so
that no chain of offsets goes round. Numbers, places and thumbnails are not read: they stay in the
file, and in the raw block.

Every text of the first directory is taken, whatever its number: ComfyUI writes its workflow into
Make, its prompt into Model, and further keys into the tags below.
"""

from __future__ import annotations

from typing import Final, Literal

from anchor.capture.findings import Findings
from anchor.capture.text import decode_text, decode_user_comment
from anchor.errors import FormatError, LimitExceededError, TruncatedError
from anchor.limits import MAX_EXIF_DIRECTORIES, MAX_EXIF_ENTRIES

_PREFIX: Final = b"Exif\0\0"
_EXIF_DIRECTORY: Final = 0x8769
_USER_COMMENT: Final = 0x9286
_NAMES: Final = {
    0x010D: "DocumentName",
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x013B: "Artist",
    0x8298: "Copyright",
    0x927C: "MakerNote",
    _USER_COMMENT: "UserComment",
    0x9C9C: "XPComment",
}
_BYTE, _ASCII, _LONG, _UNDEFINED, _UTF8 = 1, 2, 4, 7, 129
_VALUE_BYTES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_VALUE_BYTES[_UTF8] = 1


def read_exif(data: bytes, found: Findings, location: str) -> None:
    """Add the texts of an Exif block, under ``exif.`` and the tag's name or number.

    Raises:
        FormatError: the block does not start as one.
    """
    start = data.find(_PREFIX, 0, 16)
    block = memoryview(data)[start + len(_PREFIX) :] if start >= 0 else memoryview(data)
    _Reader(block, found, location).read()


class _Reader:
    def __init__(self, block: memoryview, found: Findings, location: str) -> None:
        self.block = block
        self.found = found
        self.location = location
        self.byte_order: Literal["big", "little"] = "big"
        self._seen: set[int] = set()
        self._left = found.limits.text_bytes

    def read(self) -> None:
        magic = bytes(self.block[:4])
        if magic not in (b"II*\0", b"MM\0*"):
            raise FormatError(f"{self.location}: no Exif block")
        self.byte_order = "little" if magic[:1] == b"I" else "big"
        try:
            self._read_directory(self._number(4, 4))
        except FormatError as error:
            self.found.note(str(error))

    def _read_directory(self, offset: int) -> None:
        if offset in self._seen or len(self._seen) >= MAX_EXIF_DIRECTORIES:
            raise FormatError(f"{self.location}: its directories point at each other")
        self._seen.add(offset)
        count = self._number(offset, 2)
        if count > MAX_EXIF_ENTRIES:
            self.found.note(f"{self.location}: {count} entries; {MAX_EXIF_ENTRIES} are read")
        for index in range(min(count, MAX_EXIF_ENTRIES)):
            self._read_entry(offset + 2 + 12 * index)

    def _read_entry(self, offset: int) -> None:
        tag, kind = self._number(offset, 2), self._number(offset + 2, 2)
        if tag == _EXIF_DIRECTORY:
            self._read_directory(self._number(offset + 8, 4))
            return
        if kind not in (_ASCII, _UTF8) and tag not in _NAMES:
            return
        n_bytes = self._number(offset + 4, 4) * _VALUE_BYTES.get(kind, 1)
        start = offset + 8 if n_bytes <= 4 else self._number(offset + 8, 4)
        if start + n_bytes > len(self.block):
            self.found.note(f"{self.location}: tag 0x{tag:04x} reaches past the end of the block")
            n_bytes = max(0, len(self.block) - start)
        if n_bytes > self._left:
            raise LimitExceededError(f"{self.location}: its texts are too long together")
        self._left -= n_bytes
        value = bytes(self.block[start : start + n_bytes])
        self.found.add_text(
            f"exif.{_NAMES.get(tag, f'0x{tag:04x}')}", self._decode(tag, value), self.location
        )

    def _decode(self, tag: int, value: bytes) -> str:
        if tag == _USER_COMMENT:
            return decode_user_comment(value, self.byte_order)
        if tag == 0x9C9C:
            return value.decode("utf-16-le", "replace").rstrip("\0")
        return decode_text(value.rstrip(b"\0"))

    def _number(self, offset: int, n_bytes: int) -> int:
        data = self.block[offset : offset + n_bytes]
        if len(data) != n_bytes:
            raise TruncatedError(f"{self.location}: the Exif block ends too early")
        return int.from_bytes(data, self.byte_order)
