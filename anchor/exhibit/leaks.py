"""What an exhibit would show of what it withholds.

The same words stand in several places: a prompt in the difference of the next one, in the run that
was made from it, in the metadata of the pictures; one file in several records. Whoever withholds
one of them is told of the others.

Rules:

* A withheld text counts from eight columns on (a CJK character has two), each of its lines from
  twenty; letter case, spaces and the form of composed characters make no difference.
* Of a record that is withheld whole, the words of its maker count, and not what every run repeats
  (tools, samplers, settings); of a field that is hidden by itself, every text does.
* What is drawn in pictures, said in recordings or told in other words is not found.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from anchor.exhibit.choice import Choice, FieldRule
from anchor.records.record import Record

TextsIn = Callable[[bytes, str], Iterable[str]]
"""Returns the texts that an original holds, from its SHA-256 (32 bytes) and its media type."""

_DIFFERENCE: Final = "difference"
_MIN_COLUMNS: Final = 8
_MIN_LINE_COLUMNS: Final = 20
# Characters; a text of the fewest columns has four at least, each of them two columns wide.
_LONG_START: Final = 8
_SHORT_START: Final = 4
_FEW: Final = 64
_ROUTINE: Final = frozenset((
    "account", "app", "author", "box", "by", "cost", "device", "environment", "label", "language",
    "level", "licence", "medium", "method", "models", "negative", "operations", "parser",
    "platform", "sampler", "scheduler", "service", "settings", "source_type", "syntax", "tool",
    "tool_version", "tools", "use",
))  # fmt: skip
# Said by every record that they stand in: a number, a time, a word of a list.
_TEXT_TYPES: Final = frozenset(("text", "texts", "maps", "pairs"))


@dataclass(frozen=True, slots=True)
class Leak:
    """One withheld thing that is shown all the same.

    Attributes:
        withheld: what is withheld, such as ``record 1, positive``.
        shown: where it stands all the same.
        remedy: the argument that would withhold that too, or what else to do.
    """

    withheld: str
    shown: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Secret:
    what: str
    texts: tuple[str, ...]


class _Secrets:
    """Finds which secrets stand in a text: few one by one, many by how they begin.

    So the time is that of what is shown and that of what is withheld, not that of both multiplied.
    """

    def __init__(self, secrets: Sequence[_Secret]) -> None:
        self._secrets = secrets
        self._owners: dict[str, list[int]] = {}
        for number, secret in enumerate(secrets):
            for text in secret.texts:
                self._owners.setdefault(text, []).append(number)
        self._by_start: dict[int, dict[str, list[str]]] = {}
        for text in self._owners:
            size = _LONG_START if len(text) >= _LONG_START else _SHORT_START
            self._by_start.setdefault(size, {}).setdefault(text[:size], []).append(text)

    def in_text(self, folded: str) -> list[str]:
        """Return what each of them is that stands in a text, in order."""
        numbers = {n for text in self._texts_in(folded) for n in self._owners[text]}
        return [self._secrets[number].what for number in sorted(numbers)]

    def _texts_in(self, folded: str) -> Iterator[str]:
        if len(self._owners) <= _FEW:
            yield from (text for text in self._owners if text in folded)
            return
        for size, starts in self._by_start.items():
            for place in range(len(folded) - size + 1):
                for text in starts.get(folded[place : place + size], ()):
                    if folded.startswith(text, place):
                        yield text


def hide_differences(
    records: Sequence[Record], choice: Choice
) -> tuple[Choice, tuple[FieldRule, ...]]:
    """Hide each difference that would show a prompt that is withheld.

    The difference repeats two prompts whole: its own and the one before.

    Args:
        records: all of the project, with every field.
        choice: what is shown.

    Returns:
        The choice with those hidden too, and the rules that were added.
    """
    by_seq = {record.seq: record for record in records}
    added = tuple(
        FieldRule(record.seq, _DIFFERENCE)
        for record in records
        if _is_disclosed(record, _DIFFERENCE, choice)
        and not all(
            _is_disclosed(prompt, "positive", choice)
            for prompt in (record, by_seq.get(_number(record.fields.get("previous"))))
            if prompt is not None and "positive" in prompt.fields
        )
    )
    return replace(choice, hide=(*choice.hide, *added)), added


def find_leaks(
    records: Sequence[Record],
    choice: Choice,
    texts_in: TextsIn,
    said: Mapping[str, str] | None = None,
) -> list[Leak]:
    """Return what would be shown of what is withheld, in the order of records.

    Args:
        records: all of the project, with every field.
        choice: what is shown.
        texts_in: reads originals; called only if some text is withheld.
        said: further texts that the exhibit will show, by what they are.
    """
    leaks = list(_repeated_files(records, choice))
    found = [secret for record in records for secret in _secrets(record, choice)]
    if found:
        secrets = _Secrets(found)
        leaks += _repeated_texts(records, choice, secrets, said or {})
        leaks += _in_files(records, choice, secrets, texts_in)
    return leaks


# -- what is withheld ------------------------------------------------------------------------------


def _is_disclosed(record: Record, name: str, choice: Choice) -> bool:
    return (
        name in record.sd_jwt.disclosed_fields
        and choice.shows(record.seq, record.kind.name)
        and choice.discloses(record.seq, name)
    )


def _secrets(record: Record, choice: Choice) -> Iterator[_Secret]:
    whole = not choice.shows(record.seq, record.kind.name)
    types = record.kind.types
    for name, value in record.sd_jwt.disclosed_fields.items():
        if _is_disclosed(record, name, choice) or (whole and name in _ROUTINE):
            continue
        if types.get(name) in _TEXT_TYPES:
            found = [text for each in _strings(value) for text in _needles(each)]
        elif name.startswith("file."):
            found = list(_needles(value.get("name", "")))
        else:
            continue
        if found:
            yield _Secret(_place(record.seq, name), tuple(dict.fromkeys(found)))


def _needles(text: str) -> Iterator[str]:
    whole = _folded(text)
    if _columns(whole) >= _MIN_COLUMNS:
        yield whole
    for line in text.splitlines():
        folded = _folded(line)
        if folded != whole and _columns(folded) >= _MIN_LINE_COLUMNS:
            yield folded


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


# -- where it is shown -----------------------------------------------------------------------------


def _repeated_texts(
    records: Sequence[Record],
    choice: Choice,
    secrets: _Secrets,
    said: Mapping[str, str],
) -> Iterator[Leak]:
    for what, text in said.items():
        for secret in secrets.in_text(_folded(text)):
            yield Leak(secret, what, "other words for it")
    for record in records:
        for name, value in record.sd_jwt.disclosed_fields.items():
            if not _is_disclosed(record, name, choice):
                continue
            folded = "\n".join(map(_folded, _shown_texts(name, value)))
            for secret in secrets.in_text(folded):
                yield Leak(secret, _place(record.seq, name), f"--hide {record.seq}:{name}")


def _shown_texts(name: str, value: Any) -> Iterator[str]:
    if name == _DIFFERENCE:
        yield "".join(text for sign, text in value if sign != "+")
        yield "".join(text for sign, text in value if sign != "-")
    else:
        yield from _strings(value)


def _strings(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value; not the names of an object."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)


# -- files -----------------------------------------------------------------------------------------


def _repeated_files(records: Sequence[Record], choice: Choice) -> Iterator[Leak]:
    """Yield the files that one record withholds and another one shows."""
    entries: dict[str, str] = {}
    contents: dict[str, str] = {}
    for record in records:
        for number, entry in sorted(record.files.items()):
            name = f"file.{number}"
            if not _is_disclosed(record, name, choice):
                entries.setdefault(entry["sha256"], _place(record.seq, name))
            elif record.seq in choice.withheld_files:
                contents.setdefault(entry["sha256"], f"the bytes of {_place(record.seq, name)}")
    for record in records:
        for number, entry in sorted(record.files.items()):
            name = f"file.{number}"
            if not _is_disclosed(record, name, choice):
                continue
            where, sha256 = _place(record.seq, name), entry["sha256"]
            if sha256 in entries:
                yield Leak(
                    entries[sha256], f"{where} (the same file)", f"--hide {record.seq}:{name}"
                )
            elif sha256 in contents and record.seq not in choice.withheld_files:
                yield Leak(contents[sha256], f"{where} (the same file)", f"--no-files {record.seq}")


def _in_files(
    records: Sequence[Record], choice: Choice, secrets: _Secrets, texts_in: TextsIn
) -> Iterator[Leak]:
    """Yield the originals that would be enclosed and hold a withheld text."""
    held: dict[str, list[str]] = {}
    for record in records:
        if record.seq in choice.withheld_files:
            continue
        for number, entry in sorted(record.files.items()):
            name, sha256 = f"file.{number}", entry["sha256"]
            if not _is_disclosed(record, name, choice):
                continue
            if sha256 not in held:
                found = texts_in(bytes.fromhex(sha256), entry["media_type"])
                folded = "\n".join(_folded(text) for text in _with_escapes(found))
                held[sha256] = secrets.in_text(folded)
            for secret in held[sha256]:
                where = f"the file of {_place(record.seq, name)}"
                yield Leak(secret, where, f"--no-files {record.seq}")


def _with_escapes(texts: Iterable[str]) -> Iterator[str]:
    """Yield texts, and those inside of the ones that are JSON."""
    for text in texts:
        yield text
        if "\\" in text and text.lstrip()[:1] in ("{", "["):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                continue
            yield from _strings(value)


def _place(seq: int, name: str) -> str:
    return f"record {seq}, {name}"


def _number(reference: Any) -> int:
    return int(reference.partition(".")[0]) if isinstance(reference, str) else -1
