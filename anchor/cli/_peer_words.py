"""Words that came with evidence, made fit to stand in a line of ours.

Whoever wrote a proof chose these words, so they must not be able to look like a verdict: no sign of
the four, no line break, no character that turns the direction of writing, and never so long that
they fill the next line of a narrow terminal. The whole text stands in ``--json`` and ``inspect``.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from anchor.cli._output import SIGNS, shown_time, width
from anchor.proof.proof import ExpectedAttestation

MAX_COLUMNS: Final = 60
OTHER_FAMILY: Final = "other"
# How long each usually takes, in words; the service's own estimate is anchor/service/alarm_rules.py
_USUALLY: Final = {
    "rfc3161": "usually within a minute",
    "witness": "usually within a minute",
    "evm": "usually within an hour",
    "bitcoin": "usually within 12 hours",
}
# What backends call their parties (``rfc3161:digicert``), in a reader's words.
_PARTIES: Final = {"rfc3161": "authority", "evm": "chain"}
# The four signs, and what a reader or a font may take for one of them. The ellipsis is apart: our
# own sentences shorten digests with it.
_ELLIPSES: Final = frozenset("…⋯‥⋰")
_SIGNS: Final = (
    frozenset(text[0] for text, _ in SIGNS.values()) | frozenset("✔✅☑🗸🗹✗✘✖❌☒⨯◯◌⚪⭕⃝")
) - _ELLIPSES
# Letters, marks, numbers, punctuation, symbols. What is none of these (controls, formats such as
# the bidirectional ones, separators of lines, private and unassigned characters) is not shown.
_SHOWN: Final = frozenset("LMNPS")


def peer_words(text: str, most: int = MAX_COLUMNS) -> str:
    """Return a text from a proof on one line, harmless, at most ``most`` columns wide."""
    words = " ".join("".join(map(_harmless, text[: 8 * most])).split())
    if width(words) <= most and len(words) <= 2 * most:
        return words
    words = words[: 2 * most]  # marks that stand on other characters take no column
    while width(words) > most - 3:
        words = words[:-1]
    # Three dots: the one character for them is the sign of a verdict.
    return words.rstrip() + "..."


def family_word(family: str) -> str:
    """Return the family if it is one that this release knows, else ``other``."""
    return family if family in _USUALLY else OTHER_FAMILY


def without_signs(text: str) -> str:
    """Return a sentence of ours that may quote a proof, without what imitates a verdict."""
    plain = "".join("?" if c in _SIGNS else c for c in text)
    return plain.replace("… pending", "... pending")


def expected_words(row: ExpectedAttestation) -> str:
    """Return who is expected to attest, and when: ``calendar alice; usually within 12 hours``."""
    kind, colon, name = row.by.partition(":")
    by = f"{_PARTIES.get(kind, kind)} {name}" if colon else row.by
    return pending_words(by, row.family, row.expected_at)


def promised_words(calendar: str) -> str:
    """Return the same for a calendar that has promised.

    Args:
        calendar: its address, or other words that tell of it.
    """
    try:
        host = urlsplit(calendar).hostname
    except ValueError:
        host = None
    return pending_words(f"calendar {host}" if host else calendar, "bitcoin", None)


def pending_words(by: str, family: str, expected_at: datetime | None) -> str:
    """Return one text for everything that is not there yet.

    Once the time has passed it is no promise any more: then it says whom to ask.
    """
    usually = _USUALLY.get(family, "not there yet")
    if expected_at is None:
        words = usually
    elif expected_at >= datetime.now(UTC):
        words = f"{usually}, expected by {shown_time(expected_at)}"
    else:
        words = f"was expected by {shown_time(expected_at)}; ask: vestige admin status"
    who = peer_words(by)
    return f"{who}; {words}" if who else words


def _harmless(character: str) -> str:
    if character.isspace():
        return " "
    if character in _ELLIPSES:
        return "..."
    shown = unicodedata.category(character)[0] in _SHOWN and character not in _SIGNS
    return character if shown else "?"
