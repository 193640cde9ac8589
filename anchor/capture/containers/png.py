"""Walk the chunks of a PNG file, those after the image data included.

Specification: PNG third edition, sections 5 (structure), 11.2 to 11.3 (chunks), and PNG extensions:
``eXIf`` (Exif), ``caBX`` (C2PA), ``comf`` (private to ComfyUI's animated PNG: key, zero, JSON).

Checksums are checked where content is read, and a wrong one is noted: the text is read all the
same, since what a court may want to know is what stands there.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

from anchor.capture.containers.exif import read_exif
from anchor.capture.containers.hidden_pixels import PngPixels, read_hidden_text
from anchor.capture.containers.jumbf import read_manifest
from anchor.capture.containers.xmp import read_xmp
from anchor.capture.file_bytes import FileBytes
from anchor.capture.findings import Findings
from anchor.capture.inflate import inflate
from anchor.capture.text import decode_text, printable
from anchor.errors import FormatError, LimitExceededError, TruncatedError, quote_peer

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_XMP_KEYWORD: Final = "XML:com.adobe.xmp"
_TEXT_CHUNKS: Final = frozenset((b"tEXt", b"zTXt", b"iTXt", b"comf"))
_READ_CHUNKS: Final = _TEXT_CHUNKS | {b"eXIf", b"caBX", b"IHDR"}
_CHUNK_TYPE: Final = re.compile(rb"[A-Za-z]{4}")
_MAX_CHUNK_BYTES: Final = 2**31 - 1


def read_png(file: FileBytes, found: Findings) -> None:
    """Collect what a PNG file carries besides its pixels."""
    found.media_type = "image/png"
    reader = _Reader(file, found)
    reader.walk()
    if reader.pixels is not None:
        read_hidden_text(file, reader.pixels, found)


class _Reader:
    def __init__(self, file: FileBytes, found: Findings) -> None:
        self.file = file
        self.found = found
        self.pixels: PngPixels | None = None

    def walk(self) -> None:
        offset = len(PNG_SIGNATURE)
        for _ in range(self.found.limits.parts):
            header = self.file.peek(offset, 8)
            if len(header) < 8:
                self.found.note("png: the file ends before its last chunk")
                return
            length = int.from_bytes(header[:4])
            kind = header[4:]
            if length > _MAX_CHUNK_BYTES or not _CHUNK_TYPE.fullmatch(kind):
                self.found.note(f"png: no chunk at byte {offset}; what follows is not read")
                return
            if kind == b"IEND":
                self._after_end(offset + 12 + length)
                return
            if offset + 12 + length > self.file.size:
                self.found.note(
                    f"png: the file ends inside the {kind.decode()} chunk at byte {offset}"
                )
                return
            if kind == b"IDAT" and self.pixels is not None:
                self.pixels.data.append((offset + 8, length))
            elif kind in _READ_CHUNKS:
                self._read_chunk(kind, offset, length)
            offset += 12 + length
        self.found.note(f"png: more than {self.found.limits.parts} chunks; the rest is not read")

    def _after_end(self, end: int) -> None:
        if self.file.size > end:
            self.found.note(f"png: {self.file.size - end} bytes after the end of the image")

    def _read_chunk(self, kind: bytes, offset: int, length: int) -> None:
        name = kind.decode()
        limit = self.found.limits.c2pa_bytes if kind == b"caBX" else self.found.limits.text_bytes
        if kind in _TEXT_CHUNKS and self.found.is_full:
            self.found.note_full()
            return
        # The keyword, and in iTXt three more short fields, come on top of the text.
        if length > limit + 1024:
            self.found.note(
                f"png: the {name} chunk at byte {offset} has {length} bytes; it is not read"
            )
            return
        try:
            data = self.file.read(offset + 8, length, f"png: {name}")
            checksum = self.file.read(offset + 8 + length, 4, f"png: {name}")
            if zlib.crc32(kind + data) != int.from_bytes(checksum):
                self.found.note(f"png: the checksum of the {name} chunk at byte {offset} is wrong")
            self._take(kind, name, data, offset + 8)
        except FormatError as error:
            self.found.note(str(error))

    def _take(self, kind: bytes, name: str, data: bytes, offset: int) -> None:
        if kind == b"IHDR":
            self._read_header(data)
        elif kind == b"eXIf":
            self.found.keep("png:eXIf", data, offset)
            read_exif(data, self.found, "png:eXIf")
        elif kind == b"caBX":
            read_manifest(data, self.found, "png:caBX", offset)
        else:
            self._read_text(kind, name, data, offset)

    def _read_header(self, data: bytes) -> None:
        if len(data) != 13:
            raise FormatError(f"png: the IHDR chunk has {len(data)} bytes, 13 are wanted")
        if self.found.width is not None:
            raise FormatError("png: a second IHDR chunk; the first is read")
        width, height = int.from_bytes(data[:4]), int.from_bytes(data[4:8])
        self.found.width, self.found.height = width, height
        bit_depth, colour_type, interlaced = data[8], data[9], data[12]
        channels = {2: 3, 6: 4}.get(colour_type)
        if channels and bit_depth == 8 and not interlaced and width and height:
            self.pixels = PngPixels(width, height, channels)

    def _read_text(self, kind: bytes, name: str, data: bytes, offset: int) -> None:
        raw_keyword, separator, rest = data.partition(b"\0")
        keyword = decode_text(raw_keyword)
        location = printable(f"png:{name}:{keyword}", max_characters=100)
        self.found.keep(location, data, offset)
        if not separator or not 1 <= len(raw_keyword) <= 79:
            raise FormatError(f"png: the {name} chunk at byte {offset - 8} has no keyword")
        what = f"png: the {name} text called {quote_peer(keyword)!r}"
        text = self._text_bytes(kind, rest, what)
        if len(text) > self.found.limits.text_bytes:
            raise LimitExceededError(f"{what} has {len(text)} bytes; it is not read")
        if keyword == _XMP_KEYWORD:
            read_xmp(text, self.found, location)
            return
        if kind in (b"tEXt", b"zTXt") and not text.isascii():
            self._note_charset(text, what)
        self.found.add_text(keyword, decode_text(text), location)

    def _note_charset(self, text: bytes, what: str) -> None:
        """Tell which of the two readings of a text beyond ASCII was taken."""
        try:
            text.decode()
        except UnicodeDecodeError:
            return
        self.found.note(f"{what} is read as UTF-8, where the format says Latin-1")

    def _text_bytes(self, kind: bytes, rest: bytes, what: str) -> bytes:
        """Return the text itself, inflated, without the fields before it."""
        if kind in (b"tEXt", b"comf"):
            return rest
        max_bytes = self.found.text_room
        if kind == b"zTXt":
            return inflate(rest[1:], max_bytes=max_bytes, what=what)
        if len(rest) < 2:
            raise TruncatedError(f"{what} ends before its text")
        compressed = rest[0] == 1
        _language, first, rest = rest[2:].partition(b"\0")
        _translated, second, text = rest.partition(b"\0")
        if not first or not second:
            raise TruncatedError(f"{what} ends before its text")
        return inflate(text, max_bytes=max_bytes, what=what) if compressed else text
