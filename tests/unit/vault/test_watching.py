"""Watching, in this process: what is recorded, what is not, and what is tried again."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from anchor.errors import StoreConflictError, StoreUnavailableError
from anchor.vault import Draft
from anchor.vault.objects import Keeping
from anchor.vault.watching import watcher as watcher_module
from anchor.vault.watching.change import Change, look, signature_of
from anchor.vault.watching.inotify import Inotify
from anchor.vault.watching.mark import WatchMark
from anchor.vault.watching.scan import files_below, is_temporary
from anchor.vault.watching.settling import Settling
from anchor.vault.watching.watcher import Happening, Watcher

PNG = b"\x89PNG\r\n\x1a\n"


class Watching:
    """A watcher in a thread, and what it told."""

    def __init__(self, project, folder: Path, **options) -> None:
        self.told: list[Happening] = []
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self.watcher = Watcher(
            project.vault, project.recorder(), None, [folder], tell=self.told.append, **options
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.watcher.run(self._stop)
        except BaseException as error:
            self.error = error

    def until(self, what: str, count: int = 1) -> list[Happening]:
        return self._until(lambda: len(self.named(what)) >= count) and self.named(what)

    def ended(self) -> bool:
        return self._until(lambda: not self._thread.is_alive())

    def _until(self, there: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + 60
        while not there():
            assert time.monotonic() < deadline, self.told
            time.sleep(0.01)
        return True

    def named(self, what: str) -> list[Happening]:
        return [item for item in self.told if item.what == what]

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)


@pytest.fixture
def watch(project):
    started: list[Watching] = []

    def start(folder: Path | None = None, **options) -> Watching:
        started.append(Watching(project, folder or project.work, **options))
        return started[-1]

    yield start
    for item in started:
        item.stop()


def names(watching: Watching) -> set[str]:
    return {item.path.name for item in watching.named("recorded")}


# -- what is recorded ------------------------------------------------------------------------------


@pytest.mark.parametrize("poll", [False, True])
def test_written_renamed_linked_and_in_new_folders(project, watch, poll: bool):
    watching = watch(poll=poll)
    assert watching.watcher.polls == (poll or not sys.platform.startswith("linux"))
    project.write("written.png", PNG + b"1")
    project.write("half.tmp", PNG + b"2").rename(project.work / "renamed.png")
    project.write(".hidden.png", PNG + b"3")
    os.link(project.write("name.part", PNG + b"4"), project.work / "linked.png")
    project.write("2026/11/deep.png", PNG + b"5")
    project.write("settings.txt", b"no image")
    project.write("nothing known of it.png", b"not what its name says")
    watching.until("recorded", 5)
    watching.stop()
    assert names(watching) == {
        "written.png", "renamed.png", "linked.png", "deep.png", "nothing known of it.png"
    }  # fmt: skip
    assert project.assert_sound()


def test_a_known_image_puts_a_rotten_original_right(project, watch):
    watching = watch()
    path = project.write("cat.png")
    (first,) = watching.until("recorded")
    there = project.vault.objects.path(bytes.fromhex(first.record.files[0]["sha256"]))
    there.chmod(0o644)
    there.write_bytes(bytes(path.stat().st_size))
    project.write("again.png", path.read_bytes())
    watching.until("known")
    watching.stop()
    assert there.read_bytes() == path.read_bytes()


def test_one_content_has_one_record(project, watch):
    watching = watch()
    project.write("a.png", PNG)
    project.write("b.png", PNG)
    watching.until("known")
    project.write("c.png", PNG)
    watching.until("known", 2)
    watching.stop()
    assert len(names(watching)) == 1


def test_a_file_that_is_written_slowly_is_recorded_whole(project, watch):
    watching = watch()
    with (project.work / "slow.png").open("wb", buffering=0) as file:
        file.write(PNG)
        for _ in range(8):
            time.sleep(0.2)
            file.write(b"more")
    (made,) = watching.until("recorded")
    watching.stop()
    assert made.record.files[0]["size"] == len(PNG) + 32
    assert len(watching.named("recorded")) == 1


def test_what_was_recorded_and_changes_is_recorded_again(project, watch):
    watching = watch()
    project.write("a.png", PNG + b"1")
    watching.until("recorded")
    project.write("a.png", PNG + b"22")
    watching.until("recorded", 2)


# -- what is refused, and what is tried again ------------------------------------------------------


def test_a_link_that_leaves_the_folder_is_refused_with_a_line(project, watch, tmp_path: Path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG + b"secret")
    watching = watch()
    (project.work / "link.png").symlink_to(secret)
    (refused,) = watching.until("refused")
    assert refused.error.code == "file.link_leaves"
    watching.stop()
    assert not names(watching)


def test_a_file_without_a_byte_is_refused_and_recorded_when_it_has_some(project, watch):
    watching = watch()
    path = project.write("a.png", b"")
    assert watching.until("refused")[0].error.code == "file.empty"
    path.write_bytes(PNG)
    watching.until("recorded")


def test_a_file_that_can_not_be_read_is_tried_again(project, watch, monkeypatch):
    real, failures = watcher_module.open_source, [2]

    def failing(path, layout):
        if path.name == "a.png" and failures[0]:
            failures[0] -= 1
            raise StoreUnavailableError("permission denied", code="file.unavailable")
        return real(path, layout)

    monkeypatch.setattr(watcher_module, "open_source", failing)
    watching = watch()
    project.write("a.png", PNG)
    watching.until("recorded")
    assert failures == [0]
    assert not watching.named("refused")


@pytest.mark.parametrize("code", ["file.changed", "vault.disk_full", "vault.locked"])
def test_what_passes_by_itself_is_waited_for(project, watch, monkeypatch, code: str):
    monkeypatch.setattr(watcher_module, "_FULL_WAIT_S", 0.1)
    real, failures = Keeping.add, [3]

    def add(keeping, source):
        if failures[0]:
            failures[0] -= 1
            raise StoreConflictError("not now", code=code)
        return real(keeping, source)

    monkeypatch.setattr(Keeping, "add", add)
    watching = watch()
    project.write("a.png", PNG)
    watching.until("recorded")
    assert len(watching.named("delayed")) == (0 if code == "file.changed" else 1)


def test_a_file_that_vanishes_is_forgotten(project, watch):
    watching = watch()
    project.write("a.png", PNG).unlink()
    project.write("b.png", PNG + b"b")
    watching.until("recorded")
    watching.stop()
    assert names(watching) == {"b.png"}
    assert watching.watcher.waiting == 0


def test_a_vault_that_is_closed_ends_the_watching_and_leaves_the_mark(project, watch):
    watching = watch()
    project.recorder().append(Draft("close", {}))
    project.write("a.png", PNG)
    assert watching.ended()
    assert watching.error.code == "vault.closed"
    assert WatchMark(project.vault.layout).since(project.work) is not None


# -- the start and the end -------------------------------------------------------------------------


def test_what_is_whole_at_the_end_is_recorded_and_the_mark_removed(project, watch):
    watching = watch()
    assert WatchMark(project.vault.layout).since(project.work) is not None
    project.write("a.png", PNG)
    watching.stop()
    assert names(watching) == {"a.png"}
    assert WatchMark(project.vault.layout).since(project.work) is None


def test_what_a_dead_watcher_left_is_taken_up_and_older_files_are_not(project, watch):
    old = project.write("old.png", PNG + b"old")
    changed = max(old.stat().st_ctime, old.stat().st_mtime)
    WatchMark(project.vault.layout).begin([project.work], changed + 100)
    watching = watch()
    watching.stop()
    assert not names(watching)
    WatchMark(project.vault.layout).begin([project.work], changed)
    watching = watch()
    watching.until("recorded")
    assert names(watching) == {"old.png"}


def test_a_damaged_mark_is_as_none(project):
    (project.vault.layout.root / "watch.json").write_bytes(b'{"a": [')
    assert WatchMark(project.vault.layout).since(project.work) is None


def test_a_row_of_the_index_does_not_keep_a_file_from_its_record(project, watch):
    project.note("one")
    sha256 = hashlib.sha256(PNG + b"new").digest()
    with sqlite3.connect(project.vault.layout.index) as db:
        db.execute(
            "INSERT INTO file VALUES (1, 0, 'output', 'b.png', 'image/png', 3, ?)", (sha256,)
        )
    db.close()
    watching = watch()
    project.write("b.png", PNG + b"new")
    (told,) = watching.until("recorded")
    assert told.record.files[0]["sha256"] == sha256.hex()


# -- the parts -------------------------------------------------------------------------------------


def test_names_of_what_is_half_written():
    for name in (".a.png", "a.png.part", "a.PNG.TMP", "a.png~", "~$a.png", "a.crdownload"):
        assert is_temporary(name)
    for name in ("a.png", "part.png", "tmp", "a.part.png"):
        assert not is_temporary(name)


def test_nothing_behind_a_linked_folder_is_seen(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(PNG)
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "out")
    assert [path.name for path in files_below(inside)] == ["link"]


def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    settling = Settling()
    settling.learn([Change(path, "there"), Change(path, "writing")], 0.0)
    assert settling.due(5.0, 10) == ([], [])
    settling.learn([Change(path, "closed")], 6.0)
    assert settling.due(6.1, 10) == ([], [])
    (found,), _ = settling.due(6.3, 10)
    assert found.signature == signature_of(look(path))
    settling.finish(found)
    settling.learn([Change(path, "closed"), Change(path, "attributes")], 7.0)
    assert len(settling) == 0


def test_no_more_than_wanted_come_at_once_and_the_oldest_first(tmp_path: Path):
    settling = Settling()
    for number in range(5):
        path = tmp_path / f"{number}.png"
        path.write_bytes(PNG)
        os.utime(path, (1000 - number, 1000 - number))
        settling.learn([Change(path, "closed")], 0.0)
    first, _ = settling.due(1.0, 2)
    assert [item.path.name for item in first] == ["4.png", "3.png"]
    assert len(settling) == 3


@pytest.mark.skipif(not os.path.exists("/proc/sys/fs/inotify"), reason="inotify is Linux's")
def test_news_that_the_kernel_lost_are_said_to_be_lost(tmp_path: Path):
    listening = Inotify()
    listening.add(tmp_path)
    bound = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if bound > 20_000:
        pytest.skip("the queue of this system is too long to be filled in a test")
    path, other = tmp_path / "a", tmp_path / "b"
    for _ in range(bound // 4 + 100):
        path.write_bytes(b"x")
        other.write_bytes(b"x")
    lost = False
    while not lost:
        changes, _, lost = listening.wait(0.0)
        assert changes or lost
    listening.close()


def test_a_version_of_the_same_size_whose_time_was_put_back_is_seen(tmp_path: Path):
    """As ``rsync --inplace --times`` and ``cp --preserve`` write."""
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\x00 one")
    before = path.stat()
    settling = Settling()
    settling.learn([Change(path, "closed")], 0.0)
    (first,), _ = settling.due(1.0, 10)
    settling.finish(first)
    with path.open("r+b") as file:
        file.write(b"II*\x00 two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_ino == before.st_ino
    settling.learn([Change(path, "closed")], 2.0)
    (second,), _ = settling.due(3.0, 10)
    assert second.path == path
