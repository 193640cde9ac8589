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

_SIGNS: Final = {
    "verified": "✓ verified",
    "failed": "✕ failed",
    "pending": "… pending",
    "not_checked": "○ not checked",
}
_SHOWN_CHARACTERS: Final = 4000
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1b19; --paper: #fdfcfa; --soft: #6d6a64;
  --line: #dcd8d0; --accent: #1f5f8b; --verified: #1d7a3e; --failed: #b3261e; --pending: #946200;
  --in: #dff2e3; --out: #f9dedb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e6df; --paper: #191817; --soft: #a19c92;
  --line: #3a3834; --accent: #8cc0e4; --verified: #6fcf8f; --failed: #ff8a80; --pending: #e3b341;
  --in: #1d3b26; --out: #4a211e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 46rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.05rem; margin: 0; display: flex; flex-wrap: wrap; gap: 0 .8rem; }
.soft, dt { color: var(--soft); }
time, code, .mono { font-family: ui-monospace, monospace; font-size: .86em; }
a { color: var(--accent); }
article { border-top: 1px solid var(--line); padding: 1.1rem 0; }
article > p { margin: .4rem 0; white-space: pre-wrap; }
.verified { color: var(--verified); } .failed { color: var(--failed); }
.pending { color: var(--pending); } .not_checked { color: var(--soft); }
.files { display: flex; flex-wrap: wrap; gap: .8rem; margin: .6rem 0; padding: 0; }
figure { margin: 0; max-width: 11rem; }
figure.chosen img { outline: 3px solid var(--accent); outline-offset: 2px; }
img { display: block; max-width: 100%; max-height: 11rem; border: 1px solid var(--line); }
figcaption { font-size: .82rem; color: var(--soft); }
ins { background: var(--in); text-decoration: none; } del { background: var(--out); }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .1rem 1rem;
  margin: .5rem 0; } dd { margin: 0; white-space: pre-wrap; }
summary { cursor: pointer; color: var(--soft); }
@media print { body { max-width: none; } article { break-inside: avoid; } }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dt { margin-top: .3rem; } }
"""
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
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"img-src data:; style-src 'sha256-{style}'\">"
        '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">'
        f"<title>{escape(context.title)}</title><style>{_STYLE}</style></head><body>"
    )
    yield from _header(records, context)
    for record in records:
        yield from _article(record, entries, children, context)
    yield "</body></html>\n"


def _header(records: Sequence[Record], context: PageContext) -> Iterator[str]:
    queued = sum(record.seq not in context.states for record in records)
    counts: dict[str, int] = {}
    for record in records:
        counts[record.kind.name] = counts.get(record.kind.name, 0) + 1
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    yield f"<h1>{escape(context.title)}</h1>"
    yield (
        f'<p class="soft">{len(records)} records of project <code>{escape(context.project)}</code>'
        f", as they stood at {escape(context.made_at)}. {escape(kinds)}. {queued} not sent yet. "
        f"Proofs were judged under the policy {escape(context.policy)}. "
        "This page shows everything that was recorded; hand out an export instead.</p>"
    )


def _article(
    record: Record,
    entries: Mapping[int, Entry],
    children: Mapping[int, Sequence[int]],
    context: PageContext,
) -> Iterator[str]:
    entry, fields = entries[record.seq], record.fields
    yield f'<article id="r{record.seq}"><h2><span>{record.seq} · {escape(entry.kind)}</span>'
    yield f"<time>{escape(entry.claimed_time.replace('T', ' ').replace('Z', ' UTC'))}</time>"
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


def _word(seq: int, context: PageContext) -> str:
    state = context.states.get(seq)
    if state is None:
        return '<span class="pending">… pending, not sent yet</span>'
    when = f", before {state.existed_before}" if state.existed_before else ""
    text = f"{_SIGNS[state.status]}{when.replace('T', ' ').replace('Z', ' UTC')}"
    return (
        f'<span class="{escape(state.status)}" title="{escape(state.reason)}">{escape(text)}</span>'
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


def _choice(
    fields: Mapping[str, Any], entries: Mapping[int, Entry], context: PageContext
) -> Iterator[str]:
    """Yield the pictures that were chosen among, the chosen ones marked."""
    chosen, rejected = fields.get("chosen", ()), fields.get("rejected", ())
    if not chosen:
        return
    yield f'<p class="soft">chose {_links_of(chosen)} among {len(chosen) + len(rejected)}</p>'
    yield '<div class="files">'
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
        picture = f'<img src="data:image/jpeg;base64,{data}" alt="{alt}">'
    mark = ' class="chosen"' if chosen else ""
    said = ", chosen" if chosen else ""
    size = f"{file.size:,} bytes, {file.media_type}" if jpeg is None else ""
    text = escape(f"{caption}{said}") + (f"<br>{escape(size)}" if size else "")
    return f"<figure{mark}>{picture}<figcaption>{text}</figcaption></figure>"


def _rest(record: Record, fields: Mapping[str, Any]) -> Iterator[str]:
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
        ("capture", f"{record.capture.mode}, {record.capture.client}"),
        ("clock", f"{payload['clock_source']}, UTC{payload['utc_offset_minutes']:+d} min"),
        ("tier", payload["tier"]),
    ]
    rows += [
        ("not before", f"{beacon.source} {beacon.number} {beacon.value.hex()}")
        for beacon in record.not_before
    ]
    yield "<details><summary>details</summary><dl>"
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


def _links(what: str, numbers: Sequence[int]) -> str:
    return f"{what} {_links_of([str(number) for number in numbers])}" if numbers else ""


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
