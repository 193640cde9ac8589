"""The creative process: ideas, instructions, runs, choices and changes, with contact sheets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from anchor.exhibit.pdf.blocks import (
    Block,
    Cell,
    Run,
    heading,
    paragraph,
    party,
    party_line,
    sheet,
    table,
)
from anchor.exhibit.pdf.contents import Contents
from anchor.exhibit.pdf.pictures import Pictures
from anchor.exhibit.pdf.sections.phrases import ranges, told
from anchor.exhibit.pdf.text import CUT_CHARACTERS, plain
from anchor.exhibit.pdf.words import Words
from anchor.records.kinds import COMMON
from anchor.records.record import Record

# Pictures of one record that are printed; the others are named and are in the bundle.
SHEET_PICTURES: Final = 24
_LEFT_OUT: Final = frozenset(("genesis", "key_bind", "key_rotate", "key_revoke", "close", "branch"))
_TOLD: Final = ("text", "why", "reason", "purpose", "statement", "human", "generated", "note")
_SETTINGS: Final = (
    "tool", "tool_version", "app", "sampler", "scheduler", "steps", "guidance", "denoise", "seed",
    "seed_origin", "width", "height", "outputs", "failures", "element", "medium", "source",
    "licence", "where", "operations", "minutes",
)  # fmt: skip
_CHOICES: Final = ("chosen", "rejected")
_STYLES: Final = {"=": "", "-": "removed", "+": "added"}
_SETTING_CHARACTERS: Final = 120


def process(contents: Contents, words: Words, pictures: Pictures) -> Iterator[Block]:
    """Yield section 4."""
    yield heading(2, words("process.title"))
    yield paragraph(words("process.text"))
    yield from _map(contents, words)
    for row in contents.rows:
        if row["kind"] in _LEFT_OUT:
            continue
        yield heading(3, f"{row['seq']}  {words.kind(row['kind'])}")
        if row["shown"]:
            yield from _Step(contents, words, pictures, contents.records[row["seq"]]).blocks()
        else:
            yield paragraph([("soft", words("chronology.withheld_plain"))])


def _map(contents: Contents, words: Words) -> Iterator[Block]:
    """Yield which records answer to what courts have asked for."""
    rows = []
    for asked, kinds in words.rows("process.map_rows"):
        named = kinds.split()
        numbers = ranges(record.seq for record in contents.of_kind(*named))
        withheld = contents.withheld_of(*named)
        more = f"; {words('process.map_withheld', count=withheld)}" if withheld else ""
        rows.append([asked, (numbers or words("process.map_none")) + more])
    yield heading(3, words("process.map"))
    yield table((2, 7), words.lines("process.map_head"), rows)
    yield paragraph([("small", words("process.map_note"))])


class _Step:
    """One record, told."""

    def __init__(
        self, contents: Contents, words: Words, pictures: Pictures, record: Record
    ) -> None:
        self._contents = contents
        self._words = words
        self._pictures = pictures
        self._record = record
        self._fields = record.fields

    def blocks(self) -> Iterator[Block]:
        """Yield its words, its settings, and its pictures."""
        words, record = self._words, self._record
        yield from self._sources()
        yield from self._instruction()
        for name in _TOLD:
            if isinstance(self._fields.get(name), str) and self._fields[name]:
                yield from self._said(name)
        yield from self._settings()
        yield from self._choice()
        yield from self._files()
        if record.withheld:
            text = words("process.hidden_fields", count=record.withheld)
            yield paragraph([("small", text)])

    def _sources(self) -> Iterator[Block]:
        types = {field.name: field.type for field in (*self._record.kind.fields, *COMMON)}
        found = [
            reference
            for name, value in self._fields.items()
            if name not in _CHOICES
            for reference in {"ref": [value], "refs": value}.get(types[name], [])
        ]
        if found:
            text = self._words("process.from", references=", ".join(dict.fromkeys(found)))
            yield paragraph([("small", text)])

    def _instruction(self) -> Iterator[Block]:
        """Yield a prompt, as its difference from the one before where there is one."""
        difference, positive = self._fields.get("difference"), self._fields.get("positive")
        if difference and self._record.kind.name == "prompt":
            yield party_line([_changed(sign, plain(text)) for sign, text in difference[:400]])
        elif positive:
            yield party(told(positive, self._record.seq, self._words))
        if self._fields.get("negative"):
            yield from self._said("negative", 400)

    def _said(self, name: str, characters: int = CUT_CHARACTERS) -> Iterator[Block]:
        label = self._words(f"told.{name}")
        text = told(self._fields[name], self._record.seq, self._words, characters)
        yield party_line([("soft", f"{label}: "), text] if label else [text])

    def _settings(self) -> Iterator[Block]:
        found = [
            f"{name} {_value(self._fields[name])}"
            for name in _SETTINGS
            if self._fields.get(name) not in (None, "", [])
        ]
        found += [_model(model) for model in self._fields.get("models", ())]
        if found:
            yield paragraph([("small", plain("; ".join(found), lines=False))])

    def _choice(self) -> Iterator[Block]:
        chosen, rejected = self._fields.get("chosen", ()), self._fields.get("rejected", ())
        if not chosen:
            return
        among = len(chosen) + len(rejected)
        text = self._words("process.chosen", chosen=", ".join(chosen), among=among)
        yield paragraph(text)
        references = sorted((*chosen, *rejected), key=_place)
        cells = [self._referred(each, chosen=each in chosen) for each in references]
        yield sheet(cells[:SHEET_PICTURES])

    def _referred(self, reference: str, *, chosen: bool) -> Cell:
        """Return what was chosen among, withheld or not: a choice is never shown in part."""
        seq, number = _place(reference)
        record = self._contents.records.get(seq)
        entry = record.files.get(number) if record else None
        if entry is None:
            words, mark = self._words, self._mark(chosen=chosen)
            text = words("process.not_shown", reference=reference)
            return Cell(None, text, text, [text, mark], chosen)
        return self._cell(seq, number, entry, chosen=chosen)

    def _mark(self, *, chosen: bool) -> Run:
        if chosen:
            return ("strong", f"  {self._words('process.is_chosen')}")
        return ("soft", f"  {self._words('process.not_chosen')}")

    def _files(self) -> Iterator[Block]:
        files = self._record.files.items()
        entries = [item for item in files if not self._is_chosen_among(item[0])]
        cells = [self._cell(self._record.seq, *item) for item in entries[:SHEET_PICTURES]]
        if cells:
            yield sheet(cells)
        if len(entries) > SHEET_PICTURES:
            text = self._words("process.more", count=len(entries) - SHEET_PICTURES)
            yield paragraph([("small", text)])

    def _is_chosen_among(self, number: int) -> bool:
        """Return whether a choice shows this file anyway."""
        seq = self._record.seq
        return bool(self._contents.compared & {str(seq), f"{seq}.{number}"})

    def _cell(
        self, seq: int, number: int, entry: Mapping[str, Any], *, chosen: bool | None = None
    ) -> Cell:
        """Return the cell of a file; ``chosen`` is None where there was no choice."""
        words = self._words
        name = plain(entry.get("name") or words.role(entry["role"]), lines=False)[:60]
        caption: list[Run] = [words("process.caption", seq=seq, number=number)]
        if chosen is not None:
            caption.append(self._mark(chosen=chosen))
        enclosed = self._contents.file_of(seq, number)
        missing = "process.no_picture" if enclosed else "process.not_enclosed"
        return Cell(
            self._pictures.of_file(enclosed),
            words("process.picture_alt", seq=seq, number=number, name=name),
            words(missing, name=name),
            caption,
            bool(chosen),
        )


def _changed(sign: str, text: str) -> Run:
    style = _STYLES[sign]
    return (style, text) if style else text


def _place(reference: str) -> tuple[int, int]:
    seq, _, number = reference.partition(".")
    return int(seq), int(number or 0)


def _value(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _SETTING_CHARACTERS else text[:_SETTING_CHARACTERS] + "…"


def _model(model: Mapping[str, str]) -> str:
    digest = f" {model['sha256'][:8]}…" if "sha256" in model else ""
    return f"{model.get('role', '')} {model.get('name', '')}{digest}".strip()
