"""What the index keeps of a record, made from it alone: enough for ``log`` and ``status``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from anchor.formats.encoding import utc_text
from anchor.records.record import Record

_SUMMARY_CHARACTERS: Final = 200
_SPACES: Final = re.compile(r"\s+")
# The fields of which one says best what a record is about, first come first.
_TELLING: Final = (
    "positive", "text", "title", "why", "reason", "where", "statement", "event", "act", "app",
    "medium", "tool", "service", "source", "of", "name", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file entry of a record: its number in the record, and what is kept of it."""

    number: int
    role: str
    name: str
    media_type: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the index.

    Attributes:
        seq, kind, role, mode, tier, late, clock_source: of the open part.
        digest: of the record, 32 bytes.
        claimed_time: UTC, as the record writes it.
        summary: one line, at most 200 characters.
        parents: references to what it came from, without repetition.
        files: its file entries.
    """

    seq: int
    digest: bytes
    kind: str
    role: str
    mode: str
    tier: str
    late: bool
    claimed_time: str
    clock_source: str
    summary: str
    parents: tuple[str, ...] = ()
    files: tuple[FileEntry, ...] = ()


def entry_of(record: Record) -> Entry:
    """Return the row of a record that is wholly disclosed."""
    fields = record.fields
    payload = record.sd_jwt.payload
    return Entry(
        record.seq,
        record.digest,
        record.kind.name,
        record.actor.role,
        record.capture.mode,
        payload["tier"],
        payload["late"],
        utc_text(record.claimed_time),
        payload["clock_source"],
        _summary(record, fields),
        _parents(record, fields),
        tuple(_file(number, entry) for number, entry in sorted(record.files.items())),
    )


def _file(number: int, entry: Mapping[str, Any]) -> FileEntry:
    return FileEntry(
        number,
        entry["role"],
        entry.get("name", ""),
        entry["media_type"],
        entry["size"],
        bytes.fromhex(entry["sha256"]),
    )


def _summary(record: Record, fields: Mapping[str, Any]) -> str:
    words = []
    if "chosen" in fields:
        among = len(fields["chosen"]) + len(fields.get("rejected", ()))
        words.append(f"chose {' '.join(fields['chosen'])} among {among}:")
    if "target" in fields:
        words.append(f"of {fields['target']}:")
    telling = next((fields[name] for name in _TELLING if fields.get(name)), None)
    if telling is not None:
        words.append(telling[: 2 * _SUMMARY_CHARACTERS])
    names = [entry["name"] for _, entry in sorted(record.files.items()) if entry.get("name")]
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        words.append(f"({names[0]}{more})" if words else f"{names[0]}{more}")
    line = _SPACES.sub(" ", " ".join(words)).strip().rstrip(":")
    return line if len(line) <= _SUMMARY_CHARACTERS else line[: _SUMMARY_CHARACTERS - 1] + "…"


def _parents(record: Record, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Return everything that the record refers to, ``parents`` first."""
    found = list(fields.get("parents", ()))
    for name, value in fields.items():
        found += {"ref": [value], "refs": value}.get(record.kind.types[name], ())
    return tuple(dict.fromkeys(found))
