"""What a page is made of, as the template reads it: blocks, and runs of text within them.

A run is a string, or a pair of a style and a string; a line is a list of runs. The styles and kinds
are those of ``template/exhibit.typ``. Every string is data there and is never read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

Run = str | tuple[str, str]
Line = str | list[Run]
Block = dict[str, Any]

SIGNS: Final = {"verified": "✓", "failed": "✕", "pending": "…", "not_checked": "○"}
_TABLE_POINTS: Final = 8.5


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture of a contact sheet.

    Attributes:
        path: in ``pictures/``, or None where there is no picture.
        alt: the picture in words, for who can not see it.
        missing: what stands in its place.
        caption: below it.
        chosen: whether it was chosen among the others.
    """

    path: str | None
    alt: str
    missing: str
    caption: Line
    chosen: bool = False


def heading(level: int, text: str, *, small: bool = False) -> Block:
    """Return a heading; level 1 is a part, 2 a section, 3 one within it.

    A small one looks like level 3 and is not in the table of contents: no level may be skipped.
    """
    return {"kind": "heading", "level": level, "text": text, "small": small}


def paragraph(text: Line) -> Block:
    """Return a paragraph."""
    return {"kind": "paragraph", "text": text}


def bullets(items: Iterable[Line]) -> Block:
    """Return a list."""
    return {"kind": "list", "items": list(items)}


def numbered(items: Iterable[Line]) -> Block:
    """Return a numbered list."""
    return {"kind": "numbered", "items": list(items)}


def sentence(text: Line, word: Run) -> Block:
    """Return the sentence, in large letters, with one verdict word beside it."""
    return {"kind": "sentence", "text": text, "word": word}


def party(text: str) -> Block:
    """Return words of the party, set apart from ours."""
    return {"kind": "party", "text": text}


def party_line(text: Line) -> Block:
    """Return words of the party that are a line of runs, such as a difference."""
    return {"kind": "party", "text": text}


def code(text: str) -> Block:
    """Return what is typed."""
    return {"kind": "code", "text": text}


def box(title: str, blocks: Iterable[Block]) -> Block:
    """Return a box with a title."""
    return {"kind": "box", "title": title, "blocks": list(blocks)}


def columns(widths: Sequence[int], *cells: Iterable[Block]) -> Block:
    """Return blocks side by side; widths are shares."""
    return {"kind": "columns", "widths": list(widths), "cells": [list(cell) for cell in cells]}


def table(
    widths: Sequence[int],
    head: Sequence[Line],
    rows: Iterable[Sequence[Line]],
    *,
    size: float = _TABLE_POINTS,
) -> Block:
    """Return a table; a head is repeated on each page, and width 0 is as wide as it must be."""
    body = [list(row) for row in rows]
    return {
        "kind": "table",
        "widths": list(widths),
        "head": list(head),
        "rows": body,
        "size": size,
    }


def sheet(cells: Iterable[Cell], *, n_columns: int = 4) -> Block:
    """Return a contact sheet."""
    shown = [
        {
            "path": cell.path,
            "alt": cell.alt,
            "missing": cell.missing,
            "caption": cell.caption,
            "chosen": cell.chosen,
        }
        for cell in cells
    ]
    return {"kind": "sheet", "columns": n_columns, "cells": shown}


def form(lines: Iterable[str]) -> Block:
    """Return lines to be filled in by hand."""
    return {"kind": "form", "lines": list(lines)}


def contents(lang: str) -> Block:
    """Return the table of contents of the part in that language."""
    return {"kind": "contents", "lang": lang}


def page() -> Block:
    """Begin a new page."""
    return {"kind": "page"}
