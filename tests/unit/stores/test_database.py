from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from anchor.errors import SchemaVersionError, StoreError, StoreUnavailableError
from anchor.stores.database import Database

APPLICATION_ID = 77


@pytest.fixture
def migrations(tmp_path):
    folder = tmp_path / "sql"
    folder.mkdir()
    (folder / "0001_first.sql").write_text("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT;")
    return folder


def open_database(path: Path, migrations: Path) -> Database:
    return Database(path, migrations=migrations, application_id=APPLICATION_ID)


def numbers(database: Database) -> list[int]:
    return [row[0] for row in database.read("SELECT n FROM t ORDER BY n")]


def insert(database: Database, number: int) -> None:
    database.write(lambda connection: connection.execute("INSERT INTO t VALUES (?)", (number,)))


def test_file_and_side_files_are_private(tmp_path, migrations):
    path = tmp_path / "a.db"
    database = open_database(path, migrations)
    insert(database, 1)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.glob("a.db*")}
    database.close()
    assert modes == {"a.db": 0o600, "a.db-wal": 0o600, "a.db-shm": 0o600}


def test_file_that_others_may_read_is_closed_to_them(tmp_path, migrations):
    path = tmp_path / "a.db"
    path.touch(mode=0o644)
    path.chmod(0o644)
    open_database(path, migrations).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_writes_are_flushed_at_each_commit(tmp_path, migrations):
    database = open_database(tmp_path / "a.db", migrations)
    settings = database.write(
        lambda c: [c.execute(f"PRAGMA {p}").fetchone()[0] for p in ("journal_mode", "synchronous")]
    )
    database.close()
    assert settings == ["wal", 2]


def test_work_that_raises_leaves_nothing(tmp_path, migrations):
    database = open_database(tmp_path / "a.db", migrations)

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1)")
        raise KeyError("changed my mind")

    with pytest.raises(KeyError):
        database.write(work)
    insert(database, 2)
    assert numbers(database) == [2]
    database.close()


def test_migrations_are_applied_once_and_in_order(tmp_path, migrations):
    path = tmp_path / "a.db"
    database = open_database(path, migrations)
    insert(database, 1)
    database.close()
    (migrations / "0002_second.sql").write_text("INSERT INTO t VALUES (2);")
    (migrations / "0003_third.sql").write_text("UPDATE t SET n = n * 10;")
    for _ in range(2):
        database = open_database(path, migrations)
        assert numbers(database) == [10, 20]
        database.close()


def test_migration_that_fails_leaves_the_version_before_it(tmp_path, migrations):
    path = tmp_path / "a.db"
    open_database(path, migrations).close()
    bad = migrations / "0002_bad.sql"
    bad.write_text("INSERT INTO t VALUES (5); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(StoreError):
        open_database(path, migrations)
    bad.unlink()
    database = open_database(path, migrations)
    assert numbers(database) == []
    database.close()


def test_newer_schema_is_refused(tmp_path, migrations):
    path = tmp_path / "a.db"
    (migrations / "0002_second.sql").write_text("CREATE TABLE u (n INTEGER);")
    open_database(path, migrations).close()
    (migrations / "0002_second.sql").unlink()
    with pytest.raises(SchemaVersionError) as caught:
        open_database(path, migrations)
    assert caught.value.code == "store.schema_version.newer"


@pytest.mark.parametrize("made_by", ["another id", "no id but tables", "no id but a version"])
def test_database_of_another_program_is_refused_unchanged(tmp_path, migrations, made_by):
    path = tmp_path / "a.db"
    other = sqlite3.connect(path)
    other.execute(
        {
            "another id": "PRAGMA application_id=78",
            "no id but tables": "CREATE TABLE somebody_elses (x)",
            "no id but a version": "PRAGMA user_version=1",
        }[made_by]
    )
    other.commit()
    other.close()
    with pytest.raises(SchemaVersionError) as caught:
        open_database(path, migrations)
    assert caught.value.code == "store.schema_version.foreign"
    other = sqlite3.connect(path)
    assert other.execute("SELECT COUNT(*) FROM sqlite_schema WHERE name = 't'").fetchone() == (0,)
    other.close()


def test_file_that_is_no_database_is_an_error_of_ours(tmp_path, migrations):
    path = tmp_path / "a.db"
    path.write_bytes(b"this is not a database, and it is long enough to be looked at" * 100)
    with pytest.raises(StoreError):
        open_database(path, migrations)


@pytest.mark.parametrize("names", [[], ["0002_x.sql"], ["0001_x.sql", "0003_y.sql"], ["1_x.sql"]])
def test_folder_of_migrations_with_gaps_is_refused(tmp_path, names):
    folder = tmp_path / "sql"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("CREATE TABLE t (n INTEGER);")
    with pytest.raises(StoreError) as caught:
        open_database(tmp_path / "a.db", folder)
    assert caught.value.code == "store.migrations"


def test_missing_folder_is_unavailable(tmp_path, migrations):
    with pytest.raises(StoreUnavailableError):
        open_database(tmp_path / "nowhere" / "a.db", migrations)


def test_full_disk_is_unavailable_and_reads_go_on(tmp_path, migrations):
    database = open_database(tmp_path / "a.db", migrations)
    insert(database, 1)
    pages = database.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    database.write(lambda c: c.execute("CREATE TABLE filler (b BLOB)"))
    database.write(lambda c: c.execute(f"PRAGMA max_page_count={pages + 2}"))
    with pytest.raises(StoreUnavailableError):
        database.write(lambda c: c.execute("INSERT INTO filler VALUES (zeroblob(100000))"))
    assert numbers(database) == [1]
    insert(database, 2)
    assert numbers(database) == [1, 2]
    database.close()


def test_reads_do_not_wait_for_a_writer(tmp_path, migrations):
    database = open_database(tmp_path / "a.db", migrations)
    insert(database, 1)
    inside, go_on = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (2)")
        inside.set()
        go_on.wait(30)

    writer = threading.Thread(target=database.write, args=(slow,))
    writer.start()
    assert inside.wait(30)
    assert numbers(database) == [1]
    go_on.set()
    writer.join(30)
    assert numbers(database) == [1, 2]
    database.close()


def test_closed_database_says_so_and_closes_twice(tmp_path, migrations):
    database = open_database(tmp_path / "a.db", migrations)
    database.close()
    database.close()
    with pytest.raises(StoreUnavailableError):
        numbers(database)
    with pytest.raises(StoreUnavailableError):
        insert(database, 1)


def test_many_threads_lose_no_write(tmp_path, migrations):
    database = open_database(tmp_path / "a.db", migrations)

    def work(start: int) -> None:
        for number in range(start, start + 25):
            insert(database, number)
            assert number in numbers(database)

    threads = [threading.Thread(target=work, args=(n * 100,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(numbers(database)) == 150
    database.close()
