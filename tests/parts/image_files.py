"""Make image files byte by byte, for the readers of capture: valid ones, and whatever else.

Nothing here uses the readers. Whole images come from Pillow; what Pillow does not write (private
chunks, segments, boxes, wrong checksums) is put together here.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

from PIL import Image

from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.file_bytes import FileBytes
from anchor.capture.metadata import Metadata
from anchor.capture.parse import parse_metadata

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ASCII, LONG, UNDEFINED = 2, 4, 7
C2PA_UUID = bytes.fromhex("6332706100110010800000aa00389b71")


def parsed(data: bytes, **limits: int) -> Metadata:
    """Return what the readers find in these bytes."""
    settings = CaptureLimits(**limits)
    file = FileBytes.of_bytes(data, max_read_bytes=settings.read_bytes)
    return parse_metadata(file, settings)[0]


# -- PNG -------------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes = b"", *, checksum: int | None = None) -> bytes:
    value = zlib.crc32(kind + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", value)


def header(width: int = 3, height: int = 2, *, colour: int = 2, depth: int = 8) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def pixels(width: int = 3, height: int = 2, channels: int = 3) -> bytes:
    rows = b"".join(b"\0" + bytes(width * channels) for _ in range(height))
    return chunk(b"IDAT", zlib.compress(rows))


def png(*before: bytes, after: tuple[bytes, ...] = (), trailer: bytes = b"") -> bytes:
    """Return a whole PNG of 3 by 2 pixels, with chunks before and after its image data."""
    parts = (PNG_SIGNATURE, header(), *before, pixels(), *after, chunk(b"IEND"), trailer)
    return b"".join(parts)


def text(keyword: str, value: str | bytes) -> bytes:
    data = value.encode("latin-1") if isinstance(value, str) else value
    return chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + data)


def ztext(keyword: str, value: bytes) -> bytes:
    return chunk(b"zTXt", keyword.encode("latin-1") + b"\0\0" + zlib.compress(value, 9))


def itext(keyword: str, value: str | bytes, *, compressed: bool = False) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    body = zlib.compress(data, 9) if compressed else data
    flags = bytes((compressed, 0))
    return chunk(b"iTXt", keyword.encode("latin-1") + b"\0" + flags + b"en\0\0" + body)


# -- Exif and XMP ----------------------------------------------------------------------------------

Tag = tuple[int, int, bytes]


def exif(*first: Tag, comment: tuple[Tag, ...] = (), order: str = ">") -> bytes:
    """Return an Exif block (from its TIFF header): tags of the first and of the Exif directory."""
    n_first = len(first) + (1 if comment else 0)
    values_at = 8 + 2 + 12 * n_first + 4
    exif_at = values_at + sum(len(v) + len(v) % 2 for _, _, v in first if len(v) > 4)
    tags = list(first)
    if comment:
        tags.append((0x8769, LONG, struct.pack(order + "I", exif_at)))
    block = _directory(tags, 8, order)
    if comment:
        block += _directory(list(comment), exif_at, order)
    magic = b"MM\0*" if order == ">" else b"II*\0"
    return magic + struct.pack(order + "I", 8) + block


def _directory(tags: list[Tag], at: int, order: str) -> bytes:
    entries, values = b"", b""
    values_at = at + 2 + 12 * len(tags) + 4
    for tag, kind, value in tags:
        count = 1 if kind == LONG else len(value)
        entries += struct.pack(order + "HHI", tag, kind, count)
        if len(value) <= 4:
            entries += value.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", values_at + len(values))
            values += value + b"\0" * (len(value) % 2)
    return struct.pack(order + "H", len(tags)) + entries + bytes(4) + values


def user_comment(value: str, *, code: bytes = b"UNICODE\0", encoding: str = "utf-16-be") -> Tag:
    return (0x9286, UNDEFINED, code + value.encode(encoding))


def ascii_tag(tag: int, value: str) -> Tag:
    return (tag, ASCII, value.encode() + b"\0")


def xmp(properties: str, *, attributes: str = "") -> bytes:
    """Return an XMP packet whose description holds these properties."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" {attributes}>{properties}'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


# -- JPEG ------------------------------------------------------------------------------------------


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments: bytes) -> bytes:
    """Return a JPEG of 5 by 4 pixels, with these segments before its own."""
    file = io.BytesIO()
    Image.new("RGB", (5, 4)).save(file, "JPEG")
    data = file.getvalue()
    return data[:2] + b"".join(segments) + data[2:]


def jumbf(content: bytes = b"", uuid: bytes = C2PA_UUID) -> bytes:
    """Return a JUMBF superbox, by default one that a C2PA manifest store would be."""
    description = b"jumd" + uuid + b"\x03c2pa\0"
    inner = struct.pack(">I", len(description) + 4) + description + content
    return struct.pack(">I", len(inner) + 8) + b"jumb" + inner


def jumbf_segments(box: bytes, *, portion: int = 60_000, instance: int = 1) -> list[bytes]:
    """Return a box in APP11 segments, each with its header repeated (ISO/IEC 19566-5 annex D)."""
    body = box[8:]
    parts = [body[i : i + portion] for i in range(0, len(body), portion)]
    return [
        segment(0xEB, b"JP" + struct.pack(">HI", instance, number) + box[:8] + part)
        for number, part in enumerate(parts, 1)
    ]


# -- WebP and AVIF ---------------------------------------------------------------------------------


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return an extended WebP file that says it has 7 by 6 pixels."""
    return riff((b"VP8X", bytes(4) + b"\x06\0\0\x05\0\0"), *chunks)


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def avif(**options: bytes) -> bytes:
    """Return an AVIF of 16 by 8 pixels as libavif writes it (options: ``exif``, ``xmp``)."""
    file = io.BytesIO()
    Image.new("RGB", (16, 8)).save(file, "AVIF", **options)
    return file.getvalue()


# -- pixels ----------------------------------------------------------------------------------------


def hidden(
    payload: bytes,
    signature: bytes,
    *,
    size: tuple[int, int] = (64, 48),
    mode: str = "RGBA",
    noise: bytes | None = None,
) -> Image.Image:
    """Return an image with a payload in its lowest bits, written down the columns."""
    width, height = size
    content = signature + struct.pack(">I", 8 * len(payload)) + payload
    bits = [byte >> (7 - i) & 1 for byte in content for i in range(8)]
    data = bytearray(noise or bytes(width * height * len(mode)))
    channels = (3,) if b"_png" in signature else (0, 1, 2)
    assert len(bits) <= width * height * len(channels), "the image is too small for the payload"
    for number, bit in enumerate(bits):
        pixel, channel = divmod(number, len(channels))
        column, row = divmod(pixel, height)
        index = (row * width + column) * len(mode) + channels[channel]
        data[index] = data[index] & 0xFE | bit
    return Image.frombytes(mode, size, bytes(data))


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
