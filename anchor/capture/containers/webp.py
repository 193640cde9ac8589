"""Walk the chunks of a WebP file.

Specification: RFC 9649 (WebP: RIFF structure, ``VP8X``, ``VP8 ``, ``VP8L``, ``EXIF``, ``XMP ``);
C2PA 2.2 A.3.7 (``C2PA`` chunk in RIFF).
"""

from __future__ import annotations

from typing import Final

from anchor.capture.containers.exif import read_exif
from anchor.capture.containers.jumbf import read_manifest
from anchor.capture.containers.xmp import read_xmp
from anchor.capture.file_bytes import FileBytes
from anchor.capture.findings import Findings
from anchor.errors import FormatError

_METADATA: Final = frozenset((b"EXIF", b"XMP ", b"C2PA"))
_FRAME_HEADER_BYTES: Final = 10


def read_webp(file: FileBytes, found: Findings) -> None:
    """Collect what a WebP file carries besides its pixels."""
    found.media_type = "image/webp"
    end = 8 + int.from_bytes(file.peek(4, 4), "little")
    if end > file.size:
        found.note("webp: the file ends before it says")
    elif file.size > end:
        found.note(f"webp: {file.size - end} bytes after the end of the image")
    offset = 12
    for _ in range(found.limits.parts):
        if offset + 8 > min(end, file.size):
            return
        header = file.peek(offset, 8)
        length = int.from_bytes(header[4:], "little")
        try:
            _read_chunk(file, found, header[:4], offset + 8, length)
        except FormatError as error:
            found.note(str(error))
        offset += 8 + length + length % 2
    found.note(f"webp: more than {found.limits.parts} chunks; the rest is not read")


def _read_chunk(file: FileBytes, found: Findings, kind: bytes, offset: int, length: int) -> None:
    if kind in _METADATA:
        _read_metadata(file, found, kind, offset, length)
    elif kind == b"VP8X" and length >= _FRAME_HEADER_BYTES:
        header = file.read(offset, _FRAME_HEADER_BYTES, "webp: VP8X")
        found.width = 1 + int.from_bytes(header[4:7], "little")
        found.height = 1 + int.from_bytes(header[7:10], "little")
    elif kind in (b"VP8 ", b"VP8L") and found.width is None:
        _read_frame(file.peek(offset, _FRAME_HEADER_BYTES), kind, found)


def _read_metadata(file: FileBytes, found: Findings, kind: bytes, offset: int, length: int) -> None:
    location = f"webp:{kind.decode().strip()}"
    is_manifest = kind == b"C2PA"
    limit = found.limits.c2pa_bytes if is_manifest else found.limits.text_bytes
    if length > limit:
        found.note(f"{location} has {length} bytes; it is not read")
        return
    data = file.read(offset, length, location)
    if is_manifest:
        read_manifest(data, found, location, offset)
        return
    found.keep(location, data, offset)
    if kind == b"EXIF":
        read_exif(data, found, location)
    else:
        read_xmp(data, found, location)


def _read_frame(data: bytes, kind: bytes, found: Findings) -> None:
    """Read the size of a file that has no VP8X chunk from the header of its one frame."""
    if kind == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and len(data) == _FRAME_HEADER_BYTES:
        found.width = int.from_bytes(data[6:8], "little") & 0x3FFF
        found.height = int.from_bytes(data[8:10], "little") & 0x3FFF
    elif kind == b"VP8L" and data[:1] == b"\x2f" and len(data) >= 5:
        bits = int.from_bytes(data[1:5], "little")
        found.width = 1 + (bits & 0x3FFF)
        found.height = 1 + (bits >> 14 & 0x3FFF)
