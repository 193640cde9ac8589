"""The page of a project: one HTML file that needs nothing else and runs nothing.

A document, not a dashboard: one column, system fonts, light and dark, print. It shows what the
creator has, all of it, so it is not made to be handed out. Every text in it may come from a file
that nobody trusts: all of it is escaped, and the policy in the head allows no script, no frame and
nothing from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from anchor.records.record import Record
from anchor.vault.entry import Entry, FileEntry, entry_of
from anchor.vault.index import ProofState
from anchor.vault.page_style import STYLE

_SIGNS: Final = {
    "verified": "✓ verified",
    "failed": "✕ failed",
    "pending": "… pending",
    "not_checked": "○ not checked",
}
_SHOWN_CHARACTERS: Final = 4000
_WHOSE: Final = {"human": "made by people", "generated": "made by a generator"}
_HEADLINES: Final = ("positive", "text", "why", "reason", "statement", "where", "title")


@dataclass(frozen=True, slots=True)
class PageContext:
    """What the page shows besides the records.

    Attributes:
        title: of the project.
        project: its id.
        made_at: UTC, to be shown.
        states: what is known of each proof.
        thumbnail: a JPEG of an original, or None.
        policy: name of the policy that the states were judged under.
    """

    title: str
    project: str
    made_at: str
    states: Mapping[int, ProofState]
    thumbnail: Callable[[bytes], bytes | None]
    policy: str


def render_page(records: Sequence[Record], context: PageContext) -> Iterator[str]:
    """Yield the page in pieces, records in order.

    Args:
        records: wholly disclosed.
        context: what else is shown.
    """
    entries = {record.seq: entry_of(record) for record in records}
    children = _children(entries.values())
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"img-src data:; style-src 'sha256-{style}'\">"
        '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">'
        f"<title>{escape(context.title)}</title><style>{STYLE}</style></head><body>"
    )
    yield from _header(records, context)
    before = None
    for group in _groups(records, entries):
        if len(group) == 1:
            yield from _article(group[0], entries, children, context)
        else:
            yield from _sheet(group, entries, children, context, before)
        before = group[-1].fields.get("positive", before)
    yield "</body></html>\n"


def _groups(records: Sequence[Record], entries: Mapping[int, Entry]) -> Iterator[list[Record]]:
    """Yield the records one by one, and those together that ran one after the other."""
    group: list[Record] = []
    for record in records:
        alike = bool(group) and _runs_on(group[-1], record, entries)
        if group and not alike:
            yield group
            group = []
        group.append(record)
    if group:
        yield group


def _runs_on(before: Record, record: Record, entries: Mapping[int, Entry]) -> bool:
    """Return whether two runs of a generator follow from the same, and gave one picture each."""
    pair = [entries[item.seq] for item in (before, record)]
    return (
        all(entry.kind == "generation" and len(entry.files) == 1 for entry in pair)
        and _numbers(pair[0].parents) == _numbers(pair[1].parents)
        and before.fields.get("positive") == record.fields.get("positive")
    )


def _header(records: Sequence[Record], context: PageContext) -> Iterator[str]:
    counts: dict[str, int] = {}
    words: dict[str, int] = {}
    for record in records:
        counts[record.kind.name] = counts.get(record.kind.name, 0) + 1
        state = context.states.get(record.seq)
        word = "not sent yet" if state is None else _SIGNS[state.status]
        words[word] = words.get(word, 0) + 1
    first, last = (record.claimed_time for record in (records[0], records[-1]))
    rows = [
        ("kinds", ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))),
        ("proofs", ", ".join(f"{count} {word}" for word, count in sorted(words.items()))
         + f"; judged under the policy {context.policy}"),
        ("project", context.project),
    ]  # fmt: skip
    yield f"<header><h1>{escape(context.title)}</h1>"
    yield (
        f"<p>{_counted(len(records), 'record')}, made between {first:%Y-%m-%d %H:%M} and "
        f"{last:%Y-%m-%d %H:%M} UTC by the creator's clock.</p><dl>"
    )
    for name, text in rows:
        yield f"<dt>{name}</dt><dd>{escape(text)}</dd>"
    yield (
        f'</dl><p class="soft">As it stood at {escape(context.made_at)}. This page shows '
        "everything that was recorded; hand out an export instead.</p></header>"
    )


def _sheet(
    group: Sequence[Record],
    entries: Mapping[int, Entry],
    children: Mapping[int, Sequence[int]],
    context: PageContext,
    before: Any,
) -> Iterator[str]:
    """Yield runs of a generator side by side; the instruction once, if it was not just shown."""
    first, last = entries[group[0].seq], entries[group[-1].seq]
    yield (
        f'<section><h2><span class="number">{first.seq} – {last.seq}</span>'
        f"<span>{_counted(len(group), 'generation')}</span>{_time(first)}</h2>"
    )
    links = _links("from", _numbers(first.parents))
    if links:
        yield f'<p class="soft">{links}</p>'
    if group[0].fields.get("positive") != before:
        yield from _told(group[0].fields)
    yield '<div class="sheet">'
    for record in group:
        entry = entries[record.seq]
        yield f'<article id="r{entry.seq}">'
        yield _figure(entry.files[0], f"{entry.seq}", context, chosen=False)
        yield f'<div class="under">{_word(record.seq, context, brief=True)}</div>'
        led = _links("led to", children.get(entry.seq, ()))
        yield from _rest(record, record.fields, led)
        yield "</article>"
    yield "</div></section>"


def _article(
    record: Record,
    entries: Mapping[int, Entry],
    children: Mapping[int, Sequence[int]],
    context: PageContext,
) -> Iterator[str]:
    entry, fields = entries[record.seq], record.fields
    yield f'<article id="r{record.seq}"><h2><span class="number">{record.seq}</span>'
    yield f"<span>{escape(entry.kind.replace('_', ' '))}</span>{_time(entry)}"
    yield f"{_word(record.seq, context)}</h2>"
    tags = [
        *(["late"] if entry.late else []),
        *(["the clock was set back"] if entry.clock_source == "stepped_back" else []),
        *([f"by {entry.role}"] if entry.role != "author" else []),
    ]
    links = [_links("from", _numbers(entry.parents)), _links("led to", children.get(entry.seq, ()))]
    line = " · ".join([*map(escape, tags), *(link for link in links if link)])
    if line:
        yield f'<p class="soft">{line}</p>'
    yield from _told(fields)
    yield from _files(entry.files, context, chosen=())
    yield from _choice(fields, entries, context)
    yield from _rest(record, fields)
    yield "</article>"


def _time(entry: Entry) -> str:
    """Return the claimed time to the second; ``details`` has the rest."""
    return f"<time>{escape(entry.claimed_time[:19].replace('T', ' '))} UTC</time>"


def _word(seq: int, context: PageContext, *, brief: bool = False) -> str:
    state = context.states.get(seq)
    if state is None:
        more = "" if brief else ", not sent yet"
        return f'<span class="word pending">{_SIGNS["pending"]}{more}</span>'
    when = f", before {state.existed_before}" if state.existed_before and not brief else ""
    text = f"{_SIGNS[state.status]}{when.replace('T', ' ').replace('Z', ' UTC')}"
    return (
        f'<span class="word {escape(state.status)}" title="{escape(state.reason)}">'
        f"{escape(text)}</span>"
    )


def _told(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield what people read first; a prompt as its difference from the one before."""
    difference = fields.get("difference")
    if difference:
        tags = {"=": ("", ""), "-": ("<del>", "</del>"), "+": ("<ins>", "</ins>")}
        parts = (f"{tags[sign][0]}{escape(text)}{tags[sign][1]}" for sign, text in difference)
        yield f"<p>{''.join(parts)}</p>"
        return
    for name in _HEADLINES:
        if isinstance(fields.get(name), str):
            yield f"<p>{escape(_cut(fields[name]))}</p>"
            return
    told = [f"{what}: {fields[name]}" for name, what in _WHOSE.items() if name in fields]
    told += fields.get("operations", ())
    if told:
        yield f"<p>{escape(_cut('; '.join(told)))}</p>"


def _choice(
    fields: Mapping[str, Any], entries: Mapping[int, Entry], context: PageContext
) -> Iterator[str]:
    """Yield the pictures that were chosen among, the chosen ones marked."""
    chosen, rejected = fields.get("chosen", ()), fields.get("rejected", ())
    if not chosen:
        return
    yield f'<p class="soft">chose {_links_of(chosen)} among {len(chosen) + len(rejected)}</p>'
    yield '<div class="files choice">'
    for reference in (*chosen, *rejected):
        seq, _, number = reference.partition(".")
        entry = entries.get(int(seq))
        files = [
            file
            for file in (entry.files if entry else ())
            if not number or file.number == int(number)
        ]
        for file in files[:1]:
            yield _figure(file, f"{reference}", context, chosen=reference in chosen)
    yield "</div>"


def _files(
    files: Sequence[FileEntry], context: PageContext, *, chosen: Sequence[int]
) -> Iterator[str]:
    if files:
        yield '<div class="files">'
        for file in files:
            caption = f"{file.role}: {file.name or file.sha256.hex()[:8]}"
            yield _figure(file, caption, context, chosen=file.number in chosen)
        yield "</div>"


def _figure(file: FileEntry, caption: str, context: PageContext, *, chosen: bool) -> str:
    jpeg = context.thumbnail(file.sha256) if file.media_type.startswith("image/") else None
    picture = ""
    if jpeg is not None:
        data = base64.b64encode(jpeg).decode()
        alt = escape(file.name or file.role, quote=True)
        picture = f'<div class="frame"><img src="data:image/jpeg;base64,{data}" alt="{alt}"></div>'
    mark = ' class="chosen"' if chosen else ' class="file"'
    said = ", chosen" if chosen else ""
    size = f"{file.size:,} bytes, {file.media_type}" if jpeg is None else ""
    text = escape(f"{caption}{said}") + (f"<br>{escape(size)}" if size else "")
    return f"<figure{mark}>{picture}<figcaption>{text}</figcaption></figure>"


def _rest(record: Record, fields: Mapping[str, Any], links: str = "") -> Iterator[str]:
    payload = record.sd_jwt.payload
    rows = [
        (name, _shown(value))
        for name, value in fields.items()
        if name not in ("difference", "parents")
    ]
    rows += [
        (f"file {number}", f"{entry.get('name', '')} {entry['size']:,} bytes\n{entry['sha256']}")
        for number, entry in sorted(record.files.items())
    ]
    rows += [
        ("digest", record.digest.hex()),
        ("key", record.actor.key.hex()),
        ("claimed", payload["claimed_time"]),
        ("capture", f"{record.capture.mode}, {record.capture.client}"),
        ("clock", f"{payload['clock_source']}, UTC{payload['utc_offset_minutes']:+d} min"),
        ("tier", payload["tier"]),
    ]
    rows += [
        ("not before", f"{beacon.source} {beacon.number} {beacon.value.hex()}")
        for beacon in record.not_before
    ]
    yield "<details><summary>details</summary>"
    yield f'<p class="soft">{links}</p><dl>' if links else "<dl>"
    for name, text in rows:
        yield f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
    yield "</dl></details>"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {item}" for name, item in value.items())
    if isinstance(value, list):
        return "\n".join(
            ": ".join(map(str, item)) if isinstance(item, list) else _shown(item) for item in value
        )
    return _cut(str(value))


def _cut(text: str) -> str:
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]}… ({len(text):,} characters)"


def _numbers(references: Sequence[str]) -> list[int]:
    return sorted({int(reference.partition(".")[0]) for reference in references})


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _links(what: str, numbers: Sequence[int]) -> str:
    """Return links to records; a row of numbers becomes its ends."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    parts = [
        _links_of([str(span[0])]) + " – " + _links_of([str(span[-1])])
        if len(span) > 2
        else _links_of([str(number) for number in span])
        for span in spans
    ]
    return f"{what} {', '.join(parts)}" if parts else ""


def _links_of(references: Sequence[str]) -> str:
    return ", ".join(
        f'<a href="#r{int(item.partition(".")[0])}">{escape(item)}</a>' for item in references
    )


def _children(entries: Any) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in entries:
        for parent in _numbers(entry.parents):
            found.setdefault(parent, []).append(entry.seq)
    return found
