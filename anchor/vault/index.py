"""The derived index: what ``log`` and ``status`` show, without reading every record.

SQLite beside the records, made again from them at any time (``vestige rebuild``). Nothing is
believed because it stands here: what is signed next is checked against the last record itself
(:mod:`anchor.vault.tip`). Rows are only written under the vault's write lock.

Durability is the files' business, so commits here wait for no flush (WAL, ``synchronous=NORMAL``:
after a power cut rows may be missing, and are read from the files again; none is half there). Where
the folder takes no writes, the index is made in memory.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anchor.errors import StoreUnavailableError
from anchor.vault.entry import Entry, FileEntry

_VERSION: Final = 2
_BUSY_S: Final = 30.0
_SCHEMA: Final = """
CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE record (
    seq INTEGER PRIMARY KEY, digest BLOB NOT NULL, kind TEXT NOT NULL, role TEXT NOT NULL,
    mode TEXT NOT NULL, tier TEXT NOT NULL, late INTEGER NOT NULL, claimed_time TEXT NOT NULL,
    clock_source TEXT NOT NULL, summary TEXT NOT NULL, parents TEXT NOT NULL);
CREATE INDEX record_kind ON record (kind, seq);
CREATE TABLE file (
    seq INTEGER NOT NULL, number INTEGER NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL,
    media_type TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL,
    PRIMARY KEY (seq, number)) WITHOUT ROWID;
CREATE INDEX file_content ON file (sha256, seq);
CREATE TABLE proof (
    seq INTEGER PRIMARY KEY, mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL,
    status TEXT NOT NULL, reason TEXT NOT NULL, existed_before TEXT, complete INTEGER NOT NULL);
"""

_TABLES: Final = frozenset({"state", "record", "file", "proof"})


@dataclass(frozen=True, slots=True)
class ProofState:
    """What a record's proof was last judged to show.

    Attributes:
        seq: of the record.
        mtime_ns, size: of the proof file that was judged.
        status, reason: the word of the whole, and why.
        existed_before: the headline, UTC, or None.
        complete: nothing more is expected.
    """

    seq: int
    mtime_ns: int
    size: int
    status: str
    reason: str
    existed_before: str | None
    complete: bool


class Index:
    """The index of one vault; safe for threads.

    Args:
        path: of the database; None keeps it in memory.
        project: id of the project; an index of another one is emptied.
    """

    def __init__(self, path: Path | None, project: str) -> None:
        self._project = project
        self._mutex = threading.RLock()
        self._db = _opened(path)
        self._bind()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._db.close()

    # -- records -----------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Return how many records are indexed, contiguous from 0."""
        (size,) = self._one("SELECT coalesce(max(seq) + 1, 0) FROM record")
        return int(size)

    def add(self, entries: Sequence[Entry], tip: bytes) -> None:
        """Add records in one transaction.

        Args:
            entries: the next ones, in order.
            tip: what is to be known of the last of them (:mod:`anchor.vault.tip`).
        """
        files = [(entry.seq, *_values(file)) for entry in entries for file in entry.files]
        with self._transaction():
            self._db.executemany(
                "INSERT INTO record VALUES (?,?,?,?,?,?,?,?,?,?,?)", map(_row, entries)
            )
            self._db.executemany("INSERT INTO file VALUES (?,?,?,?,?,?,?)", files)
            self._db.execute("INSERT OR REPLACE INTO state VALUES ('tip', ?)", (tip,))

    @property
    def tip(self) -> bytes | None:
        """Return what :meth:`add` was last given."""
        rows = self._all("SELECT value FROM state WHERE name = 'tip'")
        return bytes(rows[0][0]) if rows else None

    def clear(self) -> None:
        """Forget everything, to be filled again from the files."""
        with self._transaction():
            for table in sorted(_TABLES):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
            self._db.execute("INSERT INTO state VALUES ('project', ?)", (self._project,))

    def _bind(self) -> None:
        """Forget what is of another project: somebody put its index here."""
        rows = self._all("SELECT value FROM state WHERE name = 'project'")
        if not rows or rows[0][0] != self._project:
            self.clear()

    def entries(
        self,
        *,
        newest_first: bool = False,
        limit: int = -1,
        kinds: Sequence[str] = (),
        from_seq: int = 0,
    ) -> list[Entry]:
        """Return rows in order, with their files."""
        wanted = f"AND kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        order = "DESC" if newest_first else "ASC"
        rows = self._all(
            f"SELECT * FROM record WHERE seq >= ? {wanted} ORDER BY seq {order} LIMIT ?",  # noqa: S608
            from_seq, *kinds, limit,
        )  # fmt: skip
        if not rows:
            return []
        bounds = min(rows[0][0], rows[-1][0]), max(rows[0][0], rows[-1][0])
        files: dict[int, list[FileEntry]] = {}
        for seq, *values in self._all(
            "SELECT * FROM file WHERE seq BETWEEN ? AND ? ORDER BY seq, number", *bounds
        ):
            files.setdefault(seq, []).append(FileEntry(*values))
        return [_entry(row, files.get(row[0], [])) for row in rows]

    def entry(self, seq: int) -> Entry | None:
        """Return one row, or None."""
        found = self.entries(from_seq=seq, limit=1)
        return found[0] if found and found[0].seq == seq else None

    def last_of_kind(self, kind: str) -> int | None:
        """Return the number of the newest record of a kind, or None."""
        (seq,) = self._one("SELECT max(seq) FROM record WHERE kind = ?", kind)
        return None if seq is None else int(seq)

    def numbers(self, kinds: Collection[str]) -> list[int]:
        """Return the numbers of all records of these kinds, in order."""
        marks = ",".join("?" * len(kinds))
        query = f"SELECT seq FROM record WHERE kind IN ({marks}) ORDER BY seq"  # noqa: S608
        return [seq for (seq,) in self._all(query, *kinds)]

    def where(self, sha256: bytes) -> list[str]:
        """Return where a content is said to be recorded, newest first (:meth:`Vault.where`)."""
        rows = self._all(
            "SELECT seq, number FROM file WHERE sha256 = ? ORDER BY seq DESC, number", sha256
        )
        return [f"{seq}.{number}" for seq, number in rows]

    def contents(self) -> list[bytes]:
        """Return the SHA-256 of every content recorded, each once."""
        return [row[0] for row in self._all("SELECT DISTINCT sha256 FROM file")]

    def digests(self) -> list[bytes]:
        """Return the digest of every record, in order."""
        return [row[0] for row in self._all("SELECT digest FROM record ORDER BY seq")]

    def counts(self) -> dict[str, int]:
        """Return how many records there are of each kind."""
        return dict(self._all("SELECT kind, count(*) FROM record GROUP BY kind ORDER BY kind"))

    # -- proofs ------------------------------------------------------------------------------------

    def proofs(self) -> dict[int, ProofState]:
        """Return what is known of each proof, by the number of its record."""
        return {
            seq: ProofState(seq, mtime_ns, size, status, reason, existed_before, bool(complete))
            for seq, mtime_ns, size, status, reason, existed_before, complete in self._all(
                "SELECT * FROM proof"
            )
        }

    @property
    def judged_under(self) -> bytes | None:
        """Return the SHA-256 of the policy that the proofs were judged under, or None."""
        rows = self._all("SELECT value FROM state WHERE name = 'policy'")
        return bytes(rows[0][0]) if rows else None

    def set_proofs(
        self, states: Sequence[ProofState], gone: Sequence[int], policy_sha256: bytes
    ) -> None:
        """Remember what proofs were judged to show, and forget those that are gone."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO state VALUES ('policy', ?)", (policy_sha256,))
            self._db.executemany(
                "INSERT OR REPLACE INTO proof VALUES (?,?,?,?,?,?,?)",
                [(s.seq, s.mtime_ns, s.size, s.status, s.reason, s.existed_before, s.complete)
                 for s in states],
            )  # fmt: skip
            self._db.executemany("DELETE FROM proof WHERE seq = ?", [(seq,) for seq in gone])

    def forget_proofs(self) -> None:
        """Forget what every proof was judged to show."""
        with self._transaction():
            self._db.execute("DELETE FROM proof")

    # -- the database ------------------------------------------------------------------------------

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._mutex, _translated():
            return self._db.execute(query, values).fetchall()

    def _one(self, query: str, *values: Any) -> Any:
        return self._all(query, *values)[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._mutex, _translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def remove_index(path: Path) -> None:
    """Remove a database, with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def _opened(path: Path | None) -> sqlite3.Connection:
    """Open the database; one that is damaged or of another version is made anew.

    One that can not be opened now (the disk is full, the folder takes no writes, somebody holds it)
    is left alone, and the index is made in memory.
    """
    with _translated():
        if path is not None:
            with contextlib.suppress(sqlite3.OperationalError):
                try:
                    return _existing(path)
                except sqlite3.OperationalError:
                    raise
                except sqlite3.DatabaseError:
                    remove_index(path)
                    return _existing(path)
        return _prepared(_connected(":memory:"))


def _existing(path: Path) -> sqlite3.Connection:
    db = _connected(str(path))
    try:
        return _prepared(db)
    except BaseException:
        db.close()
        raise


def _connected(name: str) -> sqlite3.Connection:
    return sqlite3.connect(name, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)


def _prepared(db: sqlite3.Connection) -> sqlite3.Connection:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise sqlite3.DatabaseError("another version")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    if version == 0:
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables >= _TABLES:
        raise sqlite3.DatabaseError("tables are missing")
    return db


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailableError(
            f"the index of the vault fails: {error}",
            code="vault.index",
            hint="vestige rebuild makes it again from the records",
        ) from error


# -- rows ------------------------------------------------------------------------------------------


def _row(entry: Entry) -> tuple[Any, ...]:
    return (
        entry.seq, entry.digest, entry.kind, entry.role, entry.mode, entry.tier, entry.late,
        entry.claimed_time, entry.clock_source, entry.summary, json.dumps(entry.parents),
    )  # fmt: skip


def _values(file: FileEntry) -> tuple[Any, ...]:
    return file.number, file.role, file.name, file.media_type, file.size, file.sha256


def _entry(row: Any, files: list[FileEntry]) -> Entry:
    seq, digest, kind, role, mode, tier, late, claimed, clock, summary, parents = row
    return Entry(
        seq, digest, kind, role, mode, tier, bool(late), claimed, clock, summary,
        tuple(json.loads(parents)), tuple(files),
    )  # fmt: skip
