"""The newest checkpoint, kept outside the data folder, so that a restored backup is noticed.

A data folder that was put back to an older state looks whole in itself. A copy of the newest
checkpoint in another place tells: the log must be consistent with it before it signs again. The
copy trails the log by some seconds, so what is noticed is a backup older than that. It never goes
back to a smaller tree.

Whoever can write both places can put both back; a witness or an operator's own copy tells then.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from anchor.errors import FormatError
from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.note import parse_note
from anchor.limits import MAX_NOTE_BYTES
from anchor.ports import CommittedTree, Json

_log = logging.getLogger(__name__)

_EVERY_S: Final = 5.0


class KeptCheckpoint:
    """A file that follows the log.

    Args:
        path: of the copy; its folder is made if it is not there.
        log_tree: returns the newest committed tree.
        empty: the signed checkpoint of the empty log, which is the first copy: a log that ends
            before the next one is compared with that.
        also_read: further files with checkpoints, which are never written.
    """

    def __init__(
        self,
        path: Path,
        log_tree: Callable[[], CommittedTree | None],
        empty: str,
        also_read: tuple[Path, ...] = (),
    ) -> None:
        self._path = path
        self._log_tree = log_tree
        self._empty = empty
        self._also_read = also_read
        self._written_size = 0
        self._error = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kept-checkpoint", daemon=True)

    def read(self) -> list[str]:
        """Return the checkpoints in the files that can be read; not judged here."""
        texts = []
        for path in (self._path, *self._also_read):
            try:
                with path.open("rb") as file:
                    texts.append(file.read(MAX_NOTE_BYTES + 1).decode("utf-8"))
            except (OSError, UnicodeDecodeError) as exc:
                if not isinstance(exc, FileNotFoundError) or path in self._also_read:
                    _log.warning("the checkpoint file %s cannot be read: %s", path, exc)
        return texts

    def start(self) -> None:
        """Begin to follow; once. What is there is replaced by a greater one only."""
        if self._log_tree() is None and not self._path.exists():
            self._write(0, self._empty)
        with contextlib.suppress(OSError, FormatError):
            note = parse_note(self._path.read_bytes())
            self._written_size = parse_checkpoint(note.text).tree_size
        self._thread.start()

    def stop(self) -> None:
        """Write the newest one and end; safe to call twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def state(self) -> Json:
        """Return what people see of it."""
        return {"tree_size": self._written_size, "error": self._error or None}

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            self._follow()
        self._follow()

    def _follow(self) -> None:
        tree = self._log_tree()
        if tree is not None and tree.tree_size > self._written_size:
            self._write(tree.tree_size, tree.checkpoint)

    def _write(self, tree_size: int, checkpoint: str) -> None:
        try:
            _replace(self._path, checkpoint.encode())
        except OSError as exc:
            if not self._error:
                _log.warning("the checkpoint file %s cannot be written: %s", self._path, exc)
            self._error = exc.strerror or type(exc).__name__
            return
        self._written_size, self._error = tree_size, ""


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that it is the old one or the new one, whole and durable."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
