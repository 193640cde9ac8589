"""The vault: made once, found from below, read anywhere, written to in one place only."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from anchor.errors import NotFoundError, StoreConflictError, StoreError, StoreUnavailableError
from anchor.vault import Attachment, Draft, Vault
from anchor.vault import instance as instance_module
from tests.unit.vault.conftest import Project


def test_a_vault_is_found_from_below_and_not_from_beside(project: Project, tmp_path: Path):
    below = project.work / "a" / "b"
    below.mkdir(parents=True)
    with Vault.open(below) as vault:
        assert vault.project == project.vault.project
    with pytest.raises(NotFoundError) as caught:
        Vault.open(tmp_path)
    assert caught.value.code == "vault.not_found"
    assert "vestige init" in caught.value.hint


def test_a_second_init_is_refused_and_changes_nothing(project: Project):
    before = sorted(project.vault.layout.root.rglob("*"))
    with pytest.raises(StoreConflictError) as caught:
        Vault.init(project.work)
    assert caught.value.code == "vault.exists"
    assert sorted(project.vault.layout.root.rglob("*")) == before


def test_an_init_that_was_interrupted_goes_on(tmp_path: Path):
    with Vault.init(tmp_path) as first, Vault.init(tmp_path) as second:
        assert first.project == second.project


def _init_in_process(work: str, barrier) -> None:
    barrier.wait()
    Vault.init(Path(work)).close()


def test_two_inits_at_once_make_one_project(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    processes = [
        context.Process(target=_init_in_process, args=(str(tmp_path), barrier)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with Vault.init(tmp_path) as vault:
        assert vault.read_only_reason is None


@pytest.mark.parametrize("name", [b"caf\xe9", b"50% \xff", "猫 ?#".encode()])
def test_a_folder_of_any_name_can_hold_a_vault(begin, tmp_path: Path, name: bytes):
    folder = os.fsdecode(name)
    project = begin(folder) if folder.isprintable() else None
    if project is None:  # the title of a record is text; the folder's name need not be
        (tmp_path / folder).mkdir()
        project = begin("plain")
        project.vault.close()
        shutil.rmtree(tmp_path / folder)
        project.work.rename(tmp_path / folder)
    with Vault.open(tmp_path / folder) as vault:
        project.recorder(vault).append(Draft("note", {"text": "x"}))
    shutil.copytree(tmp_path / folder, tmp_path / "copy")
    with Vault.open(tmp_path / "copy") as copy:
        assert copy.read_only_reason.code in ("vault.copied", "vault.foreign")


def test_records_without_a_project_file_are_not_started_over(project: Project):
    project.vault.layout.project_file.unlink()
    with pytest.raises(StoreConflictError) as caught:
        Vault.init(project.work)
    assert caught.value.code == "vault.damaged"


def test_nobody_else_may_look_into_a_vault(project: Project):
    assert project.vault.layout.root.stat().st_mode & 0o777 == 0o700


def test_records_are_read_only_files_of_their_number(project: Project):
    project.note()
    path = project.vault.layout.record(1)
    assert path.name == "00000001.sdjwt"
    assert path.stat().st_mode & 0o222 == 0
    assert path.read_bytes().endswith(b"~")
    assert os.listdir(project.vault.layout.scratch) == []


# -- the index is derived --------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["gone", "noise", "other_version", "empty", "a table gone"])
def test_an_index_that_is_damaged_is_made_again(project: Project, damage: str):
    for number in range(5):
        project.note(f"remark {number}")
    rows = project.vault.index.entries()
    project.vault.close()
    path = project.vault.layout.index
    if damage == "gone":
        path.unlink()
    elif damage == "noise":
        path.write_bytes(os.urandom(8192))
    elif damage == "other_version":
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    elif damage == "a table gone":
        with sqlite3.connect(path) as db:
            db.execute("DROP TABLE proof")
        db.close()
    else:
        path.write_bytes(b"")
    with Vault.open(project.work) as vault:
        assert vault.index.entries() == rows
        project.recorder(vault).append(Draft("note", {"text": "after"}))
        project.assert_sound()


def test_an_index_that_is_damaged_deep_inside_is_thrown_away_on_request(project: Project):
    for number in range(300):
        project.note(f"remark {number}")
    rows = project.vault.index.entries()
    project.vault.close()
    path = project.vault.layout.index
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):
        data[start : start + 1000] = os.urandom(1000)
    path.write_bytes(data)
    with Vault.open(project.work, fresh_index=True) as vault:
        assert vault.index.entries() == rows


def test_an_index_that_somebody_holds_is_left_alone(project: Project, monkeypatch):
    monkeypatch.setattr("anchor.vault.index._BUSY_S", 0.05)
    project.note("one")
    project.vault.close()
    holder = sqlite3.connect(project.vault.layout.index)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    inode = project.vault.layout.index.stat().st_ino
    with Vault.open(project.work) as vault:
        assert vault.size == 2
    assert project.vault.layout.index.stat().st_ino == inode
    holder.rollback()
    holder.close()


def test_records_that_another_process_wrote_are_seen(project: Project):
    with Vault.open(project.work) as other:
        project.note("one")
        other.refresh()
        assert other.size == 2
        project.recorder(other).append(Draft("note", {"text": "two"}))
    project.note("three")
    assert project.assert_sound().complete_up_to == 3


def test_a_record_that_the_index_missed_is_taken_in_before_the_next(project: Project):
    """The process died between the record and its row."""
    project.note("one")
    with sqlite3.connect(project.vault.layout.index) as db:
        db.execute("DELETE FROM record WHERE seq = 1")
    db.close()
    project.note("two")
    assert [entry.summary for entry in project.vault.index.entries()] == ["work", "one", "two"]
    project.assert_sound()


@pytest.mark.parametrize("edge", [b"[]", b'["00"]', b"no json", b'["' + b"0" * 64 + b'"]'])
def test_a_false_edge_of_the_tree_is_never_signed(project: Project, edge: bytes):
    project.note("one")
    with sqlite3.connect(project.vault.layout.index) as db:
        db.execute("UPDATE state SET value = ? WHERE name = 'tip'", (edge,))
    db.close()
    project.note("two")
    project.assert_sound()


def test_an_index_whose_last_row_was_changed_is_made_anew_when_it_is_opened(project: Project):
    project.note("one")
    project.vault.close()
    with sqlite3.connect(project.vault.layout.index) as db:
        db.execute("UPDATE record SET digest = zeroblob(32) WHERE seq = 1")
    db.close()
    with Vault.open(project.work) as vault:
        assert vault.index.entry(1).digest == vault.read(1).digest


def test_an_index_of_another_vault_is_not_believed(begin):
    first, second = begin("first"), begin("second")
    for number in range(3):
        first.note(f"first {number}")
        second.note(f"second {number}")
    first.vault.close()
    second.vault.close()
    shutil.copy(first.vault.layout.index, second.vault.layout.index)
    with Vault.open(second.work) as vault:
        second.recorder(vault).append(Draft("note", {"text": "after"}))
        assert vault.index.entries()[1].summary == "second 0"
    second.assert_sound()


def test_a_missing_record_stops_writing_and_names_itself(project: Project):
    for number in range(4):
        project.note(f"{number}")
    project.vault.layout.record(2).unlink()
    with pytest.raises(StoreConflictError) as caught:
        project.vault.rebuild()
    assert caught.value.code == "vault.record_missing"
    assert "record 2 is missing" in caught.value.message
    with pytest.raises(StoreConflictError):
        project.note("after")


def test_an_exchanged_record_stops_writing(project: Project, begin):
    project.note("mine")
    other = begin("other")
    other.note("strange")
    path = project.vault.layout.record(1)
    path.unlink()
    shutil.copy(other.vault.layout.record(1), path)
    with pytest.raises(StoreConflictError) as caught:
        project.note("after")
    assert caught.value.code in ("vault.chain_broken", "vault.older")


# -- a medium that takes no writes -----------------------------------------------------------------


def test_a_vault_on_a_read_only_medium_can_be_read(project: Project, monkeypatch):
    project.note("one")
    project.vault.close()
    project.vault.layout.index.unlink()
    monkeypatch.setattr(os, "access", lambda *_args: False)
    with Vault.open(project.work) as vault:
        assert [entry.kind for entry in vault.index.entries()] == ["genesis", "note"]
        assert vault.read_only_reason.code == "vault.read_only"
        with pytest.raises(StoreError) as caught:
            project.recorder(vault).append(Draft("note", {"text": "two"}))
        assert caught.value.code == "vault.read_only"
    assert not project.vault.layout.index.exists()


# -- copies ----------------------------------------------------------------------------------------


def copied(project: Project, to: Path) -> Vault:
    shutil.copytree(project.work, to)
    return Vault.open(to)


def refused(project: Project, vault: Vault) -> str:
    assert vault.read_only_reason is not None
    with pytest.raises(StoreConflictError) as caught:
        project.recorder(vault).append(Draft("note", {"text": "in the copy"}))
    assert caught.value.code == vault.read_only_reason.code
    assert "vestige adopt" in caught.value.hint
    return caught.value.code


def test_a_copy_on_another_machine_is_read_only(project: Project, tmp_path: Path, monkeypatch):
    project.note("one")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other machine"))
    with copied(project, tmp_path / "copy") as copy:
        assert copy.size == 2
        assert refused(project, copy) == "vault.foreign"
        assert copy.size == 2


def test_a_copy_that_came_with_its_home_folder_is_read_only(
    project: Project, tmp_path: Path, monkeypatch
):
    machine = tmp_path / "machine-id"
    machine.write_text("another machine\n")
    monkeypatch.setattr(instance_module, "_MACHINE_ID", machine)
    with Vault.open(project.work) as vault:
        assert refused(project, vault) == "vault.foreign"


def test_a_copy_beside_the_original_is_read_only(project: Project, tmp_path: Path):
    project.note("one")
    with copied(project, tmp_path / "copy") as copy:
        assert refused(project, copy) == "vault.copied"
    project.note("two")
    project.assert_sound()


def test_a_vault_that_was_moved_goes_on(project: Project, tmp_path: Path):
    project.note("one")
    project.vault.close()
    project.work.rename(tmp_path / "moved")
    with Vault.open(tmp_path / "moved") as vault:
        project.recorder(vault).append(Draft("note", {"text": "two"}))
        assert vault.size == 3


def test_a_vault_that_was_moved_to_another_disk_goes_on(project: Project, tmp_path: Path):
    """Another inode, and nothing is left where it was."""
    project.note("one")
    project.vault.close()
    shutil.copytree(project.work, tmp_path / "moved")
    shutil.rmtree(project.work)
    with Vault.open(tmp_path / "moved") as vault:
        project.recorder(vault).append(Draft("note", {"text": "two"}))


@pytest.mark.parametrize("then", ["nothing", "other records"])
def test_an_older_state_that_was_put_back_is_read_only(project: Project, tmp_path: Path, then: str):
    project.note("one")
    shutil.copytree(project.work, tmp_path / "backup")
    for text in ("two", "three"):
        project.note(text)
    project.vault.close()
    shutil.rmtree(project.work)
    shutil.copytree(tmp_path / "backup", project.work)
    if then == "other records":  # as if they had been made elsewhere
        (tmp_path / "state" / "vestige" / "vaults" / f"{project.vault.project.id}.last").unlink()
        with Vault.open(project.work) as vault:
            project.recorder(vault).append(Draft("note", {"text": "else"}))
        return  # without the mark nothing tells; a verifier who meets both histories does
    with Vault.open(project.work) as vault:
        assert refused(project, vault) == "vault.older"
        assert "record 3" in vault.read_only_reason.message


@pytest.mark.parametrize("file", ["instance.json", "token"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"no json", b'{"token_sha256": 1}'])
def test_a_token_that_is_damaged_gives_no_right_to_write(
    project: Project, tmp_path: Path, file: str, content: bytes
):
    path = project.vault.layout.instance_file
    if file == "token":
        path = tmp_path / "state" / "vestige" / "vaults" / f"{project.vault.project.id}.json"
    path.write_bytes(content)
    assert refused(project, project.vault) == "vault.foreign"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"seq": 1}', b'{"seq": "x", "digest": "00"}'])
def test_a_mark_that_is_damaged_forbids_nothing(project: Project, tmp_path: Path, content: bytes):
    """It is not flushed, so a power cut may leave anything."""
    project.note("one")
    mark = tmp_path / "state" / "vestige" / "vaults" / f"{project.vault.project.id}.last"
    mark.write_bytes(content)
    project.note("two")
    project.assert_sound()
    assert project.vault.instance.mark().seq == 2


# -- the order of flushes --------------------------------------------------------------------------


def test_originals_are_durable_before_their_record_has_a_name(project: Project, monkeypatch):
    """What a power cut leaves is a prefix of these steps, and each prefix is sound."""
    steps: list[tuple[str, str]] = []
    fsync, link = os.fsync, os.link

    def noted_fsync(descriptor):
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        kind = path.parent.name if path.is_file() else path.name
        steps.append(("flush", "objects/.." if len(kind) == 2 else kind))
        fsync(descriptor)

    def noted_link(source, target):
        link(source, target)
        folder = target.parent.name
        steps.append(("name", "objects/.." if len(folder) == 2 else folder))

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "link", noted_link)
    attachment = Attachment("sketch", data=b"by hand", name="a.txt")
    project.recorder().append(Draft("sketch", {}, (attachment,)))
    assert steps == [
        ("flush", "tmp"),
        ("name", "objects/.."),
        ("flush", "objects"),
        ("flush", "objects/.."),
        ("flush", "tmp"),
        ("name", "records"),
        ("flush", "records"),
    ]


# -- a failing disk --------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fsync", "link"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_disk_that_fails_at_any_step_records_nothing(
    project: Project, monkeypatch, call: str, nth: int
):
    real, calls = getattr(os, call), []

    def failing(*args, **more):
        calls.append(args)
        if len(calls) == nth:
            raise OSError(errno.EIO, "the disk fails")
        return real(*args, **more)

    monkeypatch.setattr(os, call, failing)
    drafts = [Draft("note", {"text": f"{n}"}) for n in range(4)]
    with pytest.raises(StoreUnavailableError):
        project.recorder().append_many(drafts)
    monkeypatch.undo()
    assert project.vault.layout.record_numbers() == [0]
    assert os.listdir(project.vault.layout.scratch) == []
    project.note("after")
    assert project.assert_sound().complete_up_to == 1


def test_a_failing_index_does_not_take_back_a_record(project: Project, monkeypatch):
    def failing(*_args, **_more):
        raise StoreUnavailableError("the index fails")

    monkeypatch.setattr(type(project.vault.index), "add", failing)
    assert project.note("one").seq == 1
    monkeypatch.undo()
    assert project.note("two").seq == 2
    project.assert_sound()


def test_rubbish_of_an_interrupted_write_is_cleared_a_day_later(project: Project):
    scratch = project.vault.layout.scratch
    for name in ("old", "young"):
        (scratch / name).write_bytes(b"half")
    os.utime(scratch / "old", (1, 1))
    project.note()
    assert os.listdir(scratch) == ["young"]
