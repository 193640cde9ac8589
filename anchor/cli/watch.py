"""``vestige watch``: record every new image of a folder as it is written."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from anchor.capture import CapturePool
from anchor.cli import _exit_status
from anchor.cli._background import run_in_background, systemd_unit
from anchor.cli._output import Output, padded, word
from anchor.cli._sending import Sending
from anchor.cli._vault import (
    Desk,
    add_sending,
    add_vault,
    counted,
    key_store,
    record_line,
    record_to_json,
)
from anchor.cli.program import error_to_json
from anchor.errors import NotFoundError, UsageError
from anchor.records.record import Record
from anchor.vault.key_records import signing_key
from anchor.vault.layout import VAULT_FOLDER, find_layout
from anchor.vault.lock import held
from anchor.vault.signer import Signer
from anchor.vault.watching.watcher import Happening, Watcher

_COLUMNS: Final = 72
_PASSED_ON: Final = (
    "VESTIGE_SERVER", "VESTIGE_POLICY", "VESTIGE_PASSPHRASE_FILE", "XDG_DATA_HOME",
    "XDG_STATE_HOME",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``watch``."""
    parser.add_argument(
        "folders", metavar="DIR", nargs="+", type=Path, help="folders; all that is below counts"
    )
    parser.add_argument(
        "--existing", action="store_true", help="record the images that are there already as well"
    )
    parser.add_argument(
        "--poll",
        action="store_true",
        help="look twice a second, whatever the system offers: for folders of other machines",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--daemon", action="store_true", help="go on in the background; log and number in the vault"
    )
    how.add_argument(
        "--systemd", action="store_true", help="print a user unit that watches, and end"
    )
    add_vault(parser)
    add_sending(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Watch until SIGINT or SIGTERM; what is whole by then is recorded."""
    args.folders = [_folder(path) for path in args.folders]
    args.vault = find_layout(args.vault).work
    if args.systemd:
        out.raw(_unit(args).encode())
        return _exit_status.OK
    with Desk(args, out) as desk:
        if desk.vault.read_only_reason is not None:
            raise desk.vault.read_only_reason
        signer = signing_key(desk.vault, key_store())
        layout = desk.vault.layout
    if not args.daemon:
        return _watch(args, out, signer, lambda: None)
    with held(layout.lock("watch"), f"is watching for {layout.root}"):
        pass
    log = layout.root / "watch.log"
    pid = run_in_background(
        log, layout.root / "watch.pid", lambda works: _watch(args, out, signer, works)
    )
    out.line(f"watching in the background as process {pid}; log in {log}")
    out.note(f"stop it with: kill {pid}")
    out.object({"pid": pid, "log": str(log), "exit_status": _exit_status.OK})
    return _exit_status.OK


def _watch(args: argparse.Namespace, out: Output, signer: Signer, works: Callable[[], None]) -> int:
    said = _Said(out)
    with Desk(args, out) as desk, CapturePool() as pool, _stopped() as stop:
        pool.start()
        layout, vault = desk.vault.layout, desk.vault
        said.vault = vault
        with (
            held(layout.lock("watch"), f"is watching for {layout.root}"),
            Sending(args, said.sent, out.warn) as sending,
        ):

            def tell(happening: Happening) -> None:
                said.tell(happening)
                if happening.what == "recorded":
                    sending.wake()

            watcher = Watcher(
                vault, desk.recorder(vault, signer), pool, args.folders,
                tell=tell, existing=args.existing, poll=args.poll,
            )  # fmt: skip
            said.begin(args.folders, polls=watcher.polls)
            works()
            try:
                watcher.run(stop)
            finally:
                said.wipe()
        said.end(desk.queued(), watcher.waiting)
    return _exit_status.OK


@contextlib.contextmanager
def _stopped() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set."""
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in signals]
    try:
        yield stop
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


class _Said:
    """What the person is told: a line an item, one line that is drawn over, or JSON lines."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._counts = {"recorded": 0, "known": 0, "refused": 0, "delayed": 0, "sent": 0}
        self._drawn = out.is_terminal(out.stdout) and not out.as_json
        self._mutex = threading.Lock()
        self.vault: Any = None

    def begin(self, folders: list[Path], *, polls: bool) -> None:
        """Say that it works."""
        with self._mutex:
            self._event("watching", folders=[str(folder) for folder in folders], polls=polls)
            looking = ", looking twice a second" if polls else ""
            self._out.note(f"watching {', '.join(map(str, folders))}{looking}")

    def tell(self, happening: Happening) -> None:
        """Say what became of a file."""
        with self._mutex:
            self._counts[happening.what] += 1
            record, error = happening.record, happening.error
            if self._out.as_json:
                more: dict[str, Any] = {}
                if record is not None:
                    more["record"] = record_to_json(record, self.vault)
                    more["unread"] = _unread(record)
                if error is not None:
                    more["error"] = error_to_json(error)
                self._event(happening.what, path=str(happening.path), **more)
            self._wipe()
            if error is not None:
                again = "; it will be tried again" if happening.what == "delayed" else ""
                self._out.error(f"{error.message}{again}", error.hint)
            elif record is not None:
                self._recorded(record)
            self._draw()

    def _recorded(self, record: Record) -> None:
        """Say that a record was made, and why no settings of the image are in it."""
        why = _unread(record)
        unread = f"no settings could be read: {why}"
        if not self._drawn:
            more = [f"  ({unread})"] if why else []
            self._out.line(padded(record_line(record), _COLUMNS), word("pending"), *more)
        elif why:
            self._out.warn(f"record {record.seq}: {unread}")

    def sent(self, count: int) -> None:
        """Say that records were sent."""
        with self._mutex:
            self._counts["sent"] += count
            self._event("sent", count=count)
            self._draw()

    def end(self, queued: int, waiting: int) -> None:
        """Say what was done."""
        with self._mutex:
            left = {"queued": queued, "unfinished": waiting}
            self._event("stopped", **self._counts, **left, exit_status=_exit_status.OK)
            counts = self._counts
            self._out.note(
                f"stopped: {counted(counts['recorded'], 'record')}, {queued:,} queued"
                + (f", {counted(waiting, 'file')} unfinished" if waiting else "")
            )

    def wipe(self) -> None:
        """Remove the line that is drawn over."""
        with self._mutex:
            self._wipe()

    def _event(self, name: str, **more: Any) -> None:
        if self._out.as_json:
            self._out.stdout.write(json.dumps({"event": name, **more}) + "\n")
            self._out.stdout.flush()

    def _wipe(self) -> None:
        if self._drawn:
            self._out.stdout.write("\r\x1b[K")
            self._out.stdout.flush()

    def _draw(self) -> None:
        if self._drawn and not self._out.quiet:
            told = "  ".join(f"{count:,} {name}" for name, count in self._counts.items() if count)
            self._out.stdout.write(f"\r\x1b[Kwatching  {told}")
            self._out.stdout.flush()


def _unread(record: Record) -> str | None:
    """Return why an image's settings could not be read; None: they were, or it has none."""
    if "tool" in record.fields:
        return None
    return str(record.fields.get("parser", "")).partition("; ")[2] or None


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise NotFoundError(f"{path}: there is no such folder", code="file.not_found")
    folder = path.resolve()
    if VAULT_FOLDER in folder.parts:
        raise UsageError(f"{path} is in a vault", code="file.of_vault")
    return folder


def _unit(args: argparse.Namespace) -> str:
    command = [sys.executable, "-m", "anchor.cli", "watch", *map(str, args.folders)]
    command += ["--vault", str(args.vault)]
    for name in ("existing", "poll", "offline"):
        command += [f"--{name}"] if getattr(args, name) else []
    command += ["--server", args.server] if args.server else []
    environment: Mapping[str, str] = {
        name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)
    }
    return systemd_unit(f"Vestige records new images for {args.vault}", command, environment)
