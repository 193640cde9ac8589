"""The name of an exhibit: what its file, its folder and its list are called."""

from __future__ import annotations

import unicodedata
from typing import Final

from anchor.errors import FormatError, UsageError
from anchor.exhibit.container import check_names
from anchor.exhibit.layout import FOLDER_SUFFIX, ZIP_SUFFIX

_MAX_BYTES: Final = 100
_DEFAULT: Final = "exhibit"


def exhibit_name(text: str, *, given: bool) -> str:
    """Return the name.

    Args:
        text: as typed, or the name of the working folder.
        given: it was typed, so that another one is not put in its place.

    Raises:
        UsageError: no file can be called that on every system.
    """
    name = unicodedata.normalize("NFC", text.removesuffix(ZIP_SUFFIX).removesuffix(FOLDER_SUFFIX))
    if _is_plain(name):
        return name
    if not given:
        return _DEFAULT
    raise UsageError(
        f"{text[:80]!r} can not be the name of an exhibit",
        hint=f"letters, digits, dots and dashes, at most {_MAX_BYTES} bytes",
    )


def _is_plain(name: str) -> bool:
    if "/" in name or name.startswith((".", "-")):
        return False
    try:
        check_names([f"{name}{FOLDER_SUFFIX}/x", name])
        return len(name.encode()) <= _MAX_BYTES
    except (FormatError, UnicodeEncodeError):
        return False
