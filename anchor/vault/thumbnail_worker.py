"""The process that draws thumbnails, behind the walls that capture has for readers of files.

It gets descriptors over a socket and answers each with four bytes of length and a JPEG, or with
length 0 where there is no picture. What an image can do to Pillow happens here: 256 MiB, five
seconds, no file, no network, no further process.
"""

from __future__ import annotations

import io
import os
import socket
import warnings
from typing import IO, Final, cast

from PIL import Image

from anchor.capture.sandbox.confinement import Confinement

LENGTH_BYTES: Final = 4
EDGE_PIXELS: Final = 256
_MAX_PIXELS: Final = 64_000_000
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "TIFF", "BMP")
_QUALITY: Final = 78
# What the interpreter reports of Pillow at its work.
_NEEDED: Final = ("array.__new__",)
_WHITE: Final = (255, 255, 255)


def serve(descriptor: int) -> None:
    """Answer until the caller hangs up."""
    Image.init()
    for name in _FORMATS:
        _warm(name)
    walls = Confinement()
    with socket.socket(fileno=descriptor) as channel:
        while True:
            _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
            if not descriptors:
                return
            data = b""
            with io.FileIO(os.dup(descriptors[0])) as file:
                os.close(descriptors[0])
                walls.begin(*_NEEDED)
                try:
                    data = thumbnail(cast("IO[bytes]", file))
                except Exception:  # noqa: BLE001 - whatever an image does, it has no picture
                    data = b""
                walls.end()
            channel.sendall(len(data).to_bytes(LENGTH_BYTES) + data)


def thumbnail(file: IO[bytes]) -> bytes:
    """Return a JPEG of at most 256 by 256 pixels, on white; nothing for an image past the limit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file, formats=_FORMATS) as image:
            if image.width * image.height > _MAX_PIXELS:
                return b""
            image.draft("RGB", (2 * EDGE_PIXELS, 2 * EDGE_PIXELS))
            image.thumbnail((EDGE_PIXELS, EDGE_PIXELS))
            flat = Image.new("RGB", image.size, _WHITE)
            shown = image.convert("RGBA")
            flat.paste(shown, mask=shown.getchannel("A"))
            out = io.BytesIO()
            flat.save(out, "JPEG", quality=_QUALITY)
            return out.getvalue()


def _warm(name: str) -> None:
    """Draw one image of a format, so that everything it needs is loaded before the walls go up."""
    out = io.BytesIO()
    try:
        Image.new("RGB", (8, 8)).save(out, name)
        thumbnail(io.BytesIO(out.getvalue()))
    except (OSError, KeyError, ValueError):
        return  # this build of Pillow does not have it
