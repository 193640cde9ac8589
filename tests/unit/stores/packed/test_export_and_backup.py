from __future__ import annotations

import threading
from pathlib import Path

import pytest

from anchor.errors import LogIntegrityError, StoreConflictError
from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.merkle import leaf_hash, root_hash
from anchor.formats.note import parse_note
from anchor.formats.tiles import parse_entry_bundle, parse_tile, parse_tile_path
from anchor.stores.packed import (
    PackedLog,
    PackedReader,
    backup,
    check_backup,
    export_tiles,
)
from tests.fakes.log import SIGNER, LogModel, append_and_commit, digests, open_log


def grown(folder: Path, *counts: int) -> PackedLog:
    log, first = open_log(folder), 0
    for count in counts:
        append_and_commit(log, digests(range(first, first + count)))
        first += count
    return log


def check_export(folder: Path, model: LogModel) -> None:
    """Read the folder as a stranger would, from the checkpoint, and compare every tile."""
    checkpoint = parse_checkpoint(parse_note((folder / "checkpoint").read_text()).text)
    assert checkpoint.tree_size == model.size
    assert checkpoint.root_hash == model.root_hash()
    wanted = {}
    hashes, level = [leaf_hash(entry) for entry in model.entries], 0
    while hashes:
        for start in range(0, len(hashes), 256):
            wanted[level, start // 256] = hashes[start : start + 256]
        full = len(hashes) // 256
        hashes = [root_hash(hashes[i * 256 : i * 256 + 256]) for i in range(full)]
        level += 1
    for start in range(0, model.size, 256):
        wanted[None, start // 256] = model.entries[start : start + 256]
    found = {}
    for path in folder.rglob("*"):
        if path.is_dir() or path.name == "checkpoint":
            continue
        name = parse_tile_path(path.relative_to(folder).as_posix())
        read = path.read_bytes()
        content = (
            parse_entry_bundle(read, count=name.width)
            if name.level is None
            else parse_tile(read, width=name.width)
        )
        # A partial tile of an earlier export may stay beside a wider one.
        if len(content) > len(found.get((name.level, name.index), [])):
            found[name.level, name.index] = content
    assert found == wanted


def test_export_is_what_a_stranger_expects_and_grows(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 300)
    model = LogModel()
    model.append(digests(range(300)))
    out = tmp_path / "out"
    assert export_tiles(log, out) == 6
    check_export(out, model)
    assert export_tiles(log, out) == 1
    for count in (100, 112, 65_100):
        data = digests(range(model.size, model.size + count))
        append_and_commit(log, data)
        model.append(data)
        export_tiles(log, out)
        check_export(out, model)
    # Full tiles have taken the place of the partial ones.
    assert not (out / "tile/0/001.p").exists()
    assert not (out / "tile/entries/001.p").exists()
    assert not list(out.rglob(".*"))
    log.close()


def test_export_of_an_empty_log_writes_nothing(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    assert export_tiles(log, tmp_path / "out") == 0
    assert not (tmp_path / "out").exists()
    log.close()


def test_backup_of_a_running_log_is_consistent_and_opens(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 2_000)
    stop = threading.Event()

    def write() -> None:
        first = 2_000
        while not stop.is_set():
            append_and_commit(log, digests(range(first, first + 100)))
            first += 100

    writer = threading.Thread(target=write)
    writer.start()
    trees = [backup(log, tmp_path / f"copy{i}") for i in range(3)]
    stop.set()
    writer.join()
    for i, tree in enumerate(trees):
        assert tree is not None
        assert tree.tree_size >= 2_000
        report = check_backup(tmp_path / f"copy{i}", note_key=SIGNER.note_key)
        assert report.problems == []
        assert report.tree_size == tree.tree_size
        assert report.root_hash == log.root_hash(tree.tree_size)
        names = {path.name for path in (tmp_path / f"copy{i}").iterdir()}
        assert names == {"entries", "level-1", "level-2", "level-3", "log.sqlite"}
    log.close()
    restored = open_log(tmp_path / "copy0")
    assert trees[0] is not None
    answer = append_and_commit(restored, digests([5, 10_000_000]))
    assert answer.leaf_indices.tolist() == [5, trees[0].tree_size]
    restored.close()


def test_backup_can_be_made_from_a_reader_beside_the_writer(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 700)
    reader = PackedReader(tmp_path / "log")
    append_and_commit(log, digests(range(700, 900)))
    backup(reader, tmp_path / "copy")
    assert check_backup(tmp_path / "copy").tree_size == 900
    reader.close()
    log.close()


def test_backup_of_an_empty_log_opens(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    assert backup(log, tmp_path / "copy") is None
    log.close()
    assert check_backup(tmp_path / "copy").ok
    open_log(tmp_path / "copy").close()


def test_backup_goes_into_an_empty_folder_only(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 10)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/file").touch()
    with pytest.raises(StoreConflictError):
        backup(log, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["file"]
    log.close()


def test_interrupted_backup_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    # The package exports a function of the module's name.
    module = importlib.import_module("anchor.stores.packed.backup")
    log = grown(tmp_path / "log", 700)
    monkeypatch.setattr(module, "_flush", lambda path, disk: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backup(log, tmp_path / "copy")
    log.close()
    with pytest.raises(LogIntegrityError):
        check_backup(tmp_path / "copy")


def test_damaged_backup_is_found(tmp_path: Path) -> None:
    log = grown(tmp_path / "log", 2_000)
    backup(log, tmp_path / "copy")
    log.close()
    with (tmp_path / "copy/entries").open("r+b") as file:
        file.seek(100 * 32)
        file.write(b"\x00\x01\x02")
    assert not check_backup(tmp_path / "copy").ok
