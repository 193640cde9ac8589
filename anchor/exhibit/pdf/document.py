"""The document as the template reads it: one part in each language, and what is attached."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anchor.exhibit.pdf.blocks import Block, heading, page
from anchor.exhibit.pdf.blocks import contents as table_of_contents
from anchor.exhibit.pdf.contents import Contents
from anchor.exhibit.pdf.pictures import Pictures
from anchor.exhibit.pdf.sections.chronology import chronology
from anchor.exhibit.pdf.sections.findings import before_the_record, completeness, method, report
from anchor.exhibit.pdf.sections.identity import check, parties, work
from anchor.exhibit.pdf.sections.papers import annexes, certifications, checklist, glossary
from anchor.exhibit.pdf.sections.process import process
from anchor.exhibit.pdf.sections.summary import summary
from anchor.exhibit.pdf.words import Words

_MEDIA_TYPES: Final = {
    ".sdjwt": "application/sd-jwt",
    ".proof": "application/vnd.vestige.proof+json",
    ".ots": "application/vnd.opentimestamps.ots",
    ".json": "application/json",
}
_FOLDERS: Final = ("records", "proofs")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is attached to the document.

    Attributes:
        name: as the reader of the document sees it.
        path: in the payload.
    """

    name: str
    path: Path

    def to_json(self) -> dict[str, str]:
        """Return it as the template reads it."""
        mime = _MEDIA_TYPES[self.path.suffix]
        return {"name": self.name, "file": self.name, "mime": mime, "description": self.name}


def attachments_of(contents: Contents) -> list[Attachment]:
    """Return every record shown and every proof, and the list of them, in order of their names."""
    paths = [contents.folder / "exhibit.json", contents.folder / "report" / "verification.json"]
    for name in _FOLDERS:
        paths += [p for p in (contents.folder / name).iterdir() if p.suffix in _MEDIA_TYPES]
    return [Attachment(path.name, path) for path in sorted(paths, key=lambda path: path.name)]


def document(
    contents: Contents, languages: Sequence[Words], pictures: Pictures, fonts: Sequence[str]
) -> dict[str, Any]:
    """Return the document, ready to be written as JSON."""
    attached = attachments_of(contents)
    first = languages[0]
    values = {"name": contents.name, "bundle": contents.bundle}
    date = contents.date
    return {
        "title": first("running.title", **values),
        "description": first("running.description", **values),
        "date": [date.year, date.month, date.day, date.hour, date.minute, date.second],
        "fonts": list(fonts),
        "running": {**values, "foot": first("running.foot", **values)},
        "attachments": [each.to_json() for each in attached],
        "parts": [
            {
                "lang": words.lang,
                "region": words.region,
                "justify": words.lang == "zh",
                "blocks": list(_part(contents, words, pictures, len(attached))),
            }
            for words in languages
        ],
    }


def replaced(value: Any, missing: re.Pattern[str], written: Any) -> Any:
    """Return a document in which every match of a pattern in every string is replaced."""
    if isinstance(value, str):
        return missing.sub(written, value)
    if isinstance(value, list | tuple):
        return [replaced(each, missing, written) for each in value]
    if isinstance(value, dict):
        return {key: replaced(each, missing, written) for key, each in value.items()}
    return value


def _part(contents: Contents, words: Words, pictures: Pictures, n_attached: int) -> Iterator[Block]:
    yield from summary(contents, words, pictures)
    yield page()
    yield heading(2, words("contents.title"), small=True)
    yield table_of_contents(words.lang)
    yield from check(contents, words)
    yield page()
    yield from work(contents, words)
    yield from parties(contents, words)
    yield page()
    yield from chronology(contents, words)
    yield page()
    yield from process(contents, words, pictures)
    yield page()
    yield from completeness(contents, words)
    yield from method(contents, words)
    yield from report(contents, words)
    yield from before_the_record(contents, words)
    yield page()
    yield from certifications(contents, words)
    yield page()
    yield from checklist(contents, words)
    yield from glossary(words)
    yield page()
    yield from annexes(contents, words, n_attached)
