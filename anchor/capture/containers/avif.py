"""Walk the boxes of an AVIF or HEIF file to its metadata items.

Specification: ISO/IEC 14496-12 (boxes; ``meta``, ``iinf``, ``iloc``, ``idat``, ``uuid``), ISO/IEC
23008-12 (HEIF: ``Exif`` and ``mime`` items, ``ispe``), AVIF 1.1; C2PA 2.2 A.5 (``uuid`` box).

Not followed: items built from other items, and external data. Sequences of images are read like
single ones: their still item carries the metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from anchor.capture.containers.exif import read_exif
from anchor.capture.containers.jumbf import read_manifest
from anchor.capture.containers.xmp import read_xmp
from anchor.capture.file_bytes import FileBytes
from anchor.capture.findings import Findings
from anchor.errors import FormatError, LimitExceededError, TruncatedError
from anchor.limits import MAX_BOX_DEPTH, MAX_ITEM_EXTENTS

_MEDIA_TYPES: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
}
_C2PA_UUID: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_CONTAINERS: Final = {b"meta": 4, b"iprp": 0, b"ipco": 0}
_LEAVES: Final = frozenset((b"iinf", b"iloc", b"ispe", b"idat"))
_MAX_TABLE_BYTES: Final = 1 << 20


@dataclass(slots=True)
class _Item:
    """An item of the ``meta`` box: what it is, and where its bytes stand."""

    kind: bytes = b""
    content_type: bytes = b""
    in_idat: bool = False
    extents: list[tuple[int, int]] = field(default_factory=list)


def media_type_of(brands: bytes) -> str | None:
    """Return the media type for the content of an ``ftyp`` box, or None if it is no image."""
    names = [brands[:4], *(brands[i : i + 4] for i in range(8, len(brands), 4))]
    return next((_MEDIA_TYPES[name] for name in names if name in _MEDIA_TYPES), None)


def read_avif(file: FileBytes, found: Findings) -> None:
    """Collect what an AVIF or HEIF file carries besides its pixels."""
    length = int.from_bytes(file.peek(0, 4))
    brands = file.peek(8, min(max(length - 8, 0), 256))
    found.media_type = media_type_of(brands) or "image/heif"
    reader = _Reader(file, found)
    reader.walk(0, file.size, 0)
    reader.read_items()


class _Reader:
    def __init__(self, file: FileBytes, found: Findings) -> None:
        self.file = file
        self.found = found
        self._items: dict[int, _Item] = {}
        self._idat = 0
        self._left = found.limits.parts

    def walk(self, start: int, end: int, depth: int) -> None:
        if depth > MAX_BOX_DEPTH:
            raise LimitExceededError(f"avif: boxes nested more than {MAX_BOX_DEPTH} deep")
        for kind, offset, length in self._boxes(start, end):
            if kind in _CONTAINERS:
                self.walk(offset + _CONTAINERS[kind], offset + length, depth + 1)
                continue
            try:
                if kind in _LEAVES:
                    self._read_leaf(kind, offset, length)
                elif kind == b"uuid" and self.file.peek(offset, 16) == _C2PA_UUID:
                    self._read_manifest(offset + 16, length - 16)
            except FormatError as error:
                self.found.note(str(error))

    def _boxes(self, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield kind, offset and length of each box's content between two offsets."""
        while start + 8 <= end:
            self._left -= 1
            if self._left < 0:
                raise LimitExceededError(
                    f"avif: more than {self.found.limits.parts} boxes; the rest is not read"
                )
            header = self.file.peek(start, 16)
            length, kind, head = int.from_bytes(header[:4]), header[4:8], 8
            if length == 1:
                length, head = int.from_bytes(header[8:16]), 16
            elif length == 0:
                length = end - start
            if length < head or start + length > end:
                self.found.note(f"avif: the box at byte {start} reaches past its place")
                return
            yield kind, start + head, length - head
            start += length

    def _read_leaf(self, kind: bytes, offset: int, length: int) -> None:
        if kind == b"idat":
            self._idat = offset
            return
        if length > _MAX_TABLE_BYTES:
            raise LimitExceededError(f"avif: a {kind.decode()} box of {length} bytes is not read")
        table = _Table(self.file.read(offset, length, f"avif: {kind.decode()}"))
        if kind == b"ispe":
            table.take(4)
            width, height = table.take(4), table.take(4)
            # The largest is the image; smaller ones are tiles and thumbnails.
            if width * height > (self.found.width or 0) * (self.found.height or 0):
                self.found.width, self.found.height = width, height
        elif kind == b"iinf":
            self._read_item_kinds(table, offset, length)
        else:
            self._read_item_places(table)

    def _read_item_kinds(self, table: _Table, offset: int, length: int) -> None:
        version = table.take(4) >> 24
        table.take(2 if version == 0 else 4)
        for kind, start, size in self._boxes(offset + table.offset, offset + length):
            if kind != b"infe":
                continue
            entry = _Table(self.file.read(start, min(size, 1024), "avif: infe"))
            version = entry.take(4) >> 24
            if version < 2:
                continue
            number = entry.take(2 if version == 2 else 4)
            entry.take(2)
            item = self._items.setdefault(number, _Item())
            item.kind = entry.take_bytes(4)
            if item.kind == b"mime":
                item.content_type = entry.rest().partition(b"\0")[2].partition(b"\0")[0]

    def _read_item_places(self, table: _Table) -> None:
        version = table.take(4) >> 24
        sizes = table.take(2)
        offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
        index_size = sizes & 15 if version in (1, 2) else 0
        for _ in range(table.take(2 if version < 2 else 4)):
            number = table.take(2 if version < 2 else 4)
            method = table.take(2) & 15 if version in (1, 2) else 0
            table.take(2)
            base, n_extents = table.take(base_size), table.take(2)
            if n_extents > MAX_ITEM_EXTENTS:
                raise LimitExceededError(f"avif: an item in {n_extents} pieces is not read")
            item = self._items.setdefault(number, _Item())
            item.in_idat = method == 1
            for _ in range(n_extents):
                table.take(index_size)
                start = base + table.take(offset_size)
                extent = (start, table.take(length_size))
                if method < 2:
                    item.extents.append(extent)

    def read_items(self) -> None:
        """Read the Exif and XMP items that the tables name."""
        for item in self._items.values():
            is_xmp = item.kind == b"mime" and item.content_type == b"application/rdf+xml"
            if item.kind != b"Exif" and not is_xmp:
                continue
            location = "avif:XMP" if is_xmp else "avif:Exif"
            try:
                data = self._content(item, location)
                start = item.extents[0][0] + (self._idat if item.in_idat else 0)
                self.found.keep(location, data, start if len(item.extents) == 1 else None)
                if is_xmp:
                    read_xmp(data, self.found, location)
                else:
                    # Four bytes say how many to skip to the Exif block proper.
                    read_exif(data[4 + int.from_bytes(data[:4]) :], self.found, location)
            except FormatError as error:
                self.found.note(str(error))

    def _content(self, item: _Item, location: str) -> bytes:
        if not item.extents:
            raise FormatError(f"{location}: its place in the file is not stated in a way read here")
        total = sum(length for _, length in item.extents)
        if total > self.found.limits.text_bytes:
            raise LimitExceededError(f"{location} has {total} bytes; it is not read")
        base = self._idat if item.in_idat else 0
        return b"".join(
            self.file.read(base + start, length, location) for start, length in item.extents
        )

    def _read_manifest(self, offset: int, length: int) -> None:
        """Read the uuid box of C2PA: version and flags, purpose, for a manifest 8 bytes, JUMBF."""
        if length > self.found.limits.c2pa_bytes:
            raise LimitExceededError(f"avif: a C2PA box of {length} bytes is not read")
        data = self.file.read(offset, length, "avif: C2PA")
        purpose, _, rest = data[4:].partition(b"\0")
        if purpose == b"manifest":
            read_manifest(rest[8:], self.found, "avif:uuid:C2PA", offset + length - len(rest) + 8)


class _Table:
    """The fields of one box, taken in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.offset = 0

    def take_bytes(self, n_bytes: int) -> bytes:
        data = self._data[self.offset : self.offset + n_bytes]
        if len(data) != n_bytes:
            raise TruncatedError("avif: a box ends before its fields do")
        self.offset += n_bytes
        return data

    def take(self, n_bytes: int) -> int:
        return int.from_bytes(self.take_bytes(n_bytes))

    def rest(self) -> bytes:
        return self._data[self.offset :]
