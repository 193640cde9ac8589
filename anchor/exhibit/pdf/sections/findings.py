"""What is claimed of completeness, how it is known, and what the exporting machine found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from anchor.exhibit.pdf.blocks import (
    Block,
    Line,
    bullets,
    form,
    heading,
    numbered,
    paragraph,
    table,
)
from anchor.exhibit.pdf.contents import Contents
from anchor.exhibit.pdf.sections.phrases import DASH, family_of, ranges, reason_of, whole
from anchor.exhibit.pdf.text import plain
from anchor.exhibit.pdf.words import Words

_STATUSES: Final = ("verified", "failed", "pending", "not_checked")
_POINTS: Final = 7.6
_REMARKS: Final = 40


def completeness(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield section 5."""
    listed = contents.listed
    up_to = listed["complete_up_to"]
    values = {
        "project": listed["project"],
        "listed": len(contents.rows),
        "shown": len(contents.records),
        "withheld": len(contents.stubs),
        "fields": listed["withheld_fields"],
        "complete": DASH if up_to is None else up_to,
        "closed": words("common.yes" if listed["closed"] else "common.no"),
    }
    yield heading(2, words("completeness.title"))
    yield paragraph(words("completeness.text"))
    yield bullets(words.lines("completeness.facts", **values))
    if up_to is None:
        yield paragraph(words("completeness.incomplete", reason=plain(listed["reason"])))
    if contents.stubs:
        rows = [
            [str(row["seq"]), words.kind(row["kind"]), whole(row["digest"]), _why(row)]
            for row in contents.stubs
        ]
        yield table((0, 3, 0, 5), words.lines("completeness.head"), rows, size=_POINTS)
    else:
        yield paragraph(words("completeness.nothing_withheld"))
    yield paragraph(words("completeness.limits"))


def _why(row: Mapping[str, Any]) -> str:
    """Return why the party withholds a record, in its own words."""
    return plain(row.get("reason") or DASH, lines=False)


def method(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield section 6."""
    families = dict.fromkeys(family_of(row, words) for row in contents.attestations())
    named = ", ".join(families) or DASH
    yield heading(2, words("method.title"))
    yield numbered(words.lines("method.steps", families=named))
    yield heading(3, words("method.failures"))
    yield table((3, 4, 6), words.lines("method.failures_head"), words.rows("method.failures_rows"))


def report(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield section 7."""
    policy = contents.policy() or {"name": DASH, "sha256": DASH, "class": DASH}
    values = {
        "generator": plain(contents.listing["generator"], lines=False),
        "policy": plain(policy["name"], lines=False),
        "sha256": policy["sha256"],
        "class": policy["class"],
        "status": words(f"word.{contents.status}"),
        "statement": plain(contents.listed["statement"], lines=False),
    }
    yield heading(2, words("report.title"))
    yield paragraph(words("report.text"))
    yield bullets(words.lines("report.facts", **values))
    yield table((6, 2, 2, 2, 2), words.lines("report.counts_head"), _counts(contents, words))
    yield from _found(contents, words)
    yield paragraph(words("report.second"))


def _counts(contents: Contents, words: Words) -> Iterator[list[Line]]:
    counts: dict[str, Counter[str]] = {}
    for verdict in contents.verdicts.values():
        for finding in verdict["record"]["findings"]:
            if finding["step"] == "13.3":
                name = words("report.signatures")
                counts.setdefault(name, Counter())[finding["status"]] += 1
    for row in contents.attestations():
        counts.setdefault(family_of(row, words), Counter())[row["status"]] += 1
    for name, found in counts.items():
        yield [name, *(str(found[status] or DASH) for status in _STATUSES)]


def _found(contents: Contents, words: Words) -> Iterator[Block]:
    rows = [_finding(row, row.get("path") or DASH, words) for row in contents.report["findings"]]
    for seq, verdict in contents.verdicts.items():
        where = words("common.record", seq=seq)
        bad = (*verdict["record"]["findings"], *verdict["attestations"])
        rows += [_finding(row, where, words) for row in bad if row["status"] == "failed"]
    yield heading(3, words("report.findings"))
    if rows:
        yield table((1, 2, 4, 8), words.lines("report.findings_head"), rows)
    else:
        yield paragraph(words("report.no_findings"))
    yield from _remarks(contents, words)


def _finding(row: Mapping[str, Any], where: str, words: Words) -> list[Line]:
    reason = reason_of(row["reason"])
    return [row.get("step", DASH), words.verdict(row["status"]), plain(where, lines=False), reason]


def _remarks(contents: Contents, words: Words) -> Iterator[Block]:
    remarks: dict[str, list[int]] = {}
    for seq, verdict in contents.verdicts.items():
        for warning in verdict["warnings"]:
            remarks.setdefault(plain(warning, lines=False), []).append(seq)
    if remarks:
        yield heading(3, words("report.warnings"))
        yield bullets(
            f"{words('common.records', seqs=ranges(seqs))}: {text}"
            for text, seqs in list(remarks.items())[:_REMARKS]
        )


def before_the_record(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield section 8: what evidence of digests says nothing about."""
    yield heading(2, words("before.title"))
    yield paragraph(words("before.text"))
    yield form(words.lines("before.fields"))
    yield heading(3, words("before.custody"))
    kept = contents.of_kind("custody")
    if kept:
        names = ("event", "from", "to", "checked")
        rows = [
            [str(r.seq), *(plain(str(r.fields.get(n) or DASH), lines=False) for n in names)]
            for r in kept
        ]
        yield table((1, 4, 3, 3, 3), words.lines("before.custody_head"), rows)
    yield form(words.lines("before.custody_fields"))
    yield heading(3, words("before.system"))
    yield form(words.lines("before.system_fields"))
