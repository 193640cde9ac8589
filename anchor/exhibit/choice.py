"""What a party shows and what it withholds: records, fields, files.

Everything is shown unless it is chosen otherwise; genesis and key records always are, since without
them no signature can be checked.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from anchor import limits
from anchor.errors import UsageError
from anchor.records.kinds import KEY_KINDS

_RANGE: Final = re.compile(r"([0-9]{1,8})(?:-([0-9]{1,8}))?", re.ASCII)
_RULE: Final = re.compile(r"(?:([0-9]{1,8}):)?([a-z0-9_.]{1,40}|\*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A field, of one record or (``seq`` None) of every one; ``*`` is every field."""

    seq: int | None
    name: str

    def matches(self, seq: int, name: str) -> bool:
        """Return whether the rule is about that field of that record."""
        return self.seq in (None, seq) and self.name in ("*", name)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is shown.

    Attributes:
        records: numbers of the records shown; None is all of them. Key records are always shown.
        disclose: if there are any, only fields that one of them matches are disclosed.
        hide: fields that one of them matches are not.
        withheld_files: numbers of the records whose files stay out.
        reasons: why a record is withheld, by number.
    """

    records: frozenset[int] | None = None
    disclose: tuple[FieldRule, ...] = ()
    hide: tuple[FieldRule, ...] = ()
    withheld_files: frozenset[int] = frozenset()
    reasons: Mapping[int, str] = field(default_factory=dict)

    def shows(self, seq: int, kind: str) -> bool:
        """Return whether a record is shown."""
        return self.records is None or seq in self.records or kind in KEY_KINDS

    def discloses(self, seq: int, name: str) -> bool:
        """Return whether a hidden field of a shown record is disclosed."""
        wanted = not self.disclose or any(rule.matches(seq, name) for rule in self.disclose)
        return wanted and not any(rule.matches(seq, name) for rule in self.hide)


def parse_numbers(texts: Sequence[str], size: int) -> frozenset[int]:
    """Read ``1-5,9``; ``all`` is every number.

    Args:
        texts: as typed; each may hold several, with commas.
        size: how many records there are.

    Raises:
        UsageError: no numbers, or a record that is not there.
    """
    found: set[int] = set()
    for text in (part.strip() for whole in texts for part in whole.split(",")):
        match = _RANGE.fullmatch(text)
        if text == "all":
            found.update(range(size))
            continue
        if match is None:
            raise UsageError(f"{text!r}: numbers of records are wanted", hint="such as 1-5,9")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < size:
            raise UsageError(f"{text}: the records are 0 to {size - 1}")
        found.update(range(first, last + 1))
    return frozenset(found)


def parse_rules(texts: Sequence[str], known: Iterable[tuple[int, str]]) -> tuple[FieldRule, ...]:
    """Read ``FIELD`` or ``SEQ:FIELD``.

    Args:
        texts: as typed; each may hold several, with commas.
        known: number and name of every hidden field there is.

    Raises:
        UsageError: it is neither, or no record has such a field.
    """
    fields = set(known)
    rules = []
    for text in (part.strip() for whole in texts for part in whole.split(",")):
        match = _RULE.fullmatch(text)
        if match is None:
            raise UsageError(
                f"{text!r}: FIELD or SEQ:FIELD is wanted", hint="such as note or 7:why"
            )
        rule = FieldRule(None if match[1] is None else int(match[1]), match[2])
        if not any(rule.matches(*item) for item in fields):
            raise _no_field(rule, fields)
        rules.append(rule)
    return tuple(rules)


def _no_field(rule: FieldRule, fields: Iterable[tuple[int, str]]) -> UsageError:
    """Return what is said of a rule that is about no field: which ones there are."""
    there = {name for seq, name in fields if rule.seq in (None, seq)}
    near = difflib.get_close_matches(rule.name, there, n=1)
    hint = f"did you mean {near[0]!r}?" if near else None
    if rule.seq is None:
        return UsageError(f"{rule.name}: no record has that field", code="usage.field", hint=hint)
    if not there:
        return UsageError(
            f"{rule.seq}:{rule.name}: no record {rule.seq} with fields is shown",
            code="usage.field",
        )
    return UsageError(
        f"{rule.seq}:{rule.name}: record {rule.seq} has no field {rule.name!r}",
        code="usage.field",
        hint=hint or f"it has {', '.join(sorted(there))}",
    )


def parse_reasons(texts: Sequence[str], withheld: frozenset[int]) -> dict[int, str]:
    """Read ``SEQ=TEXT``.

    Raises:
        UsageError: it is something else, too long, or about a record that is not withheld.
    """
    reasons = {}
    for text in texts:
        number, found, reason = text.partition("=")
        if not found or not number.strip().isdecimal() or not reason.strip():
            raise UsageError(f"{text[:80]!r}: SEQ=TEXT is wanted")
        if int(number) not in withheld:
            raise UsageError(f"record {int(number)} is not withheld: there is nothing to explain")
        if len(reason) > limits.MAX_EXHIBIT_REASON_CHARACTERS:
            most = limits.MAX_EXHIBIT_REASON_CHARACTERS
            raise UsageError(f"the reason for record {int(number)} is over {most} characters")
        reasons[int(number)] = reason.strip()
    return reasons
