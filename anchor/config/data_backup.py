"""Copy a data folder while the service runs: the anchorer's memory first, then the log.

The log that is copied holds at least what the copied rounds speak of; what the anchorer did in
between is found again from the outside systems, as after a crash. The private key is left out: a
copy is kept where others may reach it, and the key does not change.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from anchor.errors import StoreConflictError, StoreUnavailableError
from anchor.ports import CommittedTree
from anchor.stores.packed import PackedReader, backup

_ROUNDS = "rounds.sqlite"


def back_up_data(log: PackedReader, data: Path, folder: Path) -> CommittedTree | None:
    """Copy into a folder that is new or empty, laid out as the data folder; durable on return.

    Args:
        log: the log in that folder, open for reading.
        data: the data folder.
        folder: where to.

    Raises:
        StoreConflictError: there is something in the folder.
        StoreUnavailableError: a disk does not do what is wanted.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise StoreConflictError(f"{folder} is not empty", code="store.conflict.not_empty")
        if (data / _ROUNDS).exists():
            _copy_database(data / _ROUNDS, folder / _ROUNDS)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailableError(f"cannot copy to {folder}: {error}") from error
    return backup(log, folder / "log")


def _copy_database(source: Path, target: Path) -> None:
    """Copy a database that may be written to meanwhile, as of one moment."""
    with (
        contextlib.closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
        contextlib.closing(sqlite3.connect(target)) as writing,
    ):
        writing.execute("PRAGMA synchronous=FULL")
        reading.backup(writing)
