"""Tell what a file is from its first bytes; its name has no say."""

from __future__ import annotations

from typing import Final

from anchor.capture.containers.avif import media_type_of

_STARTS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"BM", "image/bmp"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\xff\x0a", "image/jxl"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1aE\xdf\xa3", "video/x-matroska"),
)
_UNKNOWN: Final = "application/octet-stream"
FIRST_BYTES: Final = 64


def media_type(start: bytes) -> str:
    """Return the media type for the first 64 bytes of a file."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    if start[4:8] == b"ftyp":
        length = int.from_bytes(start[:4])
        return media_type_of(start[8 : max(min(length, FIRST_BYTES), 12)]) or "video/mp4"
    return next((kind for prefix, kind in _STARTS if start.startswith(prefix)), _UNKNOWN)
