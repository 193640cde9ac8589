"""One SQLite database file: durable writes, parallel reads, numbered migrations.

Rules:

* WAL and ``synchronous=FULL``: a write that returned survives a power cut.
* One connection writes, under a lock; reads take a connection from a pool and never wait for it.
* The file is made with mode 0600, and SQLite gives its side files the same mode.
* The schema is a folder of ``NNNN_name.sql`` files without gaps; ``PRAGMA user_version`` counts
  the ones applied. Each is applied in one transaction. A newer or foreign file is refused.
* sqlite3's exceptions end here and become :class:`anchor.errors.StoreError`.

It holds no SQL of its own beyond pragmas; the stores do.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from anchor.errors import SchemaVersionError, StoreError, StoreUnavailableError

_FILE_MODE: Final = 0o600
_BUSY_TIMEOUT_S: Final = 5.0
_MIGRATION_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_CANNOT_WRITE_NOW: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
    }
)

_T = TypeVar("_T")


class Database:
    """An open database file, shared by the threads of one process.

    Args:
        path: the file; its folder must exist. Made, with mode 0600, if it is not there.
        migrations: folder with the ``NNNN_name.sql`` files of this schema, 0001 first.
        application_id: what ``PRAGMA application_id`` must say, so that another program's database
            is never migrated by mistake; ``0 < id < 2**31``.

    Raises:
        SchemaVersionError: the file has a newer schema, or is another program's.
        StoreUnavailableError: the file cannot be opened or written now.
        StoreError: it is damaged or not a database.
    """

    def __init__(self, path: Path, *, migrations: Path, application_id: int) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._idle_readers: list[sqlite3.Connection] = []
        self._readers_lock = threading.Lock()
        self._closed = False
        with self._translated("open"):
            _make_private_file(path)
            self._writer = self._connect()
        try:
            with self._translated("open"):
                self._prepare(_load_migrations(migrations), application_id)
        except BaseException:
            self._writer.close()
            raise

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run ``work`` in one transaction; durable on return, undone if it raises.

        Raises:
            StoreUnavailableError: disk full, read-only or busy; nothing changed, unless only the
                answer got lost, so repeat only what is safe to repeat.
        """
        with self._lock, self._translated("write to"):
            self._require_open()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                outcome = work(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            return outcome

    def read(self, sql: str, parameters: tuple[Any, ...] | dict[str, Any] = ()) -> list[Any]:
        """Return all rows of one query, each a tuple."""
        with self._translated("read from"), self._reader() as connection:
            return connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close every connection; safe to call twice."""
        with self._lock, self._readers_lock:
            if self._closed:
                return
            self._closed = True
            for connection in (*self._idle_readers, self._writer):
                connection.close()
            self._idle_readers.clear()

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        with self._readers_lock:
            self._require_open()
            connection = self._idle_readers.pop() if self._idle_readers else None
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            with self._readers_lock:
                if self._closed:
                    connection.close()
                else:
                    self._idle_readers.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # FULL: the WAL is flushed at each commit. fullfsync: the same on macOS.
            for pragma in ("synchronous=FULL", "fullfsync=ON", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("PRAGMA trusted_schema=OFF")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, scripts: list[str], application_id: int) -> None:
        mode = self._writer.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise StoreUnavailableError(
                f"{self._path} is in journal mode {mode}, wanted wal",
                code="store.unavailable.journal_mode",
                hint="keep the data folder on a local disk; WAL does not work on network shares",
            )
        version = self._pragma("user_version")
        found = self._pragma("application_id")
        tables = self._writer.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()[0]
        if found != application_id and (version, found, tables) != (0, 0, 0):
            raise SchemaVersionError(
                f"{self._path} is the database of another program (application id {found}, "
                f"wanted {application_id})",
                code="store.schema_version.foreign",
            )
        if version > len(scripts):
            raise SchemaVersionError(
                f"{self._path} has schema version {version}, this release knows {len(scripts)}",
                code="store.schema_version.newer",
                hint="run the release that wrote it, or a later one",
            )
        for number in range(version + 1, len(scripts) + 1):
            self._migrate(scripts[number - 1], number, application_id)

    def _migrate(self, script: str, number: int, application_id: int) -> None:
        try:
            self._writer.executescript(
                f"BEGIN IMMEDIATE;\n{script}\nPRAGMA application_id={application_id:d};"
                f"\nPRAGMA user_version={number:d};\nCOMMIT;"
            )
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    def _pragma(self, name: str) -> int:
        return int(self._writer.execute(f"PRAGMA {name}").fetchone()[0])

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailableError(f"{self._path} is closed", code="store.unavailable.closed")

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            # Extended codes keep the primary one in their low byte.
            primary = getattr(exc, "sqlite_errorcode", 0) & 0xFF
            kind = StoreUnavailableError if primary in _CANNOT_WRITE_NOW else StoreError
            raise kind(f"cannot {action} {self._path}: {exc}") from exc
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
            raise StoreUnavailableError(f"cannot {action} {self._path}: {reason}") from exc


def _make_private_file(path: Path) -> None:
    """Create the file for its owner alone, and close it to others where it was open to them."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, _FILE_MODE)
    finally:
        os.close(descriptor)
    # The new name itself must survive a power cut, or the first commits are lost with it.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _load_migrations(folder: Path) -> list[str]:
    """Return the scripts in order; a gap or a stray name is an error of the build."""
    scripts: list[str] = []
    for path in sorted(folder.glob("*.sql")):
        matched = _MIGRATION_NAME.fullmatch(path.name)
        if matched is None or int(matched[1]) != len(scripts) + 1:
            raise StoreError(f"migration {path.name} is out of order", code="store.migrations")
        scripts.append(path.read_text(encoding="utf-8"))
    if not scripts:
        raise StoreError(f"no migrations in {folder}", code="store.migrations")
    return scripts
