"""Words of the pages: ages, counts, names, and what others said, made fit to be shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from anchor.cli._peer_words import peer_words

_FAMILIES: Final = {
    "rfc3161": "Time-stamping authority (RFC 3161)",
    "evm": "Chain of the Ethereum kind",
    "bitcoin": "Bitcoin, through a calendar (OpenTimestamps)",
    "witness": "Witness of the log",
}
_USUALLY: Final = {
    "rfc3161": "usually within a minute",
    "witness": "usually within a minute",
    "evm": "usually within an hour",
    "bitcoin": "usually within 12 hours",
}
_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_NAME_COLUMNS: Final = 60
_NOTE_COLUMNS: Final = 160


def age(seconds: float) -> str:
    """Return a length of time in the two greatest units: ``3 hours 12 minutes``."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for size, name in _UNITS:
        n, rest = divmod(left, size)
        if n or (parts and name == "second"):
            parts.append(count(n, name))
            left = rest
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "no time"


def count(n: int, one: str) -> str:
    """Return a number with its word: ``1 digest``, ``4,321 digests``."""
    return f"{n:,} {one}" if n == 1 else f"{n:,} {one}s"


def first_digests(tree_size: int) -> str:
    """Return what a tree of that size covers: ``the first 4,321 digests``."""
    return "the first digest" if tree_size == 1 else f"the first {count(tree_size, 'digest')}"


def family(name: str | None) -> str:
    """Return what kind of party a family is."""
    return _FAMILIES.get(name or "", "Another kind of party")


def usually(name: str | None) -> str:
    """Return how long a family usually takes."""
    return _USUALLY.get(name or "", "")


def expected(at: datetime) -> str:
    """Return the words before an expected time; one that has passed is no promise any more."""
    return "expected by " if at >= datetime.now(UTC) else "was expected by "


def party(name: str) -> str:
    """Return a party's name, short and without what could be taken for a verdict."""
    return peer_words(name.replace(":", " ", 1), _NAME_COLUMNS)


def said(note: str) -> str:
    """Return what a party or an error said, short and without what could be taken for a verdict."""
    return peer_words(note, _NOTE_COLUMNS)


def read_time(text: str | None) -> datetime | None:
    """Return a time of the service's own JSON."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
