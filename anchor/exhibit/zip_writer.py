"""Write a zip file whose bytes depend on nothing but what is put in.

Every entry is stored, with mode 0644 of a plain file, one time for all, and no extra field but
Zip64's where a number needs it. Sizes and CRC-32 are known before an entry is written, so that the
file is written from front to back and nothing is left to be filled in.

Source: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16, 4.5.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import BinaryIO, Final

from anchor.errors import StoreConflictError

_UNIX: Final = 3 << 8
_PLAIN_FILE: Final = 0o100644 << 16
_UTF8: Final = 0x0800
_MAX_32: Final = 0xFFFFFFFF
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)


class ZipWriter:
    """Writes entries one after the other; :meth:`close` writes the directory.

    Args:
        file: open for writing, empty.
        modified: aware; the time of every entry, cut to even seconds of UTC.
        zip64_from: sizes and places from here on are written in Zip64 fields.
    """

    def __init__(self, file: BinaryIO, modified: datetime, *, zip64_from: int = _MAX_32) -> None:
        self._file = file
        self._time = _dos_time(modified)
        self._zip64_from = zip64_from
        self._offset = 0
        self._directory: list[bytes] = []

    def add(self, name: str, size: int, crc32: int, blocks: Iterable[bytes]) -> None:
        """Write one entry.

        Args:
            name: UTF-8, with ``/``.
            size: of what ``blocks`` yields.
            crc32: of the same.
            blocks: its bytes.

        Raises:
            StoreConflictError: they are not what size and CRC say (``file.changed``).
        """
        raw = name.encode()
        flags = 0 if name.isascii() else _UTF8
        large = size >= self._zip64_from
        far = self._offset >= self._zip64_from
        extra = _zip64_extra([size, size] if large else [])
        shown = _MAX_32 if large else size
        common = struct.pack(
            "<HHHHHIIIHH", 45 if large else 20, flags, 0, *self._time, crc32, shown, shown,
            len(raw), len(extra),
        )  # fmt: skip
        offset = self._offset
        self._write(b"PK\x03\x04" + common + raw + extra)
        written, actual = 0, 0
        for block in blocks:
            self._write(block)
            written += len(block)
            actual = zlib.crc32(block, actual)
        if (written, actual) != (size, crc32):
            raise StoreConflictError(f"{name} changed while it was written", code="file.changed")
        extra = _zip64_extra([*([size, size] if large else []), *([offset] if far else [])])
        central = struct.pack(
            "<HHHHHHIIIHHHHHII", _UNIX | 45 if large or far else _UNIX | 20,
            45 if large or far else 20, flags, 0, *self._time, crc32, shown, shown,
            len(raw), len(extra), 0, 0, 0, _PLAIN_FILE, _MAX_32 if far else offset,
        )  # fmt: skip
        self._directory.append(b"PK\x01\x02" + central + raw + extra)

    def close(self) -> None:
        """Write the directory; the file itself stays open."""
        start, count = self._offset, len(self._directory)
        for item in self._directory:
            self._write(item)
        size = self._offset - start
        if max(start, size) >= self._zip64_from:
            place = self._offset
            self._write(
                struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, _UNIX | 45, 45, 0, 0, count, count,
                            size, start)
            )  # fmt: skip
            self._write(struct.pack("<4sIQI", b"PK\x06\x07", 0, place, 1))
            start = size = _MAX_32
        self._write(struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, size, start, 0))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._offset += len(data)


def _zip64_extra(numbers: list[int]) -> bytes:
    if not numbers:
        return b""
    return struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers)


def _dos_time(time: datetime) -> tuple[int, int]:
    """Return time and date as the format writes them: from 1980, even seconds."""
    year, month, day, hour, minute, second = max(
        _EARLIEST, time.astimezone(UTC).timetuple()[:6]
    )  # fmt: skip
    year = min(year, 2107)
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day
