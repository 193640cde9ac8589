"""``vestige log``: the records and how they came from each other, in the terminal or as a page."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy, load_policy
from anchor.cli._output import Cell, Output, dim, padded, shown_time, word
from anchor.cli._progress import Progress
from anchor.cli._vault import add_vault, counted, entry_to_json, now, policy_source
from anchor.errors import UsageError
from anchor.formats.encoding import parse_utc
from anchor.records.kinds import KINDS
from anchor.vault.durable import translated, want_folder_of
from anchor.vault.entry import Entry
from anchor.vault.graph import Graph, Rails
from anchor.vault.proof_states import PolicySource, refresh_states, scan_proofs
from anchor.vault.vault import Vault

if TYPE_CHECKING:
    from anchor.vault.index import ProofState

_DEFAULT_COUNT: Final = 40
_TIME_COLUMNS: Final = 25
_KIND_COLUMNS: Final = 14
_WORD_COLUMNS: Final = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``log``."""
    add_vault(parser)
    parser.add_argument(
        "-n", metavar="COUNT", dest="count", type=int, help=f"how many (default: {_DEFAULT_COUNT})"
    )
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument(
        "--kind", metavar="KIND", action="append", default=[], help="only these (may be repeated)"
    )
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page of all records")
    add_policy(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Show the newest records, newest first."""
    if args.count is not None and args.count < 1:
        raise UsageError(f"-n {args.count}: at least 1 is wanted")
    _check_kinds(args.kind)
    with Vault.open(args.vault) as vault:
        if args.html is not None:
            return _page(args, vault, out)
        limit = -1 if args.all else args.count or _DEFAULT_COUNT
        entries = vault.index.entries(newest_first=True, limit=limit, kinds=args.kind)
        scanned = scan_proofs(vault)
        states = refresh_states(vault, policy_source(args.policy), now(), scanned=scanned)
        if out.as_json:
            out.object(_to_json(vault, entries, states))
        else:
            _print(out, entries, states, whole=not args.kind)
            _tail(out, vault, len(entries), args, len(scanned.queued(vault.size)))
    return _exit_status.OK


def _check_kinds(kinds: Sequence[str]) -> None:
    """Refuse a kind that there is not: an empty list would look like an answer."""
    for kind in kinds:
        if kind not in KINDS:
            near = difflib.get_close_matches(kind, KINDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(KINDS)}"
            raise UsageError(f"--kind {kind[:80]!r}: there is no such kind of record", hint=hint)


def _print(
    out: Output, entries: Sequence[Entry], states: Mapping[int, ProofState], *, whole: bool
) -> None:
    graph = Graph(entries[-1].seq if entries else 0)
    rails = [
        graph.draw(entry.seq, _numbers(entry.parents)) if whole else Rails("●", None)
        for entry in entries
    ]
    rail_columns = max((len(item.at) for item in rails), default=0) + 2
    number_columns = len(f"{entries[0].seq}" if entries else "") + 2
    room = out.columns()
    for entry, item in zip(entries, rails, strict=True):
        if item.above is not None:
            out.line(item.above)
        cells: list[Cell] = [
            padded(item.at, rail_columns),
            padded(f"{entry.seq}", number_columns),
            padded(f"{shown_time(parse_utc(entry.claimed_time))} UTC", _TIME_COLUMNS),
            padded(entry.kind, _KIND_COLUMNS),
            padded(word(_status(entry, states)), _WORD_COLUMNS),
            *_tags(entry),
        ]
        used = sum(len(cell if isinstance(cell, str) else cell.text) for cell in cells)
        out.line(*cells, _cut(entry.summary, room - used))
        if item.below is not None:
            out.line(item.below)


def _numbers(references: Sequence[str]) -> list[int]:
    return [int(reference.partition(".")[0]) for reference in references]


def _tags(entry: Entry) -> list[Cell]:
    tags = [
        *(["late"] if entry.late else []),
        *(["clock set back"] if entry.clock_source == "stepped_back" else []),
        *([entry.role] if entry.role != "author" else []),
    ]
    return [dim(f"[{', '.join(tags)}] ")] if tags else []


def _status(entry: Entry, states: Mapping[int, ProofState]) -> str:
    state = states.get(entry.seq)
    return "pending" if state is None else state.status


def _cut(text: str, room: int) -> str:
    return text if room < 1 or len(text) <= room else text[: max(room - 1, 1)] + "…"


def _tail(out: Output, vault: Vault, shown: int, args: argparse.Namespace, queued: int) -> None:
    left = vault.size - shown
    if left and not args.kind:
        out.note(f"{counted(left, 'earlier record')}: vestige log --all shows them")
    if queued:
        out.note(f"{counted(queued, 'record')} queued: vestige send sends them")


def _to_json(
    vault: Vault, entries: Sequence[Entry], states: Mapping[int, ProofState]
) -> dict[str, Any]:
    return {
        "project": vault.project.id,
        "count": vault.size,
        "records": [
            {**entry_to_json(entry), "proof": state_to_json(states.get(entry.seq))}
            for entry in entries
        ],
        "exit_status": _exit_status.OK,
    }


def state_to_json(state: ProofState | None) -> dict[str, Any]:
    """Return what ``--json`` says of a record's proof; a queued record has none."""
    if state is None:
        return {"status": "pending", "queued": True, "existed_before": None, "complete": False}
    return {
        "status": state.status,
        "queued": False,
        "reason": state.reason,
        "existed_before": state.existed_before,
        "complete": state.complete,
    }


def _page(args: argparse.Namespace, vault: Vault, out: Output) -> int:
    from anchor.client.local_file import write_atomically
    from anchor.vault.page import PageContext, render_page
    from anchor.vault.thumbnails import Thumbnails

    want_folder_of(args.html)
    policy = load_policy(args.policy)
    states = refresh_states(vault, PolicySource.of(policy), now())
    with Progress(out, "reading", vault.size) as progress:
        records = []
        for seq in range(vault.size):
            records.append(vault.read(seq))
            progress.step()
    if not records:
        raise UsageError("the vault has no records yet")
    with Thumbnails(vault.layout) as thumbnails, Progress(out, "writing", vault.size) as progress:
        context = PageContext(
            records[0].fields.get("title", vault.layout.work.name),
            vault.project.id,
            f"{shown_time(now())} UTC",
            states,
            thumbnails.jpeg,
            policy.name,
        )
        pieces = []
        for piece in render_page(records, context):
            pieces.append(piece)
            if piece == "</article>":
                progress.step()
    with translated(args.html):
        # It shows everything that was recorded; a file that is replaced keeps its mode.
        args.html.touch(mode=0o600)
        args.html.chmod(0o600)
    write_atomically(args.html, "".join(pieces).encode("utf-8", "replace"))
    out.line(f"{args.html}  {counted(len(records), 'record')}")
    out.object({"path": str(args.html), "records": len(records), "exit_status": _exit_status.OK})
    return _exit_status.OK
