"""The commit point of the packed log: one SQLite row with the newest signed checkpoint.

A tree is in the log when, and only when, its row is committed here, with WAL and
``synchronous=FULL``. A second table keeps the checkpoints that rounds hand out.

A COMMIT that reports an error is in doubt: the row may be there after the next start. So nobody
may go on from it: close, open, :meth:`CheckpointTable.settle`, and read what is there.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from anchor.errors import LogIntegrityError, SchemaVersionError, StoreUnavailableError
from anchor.ports import CommittedTree
from anchor.stores.packed.disk import Disk, translated_errors

_SCHEMA_VERSION: Final = 1
_BUSY_TIMEOUT_S: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE newest (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    tree_size INTEGER NOT NULL CHECK (tree_size > 0),
    root_hash BLOB NOT NULL CHECK (length(root_hash) = 32),
    checkpoint TEXT NOT NULL
) STRICT;
CREATE TABLE kept (
    tree_size INTEGER PRIMARY KEY CHECK (tree_size > 0),
    root_hash BLOB NOT NULL CHECK (length(root_hash) = 32),
    checkpoint TEXT NOT NULL
) STRICT;
"""
_STORE: Final = """
INSERT INTO newest VALUES (1, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET tree_size = excluded.tree_size, root_hash = excluded.root_hash,
    checkpoint = excluded.checkpoint
WHERE excluded.tree_size > newest.tree_size
"""
_KEEP_FIRST: Final = "INSERT OR IGNORE INTO kept VALUES (?, ?, ?)"
_KEEP: Final = "INSERT OR REPLACE INTO kept VALUES (?, ?, ?)"


class CheckpointTable:
    """An open table; writes come from one thread at a time, reads from any.

    Args:
        path: the database file, made if it is not there, unless ``read_only``.
        disk: where commits go.
        read_only: never write, so that a running service's table can be read beside it.

    Raises:
        SchemaVersionError: written by another version.
        StoreUnavailableError: it cannot be opened or written now.
    """

    def __init__(self, path: Path, disk: Disk, *, read_only: bool = False) -> None:
        self._path = path
        self._disk = disk
        self._lock = threading.Lock()
        self._reader_lock = threading.Lock()
        with translated_errors(f"open {path}"):
            self._connection = self._connect("rw" if read_only else "rwc")
            try:
                self._prepare(read_only=read_only)
                # Reading has a connection of its own, so that it never waits for a commit.
                self._reader = self._connect("rw")
            except BaseException:
                self._connection.close()
                raise

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._path.resolve().as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )

    def _prepare(self, *, read_only: bool) -> None:
        run = self._connection.execute
        if read_only:
            run("PRAGMA query_only=ON")
        else:
            run("PRAGMA journal_mode=WAL")
            run("PRAGMA synchronous=FULL")
            run("PRAGMA fullfsync=ON")
        version = run("PRAGMA user_version").fetchone()[0]
        if version == 0 and not read_only:
            self._connection.executescript(
                f"BEGIN;{_SCHEMA}PRAGMA user_version={_SCHEMA_VERSION};COMMIT;"
            )
        elif version != _SCHEMA_VERSION:
            raise SchemaVersionError(
                f"{self._path} has schema version {version}, wanted {_SCHEMA_VERSION}",
                code="store.schema_version.log",
            )

    def newest(self) -> CommittedTree | None:
        """Return the committed tree, or None before the first."""
        rows = self._rows("SELECT tree_size, root_hash, checkpoint FROM newest")
        return rows[0] if rows else None

    def kept(self) -> list[CommittedTree]:
        """Return the checkpoints kept, by ascending tree size."""
        return self._rows("SELECT tree_size, root_hash, checkpoint FROM kept ORDER BY tree_size")

    def store(self, tree: CommittedTree, *, keep: bool) -> None:
        """Make ``tree`` the newest, and keep it for good if ``keep``; the commit point.

        Raises:
            LogIntegrityError: the tree is not greater than the newest.
            StoreUnavailableError: in doubt (see the module).
        """
        self._write(tree, [_STORE, _KEEP_FIRST] if keep else [_STORE])

    def keep(self, tree: CommittedTree) -> None:
        """Keep a checkpoint for good; keeping it again changes nothing."""
        self._write(tree, [_KEEP])

    def settle(self) -> None:
        """Write everything committed from the WAL into the database file, flushed anew.

        What a failed flush left in the page cache may look committed and not be on disk; the
        database file is written and flushed again here, so what is read afterwards is durable.
        """
        with self._lock, translated_errors(f"write {self._path}"):
            busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise StoreUnavailableError(
                f"could not write {self._path}: another process is reading it",
                code="store.unavailable.database",
            )

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy, one file without a WAL beside it."""
        with translated_errors(f"copy {self._path}"):
            target = sqlite3.connect(path)
            try:
                with self._lock:
                    self._connection.backup(target)
                target.execute("PRAGMA journal_mode=DELETE")
            finally:
                target.close()

    def close(self) -> None:
        """Close both connections; safe to call twice."""
        with self._lock, self._reader_lock:
            self._reader.close()
            self._connection.close()

    def _write(self, tree: CommittedTree, statements: Sequence[str]) -> None:
        row = (tree.tree_size, tree.root_hash, tree.checkpoint)
        with self._lock, translated_errors(f"write {self._path}"):
            run = self._connection.execute
            run("BEGIN IMMEDIATE")
            try:
                changed = [run(sql, row).rowcount for sql in statements]
                if changed[0]:
                    self._disk.commit(self._connection)
            finally:
                if self._connection.in_transaction:
                    run("ROLLBACK")
        if not changed[0]:
            raise LogIntegrityError(
                f"tree size {tree.tree_size} is not greater than the committed one",
                code="log.integrity.size",
            )

    def _rows(self, sql: str) -> list[CommittedTree]:
        with self._reader_lock, translated_errors(f"read {self._path}"):
            return [CommittedTree(*row) for row in self._reader.execute(sql).fetchall()]
