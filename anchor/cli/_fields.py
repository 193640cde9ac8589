"""Words of the command line as fields of a record: references, texts, ``--set NAME=VALUE``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anchor.client.local_file import load_bytes
from anchor.errors import FormatError, NotFoundError, UsageError
from anchor.records.fields import TYPES
from anchor.records.kinds import COMMON, KINDS
from anchor.vault.draft import Attachment

_MAX_TEXT_BYTES: Final = 8 << 20
_STANDARD_INPUT: Final = "-"


@dataclass(frozen=True, slots=True)
class Said:
    """A text that a person gave; ``original`` holds its bytes where they are not UTF-8."""

    text: str
    original: Attachment | None = None

    @property
    def files(self) -> tuple[Attachment, ...]:
        """Return the original bytes as part of the record, so that nothing is lost."""
        return () if self.original is None else (self.original,)


def read_text(words: Sequence[str], file: Path | None, what: str) -> Said:
    """Return the text that was given as words, with ``-`` on standard input, or in a file.

    What is not UTF-8 is recorded with its unreadable parts replaced, and its bytes beside it.

    Raises:
        UsageError: nothing was given, or two things.
        LimitExceededError: it is longer than 8 MiB.
    """
    if bool(words) == (file is not None):
        raise UsageError(
            f"one {what} is wanted, as words, as - (standard input), or with --file",
            code="usage.text",
        )
    if file is not None:
        data, name = load_bytes(file, max_bytes=_MAX_TEXT_BYTES, what=what), file.name
    elif list(words) == [_STANDARD_INPUT]:
        data, name = sys.stdin.buffer.read(_MAX_TEXT_BYTES + 1), f"{what}.txt"
    else:
        data, name = os.fsencode(" ".join(words)), f"{what}.txt"
    if len(data) > _MAX_TEXT_BYTES:
        raise UsageError(
            f"a {what} of more than {_MAX_TEXT_BYTES >> 20} MiB",
            code="usage.text_long",
            hint="record it as a file: vestige add",
        )
    said = read_bytes(data, name, what)
    if not said.text.strip():
        raise UsageError(f"the {what} is empty", code="usage.text")
    return said


def read_bytes(data: bytes, name: str, what: str) -> Said:
    """Return bytes as text, with the bytes beside it where they are not UTF-8."""
    try:
        text = data.decode("utf-8-sig").removesuffix("\n")
    except UnicodeDecodeError:
        original = Attachment(f"original_{what}", data=data, name=name)
        return Said(data.decode("utf-8", "replace").removesuffix("\n"), original)
    return Said(text)


def clean_text(text: str | None) -> str | None:
    """Return an argument as text; bytes that are not UTF-8 are replaced."""
    return None if text is None else os.fsencode(text).decode("utf-8", "replace")


def parse_reference(text: str) -> str:
    """Read ``3``, ``#3`` or ``3.1`` (file 1 of record 3).

    Raises:
        UsageError: it is none.
    """
    reference = text.removeprefix("#")
    if not TYPES["ref"](reference):
        raise UsageError(
            f"{text!r} names no record",
            code="usage.reference",
            hint="write 3 for record 3, and 3.1 for its file 1; vestige log shows them",
        )
    return reference


def want_records(references: Iterable[str], size: int) -> None:
    """Refuse references to records that there are not, before anything else is said of them.

    Raises:
        NotFoundError: of the ``size`` records none has that number.
    """
    for reference in references:
        seq = int(reference.partition(".")[0])
        if seq >= size:
            raise NotFoundError(
                f"there is no record {seq}; the newest is {size - 1}", code="vault.record_unknown"
            )


def parse_settings(kind: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Read ``--set NAME=VALUE``; a field that takes several is given several times.

    Raises:
        UsageError: the kind has no such field, or the value is none for it.
    """
    rows = {field.name: field for field in (*KINDS[kind].hidden_fields, *COMMON)}
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        row = rows.get(name)
        if not equals or row is None:
            raise UsageError(
                f"--set {pair}: a record of kind {kind} has no field {name!r}",
                code="usage.field",
                hint=f"it has {', '.join(sorted(rows))}",
            )
        value = _value(row.type, clean_text(text) or "", pair)
        if isinstance(value, list):
            values.setdefault(name, []).extend(value)
        else:
            values[name] = value
    return values


def _value(type_: str, text: str, pair: str) -> Any:
    made: Any = text
    if type_ == "integer":
        made = int(text) if text.isascii() and text.isdigit() else None
    elif type_ == "boolean":
        made = {"true": True, "false": False}.get(text)
    elif type_ in ("texts", "refs", "sha256s"):
        made = [text]
    elif type_ == "pairs":
        key, _, value = text.partition(":")
        made = [[key.strip(), value.strip()]]
    elif type_ == "maps":
        parts = text.split(",")
        named = all(":" in part for part in parts)
        made = [dict(part.split(":", 1) for part in parts)] if named else None
    try:
        fits = made is not None and TYPES[type_](made)
    except FormatError:
        fits = False
    if not fits:
        raise UsageError(f"--set {pair}: that is no {type_}", code="usage.field")
    return made
