"""Walk the segments of a JPEG file up to its image data.

Specification: ITU-T T.81 annex B (markers); Exif 3.0 4.7.2 (APP1); XMP part 3, 1.1.3 (APP1,
standard and extended packets); ISO/IEC 19566-5 annex D (JUMBF in APP11); the bare ``AIGC{…}``
that some Chinese services put into a segment of their own (see ``docs/guides/capture.md``).

Markers after the image data, and whatever follows it, are not looked for: no generator that is
known writes there.
"""

from __future__ import annotations

from typing import Final

from anchor.capture.containers.exif import read_exif
from anchor.capture.containers.jumbf import read_manifest
from anchor.capture.containers.xmp import read_xmp
from anchor.capture.file_bytes import FileBytes
from anchor.capture.findings import Findings
from anchor.capture.text import decode_text
from anchor.errors import FormatError, TruncatedError

_EXIF: Final = b"Exif\0\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
_JUMBF: Final = b"JP"
_AIGC: Final = b"AIGC"
_START_OF_SCAN, _END_OF_IMAGE, _COMMENT = 0xDA, 0xD9, 0xFE
_APP0, _APP1, _APP2, _APP11, _APP15 = 0xE0, 0xE1, 0xE2, 0xEB, 0xEF
_STANDALONE: Final = frozenset((0x01, *range(0xD0, 0xD9)))
# Every start of frame but DHT, JPG and DAC, which lie in the same range.
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_jpeg(file: FileBytes, found: Findings) -> None:
    """Collect what a JPEG file carries before its image data."""
    found.media_type = "image/jpeg"
    reader = _Reader(file, found)
    try:
        reader.walk()
    finally:
        reader.finish()


class _Reader:
    def __init__(self, file: FileBytes, found: Findings) -> None:
        self.file = file
        self.found = found
        self._jumbf: dict[bytes, list[tuple[int, bytes]]] = {}
        self._extended: dict[bytes, list[tuple[int, bytes]]] = {}

    def walk(self) -> None:
        offset = 2
        for _ in range(self.found.limits.parts):
            header = self.file.peek(offset, 4)
            if len(header) < 2:
                self.found.note("jpeg: the file ends before its image data")
                return
            if header[0] != 0xFF:
                self.found.note(f"jpeg: no marker at byte {offset}; what follows is not read")
                return
            marker = header[1]
            if marker in (_START_OF_SCAN, _END_OF_IMAGE):
                return
            if marker == 0xFF or marker in _STANDALONE:
                offset += 1 if marker == 0xFF else 2
                continue
            length = int.from_bytes(header[2:4]) if len(header) == 4 else 0
            if length < 2:
                self.found.note(f"jpeg: no segment at byte {offset}; what follows is not read")
                return
            self._read_segment(marker, offset + 4, length - 2)
            offset += 2 + length
        self.found.note(f"jpeg: more than {self.found.limits.parts} segments; the rest is not read")

    def _read_segment(self, marker: int, offset: int, length: int) -> None:
        if marker in _START_OF_FRAME:
            self._read_frame(self.file.read(offset, min(length, 5), "jpeg: start of frame"))
            return
        if marker != _COMMENT and not _APP0 <= marker <= _APP15:
            return
        try:
            data = self.file.read(offset, length, f"jpeg: segment at byte {offset - 4}")
            if marker == _COMMENT:
                self.found.keep("jpeg:COM", data, offset)
                self.found.add_text("jpeg.COM", decode_text(data.rstrip(b"\0")), "jpeg:COM")
            else:
                self._read_application(marker - _APP0, data, offset)
        except FormatError as error:
            self.found.note(str(error))

    def _read_frame(self, data: bytes) -> None:
        if len(data) == 5 and self.found.width is None:
            self.found.height = int.from_bytes(data[1:3]) or None
            self.found.width = int.from_bytes(data[3:5]) or None

    def _read_application(self, number: int, data: bytes, offset: int) -> None:
        if number == 1 and data.startswith(_EXIF):
            self.found.keep("jpeg:APP1:Exif", data, offset)
            read_exif(data, self.found, "jpeg:APP1:Exif")
        elif number == 1 and data.startswith(_XMP):
            self.found.keep("jpeg:APP1:XMP", data, offset)
            read_xmp(data[len(_XMP) :], self.found, "jpeg:APP1:XMP")
        elif number == 1 and data.startswith(_EXTENDED_XMP):
            self._take_extended(data[len(_EXTENDED_XMP) :])
        elif number == 11 and data.startswith(_JUMBF):
            self._take_jumbf(data)
        elif (label := _aigc_object(data)) is not None:
            self.found.keep(f"jpeg:APP{number}:AIGC", data, offset)
            self.found.add_text("app.AIGC", decode_text(label), f"jpeg:APP{number}:AIGC")

    def _take_extended(self, data: bytes) -> None:
        """Remember a portion: GUID (32), whole length (4), offset of the portion (4), bytes."""
        if len(data) < 40:
            raise TruncatedError("jpeg: a portion of extended XMP ends too early")
        self._extended.setdefault(data[:32], []).append((int.from_bytes(data[36:40]), data[40:]))

    def _take_jumbf(self, data: bytes) -> None:
        """Remember a packet: ``JP``, box instance (2), sequence number (4), part of a box."""
        if len(data) < 16:
            raise TruncatedError("jpeg: a JUMBF segment ends too early")
        self._jumbf.setdefault(data[2:4] + data[12:16], []).append(
            (int.from_bytes(data[4:8]), data[8:])
        )

    def finish(self) -> None:
        """Put together what came in several segments."""
        for portions in self._extended.values():
            packet = b"".join(part for _, part in sorted(portions, key=lambda portion: portion[0]))
            self.found.keep("jpeg:APP1:XMP extension", packet)
            try:
                read_xmp(packet, self.found, "jpeg:APP1:XMP extension")
            except FormatError as error:
                self.found.note(str(error))
        for packets in self._jumbf.values():
            packets.sort(key=lambda packet: packet[0])
            # Each packet repeats the header of the box (long ones have it in 16 bytes, not 8).
            header = 16 if packets[0][1][:4] == b"\0\0\0\1" else 8
            box = packets[0][1] + b"".join(part[header:] for _, part in packets[1:])
            if len(box) > self.found.limits.c2pa_bytes:
                self.found.note(f"jpeg: a JUMBF box of {len(box)} bytes is not kept")
                continue
            read_manifest(box, self.found, "jpeg:APP11:JUMBF", None)


def _aigc_object(data: bytes) -> bytes | None:
    """Return ``{…}`` behind the first ``AIGC`` of a segment, where it follows at once."""
    name = data.find(_AIGC)
    start = data.find(b"{", name, name + 12) if name >= 0 else -1
    end = data.rfind(b"}")
    return data[start : end + 1] if 0 <= start < end else None
