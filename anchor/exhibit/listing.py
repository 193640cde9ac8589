"""``data/exhibit.json``: every record of the project, shown or withheld, and every file named.

Specification: ``docs/spec/exhibit.md``, "data/exhibit.json".
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from anchor import limits
from anchor.errors import FormatError
from anchor.exhibit.container import check_names
from anchor.exhibit.layout import FOLDER_SUFFIX, sha256_of_file_path
from anchor.formats.encoding import parse_hex, parse_json, parse_utc
from anchor.proof.fields import Fields
from anchor.records.kinds import KEY_KINDS, KINDS

LANGUAGES: Final = ("en", "zh")
_FIELD: Final = re.compile(r"file\.(0|[1-9][0-9]{0,3})", re.ASCII)
# Controls, line and paragraph separators, what turns the direction of text round, a byte order
# mark: fixed code points, so that no reader's version of Unicode plays a part.
_NO_WORDS: Final = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")
_GENERATOR: Final = re.compile(r"[ -~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListedRecord:
    """A place of the project.

    Attributes:
        seq, kind, digest: of the record.
        shown: it is in the exhibit, whole or in part.
        proof: its proof is in the exhibit; never of one that is withheld.
        reason: why it is withheld, the party's own words, or None.
    """

    seq: int
    kind: str
    digest: bytes
    shown: bool
    proof: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file that a shown record discloses.

    Attributes:
        record: number of the record.
        number: of the file entry in it (``file.N``).
        sha256: 32 bytes.
        size: bytes.
        path: within ``data/``, or None where the bytes are withheld.
    """

    record: int
    number: int
    sha256: bytes
    size: int
    path: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """The list; see the specification for each field."""

    name: str
    project: str
    title: str
    languages: tuple[str, ...]
    date: str
    generator: str
    records: tuple[ListedRecord, ...]
    files: tuple[ListedFile, ...]

    def to_bytes(self) -> bytes:
        """Return the file."""
        value = {
            "version": 1,
            "name": self.name,
            "project": self.project,
            "title": plain_words(self.title),
            "languages": list(self.languages),
            "date": self.date,
            "generator": self.generator,
            "records": [_record_to_json(record) for record in self.records],
            "files": [_file_to_json(file) for file in self.files],
        }
        return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


def plain_words(text: str) -> str:
    """Return a party's words as the list takes them: a space for each control character."""
    return _NO_WORDS.sub(" ", text)


def _record_to_json(record: ListedRecord) -> dict[str, Any]:
    value: dict[str, Any] = {
        "seq": record.seq,
        "kind": record.kind,
        "digest": record.digest.hex(),
        "shown": record.shown,
    }
    if record.shown:
        value["proof"] = record.proof
    if record.reason is not None:
        value["reason"] = plain_words(record.reason)
    return value


def _file_to_json(file: ListedFile) -> dict[str, Any]:
    return {
        "record": file.record,
        "field": f"file.{file.number}",
        "sha256": file.sha256.hex(),
        "size": file.size,
        "path": file.path,
    }


def parse_listing(data: bytes) -> Listing:
    """Read the list.

    Raises:
        FormatError: it is not one: a field is missing, unknown or of another type; a place is
            missing; a genesis or key record is withheld; files are out of order or named twice.
    """
    value = parse_json(
        data,
        max_bytes=limits.MAX_EXHIBIT_LIST_BYTES,
        what="exhibit.json",
        max_values=limits.MAX_EXHIBIT_LIST_JSON_VALUES,
    )
    fields = Fields(value, "exhibit.json")
    fields.integer("version", minimum=1, maximum=1)
    name = fields.text("name", max_characters=limits.MAX_EXHIBIT_NAME_BYTES)
    if "/" in name:
        raise FormatError("exhibit.json.name: it names a folder in a folder")
    check_names([name + FOLDER_SUFFIX])
    project = fields.text("project")
    parse_hex(project, n_bytes=16, what="project in exhibit.json")
    listing = Listing(
        name,
        project,
        _words(fields, "title", limits.MAX_EXHIBIT_TITLE_CHARACTERS),
        _languages(fields),
        fields.text("date", max_characters=40),
        _generator(fields),
        tuple(
            _record(item, place)
            for place, item in enumerate(
                fields.objects("records", max_items=limits.MAX_EXHIBIT_RECORDS)
            )
        ),
        _files(fields),
    )
    fields.done()
    parse_utc(listing.date, what="date in exhibit.json")
    if not any(record.shown for record in listing.records):
        raise FormatError("exhibit.json shows no record", code="exhibit.list")
    return listing


def _languages(fields: Fields) -> tuple[str, ...]:
    found = fields.array("languages", max_items=len(LANGUAGES))
    if (
        not found
        or len(set(map(str, found))) != len(found)
        or not set(map(str, found)) <= set(LANGUAGES)
    ):
        raise FormatError(f"exhibit.json.languages: one or more of {', '.join(LANGUAGES)}")
    return tuple(found)


def _words(fields: Fields, name: str, most: int) -> str:
    text = fields.text(name, max_characters=most)
    if _NO_WORDS.search(text):
        raise FormatError(f"{fields.path(name)}: a character that controls, and is not printed")
    return text


def _generator(fields: Fields) -> str:
    text = fields.text("generator", max_characters=limits.MAX_EXHIBIT_GENERATOR_CHARACTERS)
    if not _GENERATOR.fullmatch(text):
        raise FormatError("exhibit.json.generator: one or more printable characters of ASCII")
    return text


def _record(fields: Fields, place: int) -> ListedRecord:
    seq = fields.integer("seq")
    if seq != place:
        raise FormatError(f"{fields.where}: record {place} is wanted here, {seq} is there")
    kind = fields.text("kind", max_characters=40)
    if kind not in KINDS:
        raise FormatError(f"{fields.where}: there is no such kind of record")
    digest = fields.hex("digest", 32)
    shown = fields.boolean("shown")
    proof = fields.boolean("proof") if shown else False
    reason = None
    if not shown:
        most = limits.MAX_EXHIBIT_REASON_CHARACTERS
        reason = fields.optional("reason", lambda name: _words(fields, name, most))
    fields.done()
    if kind in KEY_KINDS and not shown:
        raise FormatError(f"{fields.where}: a {kind} record is always shown")
    return ListedRecord(seq, kind, digest, shown, proof, reason)


def _files(fields: Fields) -> tuple[ListedFile, ...]:
    files: list[ListedFile] = []
    for item in fields.objects("files", max_items=limits.MAX_EXHIBIT_RECORDS):
        record = item.integer("record")
        match = _FIELD.fullmatch(item.text("field", max_characters=40))
        sha256, size = item.hex("sha256", 32), item.integer("size")
        path = item.optional("path", lambda name, item=item: item.text(name))  # type: ignore[misc]
        item.done()
        if match is None:
            raise FormatError(f"{item.where}.field: file.N is wanted")
        if path is not None and sha256_of_file_path(path) != sha256:
            raise FormatError(f"{item.where}.path: files/SHA256.EXT of its sha256 is wanted")
        files.append(ListedFile(record, int(match[1]), sha256, size, path))
    _check_order(files)
    return tuple(files)


def _check_order(files: Sequence[ListedFile]) -> None:
    keys = [(file.record, file.number) for file in files]
    if sorted(set(keys)) != keys:
        raise FormatError("exhibit.json.files: not in the order of records and fields, each once")
