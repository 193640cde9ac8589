"""Originals are kept byte for byte, once, and nothing done to the file later touches them."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import stat
from pathlib import Path

import pytest

from anchor.errors import DigestMismatchError, StoreConflictError, StoreUnavailableError
from anchor.vault import objects as module
from anchor.vault.layout import Layout
from anchor.vault.objects import ObjectStore
from anchor.vault.source import open_source

BLOCK = 1 << 20


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path.resolve())
    for folder in (layout.objects, layout.scratch):
        folder.mkdir(parents=True)
    return layout


def keep(layout: Layout, path: Path, **more):
    with open_source(path, layout, **more) as source:
        return ObjectStore(layout).keep(source)


def scratch(layout: Layout) -> list[str]:
    return os.listdir(layout.scratch)


def originals(layout: Layout) -> list[Path]:
    return [path for path in layout.objects.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_an_original_is_kept_byte_for_byte(layout: Layout, size: int):
    data = os.urandom(size)
    path = layout.work / "cat.bin"
    path.write_bytes(data)
    kept = keep(layout, path)
    assert (kept.size, kept.sha256) == (size, hashlib.sha256(data).digest())
    assert kept.sha3_256 == hashlib.sha3_256(data).digest()
    there = ObjectStore(layout).path(kept.sha256)
    assert there == layout.objects / kept.sha256.hex()[:2] / kept.sha256.hex()[2:]
    assert there.read_bytes() == data
    assert there.stat().st_mode & 0o777 == 0o444
    assert scratch(layout) == []


def test_editing_the_file_in_place_leaves_the_original_alone(layout: Layout):
    path = layout.work / "cat.bin"
    path.write_bytes(b"first")
    kept = keep(layout, path)
    with path.open("r+b") as file:
        file.write(b"SECON")
    assert ObjectStore(layout).path(kept.sha256).read_bytes() == b"first"
    assert ObjectStore(layout).verify(kept.sha256) == 5


def test_the_same_content_is_kept_once(layout: Layout):
    for name in ("a", "b"):
        (layout.work / name).write_bytes(b"same")
    first, second = (keep(layout, layout.work / name) for name in ("a", "b"))
    assert first == second
    assert ObjectStore(layout).keep_bytes(b"same").sha256 == first.sha256
    assert len(originals(layout)) == 1
    assert scratch(layout) == []


def test_an_empty_original_has_the_digest_of_nothing(layout: Layout):
    (layout.work / "empty").touch()
    kept = keep(layout, layout.work / "empty", allow_empty=True)
    assert (kept.size, kept.sha256) == (0, hashlib.sha256(b"").digest())


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite"])
def test_a_file_that_changes_while_it_is_read_is_refused(layout: Layout, monkeypatch, change: str):
    path = layout.work / "cat.bin"
    path.write_bytes(bytes(3 * BLOCK))
    read = os.read
    calls = []

    def changing(descriptor: int, size: int) -> bytes:
        calls.append(size)
        if len(calls) == 2:
            with path.open("r+b") as file:
                if change == "shrink":
                    file.truncate(BLOCK + 1)
                else:
                    file.seek(0, os.SEEK_END if change == "grow" else os.SEEK_SET)
                    file.write(b"changed")
            os.utime(path, ns=(1, 1))
        return read(descriptor, size)

    monkeypatch.setattr(module.os, "read", changing)
    with pytest.raises(StoreConflictError) as caught:
        keep(layout, path)
    assert caught.value.code == "file.changed"
    assert scratch(layout) == []
    assert originals(layout) == []


def test_a_file_that_never_ends_is_given_up(layout: Layout, monkeypatch):
    path = layout.work / "cat.bin"
    path.write_bytes(bytes(10))
    monkeypatch.setattr(module.os, "read", lambda _descriptor, size: bytes(size))
    with pytest.raises(StoreConflictError):
        keep(layout, path)
    assert scratch(layout) == []


def test_reading_takes_one_block_at_a_time(layout: Layout, monkeypatch):
    sizes = []
    read = os.read
    monkeypatch.setattr(
        module.os, "read", lambda handle, size: (sizes.append(size), read(handle, size))[1]
    )
    path = layout.work / "large.bin"
    with path.open("wb") as file:
        file.truncate(16 * BLOCK)
    assert keep(layout, path).size == 16 * BLOCK
    assert max(sizes) == BLOCK
    assert len(sizes) == 17


def test_a_disk_without_room_is_refused_before_anything_is_copied(layout: Layout, monkeypatch):
    path = layout.work / "large.bin"
    with path.open("wb") as file:
        file.truncate(8 << 30)
    few = os.statvfs_result((4096, 4096, 10, 10, 10, 0, 0, 0, 0, 255))
    monkeypatch.setattr(module.os, "fstatvfs", lambda _descriptor: few)
    with pytest.raises(StoreUnavailableError) as caught:
        keep(layout, path)
    assert caught.value.code == "vault.disk_full"
    assert "nothing was recorded" in caught.value.hint
    assert scratch(layout) == []


@pytest.mark.parametrize("call", ["write", "fsync", "link"])
def test_a_failing_disk_leaves_nothing(layout: Layout, monkeypatch, call: str):
    path = layout.work / "cat.bin"
    path.write_bytes(b"cat")

    def failing(*_args, **_more):
        raise OSError(errno.EIO, "the disk fails")

    monkeypatch.setattr(os, call, failing)
    with pytest.raises(StoreUnavailableError):
        keep(layout, path)
    monkeypatch.undo()
    assert scratch(layout) == []
    assert originals(layout) == []


def test_a_file_system_without_hard_links_is_served_too(layout: Layout, monkeypatch):
    def refusing(*_args, **_more):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refusing)
    for _ in range(2):
        kept = ObjectStore(layout).keep_bytes(b"cat")
    assert ObjectStore(layout).verify(kept.sha256) == 3
    assert scratch(layout) == []


def test_an_original_that_is_cut_short_is_put_right_when_its_file_comes_again(layout: Layout):
    kept = ObjectStore(layout).keep_bytes(b"the whole cat")
    there = ObjectStore(layout).path(kept.sha256)
    there.chmod(0o644)
    there.write_bytes(b"the whole")
    with pytest.raises(DigestMismatchError):
        ObjectStore(layout).verify(kept.sha256)
    ObjectStore(layout).keep_bytes(b"the whole cat")
    assert ObjectStore(layout).verify(kept.sha256) == 13


def test_an_original_that_rotted_is_put_right_when_its_file_comes_again(layout: Layout):
    """Bytes of another content and the same length: only reading tells."""
    told: list[Path] = []
    store = ObjectStore(layout)
    store.tell_mended = told.append
    kept = store.keep_bytes(b"the whole cat")
    there = store.path(kept.sha256)
    store.keep_bytes(b"the whole cat")
    assert told == []
    there.chmod(0o644)
    there.write_bytes(b"the rotten ca")
    store.keep_bytes(b"the whole cat")
    assert there.read_bytes() == b"the whole cat"
    assert told == [there]
    assert scratch(layout) == []


def test_a_changed_original_is_found_out(layout: Layout):
    kept = ObjectStore(layout).keep_bytes(b"cat")
    there = ObjectStore(layout).path(kept.sha256)
    there.chmod(0o644)
    there.write_bytes(b"cot")
    with pytest.raises(DigestMismatchError) as caught:
        ObjectStore(layout).verify(kept.sha256)
    assert caught.value.code == "vault.object_changed"


def test_a_clone_is_hashed_from_the_copy_itself(layout: Layout, monkeypatch):
    """Where the file system clones, what is hashed is the snapshot, not the file."""
    path = layout.work / "cat.bin"
    path.write_bytes(b"cat")

    def clone(source: int, target: int) -> bool:
        os.pwrite(target, os.pread(source, 10, 0), 0)
        return True

    monkeypatch.setattr(module, "_clone", clone)
    kept = keep(layout, path)
    assert kept.sha256 == hashlib.sha256(b"cat").digest()
    assert ObjectStore(layout).verify(kept.sha256) == 3


def test_media_types_come_from_the_content_first(layout: Layout):
    (layout.work / "cat.txt").write_bytes(b"\x89PNG\r\n\x1a\n")
    (layout.work / "cat.kra").write_bytes(b"unknown bytes")
    (layout.work / "words.txt").write_bytes(b"words")
    assert keep(layout, layout.work / "cat.txt").media_type == "image/png"
    assert keep(layout, layout.work / "cat.kra").media_type in (
        "application/octet-stream", "application/x-krita",
    )  # fmt: skip
    assert keep(layout, layout.work / "words.txt").media_type == "text/plain"


# -- many together ---------------------------------------------------------------------------------


def test_no_name_is_given_before_everything_is_flushed(layout: Layout, monkeypatch):
    """After a power cut a name would stand for bytes that are not there."""
    calls: list[str] = []
    for name in ("fsync", "link"):
        real = getattr(os, name)

        def told(*given, name=name, real=real):
            is_folder = name == "fsync" and stat.S_ISDIR(os.fstat(given[0]).st_mode)
            calls.append("folder" if is_folder else name)
            return real(*given)

        monkeypatch.setattr(os, name, told)
    with ObjectStore(layout).keeping() as keeping:
        for number in range(5):
            keeping.add_bytes(b"%d" % number)
        keeping.add_bytes(bytes(1 << 20))
        assert originals(layout) == []
        keeping.commit()
    in_order = sorted(calls, key=["fsync", "link", "folder"].index)
    assert calls == in_order
    assert calls.count("fsync") == calls.count("link") == 6
    assert len(originals(layout)) == 6


def test_more_small_files_than_a_process_may_open(layout: Layout):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 300, hard))
    try:
        with ObjectStore(layout).keeping() as keeping:
            kept = [keeping.add_bytes(b"%d" % number) for number in range(700)]
            keeping.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [ObjectStore(layout).verify(item.sha256) for item in kept[::100]] == [1] + [3] * 6
    assert scratch(layout) == []


def test_what_is_not_committed_leaves_nothing(layout: Layout):
    before = os.listdir("/proc/self/fd")
    with ObjectStore(layout).keeping() as keeping:
        kept = [
            keeping.add_bytes(b"cat"),
            keeping.add_bytes(b"cat"),
            keeping.add_bytes(bytes(1 << 20)),
        ]
        assert keeping.path(kept[0]).read_bytes() == b"cat"
    assert (scratch(layout), originals(layout)) == ([], [])
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_disk_that_fails_in_the_middle_acknowledges_nothing(layout: Layout, monkeypatch, call):
    real, left = getattr(os, call), [3]

    def failing(*given):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EIO, "the disk fails")
        return real(*given)

    with ObjectStore(layout).keeping() as keeping:
        for number in range(6):
            keeping.add_bytes(b"%d" % number)
        monkeypatch.setattr(os, call, failing)
        with pytest.raises(StoreUnavailableError):
            keeping.commit()
        monkeypatch.undo()
    assert scratch(layout) == []
    assert len(originals(layout)) == (0 if call == "fsync" else 3)
    for path in originals(layout):
        ObjectStore(layout).verify(bytes.fromhex(path.parent.name + path.name))
