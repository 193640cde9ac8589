"""Read the JSON that generators write, which need not be strict, and get at its members."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

from anchor.errors import FormatError

_WHITE = "\0 \t\r\n"


def parse_json_text(text: str, what: str) -> Any:
    """Read a JSON text; numbers with a fraction become Decimal, NaN and its like None.

    Raises:
        FormatError: it is not JSON, or nested deeper than the interpreter goes.
    """
    try:
        return json.loads(text.strip(_WHITE), parse_float=Decimal, parse_constant=lambda _: None)
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise FormatError(f"{what}: not JSON that can be read", code="capture.json") from error


def parse_json_object(text: str | None, what: str) -> dict[str, Any]:
    """Read a JSON object; no text gives an empty one.

    Raises:
        FormatError: it is not JSON, or no object.
    """
    if text is None:
        return {}
    value = parse_json_text(text, what)
    if not isinstance(value, dict):
        raise FormatError(f"{what}: a JSON object is wanted", code="capture.json")
    return value


def looks_like_object(text: str | None) -> bool:
    """Return whether a text starts as a JSON object does."""
    return text is not None and text[:64].lstrip(_WHITE).startswith("{")


def member(value: Any, *names: str) -> Any:
    """Return what lies under these names, one inside the other, or None."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def first_member(value: Any, *names: str) -> Any:
    """Return the first of these members that is there and not None."""
    if not isinstance(value, dict):
        return None
    return next((value[name] for name in names if value.get(name) is not None), None)


def text_member(value: Any, *names: str) -> str | None:
    """Return the first of these members that is a string."""
    if not isinstance(value, dict):
        return None
    return next((value[name] for name in names if isinstance(value.get(name), str)), None)


def list_member(value: Any, *names: str) -> list[Any]:
    """Return the list that lies under these names, one inside the other, or an empty one."""
    found = member(value, *names)
    return found if isinstance(found, list) else []


def compact(value: Any) -> str:
    """Write a JSON value as text: a string and a number as they stand, others as JSON."""
    if isinstance(value, str | Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=_number)


def _number(value: Any) -> float | str:
    """Return a Decimal as the number that JSON has, where it has it."""
    number = float(value)
    return number if math.isfinite(number) else str(value)
