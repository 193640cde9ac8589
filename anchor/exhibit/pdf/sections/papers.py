"""The papers that go with an exhibit: draft certifications, the checklist, glossary, annexes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from anchor.exhibit.pdf.blocks import Block, Line, heading, numbered, paragraph, table
from anchor.exhibit.pdf.contents import Contents
from anchor.exhibit.pdf.sections.phrases import whole
from anchor.exhibit.pdf.words import Words

_POINTS: Final = 7.2


def certifications(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield section 9: drafts for counsel, none of them signed."""
    yield heading(2, words("certifications.title"))
    yield paragraph(words("certifications.text"))
    for name in ("process", "copies", "vermont"):
        yield heading(3, words(f"certifications.{name}_title"))
        yield numbered(words.lines(f"certifications.{name}"))
    yield heading(3, words("certifications.notice_title"))
    values = {"name": contents.name, "bundle": contents.bundle}
    for text in words.lines("certifications.notice", **values):
        yield paragraph(text)
    yield paragraph([("small", words("certifications.who"))])


def checklist(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield section 10."""
    yield heading(2, words("checklist.title"))
    yield paragraph(words("checklist.text"))
    yield table((2, 9, 6), words.lines("checklist.head"), words.rows("checklist.rows"))
    counts = {"shown": len(contents.records), "listed": len(contents.rows)}
    yield paragraph([("small", words("checklist.note", **counts))])


def glossary(words: Words) -> Iterator[Block]:
    """Yield section 11."""
    yield heading(2, words("glossary.title"))
    rows: list[list[Line]] = [
        [[("strong", term)], meaning] for term, meaning in words.rows("glossary.rows")
    ]
    yield table((3, 9), [], rows)


def annexes(contents: Contents, words: Words, n_attached: int) -> Iterator[Block]:
    """Yield the lists of records and files with their digests."""
    yield heading(2, words("annex.records"))
    rows = [[str(r["seq"]), words.kind(r["kind"]), whole(r["digest"])] for r in contents.rows]
    yield table((1, 4, 8), words.lines("annex.records_head"), rows, size=_POINTS)
    yield heading(2, words("annex.files"))
    first: dict[str, tuple[int, str]] = {}
    for row in contents.listing["files"]:
        if row["path"]:
            number = row["field"].removeprefix("file.")
            first.setdefault(row["sha256"], (row["size"], f"{row['record']}.{number}"))
    rows = [[whole(sha256), f"{size:,}", place] for sha256, (size, place) in first.items()]
    yield table((8, 2, 2), words.lines("annex.files_head"), rows, size=_POINTS)
    yield paragraph([("small", words("annex.attached", count=n_attached))])
