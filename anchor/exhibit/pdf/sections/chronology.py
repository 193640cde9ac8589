"""The chronology: one row for each place of the project, between its two bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anchor.exhibit.pdf.blocks import Block, Line, heading, paragraph, table
from anchor.exhibit.pdf.contents import Contents
from anchor.exhibit.pdf.sections.phrases import DASH, lag_of, time_of
from anchor.exhibit.pdf.words import Words
from anchor.formats.encoding import utc_text

_POINTS = 7.2


def chronology(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield section 3."""
    yield heading(2, words("chronology.title"))
    yield paragraph(words("chronology.text"))
    rows = [
        _shown(contents, row["seq"], words) if row["shown"] else _withheld(row, words)
        for row in contents.rows
    ]
    head = words.lines("chronology.head")
    yield table((0, 4, 3, 0, 6, 6, 6, 4, 3), head, rows, size=_POINTS)
    yield paragraph([("small", words("chronology.tiers"))])


def _shown(contents: Contents, seq: int, words: Words) -> list[Line]:
    record, verdict = contents.records[seq], contents.verdicts[seq]
    payload = record.sd_jwt.payload
    kind: Line = words.kind(record.kind.name)
    if payload["late"]:
        kind = [words.kind(record.kind.name), ("soft", f" ({words('chronology.late')})")]
    return [
        str(seq),
        kind,
        record.actor.role,
        payload["tier"],
        time_of(utc_text(record.claimed_time)),
        time_of(verdict["not_before"]),
        time_of(verdict["existed_before"]["headline"]),
        words.verdict(verdict["status"]),
        lag_of(verdict["record"]["lag_s"], words),
    ]


def _withheld(row: Mapping[str, Any], words: Words) -> list[Line]:
    return [
        str(row["seq"]),
        [("soft", words.kind(row["kind"]))],
        "", "", "", "", "",
        [("strong", words("chronology.withheld_plain"))],
        DASH,
    ]  # fmt: skip
