"""``vestige admin``: look after a service.

``status`` and ``rounds`` ask a running service. ``backup``, ``fsck``, ``export-tiles`` and
``checkpoints`` read its data folder on this machine, beside the running service or without it;
``force`` leaves a wish there, which the running service fulfils.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anchor.cli import _exit_status
from anchor.cli._arguments import add_server, server_url
from anchor.cli._output import Output, padded, width, word
from anchor.cli._progress import Progress
from anchor.cli.program import common_arguments
from anchor.errors import LogIntegrityError, NotFoundError

if TYPE_CHECKING:
    from anchor.stores.packed import PackedReader

_DATA: Final = "VESTIGE_DATA"
_DEFAULT_DATA: Final = "vestige-data"
_STATE_COLUMNS: Final = 14


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of ``admin``."""
    common = common_arguments()
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    for name, text in (
        ("status", "print what the running service says of itself"),
        ("rounds", "print the newest anchoring rounds and how far each backend is"),
    ):
        action = actions.add_parser(name, help=text, description=text, parents=[common])
        add_server(action)
        if name == "rounds":
            action.add_argument(
                "--limit", metavar="N", type=int, default=10, help="how many (default: 10)"
            )
    for name, text in (
        ("checkpoints", "print the newest checkpoint and those kept of the log in a data folder"),
        ("fsck", "recompute everything that the log in a data folder derives, and compare"),
        ("backup", "copy the log and the anchorer's memory into an empty folder; not the key"),
        ("export-tiles", "write the log as static files (C2SP tlog-tiles)"),
        ("force", "ask the running service for an anchoring round now"),
    ):
        action = actions.add_parser(name, help=text, description=text, parents=[common])
        if name in ("backup", "export-tiles"):
            action.add_argument("folder", metavar="DIR", type=Path, help="where to")
        if name == "force":
            action.add_argument(
                "backend", metavar="BACKEND", nargs="?", help="one backend (default: all of them)"
            )
        action.add_argument(
            "--data",
            metavar="DIR",
            type=Path,
            default=Path(os.environ.get(_DATA) or _DEFAULT_DATA),
            help=f"the service's data folder (default: {_DATA}, else {_DEFAULT_DATA})",
        )


def run(args: argparse.Namespace, out: Output) -> int:
    """Do the action."""
    actions = {
        "status": _status,
        "rounds": _rounds,
        "checkpoints": _checkpoints,
        "fsck": _fsck,
        "backup": _backup,
        "export-tiles": _export,
        "force": _force,
    }
    return actions[args.action](args, out)


# -- asking the service ----------------------------------------------------------------------------


def _status(args: argparse.Namespace, out: Output) -> int:
    from anchor.client.service_client import ServiceClient

    with ServiceClient(server_url(args), attempts=2) as service:
        value = service.fetch_status()
    log, anchoring = value.get("log") or {}, value.get("anchoring") or {}
    out.line(f"{log.get('origin')}  {_count(log.get('tree_size', 0), 'entry', 'entries')}")
    if log.get("read_only"):
        out.line(f"  takes no writes: {log['read_only']}")
    oldest = anchoring.get("oldest_unanchored")
    if oldest:
        since = oldest.get("accepted_at") or "a moment ago"
        out.line(f"  oldest entry without an anchor: {oldest.get('leaf_index')}, since {since}")
    backends = anchoring.get("backends", ())
    columns = _columns(backend.get("name") for backend in backends)
    for backend in backends:
        size = (backend.get("last_final") or {}).get("tree_size")
        final = "nothing final yet" if size is None else f"final up to {size:,}"
        out.line(
            "  ",
            padded(str(backend.get("name")), columns),
            padded(str(backend.get("state")), _STATE_COLUMNS),
            f"{final}; {backend.get('pending', 0)} pending",
        )
        if backend.get("last_error"):
            out.line(f"    last error: {backend['last_error']}")
    for alarm in anchoring.get("alarms", ()):
        out.line(f"  alarm {alarm.get('name')}: {alarm.get('note')}")
    out.object(value)
    return _exit_status.OK


def _columns(names: Iterable[object]) -> int:
    """Return how wide a column of names is, with the space after it."""
    return max((width(str(name)) for name in names), default=0) + 2


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _rounds(args: argparse.Namespace, out: Output) -> int:
    from anchor.client.service_client import ServiceClient

    with ServiceClient(server_url(args), attempts=2) as service:
        value = service.fetch_rounds(limit=args.limit)
    rounds = value.get("rounds", ())
    columns = _columns(a.get("backend") for item in rounds for a in item.get("anchors", ()))
    for item in rounds:
        out.line(f"size {item.get('tree_size'):,}  root {item.get('root_hash')}")
        for anchor in item.get("anchors", ()):
            text = str(anchor.get("note") or "")
            name, phase = str(anchor.get("backend")), str(anchor.get("phase"))
            out.line("  ", padded(name, columns), padded(phase, _STATE_COLUMNS), text)
    out.object(value)
    return _exit_status.OK


# -- reading the data folder -----------------------------------------------------------------------


def _open(args: argparse.Namespace) -> PackedReader:
    from anchor.stores.packed import PackedReader

    folder: Path = args.data / "log"
    if not folder.is_dir():
        raise NotFoundError(
            f"{args.data} is no data folder of a service",
            code="data.not_found",
            hint="--data names it",
        )
    return PackedReader(folder)


def _checkpoints(args: argparse.Namespace, out: Output) -> int:
    log = _open(args)
    try:
        trees = list(log.checkpoints())
    finally:
        log.close()
    for tree in trees:
        out.line(f"size {tree.tree_size:,}  root {tree.root_hash.hex()}")
    values = [{"tree_size": tree.tree_size, "checkpoint": tree.checkpoint} for tree in trees]
    out.object({"checkpoints": values})
    return _exit_status.OK


def _fsck(args: argparse.Namespace, out: Output) -> int:
    from anchor.stores.packed import fsck

    log = _open(args)
    try:
        size = log.committed.tree_size if log.committed else 0
        with Progress(out, "checking", size) as progress:
            report = fsck(log, progress=progress.reached)
    finally:
        log.close()
    status = "verified" if report.ok else "failed"
    out.line(f"{report.tree_size:,} entries, {report.n_checkpoints:,} checkpoints  ", word(status))
    for problem in report.problems:
        out.line(f"  {problem}")
    out.object(
        {
            "status": status,
            "tree_size": report.tree_size,
            "root_hash": report.root_hash.hex() if report.root_hash else None,
            "n_checkpoints": report.n_checkpoints,
            "n_problems": report.n_problems,
            "problems": report.problems,
        }
    )
    return _exit_status.OK if report.ok else _exit_status.FAILED


def _backup(args: argparse.Namespace, out: Output) -> int:
    from anchor.config.data_backup import back_up_data

    log = _open(args)
    try:
        tree = back_up_data(log, args.data, args.folder)
    finally:
        log.close()
    size = tree.tree_size if tree is not None else 0
    copied = _count(size, "entry", "entries")
    out.line(f"{copied} copied to {args.folder}, and the anchorer's memory")
    out.note("the log's private key is not in it: keep a copy of log.key in a safe place")
    out.object({"folder": str(args.folder), "tree_size": size})
    return _exit_status.OK


def _export(args: argparse.Namespace, out: Output) -> int:
    from anchor.stores.packed import export_tiles

    log = _open(args)
    try:
        if log.committed is None:
            raise LogIntegrityError("the log is empty: there is nothing to export")
        count = export_tiles(log, args.folder)
    finally:
        log.close()
    out.line(f"{count:,} files written to {args.folder}")
    out.object({"folder": str(args.folder), "files": count})
    return _exit_status.OK


def _force(args: argparse.Namespace, out: Output) -> int:
    from anchor.config.force_wish import wish_force

    answers = wish_force(args.data, args.backend)
    columns = _columns(answers)
    for name, answer in answers.items():
        out.line("  ", padded(name, columns), answer)
    out.object({"answers": answers})
    return _exit_status.OK
