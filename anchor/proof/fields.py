"""Read JSON objects field by field, and refuse what is not expected.

The proof file and the policy are JSON written by us and read from strangers. :class:`Fields` wraps
one object; each accessor takes a field out, checks its type, length and bound, and :meth:`done`
refuses whatever is left, naming the nearest known field. Every error is a ``FormatError`` that says
where in the file the trouble is (``inclusions[2].hashes[5]``).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from anchor.errors import FormatError, LimitExceededError
from anchor.formats.encoding import parse_base64, parse_hex, parse_hexes, parse_utc
from anchor.limits import MAX_JSON_INTEGER

T = TypeVar("T")

_MISSING: Any = object()


class Fields:
    """One JSON object being read.

    Args:
        value: what ``parse_json`` gave; anything but an object is refused.
        where: its place in the file, for messages.
    """

    __slots__ = ("_left", "_seen", "where")

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise FormatError(f"{where}: {_type_name(value)} found where an object is wanted")
        self._left: dict[str, Any] = dict(value)
        self._seen: list[str] = []
        self.where = where

    def path(self, name: str) -> str:
        """Return the place of a field, for messages."""
        return f"{self.where}.{name}"

    def take(self, name: str, default: Any = _MISSING) -> Any:
        """Take a field out; without a default, a missing one is an error."""
        self._seen.append(name)
        value = self._left.pop(name, default)
        if value is _MISSING:
            raise FormatError(f"{self.where}: the field {name!r} is missing")
        return value

    def integer(
        self,
        name: str,
        *,
        minimum: int = 0,
        maximum: int = MAX_JSON_INTEGER,
        default: Any = _MISSING,
    ) -> int:
        """Take an integer within bounds."""
        value = self.take(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise FormatError(
                f"{self.path(name)}: {_type_name(value)} found where an integer is wanted"
            )
        if not minimum <= value <= maximum:
            raise FormatError(
                f"{self.path(name)}: {value} is outside {minimum} to {maximum}",
                code="format.out_of_range",
            )
        return value

    def text(self, name: str, *, max_characters: int = 1000, default: Any = _MISSING) -> str:
        """Take a string."""
        value = self.take(name, default)
        if not isinstance(value, str):
            raise FormatError(
                f"{self.path(name)}: {_type_name(value)} found where a string is wanted"
            )
        if len(value) > max_characters:
            raise LimitExceededError(
                f"{self.path(name)}: {len(value)} characters, at most {max_characters} are read"
            )
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: Any = _MISSING) -> str:
        """Take a string that is one of a few."""
        value = self.text(name, default=default)
        if value not in allowed:
            raise FormatError(f"{self.path(name)}: {value!r} is none of {', '.join(allowed)}")
        return value

    def boolean(self, name: str, default: Any = _MISSING) -> bool:
        """Take true or false."""
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise FormatError(
                f"{self.path(name)}: {_type_name(value)} found where true or false is wanted"
            )
        return value

    def hex(self, name: str, n_bytes: int | None = None, *, max_bytes: int = 1 << 20) -> bytes:
        """Take lower-case hex of ``n_bytes``, or of at most ``max_bytes``."""
        text = self.text(name, max_characters=2 * (n_bytes if n_bytes is not None else max_bytes))
        return parse_hex(text, n_bytes=n_bytes, what=self.path(name))

    def base64(self, name: str, *, max_bytes: int) -> bytes:
        """Take canonical, padded base64."""
        text = self.text(name, max_characters=4 * (max_bytes // 3 + 2))
        return parse_base64(text, max_bytes=max_bytes, what=self.path(name))

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """Take a field that may be absent or null; ``read`` is an accessor such as ``self.hex``."""
        if self._left.get(name) is None:
            self.take(name, None)
            return None
        return read(name)

    def utc(self, name: str) -> Any:
        """Take a UTC time in ISO 8601."""
        return parse_utc(self.text(name, max_characters=40))

    def array(self, name: str, *, max_items: int, default: Any = _MISSING) -> list[Any]:
        """Take an array of at most ``max_items``."""
        value = self.take(name, default)
        if not isinstance(value, list | tuple):
            raise FormatError(
                f"{self.path(name)}: {_type_name(value)} found where an array is wanted"
            )
        if len(value) > max_items:
            raise LimitExceededError(
                f"{self.path(name)}: {len(value)} items, at most {max_items} are read"
            )
        return list(value)

    def each(
        self, name: str, *, max_items: int, default: Any = _MISSING
    ) -> Iterator[tuple[Any, str]]:
        """Take an array; yield each item with its place."""
        for position, item in enumerate(self.array(name, max_items=max_items, default=default)):
            yield item, f"{self.path(name)}[{position}]"

    def hexes(self, name: str, n_bytes: int | None, *, max_items: int) -> tuple[bytes, ...]:
        """Take an array of lower-case hex strings."""
        items = self.array(name, max_items=max_items)
        try:
            # Most files are right: the place in the file is worked out only for one that is not.
            if n_bytes is not None:
                return tuple(parse_hexes(items, n_bytes))
            return tuple([parse_hex(item) for item in items])
        except FormatError:
            for position, item in enumerate(items):
                parse_hex(item, n_bytes=n_bytes, what=f"{self.path(name)}[{position}]")
            raise

    def base64s(self, name: str, *, max_items: int, max_bytes: int) -> tuple[bytes, ...]:
        """Take an array of base64 strings; absent is empty."""
        items = self.array(name, max_items=max_items, default=())
        return tuple(
            [
                parse_base64(item, max_bytes=max_bytes, what=f"{self.path(name)}[{position}]")
                for position, item in enumerate(items)
            ]
        )

    def objects(self, name: str, *, max_items: int, default: Any = _MISSING) -> Iterator[Fields]:
        """Take an array of objects."""
        for item, where in self.each(name, max_items=max_items, default=default):
            yield Fields(item, where)

    def done(self) -> None:
        """Refuse fields that nobody asked for."""
        if self._left:
            name = min(self._left)
            near = difflib.get_close_matches(name, self._seen, n=1)
            raise FormatError(
                f"{self.where}: unknown field {name!r}",
                code="format.unknown_field",
                hint=f"did you mean {near[0]!r}?" if near else None,
            )


def _type_name(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "true or false"}
    return names.get(type(value), "null" if value is None else "a number")
