"""The types of a record's fields, and the check of an object against a table of fields.

One check a type, so that one text has one meaning: numbers that may have a fraction are decimal
strings, digests and keys lower-case hex, times UTC. What a field *says* is its creator's word.

Specification: ``docs/spec/record.md``, "Types".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from anchor.errors import FormatError
from anchor.formats.encoding import parse_hex, parse_utc

ROLES: Final = ("author", "co-author", "assistant", "tool", "importer")
MODES: Final = ("live_plugin", "watch_folder", "manual", "import")
TIERS: Final = ("T0", "T1", "T2", "T3", "T4")

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,39})(\.[0-9]{1,40})?", re.ASCII)
_REF: Final = re.compile(r"(0|[1-9][0-9]{0,14})(\.(0|[1-9][0-9]{0,3}))?", re.ASCII)
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_BEACON_FIELDS: Final = {
    "bitcoin": {"height": "integer", "hash": "sha256"},
    "evm": {"chain_id": "integer", "number": "integer", "hash": "sha256"},
    "drand": {"round": "integer", "randomness": "sha256"},
}
_BEACON_OPTIONAL: Final = {
    "drand": {
        "chain_hash": "sha256",
        "signature": "drand signature",
        "previous_signature": "drand signature",
    },
}
_MAX_BEACONS: Final = 8
_MAX_OFFSET_MINUTES: Final = 14 * 60


@dataclass(frozen=True, slots=True)
class Field:
    """One row: a field's name, type (a key of ``TYPES``), meaning, and when it is there."""

    name: str
    type: str
    meaning: str
    required: bool = False
    open: bool = False


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_map(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_hex(n_bytes: int) -> Callable[[Any], bool]:
    return _reads(lambda value: parse_hex(value, n_bytes=n_bytes))


def _reads(parse: Callable[[Any], object]) -> Callable[[Any], bool]:
    def reads(value: Any) -> bool:
        try:
            parse(value)
        except FormatError:
            return False
        return True

    return reads


def _each(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _one_of(values: Iterable[str]) -> Callable[[Any], bool]:
    allowed = frozenset(values)
    return lambda value: isinstance(value, str) and value in allowed


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_text, value))


def _is_change(value: Any) -> bool:
    return _is_pair(value) and value[0] in ("=", "-", "+")


def _object(required: Mapping[str, str], optional: Mapping[str, str]) -> Callable[[Any], bool]:
    types = {**required, **optional}

    def check(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and set(required) <= set(value) <= set(types)
            and all(TYPES[types[name]](item) for name, item in value.items())
        )

    return check


def _is_beacon(value: Any) -> bool:
    if not isinstance(value, dict) or not TYPES["beacon source"](value.get("source")):
        return False
    source = value["source"]
    required = {"source": "beacon source", **_BEACON_FIELDS[source]}
    return _object(required, _BEACON_OPTIONAL.get(source, {}))(value)


TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "text": _is_text,
    "texts": _each(_is_text),
    "word": _matches(_WORD),
    "integer": _is_integer,
    "number": _matches(_NUMBER),
    "boolean": lambda value: isinstance(value, bool),
    "time": _reads(parse_utc),
    "sha256": _is_hex(32),
    "sha256s": _each(_is_hex(32)),
    "key": _is_hex(32),
    "ref": _matches(_REF),
    "refs": _each(_matches(_REF)),
    "maps": _each(_is_map),
    "pairs": _each(_is_pair),
    "difference": _each(_is_change),
    "role": _one_of(ROLES),
    "file": _object(
        {"role": "word", "media_type": "text", "size": "integer", "sha256": "sha256"},
        {"name": "text", "sha3_256": "sha256"},
    ),
    # of the envelope alone
    "schema": lambda value: value == "vestige-record/1",
    "project id": _is_hex(16),
    "sha256 or null": lambda value: value is None or TYPES["sha256"](value),
    "actor": _object({"key": "sha256", "role": "role"}, {}),
    "mode": _one_of(MODES),
    "lag": lambda value: value is None or _is_integer(value),
    "capture": _object({"mode": "mode", "client": "text", "lag_s": "lag"}, {}),
    "tier": _one_of(TIERS),
    "offset": lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_OFFSET_MINUTES
    ),
    "beacon source": _one_of(_BEACON_FIELDS),
    "drand signature": lambda value: _is_hex(48)(value) or _is_hex(96)(value),
    "beacons": lambda value: _each(_is_beacon)(value) and len(value) <= _MAX_BEACONS,
}


def check_fields(fields: Iterable[Field], values: Mapping[str, Any], *, want: bool) -> None:
    """Check names and types; with ``want``, also that every required field is there.

    Raises:
        FormatError: a field is unknown, missing, or of another type.
    """
    rows = {field.name: field for field in fields}
    for name, value in values.items():
        if name not in rows:
            raise FormatError(f"unknown field {name[:80]!r} in the record", code="record.field")
        if not TYPES[rows[name].type](value):
            raise FormatError(f"the record's {name} is no {rows[name].type}", code="record.type")
    missing = [name for name, row in rows.items() if want and row.required and name not in values]
    if missing:
        raise FormatError(f"the record's {missing[0]} is missing", code="record.field")
