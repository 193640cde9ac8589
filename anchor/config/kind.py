"""The kinds of value that a setting can have, and how each is read from text and from TOML.

Flags and environment variables are text; a TOML file has types, and a value of another type than
the setting's is refused there (``port = "80"`` is a mistake that someone should hear of). Lists are
written with commas as text. Every message names the value got and what is wanted; the caller adds
the key and the place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anchor.backends.address import address_problem, shown_address
from anchor.config.secret import Secret


class KindError(ValueError):
    """A value is not of its setting's kind; the message says what is wanted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value.

    Attributes:
        wanted: for messages and the guide, such as ``a whole number``.
        metavar: for ``--help``.
        from_text: reads a flag or variable; raises :class:`KindError`.
        from_toml: reads a TOML value; raises :class:`KindError`.
        is_secret: read from the environment alone, never shown.
    """

    wanted: str
    metavar: str
    from_text: Callable[[str], Any]
    from_toml: Callable[[Any], Any]
    is_secret: bool = False


def _refuse(value: object, wanted: str) -> KindError:
    shown = repr(value)
    return KindError(f"{shown[:80]}{'…' if len(shown) > 80 else ''} is not {wanted}")


def _toml_text(value: Any) -> str:
    if not isinstance(value, str):
        raise _refuse(value, "a string")
    return value


def _text(value: str) -> str:
    if not value or value != value.strip() or not value.isprintable():
        raise _refuse(value, "text without control characters or space at its ends")
    return value


TEXT: Final = Kind("text", "TEXT", _text, lambda value: _text(_toml_text(value)))


def _path(value: str) -> Path:
    if not value or "\0" in value:
        raise _refuse(value, "a path")
    return Path(value).expanduser()


PATH: Final = Kind("a path", "PATH", _path, lambda value: _path(_toml_text(value)))


def whole(minimum: int, maximum: int) -> Kind:
    """Return the kind of whole numbers from ``minimum`` to ``maximum``."""
    wanted = f"a whole number from {minimum} to {maximum}"

    def check(value: int) -> int:
        if not minimum <= value <= maximum:
            raise _refuse(value, wanted)
        return value

    def from_text(value: str) -> int:
        digits = value.replace("_", "")
        if not digits.isascii() or not digits.isdecimal() or len(digits) > 20:
            raise _refuse(value, wanted)
        return check(int(digits))

    def from_toml(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refuse(value, wanted)
        return check(value)

    return Kind(wanted, "N", from_text, from_toml)


def seconds(minimum: float, maximum: float) -> Kind:
    """Return the kind of numbers of seconds, fractions allowed."""
    wanted = f"a number of seconds from {minimum:g} to {maximum:g}"

    def check(value: float) -> float:
        # NaN fails both comparisons.
        if not minimum <= value <= maximum:
            raise _refuse(value, wanted)
        return value

    def from_text(value: str) -> float:
        try:
            return check(float(value))
        except ValueError:
            raise _refuse(value, wanted) from None

    def from_toml(value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _refuse(value, wanted)
        return check(float(value))

    return Kind(wanted, "SECONDS", from_text, from_toml)


def _switch(value: str) -> bool:
    known = {"true": True, "yes": True, "on": True, "1": True}
    known |= {"false": False, "no": False, "off": False, "0": False}
    if value.lower() not in known:
        raise _refuse(value, "true or false")
    return known[value.lower()]


def _toml_switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refuse(value, "true or false")
    return value


SWITCH: Final = Kind("true or false", "true|false", _switch, _toml_switch)


def _url(value: str) -> str:
    problem = address_problem(_text(value))
    if problem is not None:
        # It may hold a password or an access key.
        wanted = "an address such as https://host/path"
        raise KindError(f"{shown_address(value)!r} is not {wanted}: {problem}")
    return value


URL: Final = Kind("an address (http or https)", "URL", _url, lambda value: _url(_toml_text(value)))


def listed(item: Kind) -> Kind:
    """Return the kind of lists of that kind: commas between the items as text, an array in TOML."""
    wanted = f"a list, each {item.wanted}"

    def from_text(value: str) -> tuple[Any, ...]:
        parts = (part.strip() for part in value.split(","))
        return tuple(item.from_text(part) for part in parts if part)

    def from_toml(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _refuse(value, wanted)
        return tuple(item.from_toml(part) for part in value)

    return Kind(wanted, f"{item.metavar},…", from_text, from_toml)


def choice(*names: str) -> Kind:
    """Return the kind of one word among several."""
    wanted = "one of " + ", ".join(names)

    def check(value: str) -> str:
        if value not in names:
            raise _refuse(value, wanted)
        return value

    return Kind(wanted, "|".join(names), check, lambda value: check(_toml_text(value)))


def _no_secret_in_toml(_value: Any) -> Any:
    raise KindError("a secret does not stand in a settings file; name a file of mode 0600 instead")


def _secret(value: str) -> Secret:
    if not value:
        raise KindError("the secret is empty")
    return Secret(value)


SECRET: Final = Kind("a secret", "SECRET", _secret, _no_secret_in_toml, is_secret=True)
