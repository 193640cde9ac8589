from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from anchor.stores.packed import PackedReader, digest_index, fsck
from anchor.stores.packed.fsck import FsckReport
from tests.fakes.log import SIGNER, append_and_commit, digests, open_log, signer

_SIZE = 66_500


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fsck") / "log"
    log = open_log(folder, index_file_keys=20_000)
    for start in range(0, _SIZE, 9_500):
        append_and_commit(log, digests(range(start, start + 9_500)))
    log.close()
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(whole, tmp_path / "log"))


def checked(folder: Path, **options) -> FsckReport:
    log = PackedReader(folder)
    try:
        return fsck(log, **options)
    finally:
        log.close()


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x10]))


def test_good_log_has_no_problems(folder: Path) -> None:
    progress: list[tuple[int, int]] = []
    report = checked(
        folder, note_key=SIGNER.note_key, progress=lambda done, size: progress.append((done, size))
    )
    assert report.ok
    assert report.problems == []
    assert report.tree_size == _SIZE
    assert report.n_checkpoints == 1
    assert progress == [(65_536, _SIZE), (_SIZE, _SIZE)]


def test_empty_log_has_no_problems(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    report = fsck(log)
    assert (report.ok, report.tree_size, report.root_hash) == (True, 0, None)
    log.close()


def test_changed_entry_in_the_middle_is_found_by_all_that_rests_on_it(folder: Path) -> None:
    # Not on the right edge, so the log opens.
    flip(folder / "entries", 1_000 * 32 + 5)
    report = checked(folder)
    assert not report.ok
    text = "\n".join(report.problems)
    assert "level-1 record 3 " in text
    assert "level-2 record 0 " in text
    assert f"checkpoint of tree size {_SIZE}: the entries have another root" in text
    assert "index misses 1 leaves, the first is 1000" in text


@pytest.mark.parametrize(("level", "record"), [(1, 0), (1, 200)])
def test_changed_level_record_is_found(folder: Path, level: int, record: int) -> None:
    flip(folder / f"level-{level}", record * 32)
    report = checked(folder)
    assert report.problems == [f"level-{level} record {record} is not the hash of its leaves"]


def test_changed_index_is_found_and_rebuild_heals_it(folder: Path) -> None:
    run = max((folder / "index").glob("run-*"), key=lambda path: path.stat().st_size)
    flip(run, 8_007)
    report = checked(folder)
    assert report.n_problems >= 1
    assert report.problems[0].startswith("index misses ")
    log = open_log(folder)
    log.rebuild_index()
    log.close()
    assert checked(folder).ok


def test_repeated_digest_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(tmp_path / "log")
    append_and_commit(log, digests(range(10)))
    # What a lookup that misses would do.
    monkeypatch.setattr(
        digest_index.DigestIndex, "find_many", lambda self, data, keys: -1 * (keys >= 0).astype(int)
    )
    append_and_commit(log, digests([3, 100]))
    monkeypatch.undo()
    report = fsck(log)
    assert report.problems == ["1 leaves repeat the digest of another, the first is 10"]
    log.close()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE kept SET root_hash = zeroblob(32)", "its text says something else"),
        ("UPDATE kept SET checkpoint = 'x'", "checkpoint of tree size"),
        ("UPDATE kept SET tree_size = 66400", "its text says something else"),
    ],
)
def test_changed_kept_checkpoint_is_found(folder: Path, change: str, problem: str) -> None:
    log = open_log(folder)
    from anchor.ports import CommittedTree

    root = log.root_hash(66_000)
    log.keep(CommittedTree(66_000, root, SIGNER.sign(66_000, root)))
    log.close()
    assert checked(folder).ok
    connection = sqlite3.connect(folder / "log.sqlite")
    connection.execute(f"{change} WHERE tree_size = 66000")
    connection.commit()
    connection.close()
    assert any(problem in line for line in checked(folder).problems)


def test_checkpoint_of_another_key_is_found_when_the_key_is_given(folder: Path) -> None:
    assert checked(folder, note_key=SIGNER.note_key).ok
    report = checked(folder, note_key=signer(9).note_key)
    assert any("no signature by" in line for line in report.problems)


def test_problems_are_counted_and_not_listed_without_end(folder: Path) -> None:
    with (folder / "level-1").open("r+b") as file:
        file.write(bytes(200 * 32))
    report = checked(folder)
    assert report.n_problems == 200
    assert len(report.problems) == 100


def test_it_runs_beside_the_writer(folder: Path) -> None:
    log = open_log(folder)
    reader = PackedReader(folder)
    append_and_commit(log, digests(range(_SIZE, _SIZE + 3_000)))
    assert fsck(reader).tree_size == _SIZE
    assert fsck(reader).ok
    assert fsck(log).ok
    reader.close()
    log.close()
