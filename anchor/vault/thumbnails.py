"""Small pictures of recorded images, for the page of ``vestige log --html``.

Made with Pillow where it is installed, kept in the vault's ``cache/``, which can be deleted. An
image that is too large, damaged, or of a type that is not drawn has none: the page then shows its
name. Nothing here is evidence; the originals are.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Final

from anchor.vault.durable import discard, make_folder, write_scratch
from anchor.vault.layout import Layout

EDGE_PIXELS: Final = 256
_MAX_PIXELS: Final = 48_000_000
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "TIFF", "BMP")
_QUALITY: Final = 78
_WHITE: Final = (255, 255, 255)


class Thumbnails:
    """The thumbnails of one vault."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._folder = layout.cache / "thumbnails"

    def jpeg(self, sha256: bytes) -> bytes | None:
        """Return the thumbnail of an original as JPEG, or None where there can be none."""
        path = self._folder / f"{sha256.hex()}.jpg"
        with contextlib.suppress(OSError):
            return path.read_bytes()
        data = self._made(sha256)
        if data is not None:
            with contextlib.suppress(Exception):  # only a cache
                make_folder(self._folder)
                scratch = write_scratch(self._layout.scratch, data)
                try:
                    scratch.replace(path)
                finally:
                    discard(scratch)
        return data

    def _made(self, sha256: bytes) -> bytes | None:
        try:
            from PIL import Image  # noqa: PLC0415 - may not be installed
        except ImportError:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with Image.open(self._layout.object(sha256), formats=_FORMATS) as image:
                    if image.width * image.height > _MAX_PIXELS:
                        return None
                    image.draft("RGB", (2 * EDGE_PIXELS, 2 * EDGE_PIXELS))
                    image.thumbnail((EDGE_PIXELS, EDGE_PIXELS))
                    flat = Image.new("RGB", image.size, _WHITE)
                    shown = image.convert("RGBA")
                    flat.paste(shown, mask=shown.getchannel("A"))
                    out = io.BytesIO()
                    flat.save(out, "JPEG", quality=_QUALITY)
                    return out.getvalue()
        except Exception:  # noqa: BLE001 - whatever an image does to its reader, it has no picture
            return None
