"""The media type of a file, from its first bytes, else from its name.

It is a hint for whoever opens the file; the file's digest is what counts.
"""

from __future__ import annotations

import mimetypes
from typing import Final

HEAD_BYTES: Final = 32
_UNKNOWN: Final = "application/octet-stream"
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"8BPS\x00\x01", "image/vnd.adobe.photoshop"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_BRANDS: Final = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic"}


def media_type_of(head: bytes, name: str) -> str:
    """Return the media type, ``application/octet-stream`` where nothing tells."""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in _BRANDS:
        return _BRANDS[head[8:12]]
    return mimetypes.guess_type(name, strict=False)[0] or _UNKNOWN
