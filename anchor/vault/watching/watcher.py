"""Record every new image of a folder tree, until told to stop.

Rules:

* what is in the folder at the start is left alone unless wanted, or left over by a watcher that
  was killed (:mod:`anchor.vault.watching.mark`);
* an image is what its first bytes, or else its name, say; any other file is passed over;
* content that has a record gets no second one;
* a file that changes or vanishes while it is read is looked at again; one that can not be read is
  tried three times more; while the vault takes no writes, everything waits;
* nothing that is in a file, or missing in it, keeps it from its record.
"""

from __future__ import annotations

import mimetypes
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from anchor.errors import StoreConflictError, StoreUnavailableError, VestigeError
from anchor.records.record import Record
from anchor.vault.draft import Draft
from anchor.vault.file_drafts import KeptFile, generation_draft
from anchor.vault.media_type import media_type_of
from anchor.vault.objects import Keeping
from anchor.vault.recorder import Recorder
from anchor.vault.source import open_source
from anchor.vault.vault import Vault
from anchor.vault.watching.change import look, signature_of
from anchor.vault.watching.changes import FolderChanges
from anchor.vault.watching.mark import WatchMark
from anchor.vault.watching.scan import files_below
from anchor.vault.watching.settling import Settled, Settling

if TYPE_CHECKING:
    from anchor.capture import CapturePool

_BATCH_FILES: Final = 256
_THREADS: Final = 4
_WAIT_S: Final = 0.1
_FULL_WAIT_S: Final = 5.0
_RETRY_S: Final = (0.3, 1.0, 3.0)
_MARK_EVERY_S: Final = 30.0
_HEAD_BYTES: Final = 64
_ENDING: Final = frozenset({
    "vault.foreign", "vault.copied", "vault.older", "vault.read_only", "vault.closed",
    "vault.chain_broken", "vault.not_signed", "keys.not_in_force",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Happening:
    """What became of a file.

    Attributes:
        what: ``recorded``; ``known``: its content has a record; ``refused``: it has none, and will
            not be tried again before it changes; ``delayed``: it will be tried again.
        path: of the file.
        record: its record, or None.
        error: why it was refused or delayed.
    """

    what: Literal["recorded", "known", "refused", "delayed"]
    path: Path
    record: Record | None = None
    error: VestigeError | None = None


class Watcher:
    """Watches folders for one vault.

    Args:
        vault: open.
        recorder: of that vault.
        pool: reads what is in images; None reads nothing.
        folders: absolute, and there.
        tell: called in order with what becomes of each file.
        existing: record what is there at the start as well.
        poll: look for changes, whatever the system offers.
    """

    def __init__(
        self,
        vault: Vault,
        recorder: Recorder,
        pool: CapturePool | None,
        folders: Sequence[Path],
        *,
        tell: Callable[[Happening], None],
        existing: bool = False,
        poll: bool = False,
    ) -> None:
        self._vault = vault
        self._recorder = recorder
        self._pool = pool
        self._folders = tuple(folders)
        self._tell = tell
        self._settling = Settling()
        self._attempts: dict[Path, int] = {}
        self._written: tuple[list[Settled], Future[list[Record | VestigeError]]] | None = None
        self._mark = WatchMark(vault.layout)
        self._marked_at = time.monotonic()
        self._pass_over(existing=existing)
        self._changes = FolderChanges(self._folders, poll=poll)

    @property
    def polls(self) -> bool:
        """Return whether changes are found by looking."""
        return self._changes.polls

    @property
    def waiting(self) -> int:
        """Return how many files are not dealt with yet."""
        return len(self._settling)

    def run(self, stop: threading.Event) -> None:
        """Record what comes, until told to stop; then what is whole by then.

        Raises:
            StoreConflictError: the vault was closed, or may not be written to here any more.
        """
        try:
            with ThreadPoolExecutor(_THREADS) as readers, ThreadPoolExecutor(1) as writer:
                while not stop.is_set():
                    wait_s = 0.0 if self._written is not None else _WAIT_S
                    self._settling.learn(self._changes.wait(wait_s), time.monotonic())
                    self._step(readers, writer)
                    self._move_mark()
                self._settling.learn(self._changes.wait(0.0), time.monotonic())
                self._settling.settle_now()
                while self._step(readers, writer):
                    pass
        finally:
            self._changes.close()
        if not len(self._settling):
            self._mark.end(self._folders)

    # -- the start and the mark --------------------------------------------------------------------

    def _pass_over(self, *, existing: bool) -> None:
        """Take what is there for dealt with, except what is wanted or was left over."""
        for folder in self._folders:
            since = 0 if existing else self._mark.since(folder)
            for path in () if existing else files_below(folder):
                status = look(path)
                if status is None:
                    continue
                if since is None or max(status.st_mtime, status.st_ctime) < since:
                    self._settling.done[path] = signature_of(status)
        self._mark.begin(self._folders, 1 if existing else time.time())

    def _move_mark(self) -> None:
        now = time.monotonic()
        idle = self._written is None and not len(self._settling)
        if idle and now - self._marked_at > _MARK_EVERY_S:
            self._marked_at = now
            self._mark.move(self._folders, time.time())

    # -- a batch -----------------------------------------------------------------------------------

    def _step(self, readers: ThreadPoolExecutor, writer: ThreadPoolExecutor) -> bool:
        """Read what is due while the batch before is written; return whether there was anything."""
        due, vanished = self._settling.due(time.monotonic(), _BATCH_FILES)
        for path in vanished:
            self._attempts.pop(path, None)
        keeping = self._vault.objects.keeping()
        try:
            drafts = list(readers.map(lambda item: self._draft(item, keeping), due))
            had_written = self._finish_written()
            if not due:
                return had_written
            self._vault.refresh()
            chosen = self._choose(due, drafts)
        except BaseException:
            keeping.close()
            raise
        written = writer.submit(self._write, keeping, list(chosen.values()))
        self._written = (list(chosen), written)
        return True

    def _choose(
        self, due: Sequence[Settled], drafts: Sequence[Draft | VestigeError | None]
    ) -> dict[Settled, Draft]:
        """Return what is to be recorded: images whose content has no record yet."""
        contents: set[bytes] = set()
        chosen: dict[Settled, Draft] = {}
        for item, draft in zip(due, drafts, strict=True):
            made, known = self._looked_up(draft)
            if isinstance(made, VestigeError):
                self._failed(item, made)
            elif made is None:
                self._settling.finish(item)
            elif known or (content := _content(made)) in contents:
                self._settling.finish(item)
                self._tell(Happening("known", item.path))
            else:
                contents.add(content)
                chosen[item] = made
        return chosen

    def _looked_up(
        self, made: Draft | VestigeError | None
    ) -> tuple[Draft | VestigeError | None, bool]:
        """Return what was made and whether its content has a record, or why nobody can tell."""
        try:
            return made, isinstance(made, Draft) and bool(self._vault.where(_content(made)))
        except VestigeError as error:
            return error, False

    def _write(self, keeping: Keeping, drafts: list[Draft]) -> list[Record | VestigeError]:
        """Make originals durable, then their records."""
        with keeping:
            if drafts or not keeping.is_kept():
                keeping.commit()
            return self._recorder.append_many(drafts)

    def _finish_written(self) -> bool:
        """Wait for the batch that is being written, if there is one, and say what became of it."""
        if self._written is None:
            return False
        (items, written), self._written = self._written, None
        try:
            made = written.result()
        except VestigeError as error:
            made = [error] * len(items)
        for item, record in zip(items, made, strict=True):
            if isinstance(record, VestigeError):
                self._failed(item, record)
            else:
                self._settling.finish(item)
                self._attempts.pop(item.path, None)
                self._tell(Happening("recorded", item.path, record))
        return True

    def _draft(self, item: Settled, keeping: Keeping) -> Draft | VestigeError | None:
        """Keep a file and read it; None if it is no image."""
        vault = self._vault
        try:
            with open_source(item.path, vault.layout) as source:
                head = os.read(source.descriptor, _HEAD_BYTES)
                os.lseek(source.descriptor, 0, os.SEEK_SET)
                if not media_type_of(head, source.name).startswith("image/"):
                    return None
                kept = keeping.add(source)
                file = KeptFile(source.name, kept, source.modified, keeping.path(kept))
            now = datetime.now(UTC)
            return generation_draft(vault, file, self._pool, now=now, mode="watch_folder")
        except VestigeError as error:
            return error if _may_be_image(item.path) else None

    def _failed(self, item: Settled, error: VestigeError) -> None:
        if error.code in _ENDING:
            raise error
        count = self._attempts[item.path] = self._attempts.get(item.path, 0) + 1
        now = time.monotonic()
        if error.code in ("file.changed", "file.not_found"):
            self._settling.retry(item, now, 0.0)
        elif error.code == "vault.disk_full" or _is_of_the_vault(error):
            self._settling.retry(item, now, _FULL_WAIT_S)
            if count == 1:
                self._tell(Happening("delayed", item.path, error=error))
        elif isinstance(error, StoreUnavailableError) and count <= len(_RETRY_S):
            self._settling.retry(item, now, _RETRY_S[count - 1])
        else:
            self._attempts.pop(item.path, None)
            self._settling.finish(item, refused=True)
            self._tell(Happening("refused", item.path, error=error))


def _content(draft: Draft) -> bytes:
    kept = draft.files[0].kept
    return b"" if kept is None else kept.sha256


def _is_of_the_vault(error: VestigeError) -> bool:
    conflict = isinstance(error, StoreConflictError | StoreUnavailableError)
    return conflict and error.code.startswith("vault.")


def _may_be_image(path: Path) -> bool:
    guess = mimetypes.guess_type(path.name, strict=False)[0]
    return guess is None or guess.startswith("image/")
