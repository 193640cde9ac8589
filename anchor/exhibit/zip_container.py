"""Read a zip file from a stranger: only what every reader understands in the same way.

The directory at the end and the headers before the entries say the same; entries lie one after the
other from the first byte to the directory, with nothing between, before or behind; names are plain;
every entry is a plain file, stored and not compressed, so that nothing grows when it is read and no
two readers unpack it differently. The CRC-32 is not looked at: the manifests of the bag hold better
digests.

Source: APPNOTE.TXT 6.3.10. Specification: ``docs/spec/exhibit.md``, step E1.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, NoReturn

from anchor import limits
from anchor.errors import FormatError
from anchor.exhibit.container import BLOCK_BYTES, check_count, check_names
from anchor.exhibit.layout import FOLDER_SUFFIX

_END: Final = struct.Struct("<4sHHHHIIH")
_END_64: Final = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR: Final = struct.Struct("<4sIQI")
_LOCATOR_MAGIC: Final = b"PK\x06\x07"
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_MAX_16: Final = 0xFFFF
_MAX_32: Final = 0xFFFFFFFF
_STORED: Final = 0
_ENCRYPTED: Final = 0x0001
# That names are UTF-8; encryption, data descriptors and patches are not taken.
_FLAGS: Final = 0x0800
_ZIP64_EXTRA: Final = 1
_UNICODE_PATH_EXTRA: Final = 0x7075
_UNIX: Final = 3
_DOS_FOLDER: Final = 0x10


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row of the directory."""

    name: str
    raw_name: bytes
    flags: int
    crc32: int
    size: int
    offset: int


class ZipContainer:
    """The bag in a zip file; the file stays open as long as this is used.

    Args:
        file: open for reading, seekable.

    Raises:
        FormatError, LimitExceededError: as step E1 says (``exhibit.…``).
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        entries, start = _read_directory(file)
        check_names(entry.name for entry in entries)
        self.folder: str = _top_folder(entries)
        self._data = _locate(file, entries, start)
        ordered = sorted(entries, key=lambda entry: entry.raw_name)
        cut = len(self.folder) + 1
        self._entries = {entry.name[cut:]: entry for entry in ordered}

    @property
    def sizes(self) -> Mapping[str, int]:
        """Return the size of every file, by path."""
        return {path: entry.size for path, entry in self._entries.items()}

    def blocks(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes; FormatError (``exhibit.size``) if it does not keep to its size."""
        entry = self._entries[path]
        place, left = self._data[entry.name], entry.size
        while left:
            self._file.seek(place)
            block = self._file.read(min(left, BLOCK_BYTES))
            if not block:
                _refuse(f"{entry.name} ends before its size", code="exhibit.size")
            place, left = place + len(block), left - len(block)
            yield block


# -- the directory ---------------------------------------------------------------------------------


def _read_directory(file: BinaryIO) -> tuple[list[_Entry], int]:
    """Return the entries and where the directory starts."""
    length = file.seek(0, 2)
    if length < _END.size:
        _refuse("this is not a zip file", code="exhibit.zip")
    end = _unpack(file, _END, length - _END.size, b"PK\x05\x06", "no end of directory at its end")
    _, disk, start_disk, here, count, size, start, comment = end
    if comment:
        _refuse("the zip file says that a comment follows, and none does", code="exhibit.zip")
    end_at = length - _END.size
    if _MAX_16 in (disk, start_disk, here, count) or _MAX_32 in (size, start):
        end_at, wide = _read_end_64(file, end_at)
        _want_same(end[1:7], wide)
        disk, start_disk, here, count, size, start = wide
    elif _peek(file, end_at - _LOCATOR.size, 4) == _LOCATOR_MAGIC:
        _refuse("a second end of directory (Zip64)", code="exhibit.zip")
    if disk or start_disk or here != count:
        _refuse("the zip file has several parts", code="exhibit.zip")
    check_count(count)
    if size > limits.MAX_EXHIBIT_DIRECTORY_BYTES or start + size != end_at:
        _refuse("the directory is not where the end of the file says", code="exhibit.zip")
    file.seek(start)
    data = file.read(size)
    entries, place = [], 0
    for _ in range(count):
        entry, place = _parse_entry(data, place)
        entries.append(entry)
    if place != len(data):
        _refuse("the directory holds more than its entries", code="exhibit.zip")
    return entries, start


def _read_end_64(file: BinaryIO, plain_at: int) -> tuple[int, tuple[int, ...]]:
    """Return where the Zip64 end of the directory begins, and its numbers, parts first."""
    why = "a broken end of directory (Zip64)"
    at = plain_at - _LOCATOR.size - _END_64.size
    locator = _unpack(file, _LOCATOR, plain_at - _LOCATOR.size, _LOCATOR_MAGIC, why)
    if locator[1:] != (0, at, 1):
        _refuse(why, code="exhibit.zip")
    _, length, _, _, *numbers = _unpack(file, _END_64, at, b"PK\x06\x06", why)
    if length != _END_64.size - 12:  # of what follows the length, without anything more
        _refuse(why, code="exhibit.zip")
    return at, tuple(numbers)


def _want_same(plain: tuple[int, ...], wide: tuple[int, ...]) -> None:
    """Readers differ in which end they take: each plain number is the wide one, or says none."""
    fills = (_MAX_16,) * 4 + (_MAX_32,) * 2
    for number, other, fill in zip(plain, wide, fills, strict=True):
        if number not in (other, fill):
            _refuse("the two ends of the directory differ", code="exhibit.zip")


def _peek(file: BinaryIO, place: int, n_bytes: int) -> bytes:
    if place < 0:
        return b""
    file.seek(place)
    return file.read(n_bytes)


def _unpack(
    file: BinaryIO, form: struct.Struct, place: int, magic: bytes, why: str
) -> tuple[Any, ...]:
    data = _peek(file, place, form.size)
    if len(data) < form.size or not data.startswith(magic):
        _refuse(f"this is not a zip file as exhibits are: {why}", code="exhibit.zip")
    return form.unpack(data)


def _parse_entry(data: bytes, place: int) -> tuple[_Entry, int]:
    if data[place : place + 4] != b"PK\x01\x02" or place + _CENTRAL.size > len(data):
        _refuse("the directory ends before its last entry", code="exhibit.zip")
    (
        _, made_by, _, flags, method, _, _, crc32, compressed, size,
        n_name, n_extra, n_comment, disk, _, attributes, offset,
    ) = _CENTRAL.unpack_from(data, place)  # fmt: skip
    place += _CENTRAL.size
    end = place + n_name + n_extra + n_comment
    if end > len(data) or disk:
        _refuse("the directory ends before its last entry", code="exhibit.zip")
    if n_comment:
        _refuse("an entry has a comment", code="exhibit.zip")
    raw_name = data[place : place + n_name]
    extra = data[place + n_name : place + n_name + n_extra]
    name = _decoded(raw_name)
    _check_kind(name, made_by >> 8, attributes, flags, method)
    size, compressed, offset = _with_zip64(extra, size, compressed, offset)
    if size != compressed:
        _refuse(f"{name} is stored in {compressed} bytes and states {size}", code="exhibit.size")
    return _Entry(name, raw_name, flags, crc32, size, offset), end


def _decoded(raw_name: bytes) -> str:
    try:
        return raw_name.decode("ascii")
    except UnicodeDecodeError:
        _refuse("a name holds a character that is not ASCII", code="exhibit.name")


def _check_kind(name: str, system: int, attributes: int, flags: int, method: int) -> None:
    mode = attributes >> 16 if system == _UNIX else 0
    if name.endswith("/") or attributes & _DOS_FOLDER or stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        kind = "a link" if stat.S_ISLNK(mode) else "no plain file"
        _refuse(f"{name} is {kind}; an exhibit holds plain files only", code="exhibit.kind")
    if flags & _ENCRYPTED:
        _refuse(f"{name} is encrypted", code="exhibit.method")
    if flags & ~_FLAGS or method != _STORED:
        _refuse(f"{name} is not simply stored, as exhibits are", code="exhibit.method")


def _with_zip64(extra: bytes, *values: int) -> tuple[int, ...]:
    """Return the values, those that say so taken from the Zip64 field, which holds no others."""
    wanted = values.count(_MAX_32)
    if not extra and not wanted:
        return values
    if len(extra) < 4:
        _refuse("a Zip64 field is missing or cut short", code="exhibit.zip")
    kind, length = struct.unpack_from("<HH", extra)
    if kind == _UNICODE_PATH_EXTRA:
        _refuse("an entry has a second name", code="exhibit.name")
    if kind != _ZIP64_EXTRA or not wanted or not len(extra) - 4 == length == 8 * wanted:
        _refuse("an extra field that is not Zip64's, or not as it is needed", code="exhibit.zip")
    wide = iter(struct.unpack_from(f"<{wanted}Q", extra, 4))
    return tuple(next(wide) if value == _MAX_32 else value for value in values)


def _top_folder(entries: list[_Entry]) -> str:
    folders = {entry.name.partition("/")[0] for entry in entries}
    folder = min(folders, default="")
    inside = all("/" in entry.name for entry in entries)
    if len(folders) != 1 or not inside or not folder.endswith(FOLDER_SUFFIX):
        _refuse(
            f"not one folder called NAME{FOLDER_SUFFIX}: this is no exhibit", code="exhibit.folder"
        )
    return folder


# -- the entries -----------------------------------------------------------------------------------


def _locate(file: BinaryIO, entries: list[_Entry], directory: int) -> dict[str, int]:
    """Return where each entry's bytes start; they fill the file up to the directory."""
    places, end = {}, 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        if entry.offset < end:
            _refuse(f"{entry.name} overlaps another entry", code="exhibit.overlap")
        if entry.offset > end:
            _refuse(f"bytes before {entry.name} belong to no entry", code="exhibit.overlap")
        start = _check_local(file, entry)
        places[entry.name] = start
        end = start + entry.size
        if end > directory:
            _refuse(f"{entry.name} overlaps the directory", code="exhibit.overlap")
    if end != directory:
        _refuse("bytes before the directory belong to no entry", code="exhibit.overlap")
    return places


def _check_local(file: BinaryIO, entry: _Entry) -> int:
    file.seek(entry.offset)
    data = file.read(_LOCAL.size)
    if len(data) < _LOCAL.size or not data.startswith(b"PK\x03\x04"):
        _refuse(f"{entry.name} is not where the directory says", code="exhibit.header")
    _, _, flags, method, _, _, crc32, compressed, size, n_name, n_extra = _LOCAL.unpack(data)
    raw_name, extra = file.read(n_name), file.read(n_extra)
    size, compressed = _with_zip64(extra, size, compressed)
    start: int = entry.offset + _LOCAL.size + n_name + n_extra
    said = raw_name, flags, method, crc32, compressed, size
    listed = entry.raw_name, entry.flags, _STORED, entry.crc32, entry.size, entry.size
    if said != listed:
        _refuse(f"{entry.name} is described in two ways", code="exhibit.header")
    return start


def _refuse(why: str, *, code: str) -> NoReturn:
    shown = "".join(c if c.isprintable() else "?" for c in why)
    raise FormatError(
        shown,
        code=code,
        hint="take the file as vestige export wrote it; an unpacked folder can be verified too",
    )
