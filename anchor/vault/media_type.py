"""The media type of a file, by content where that tells, else by its name.

It is a hint for whoever opens the file; the file's digest is what counts.
"""

from __future__ import annotations

import mimetypes
from typing import Final

from anchor.capture import media_type

_UNKNOWN: Final = "application/octet-stream"


def media_type_of(head: bytes, name: str) -> str:
    """Return the media type, ``application/octet-stream`` where nothing tells.

    Args:
        head: the first 64 bytes.
        name: of the file, with its suffix.
    """
    found = media_type.media_type(head)
    if found != _UNKNOWN:
        return found
    return mimetypes.guess_type(name, strict=False)[0] or _UNKNOWN
