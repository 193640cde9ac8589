"""The anchorer's memory in one SQLite file: rounds, attempts, journals, small objects.

Implements :class:`anchor.ports.RoundStore`. Each write is one transaction, durable on return and
safe to repeat; each read sees the newest durable state. Safe for threads.

It judges nothing: an attempt goes from any phase to any other, as the anchorer says.
"""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from anchor.errors import LogIntegrityError, StoreError
from anchor.ports import Attempt, Journal, Json, Phase, Round
from anchor.stores.database import Database

_MIGRATIONS: Final = Path(__file__).parent / "sql" / "rounds"
_APPLICATION_ID: Final = 0x56535244  # "VSRD"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MAX_INTEGER: Final = 2**63 - 1


class SqliteRoundStore:
    """Rounds, attempts and journals in one database file.

    Args:
        path: the file, made with mode 0600 if it is not there; its folder must exist.

    Raises:
        SchemaVersionError: written by a newer release, or not ours.
        StoreUnavailableError: cannot be opened now.
    """

    def __init__(self, path: Path) -> None:
        self._db = Database(path, migrations=_MIGRATIONS, application_id=_APPLICATION_ID)

    # -- rounds ------------------------------------------------------------------------------------

    def add_round(self, round_: Round) -> None:
        """Add a round; the same size and root again changes nothing.

        Raises:
            LogIntegrityError: the size is there with another root.
        """
        row = (
            round_.tree_size,
            round_.root_hash,
            round_.checkpoint,
            _to_microseconds(round_.created_at),
        )

        def work(connection: sqlite3.Connection) -> bytes:
            connection.execute("INSERT OR IGNORE INTO rounds VALUES (?, ?, ?, ?)", row)
            found = connection.execute(
                "SELECT root_hash FROM rounds WHERE tree_size = ?", (round_.tree_size,)
            ).fetchone()
            return bytes(found[0])

        stored = self._db.write(work)
        if stored != round_.root_hash:
            raise LogIntegrityError(
                f"round {round_.tree_size} has root {stored.hex()}, and the log now says "
                f"{round_.root_hash.hex()}",
                code="log.integrity.round_root",
                hint="stop the service and compare the log's files with a backup",
            )

    def rounds(self, *, limit: int = 50, before_size: int | None = None) -> list[Round]:
        """Return rounds, newest first."""
        bound = _MAX_INTEGER if before_size is None else before_size
        rows = self._db.read(
            "SELECT tree_size, root_hash, checkpoint, created_at FROM rounds "
            "WHERE tree_size < ? ORDER BY tree_size DESC LIMIT ?",
            (bound, max(0, limit)),
        )
        return [_round(row) for row in rows]

    def round_at(self, tree_size: int) -> Round | None:
        """Return the round of exactly that size."""
        rows = self._db.read(
            "SELECT tree_size, root_hash, checkpoint, created_at FROM rounds WHERE tree_size = ?",
            (tree_size,),
        )
        return _round(rows[0]) if rows else None

    # -- attempts ----------------------------------------------------------------------------------

    def set_attempt(self, tree_size: int, backend: str, attempt: Attempt) -> None:
        """Store the attempt (insert or replace).

        Raises:
            StoreError: there is no round of that size.
        """
        columns = (
            attempt.phase.value,
            _to_text(attempt.data),
            _to_text(list(attempt.attestations)),
            _to_microseconds_or_none(attempt.retry_at),
            attempt.note,
            _to_microseconds_or_none(attempt.expected_at),
            attempt.failures,
        )

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (backend_id, tree_size) DO UPDATE SET phase = excluded.phase, "
                "data = excluded.data, attestations = excluded.attestations, "
                "retry_at = excluded.retry_at, note = excluded.note, "
                "expected_at = excluded.expected_at, failures = excluded.failures",
                (_backend_id(connection, backend), tree_size, *columns),
            )

        self._db.write(work)

    def attempt(self, tree_size: int, backend: str) -> Attempt | None:
        """Return one attempt."""
        rows = self._db.read(
            "SELECT * FROM attempt_rows WHERE backend = ? AND tree_size = ?", (backend, tree_size)
        )
        return _attempt(rows[0]) if rows else None

    def attempts(self, tree_size: int) -> dict[str, Attempt]:
        """Return the attempts of one round, by backend name."""
        rows = self._db.read(
            "SELECT * FROM attempt_rows WHERE tree_size = ? ORDER BY backend", (tree_size,)
        )
        return {row[0]: _attempt(row) for row in rows}

    def open_attempts(self, backend: str) -> list[tuple[Round, Attempt]]:
        """Return the attempts of one backend that are not terminal, oldest round first."""
        rows = self._db.read(
            "SELECT * FROM attempt_rows WHERE backend = ? AND phase NOT IN ('final', 'failed') "
            "ORDER BY tree_size",
            (backend,),
        )
        return [(_round(row[1:5]), _attempt(row)) for row in rows]

    def newest_round_of(self, backend: str) -> Round | None:
        """Return the newest round that this backend has an attempt for."""
        rows = self._db.read(
            "SELECT r.tree_size, r.root_hash, r.checkpoint, r.created_at FROM rounds r "
            "WHERE tree_size = (SELECT MAX(tree_size) FROM attempts WHERE backend_id = "
            "(SELECT backend_id FROM backends WHERE name = ?))",
            (backend,),
        )
        return _round(rows[0]) if rows else None

    def newest_final_round_of(self, backend: str) -> Round | None:
        """Return the newest round that is final for this backend."""
        rows = self._db.read(
            "SELECT r.tree_size, r.root_hash, r.checkpoint, r.created_at FROM rounds r "
            "WHERE tree_size = (SELECT MAX(tree_size) FROM final_sizes WHERE backend_id = "
            "(SELECT backend_id FROM backends WHERE name = ?))",
            (backend,),
        )
        return _round(rows[0]) if rows else None

    def first_rounds_covering(self, leaf_index: int) -> dict[str, tuple[Round, Attempt]]:
        """Return, by backend, the first final round with the leaf, else the first not failed."""
        rows = self._db.read(
            "SELECT t.* FROM backends b JOIN attempt_rows t "
            "ON t.backend = b.name AND t.tree_size = COALESCE("
            "(SELECT MIN(tree_size) FROM final_sizes "
            "WHERE backend_id = b.backend_id AND tree_size > :leaf), "
            "(SELECT MIN(tree_size) FROM standing_sizes "
            "WHERE backend_id = b.backend_id AND tree_size > :leaf)) ORDER BY b.name",
            {"leaf": leaf_index},
        )
        return {row[0]: (_round(row[1:5]), _attempt(row)) for row in rows}

    # -- journals and small objects ----------------------------------------------------------------

    def journal(self, backend: str) -> Journal:
        """Return the backend's journal."""
        return _SqliteJournal(self._db, backend)

    def put_meta(self, key: str, value: Json) -> None:
        """Store one small object by key; durable on return."""
        text = _to_text(value)
        self._db.write(
            lambda connection: connection.execute(
                "INSERT INTO meta VALUES (?, ?) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, text),
            )
        )

    def meta(self, key: str) -> Json | None:
        """Return the object stored by key, or None."""
        rows = self._db.read("SELECT value FROM meta WHERE key = ?", (key,))
        return _to_object(rows[0][0]) if rows else None

    # -- when the log grew -------------------------------------------------------------------------

    def record_commit(self, tree_size: int, committed_at: datetime) -> None:
        """Remember that the log was seen with at least that many leaves; the first time stays."""
        row = (tree_size, _to_microseconds(committed_at))
        self._db.write(
            lambda connection: connection.execute(
                "INSERT OR IGNORE INTO commits VALUES (?, ?)", row
            )
        )

    def thin_commits(self, before: datetime) -> None:
        """Keep only the greatest size of each minute among the commits seen before that time."""
        bound = _to_microseconds(before)
        self._db.write(
            lambda connection: connection.execute(
                "DELETE FROM commits WHERE committed_at < ?1 AND tree_size NOT IN ("
                "SELECT MAX(tree_size) FROM commits WHERE committed_at < ?1 "
                "GROUP BY committed_at / 60000000)",
                (bound,),
            )
        )

    def accepted_by(self, leaf_index: int) -> datetime | None:
        """Return the first recorded time at which the log had that leaf; None if none is known."""
        rows = self._db.read(
            "SELECT committed_at FROM commits WHERE tree_size > ? ORDER BY tree_size LIMIT 1",
            (leaf_index,),
        )
        return _to_time(rows[0][0]) if rows else None

    def close(self) -> None:
        """Release the files; safe to call twice."""
        self._db.close()


class _SqliteJournal:
    """One backend's durable map, in the same database."""

    def __init__(self, db: Database, backend: str) -> None:
        self._db = db
        self._backend = backend

    def put(self, key: str, value: Json) -> None:
        text = _to_text(value)
        self._db.write(
            lambda connection: connection.execute(
                "INSERT INTO journals VALUES (?, ?, ?) "
                "ON CONFLICT (backend_id, key) DO UPDATE SET value = excluded.value",
                (_backend_id(connection, self._backend), key, text),
            )
        )

    def get(self, key: str) -> Json | None:
        rows = self._db.read(
            "SELECT value FROM journals JOIN backends USING (backend_id) "
            "WHERE name = ? AND key = ?",
            (self._backend, key),
        )
        return _to_object(rows[0][0]) if rows else None

    def items(self) -> list[tuple[str, Json]]:
        rows = self._db.read(
            "SELECT key, value FROM journals JOIN backends USING (backend_id) "
            "WHERE name = ? ORDER BY key",
            (self._backend,),
        )
        return [(key, _to_object(value)) for key, value in rows]


def _backend_id(connection: sqlite3.Connection, name: str) -> int:
    connection.execute("INSERT OR IGNORE INTO backends (name) VALUES (?)", (name,))
    row = connection.execute("SELECT backend_id FROM backends WHERE name = ?", (name,)).fetchone()
    return int(row[0])


def _round(row: tuple[Any, ...]) -> Round:
    tree_size, root_hash, checkpoint, created_at = row
    return Round(tree_size, bytes(root_hash), checkpoint, _to_time(created_at))


def _attempt(row: tuple[Any, ...]) -> Attempt:
    """Read a row of the view ``attempt_rows``."""
    phase, data, attestations, retry_at, note, expected_at, failures = row[5:]
    return Attempt(
        phase=Phase(phase),
        data=_to_object(data),
        attestations=tuple(json.loads(attestations)),
        retry_at=None if retry_at is None else _to_time(retry_at),
        note=note,
        expected_at=None if expected_at is None else _to_time(expected_at),
        failures=failures,
    )


def _to_text(value: Any) -> str:
    """Return compact ASCII JSON; escaped, so that any string of a peer fits into a text column."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _to_object(text: str) -> Json:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise StoreError("a stored value is not a JSON object", code="store.damaged")
    return value


def _to_microseconds(when: datetime) -> int:
    return (when - _EPOCH) // _MICROSECOND


def _to_microseconds_or_none(when: datetime | None) -> int | None:
    return None if when is None else _to_microseconds(when)


def _to_time(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
