from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from anchor.errors import (
    LogIntegrityError,
    NotFoundError,
    SchemaVersionError,
    StoreConflictError,
    StoreError,
    StoreUnavailableError,
    UsageError,
)
from anchor.formats.tiles import parse_entry_bundle
from anchor.ports import CommittedTree, LogStore
from anchor.stores.packed import PackedLog, PackedReader
from anchor.stores.packed.index_run import IndexRun
from tests.fakes.faulty_disk import FaultyDisk
from tests.fakes.log import (
    SIGNER,
    LogModel,
    append_and_commit,
    committed_tree,
    digest,
    digests,
    open_log,
)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PackedLog]:
    log = open_log(tmp_path / "log")
    yield log
    log.close()


def filled(folder: Path, *counts: int) -> LogModel:
    log, model, first = open_log(folder), LogModel(), 0
    for count in counts:
        data = digests(range(first, first + count))
        append_and_commit(log, data)
        model.append(data)
        first += count
    log.close()
    return model


# -- growth ----------------------------------------------------------------------------------------


def test_empty_log_has_nothing(log: PackedLog) -> None:
    store: LogStore = log
    assert store.committed is None
    assert store.find(digest(1)) is None
    assert store.find_many(digests(range(3))).tolist() == [-1, -1, -1]
    assert store.checkpoints() == []
    assert store.root_hash(0) == LogModel().root_hash()
    for call in (
        lambda: store.entry(0),
        lambda: store.inclusion_path(0, 0),
        lambda: store.inclusion_path(0, 1),
        lambda: store.consistency_path(0, 0),
        lambda: store.root_hash(1),
        lambda: store.read_tile(0, 0, 1),
        lambda: store.read_entries(0, 1),
    ):
        with pytest.raises(NotFoundError):
            call()


@pytest.mark.parametrize("step", [1, 3, 255, 256, 257, 1_000])
def test_grown_in_any_steps_the_log_is_the_same(tmp_path: Path, step: int) -> None:
    log, model, first = open_log(tmp_path / "log"), LogModel(), 0
    while first < min(1_030, 400 * step):
        data = digests(range(first, first + step))
        appended = append_and_commit(log, data)
        model.append(data)
        first += step
        assert appended.root_hash == model.root_hash()
    model.check(log, sizes=range(1, model.size, 37), strangers=digests(range(90_000, 90_010)))
    log.close()


def test_log_of_several_levels_reads_the_same_after_a_restart(tmp_path: Path) -> None:
    """Past 65,536 leaves: hashes of stored level 2, tiles of level 2."""
    model = filled(tmp_path / "log", 65_000, 1_000, 70_001)
    log = PackedReader(tmp_path / "log")
    model.check(log, sizes=[1, 256, 65_535, 65_536, 65_537, 131_072, 135_000])
    assert len(log.read_tile(2, 0, 2)) == 64
    assert len(log.read_tile(1, 2, 136_001 // 256 - 512)) == 32 * (136_001 // 256 - 512)
    with pytest.raises(NotFoundError):
        log.read_tile(2, 0, 3)
    with pytest.raises(NotFoundError):
        log.read_tile(3, 0, 1)
    log.close()
    assert (tmp_path / "log/level-1").stat().st_size == 136_001 // 256 * 32
    assert (tmp_path / "log/level-2").stat().st_size == 2 * 32


def test_tiles_have_every_width_up_to_what_is_committed(tmp_path: Path) -> None:
    model = filled(tmp_path / "log", 300)
    log = PackedReader(tmp_path / "log")
    for index, widths in ((0, (1, 17, 256)), (1, (1, 44))):
        for width in widths:
            first = index * 256
            assert (
                parse_entry_bundle(log.read_entries(index, width), count=width)
                == (model.entries[first : first + width])
            )
            assert len(log.read_tile(0, index, width)) == width * 32
    for level, index, width in (
        (0, 1, 45),
        (0, 1, 256),
        (0, 2, 1),
        (0, 0, 0),
        (0, 0, 257),
        (0, -1, 1),
        (-1, 0, 1),
        (1, 0, 2),
        (9, 0, 1),
    ):
        with pytest.raises(NotFoundError) as caught:
            log.read_tile(level, index, width)
        assert caught.value.code == "not_found.tile"
    with pytest.raises(NotFoundError):
        log.read_entries(1, 45)
    log.close()


def test_what_is_appended_and_not_committed_is_not_seen(log: PackedLog) -> None:
    append_and_commit(log, digests(range(10)))
    log.append(digests(range(10, 20)))
    assert log.find(digest(15)) is None
    assert log.size == 10
    with pytest.raises(NotFoundError):
        log.entry(15)
    with pytest.raises(StoreConflictError):
        log.append(digest(99))
    log.rollback()
    log.rollback()
    assert append_and_commit(log, digest(15)).leaf_indices.tolist() == [10]
    assert log.tree.entries.count() == 11


def test_commit_of_anything_but_the_appended_tree_is_refused(log: PackedLog) -> None:
    appended = log.append(digests(range(3)))
    good = committed_tree(appended)
    for bad in (
        CommittedTree(2, good.root_hash, good.checkpoint),
        CommittedTree(3, bytes(32), good.checkpoint),
    ):
        with pytest.raises(LogIntegrityError) as caught:
            log.commit(bad)
        assert caught.value.code == "log.integrity.not_appended"
    log.commit(good)
    with pytest.raises(LogIntegrityError):
        log.commit(good)


@pytest.mark.parametrize("data", [b"", b"x" * 31, b"x" * 33, bytes(32 * 1_000_001)])
def test_append_wants_whole_digests_and_not_too_many(log: PackedLog, data: bytes) -> None:
    with pytest.raises(UsageError):
        log.append(data)


def test_find_wants_one_digest(log: PackedLog) -> None:
    for data in (b"", digests([1, 2]), b"x"):
        with pytest.raises(UsageError):
            log.find(data)


# -- checkpoints -----------------------------------------------------------------------------------


def test_checkpoints_are_the_newest_the_kept_and_one_in_65536(log: PackedLog) -> None:
    first = 0
    for count in (10, 20, 65_530, 5, 65_536):
        append_and_commit(log, digests(range(first, first + count)))
        first += count
    middle = CommittedTree(30, log.root_hash(30), SIGNER.sign(30, log.root_hash(30)))
    log.keep(middle)
    log.keep(middle)
    assert [tree.tree_size for tree in log.checkpoints()] == [30, 65_560, 131_101]
    assert log.checkpoints()[0] == middle
    assert log.checkpoints()[-1] == log.committed
    with pytest.raises(LogIntegrityError):
        log.keep(CommittedTree(31, bytes(32), "text"))
    with pytest.raises(NotFoundError):
        log.keep(CommittedTree(131_102, bytes(32), "text"))


# -- opening ---------------------------------------------------------------------------------------


def test_tail_of_an_interrupted_append_is_dropped(tmp_path: Path) -> None:
    model = filled(tmp_path / "log", 300, 400)
    for name, extra in (("entries", 3_200 + 5), ("level-1", 64), ("level-2", 32), ("level-3", 7)):
        with (tmp_path / "log" / name).open("ab") as file:
            file.write(b"\xee" * extra)
    log = open_log(tmp_path / "log")
    model.check(log, sizes=[256, 300])
    assert (tmp_path / "log/entries").stat().st_size == 700 * 32
    assert (tmp_path / "log/level-1").stat().st_size == 2 * 32
    append_and_commit(log, digests(range(700, 1_500)))
    model.append(digests(range(700, 1_500)))
    model.check(log, sizes=[699, 700, 701])
    log.close()


@pytest.mark.parametrize(
    ("name", "offset"),
    [("entries", 699 * 32), ("entries", 512 * 32 + 31), ("level-1", 0), ("level-1", 63)],
)
def test_changed_byte_on_the_right_edge_is_noticed(tmp_path: Path, name: str, offset: int) -> None:
    filled(tmp_path / "log", 700)
    with (tmp_path / "log" / name).open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))
    for opened in (lambda: open_log(tmp_path / "log"), lambda: PackedReader(tmp_path / "log")):
        with pytest.raises(LogIntegrityError) as caught:
            opened()
        assert caught.value.code == "log.integrity.root"


@pytest.mark.parametrize(("name", "size"), [("entries", 699 * 32), ("level-1", 32), ("entries", 0)])
def test_file_that_is_too_short_is_noticed_and_left_alone(
    tmp_path: Path, name: str, size: int
) -> None:
    filled(tmp_path / "log", 700)
    with (tmp_path / "log" / name).open("r+b") as file:
        file.truncate(size)
    with pytest.raises(LogIntegrityError) as caught:
        open_log(tmp_path / "log")
    assert caught.value.code == "log.integrity.short_file"
    assert (tmp_path / "log" / name).stat().st_size == size


def test_missing_file_is_noticed(tmp_path: Path) -> None:
    filled(tmp_path / "log", 700)
    (tmp_path / "log/level-1").unlink()
    with pytest.raises(LogIntegrityError):
        open_log(tmp_path / "log")


def test_entries_without_their_database_are_not_thrown_away(tmp_path: Path) -> None:
    filled(tmp_path / "log", 700)
    (tmp_path / "log/log.sqlite").rename(tmp_path / "elsewhere")
    with pytest.raises(LogIntegrityError) as caught:
        open_log(tmp_path / "log")
    assert caught.value.code == "log.integrity.checkpoint_lost"
    assert (tmp_path / "log/entries").stat().st_size == 700 * 32
    assert not (tmp_path / "log/log.sqlite").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "log/log.sqlite")
    open_log(tmp_path / "log").close()


def test_old_database_beside_many_newer_entries_is_not_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anchor.stores.packed.packed_log._MAX_APPEND", 500)
    filled(tmp_path / "log", 300)
    shutil.copy(tmp_path / "log/log.sqlite", tmp_path / "old")
    log = open_log(tmp_path / "log")
    for start in range(300, 900, 100):
        append_and_commit(log, digests(range(start, start + 100)))
    log.close()
    shutil.copy(tmp_path / "old", tmp_path / "log/log.sqlite")
    with pytest.raises(LogIntegrityError) as caught:
        open_log(tmp_path / "log")
    assert caught.value.code == "log.integrity.old_checkpoint"
    assert (tmp_path / "log/entries").stat().st_size == 900 * 32


def test_second_writer_is_refused_in_this_process_and_in_another(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    with pytest.raises(StoreConflictError) as caught:
        open_log(tmp_path / "log")
    assert caught.value.code == "store.conflict.locked"
    script = (
        "import sys, pathlib; from anchor.stores.packed import PackedLog; "
        "PackedLog(pathlib.Path(sys.argv[1]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "StoreConflictError" in result.stderr
    log.close()
    log.close()
    open_log(tmp_path / "log").close()


def test_failed_open_gives_the_lock_back(tmp_path: Path) -> None:
    filled(tmp_path / "log", 10)
    connection = sqlite3.connect(tmp_path / "log/log.sqlite")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    for _ in range(2):
        with pytest.raises(SchemaVersionError, match="99"):
            open_log(tmp_path / "log")


def test_database_that_is_none_is_a_store_error(tmp_path: Path) -> None:
    filled(tmp_path / "log", 10)
    (tmp_path / "log/log.sqlite").write_bytes(b"no database at all" * 300)
    with pytest.raises(StoreError):
        open_log(tmp_path / "log")
    assert (tmp_path / "log/entries").stat().st_size == 320


def test_closed_log_refuses_writes_and_reads(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    append_and_commit(log, digests(range(5)))
    log.close()
    for call in (lambda: log.append(digest(9)), lambda: log.entry(1), log.checkpoints):
        with pytest.raises(StoreUnavailableError):
            call()


def test_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError):
        open_log(tmp_path / "file" / "log")


# -- order of things -------------------------------------------------------------------------------


def test_entries_and_levels_are_flushed_before_the_row_is_committed(tmp_path: Path) -> None:
    disk = FaultyDisk()
    log = open_log(tmp_path / "log", disk=disk)
    disk.steps.clear()
    append_and_commit(log, digests(range(300)))
    assert disk.steps == [
        "entries.write",
        "entries.flush",
        "level.write",
        "level.flush",
        "row.commit",
    ]
    disk.steps.clear()
    append_and_commit(log, digests(range(300, 305)))
    assert disk.steps == ["entries.write", "entries.flush", "row.commit"]
    log.close()


def test_run_is_durable_with_its_name_before_the_manifest_names_it(tmp_path: Path) -> None:
    disk = FaultyDisk()
    log = open_log(tmp_path / "log", disk=disk, index_file_keys=500)
    disk.steps.clear()
    append_and_commit(log, digests(range(600)))
    while not any(run.path for run in log.index.runs):
        time.sleep(0.002)
    log.close()
    steps = [step for step in disk.steps if step.split(".")[0] in {"run", "manifest", "folder"}]
    assert steps == [
        "run.open",
        "run.write",
        "run.write",
        "run.write",
        "run.flush",
        "folder.flush",
        "manifest.open",
        "manifest.write",
        "manifest.flush",
        "manifest.replace",
        "folder.flush",
    ]


def test_names_are_durable_before_the_first_append(tmp_path: Path) -> None:
    disk = FaultyDisk()
    log = open_log(tmp_path / "log", disk=disk)
    assert disk.steps.count("folder.flush") == 2
    log.close()


def test_index_full_stops_writes_with_a_clear_error(
    log: PackedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anchor.stores.packed.packed_log.MAX_POSITIONS", 20)
    append_and_commit(log, digests(range(15)))
    with pytest.raises(StoreUnavailableError) as caught:
        log.append(digests(range(10, 21)))
    assert caught.value.code == "store.unavailable.log_full"
    assert append_and_commit(log, digests(range(10, 20))).created.sum() == 5


def test_readers_are_not_held_up_by_a_commit_that_takes_long(tmp_path: Path) -> None:
    disk = FaultyDisk()
    log = open_log(tmp_path / "log", disk=disk)
    append_and_commit(log, digests(range(300)))
    log.keep(log.committed)  # type: ignore[arg-type]
    inside, go_on = threading.Event(), threading.Event()
    original = disk.commit

    def slow_commit(connection: sqlite3.Connection) -> None:
        inside.set()
        assert go_on.wait(30)
        original(connection)

    disk.commit = slow_commit  # type: ignore[method-assign]
    writer = threading.Thread(target=lambda: append_and_commit(log, digests(range(300, 400))))
    writer.start()
    assert inside.wait(30)
    assert log.committed is not None
    assert log.committed.tree_size == 300
    assert log.find(digest(299)) == 299
    assert log.find(digest(300)) is None
    assert len(log.inclusion_path(5, 300)) > 0
    assert len(log.read_entries(0, 256)) == 256 * 34
    assert [tree.tree_size for tree in log.checkpoints()] == [300]
    go_on.set()
    writer.join()
    assert log.find(digest(300)) == 300
    log.close()


# -- an index that cannot grow ---------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 3])
def test_a_digest_has_one_leaf_though_the_index_could_not_take_it(
    log: PackedLog, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Memory is short after the commit: what was committed is found again, under its leaf."""
    model = LogModel()
    append_and_commit(log, digests(range(2)))
    model.append(digests(range(2)))
    genuine, left = IndexRun.from_keys, [times]

    def short(first: int, keys: object) -> IndexRun:
        if left[0]:
            left[0] -= 1
            raise MemoryError
        return genuine(first, keys)

    monkeypatch.setattr(IndexRun, "from_keys", short)
    with pytest.raises(StoreUnavailableError, match="index"):
        append_and_commit(log, digests(range(2, 4)))
    model.append(digests(range(2, 4)))
    assert log.size == 4
    # While it cannot catch up nothing is appended; reading goes on.
    for _ in range(times - 1):
        with pytest.raises(StoreUnavailableError, match="index"):
            append_and_commit(log, digest(4))
        assert log.entry(3) == digest(3)
    again = append_and_commit(log, digests([4, 2, 3]))
    model.append(digests([4, 2, 3]))
    assert again.leaf_indices.tolist() == [4, 2, 3]
    assert again.created.tolist() == [True, False, False]
    model.check(log)
