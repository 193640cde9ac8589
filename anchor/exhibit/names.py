"""The name of an exhibit: what its file, its folder and its list are called."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from anchor.errors import FormatError, UsageError
from anchor.exhibit.container import check_names
from anchor.exhibit.layout import FOLDER_SUFFIX, ZIP_SUFFIX

_MAX_BYTES: Final = 100
_DEFAULT: Final = "exhibit"
# Whoever copies a command out of README.txt or CHECK.md runs the name in a shell.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


def exhibit_name(text: str, *, given: bool) -> str:
    """Return the name: ASCII, since it is part of every name in the exhibit.

    Letters with marks lose these, a space becomes a dash, characters beyond ASCII are left out;
    where nothing is left, the name is ``exhibit``. The title is free.

    Args:
        text: as typed, or the name of the working folder.
        given: it was typed, so that another one is not put in place of an ASCII one.

    Raises:
        UsageError: no file can be called that on every system.
    """
    plain = text.removesuffix(ZIP_SUFFIX).removesuffix(FOLDER_SUFFIX)
    name = _ascii(plain).replace(" ", "-")
    if plain and not name:
        return _DEFAULT
    if _is_plain(name):
        return name
    if not given:
        return _DEFAULT
    raise UsageError(
        f"{text[:80]!r} can not be the name of an exhibit",
        hint=f"letters, digits, dots and dashes, at most {_MAX_BYTES} bytes",
    )


def _ascii(text: str) -> str:
    """Return the text in ASCII; one that is ASCII already stays as it is."""
    if text.isascii():
        return text
    kept = (c for c in unicodedata.normalize("NFKD", text) if c.isascii())
    return "".join(kept).strip(" .-_")


def _is_plain(name: str) -> bool:
    if not _PLAIN.fullmatch(name) or name.startswith((".", "-")):
        return False
    try:
        check_names([f"{name}{FOLDER_SUFFIX}/x", name])
        return len(name.encode()) <= _MAX_BYTES
    except (FormatError, UnicodeEncodeError):
        return False
