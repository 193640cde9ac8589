"""Small phrases that several sections share: times, lags, families, digests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from anchor.exhibit.pdf.blocks import Line
from anchor.exhibit.pdf.text import cut, plain
from anchor.exhibit.pdf.words import Words

DASH: Final = "–"
_SHORT_DIGITS: Final = 8
_DIGEST: Final = re.compile(r"\b(?:0x)?[0-9a-f]{64}\b")
_DAY_S: Final = 86_400
_HOUR_S: Final = 3600
_MINUTE_S: Final = 60


def time_of(iso: str | None) -> str:
    """Return ``2026-11-23 10:02:08`` without fractions of a second, or a dash."""
    return DASH if iso is None else iso.replace("T", " ").removesuffix("Z").partition(".")[0]


def bound_of(row: Mapping[str, Any], words: Words) -> str:
    """Return a row's bound in words, with its zone and how exact it is."""
    if row["attested_time"] is None:
        return DASH
    name = "common.day" if row["precision"] == "day" else "common.utc"
    return words(name, time=time_of(row["attested_time"]))


def lag_of(seconds: int | None, words: Words) -> str:
    """Return a lag in the largest unit that it fills twice."""
    if seconds is None:
        return DASH
    named = {"seconds": 1, "minutes": _MINUTE_S, "hours": _HOUR_S, "days": _DAY_S}
    texts = dict(zip(named, words.lines("chronology.intervals"), strict=True))
    unit = next(
        (u for u in reversed(named) if abs(seconds) >= 2 * named[u]), "seconds"
    )  # ninety minutes are told in minutes
    count = abs(seconds) // named[unit]
    return ("−" if seconds < 0 else "") + texts[unit].format(**{unit: count})


def family_of(row: Mapping[str, Any], words: Words) -> str:
    """Return what people call a family, with the chain or party where one is named."""
    family = row["family"]
    known = words.texts["family"]
    name = str(known.get(family, known["other"]))
    by = plain(row["by"] or "", lines=False)
    return f"{name}: {by}" if by and family == "evm" else name


def reason_of(text: str) -> str:
    """Return a verdict's own words on one line, each whole digest in them shortened."""
    shown = plain(text, lines=False)
    return _DIGEST.sub(lambda match: f"{match[0][:_SHORT_DIGITS]}…", shown)


def whole(digest: str) -> Line:
    """Return a digest in small letters, whole."""
    return [("tiny", digest)]


def told(text: str, seq: int, words: Words, characters: int = 1200) -> str:
    """Return a party's text, cut where it is long, everything in it visible."""
    shown, left_out = cut(text, characters)
    note = f" {words('common.left_out', count=f'{left_out:,}', seq=seq)}" if left_out else ""
    return plain(shown) + note


def ranges(numbers: Iterable[int]) -> str:
    """Return ``0–3, 7, 9–12`` of ascending numbers."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}{DASH}{b}" for a, b in runs)
