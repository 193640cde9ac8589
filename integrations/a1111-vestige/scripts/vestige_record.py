"""Record each image that the web UI saves; made for AUTOMATIC1111 and Forge.

The web UI calls after the file is written. Grids and other saved files are recorded too: they are
outputs. What fails is shown with the image where the release can, logged once, and never raised.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules import script_callbacks, shared
from vestige_recorder import Outcome, failed, record_images

CLIENT = "a1111-vestige/0.1.0"
_SECTION = ("vestige", "Vestige")
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif"})


def add_settings() -> None:
    """Add the section of the settings page."""
    options = {
        "vestige_enabled": (True, "Record saved images"),
        "vestige_vault": ("", "Folder of the vault (empty: the image's folder or one above it)"),
    }
    for name, (default, label) in options.items():
        shared.opts.add_option(name, shared.OptionInfo(default, label, section=_SECTION))


def record_saved(params: Any) -> None:
    """Record one image, given what the web UI tells of it (``ImageSaveParams``)."""
    try:
        path = Path(params.filename)
        if not _option("vestige_enabled", default=True) or path.suffix.lower() not in _IMAGES:
            return
        vault = str(_option("vestige_vault", default="") or "")
        _show(params, record_images([str(path)], vault=vault, client=CLIENT))
    except Exception as error:  # noqa: BLE001 - whatever it is, the image is there and stays
        failed(error)


def _option(name: str, *, default: Any) -> Any:
    return getattr(shared.opts, name, default)


def _show(params: Any, outcome: Outcome) -> None:
    """Tell of a failure under the image; releases before 1.6 have no place for it."""
    comment = getattr(getattr(params, "p", None), "comment", None)
    if not outcome.recorded and callable(comment):
        comment(outcome.text)


script_callbacks.on_ui_settings(add_settings)
script_callbacks.on_image_saved(record_saved)
