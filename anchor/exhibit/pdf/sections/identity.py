"""What is exhibited, how to check it, and who stands behind it: before the chronology."""

from __future__ import annotations

from collections.abc import Iterator

from anchor.exhibit.pdf.blocks import Block, Line, box, code, form, heading, paragraph, table
from anchor.exhibit.pdf.contents import Contents
from anchor.exhibit.pdf.sections.phrases import DASH, whole
from anchor.exhibit.pdf.text import plain
from anchor.exhibit.pdf.words import Words

_POINTS = 7.6


def check(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield how to check the exhibit in five minutes."""
    yield heading(2, words("check.title"))
    yield paragraph(words("check.text"))
    steps = zip(words.lines("check.steps"), words.lines("check.commands"), strict=True)
    for text, command in steps:
        yield paragraph(text)
        yield code(command.format(name=contents.name))
    yield paragraph([("soft", words("check.bundle"))])
    yield code(contents.bundle)
    yield paragraph(words("check.after"))


def work(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield section 1: every file that a shown record discloses."""
    yield heading(2, words("work.title"))
    yield paragraph(words("work.text"))
    rows: list[list[Line]] = []
    for row in contents.listing["files"]:
        number = int(row["field"].removeprefix("file."))
        entry = contents.records[row["record"]].files[number]
        rows.append(
            [
                f"{row['record']}.{number}",
                words.role(entry["role"]),
                plain(entry.get("name", DASH), lines=False)[:80],
                f"{row['size']:,}",
                whole(row["sha256"]),
                words("common.yes" if row["path"] else "common.no"),
            ]
        )
    yield table((0, 4, 6, 0, 0, 0), words.lines("work.head"), rows, size=_POINTS)


def parties(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield section 2: what the party and the operator have to state themselves."""
    yield heading(2, words("parties.title"))
    yield paragraph(words("parties.text"))
    yield form(words.lines("parties.fields"))
    logs = {str(verdict["log"]["origin"] or "") for verdict in contents.verdicts.values()}
    named = {plain(row["by"] or "", lines=False) for row in contents.attestations()}
    yield paragraph(words("parties.logs", logs=_joined(logs)))
    yield paragraph(words("parties.outside", parties=_joined(named)))
    yield box(words("parties.neutrality"), [paragraph(words("parties.neutrality_text"))])


def _joined(names: set[str]) -> str:
    return ", ".join(plain(name, lines=False) for name in sorted(names) if name) or DASH
