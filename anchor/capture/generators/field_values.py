"""Bring the fields of a reading into the one form that records take.

The names, and what each holds, are a table in ``docs/guides/capture.md``. Numbers are decimal text
but for a few small counts, so that nothing is rounded: a seed may have 64 bits, and 7 and 7.0 stay
what the tool wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from anchor.capture.generators.json_text import compact
from anchor.capture.text import repair_surrogates
from anchor.limits import MAX_CAPTURE_SETTINGS, MAX_JSON_INTEGER

_COUNTS: Final = frozenset(("steps", "clip_skip", "width", "height"))
_NUMBERS: Final = frozenset(("seed", "cfg_scale", "denoise", "weight"))
_MAX_DIGITS: Final = 40
_MAX_NUMBER_CHARACTERS: Final = 82
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,60}(\.[0-9]{0,60})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_MAX_DEPTH: Final = 6


def number_text(value: Any) -> str | None:
    """Return a number as decimal text without exponent; None if it is none, or too long."""
    if isinstance(value, bool) or value is None:
        return None
    text = value.strip() if isinstance(value, str) else str(value)
    if len(text) > _MAX_NUMBER_CHARACTERS or not _DECIMAL.fullmatch(text):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if number.adjusted() >= _MAX_DIGITS:
        return None
    written = format(number, "f").removeprefix("+")
    whole, _, fraction = written.partition(".")
    sign, whole = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    whole = whole.lstrip("0") or "0"
    if len(fraction) > _MAX_DIGITS:
        return None
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def count(value: Any) -> int | None:
    """Return a whole number from 0 to 2**53 - 1, also where it is written as text, or None."""
    text = number_text(value)
    if text is None:
        return None
    whole, _, fraction = text.partition(".")
    if fraction.strip("0") or whole.startswith("-"):
        return None
    number = int(whole)
    return number if number <= MAX_JSON_INTEGER else None


def field_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in form; what is None, empty or out of range is dropped.

    A number that a tool writes where no number fits stays as text under ``settings``.
    """
    result: dict[str, Any] = {}
    settings = dict(fields.get("settings") or {})
    for name, value in fields.items():
        if name == "settings":
            continue
        formed = _formed(name, value, 0)
        if formed not in (None, "", [], {}):
            result[name] = formed
        elif value not in (None, "", [], {}):
            settings.setdefault(name, value)
    written = _settings(settings)
    if written:
        result["settings"] = written
    return result


def _settings(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return everything else a tool says, as text by its own name."""
    pairs = list(settings.items())[:MAX_CAPTURE_SETTINGS]
    return {
        repair_surrogates(str(name)): repair_surrogates(compact(value))
        for name, value in pairs
        if value is not None and value != ""
    }


def _formed(name: str, value: Any, depth: int) -> Any:
    if value is None or depth > _MAX_DEPTH:
        return None
    if name in _COUNTS:
        return count(value)
    if name in _NUMBERS:
        return number_text(value)
    if isinstance(value, str):
        return repair_surrogates(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int | Decimal | float):
        return number_text(value)
    if isinstance(value, list | tuple):
        items = (_formed("", item, depth + 1) for item in value[:MAX_CAPTURE_SETTINGS])
        return [item for item in items if item not in (None, "", [], {})]
    if isinstance(value, dict):
        pairs = list(value.items())[:MAX_CAPTURE_SETTINGS]
        formed = {repair_surrogates(str(k)): _formed(str(k), v, depth + 1) for k, v in pairs}
        return {key: item for key, item in formed.items() if item not in (None, "", [], {})}
    return None
