"""Files of the person's own: bounded, unchanged, whole or not there."""

from __future__ import annotations

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from anchor.client import local_file
from anchor.client.local_file import (
    beside,
    file_digest,
    keep_beside,
    load_bytes,
    write_atomically,
    write_new,
)
from anchor.errors import (
    LimitExceededError,
    NotFoundError,
    StoreConflictError,
    StoreError,
    StoreUnavailableError,
    UnsupportedVersionError,
)


def test_file_is_read_up_to_the_limit_and_not_past_it(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    assert load_bytes(path, max_bytes=100, what="thing") == b"x" * 100
    with pytest.raises(LimitExceededError, match="more than 99 bytes"):
        load_bytes(path, max_bytes=99, what="thing")


def test_what_is_missing_or_no_file_says_so(tmp_path):
    with pytest.raises(NotFoundError) as raised:
        load_bytes(tmp_path / "none", max_bytes=1, what="thing")
    assert raised.value.code == "file.not_found"
    for read in (
        lambda: load_bytes(tmp_path, max_bytes=1, what="x"),
        lambda: file_digest(tmp_path),
    ):
        with pytest.raises(StoreError) as raised:
            read()
        assert raised.value.code == "file.kind"


def test_digest_is_that_of_the_bytes_over_many_blocks(tmp_path):
    data = os.urandom((3 << 20) + 17)
    path = tmp_path / "a"
    path.write_bytes(data)
    assert file_digest(path) == hashlib.sha256(data).digest()
    assert file_digest(path, "sha1") == hashlib.sha1(data).digest()
    with pytest.raises(UnsupportedVersionError):
        file_digest(path, "keccak256")


def test_pipe_is_refused_at_once_though_nobody_writes_to_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="is a pipe"):
        file_digest(tmp_path / "pipe")
    with pytest.raises(StoreError, match="is a device"):
        file_digest(type(tmp_path)("/dev/zero"))


@pytest.mark.parametrize("change", ["append", "rewrite", "truncate"])
def test_file_that_changes_while_it_is_read_has_no_digest(tmp_path, monkeypatch, change):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 4096)
    monkeypatch.setattr(local_file, "_BLOCK_BYTES", 1024)
    real, calls = os.fstat, []

    def fstat(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:  # what was there has been read; now it changes
            with path.open("r+b" if change != "append" else "ab") as file:
                if change == "truncate":
                    file.truncate(10)
                else:
                    file.write(b"y")
            os.utime(path, ns=(1, 1))
        return real(descriptor)

    monkeypatch.setattr(local_file.os, "fstat", fstat)
    with pytest.raises(StoreConflictError) as raised:
        file_digest(path)
    assert raised.value.code == "file.changed"


def test_write_leaves_one_whole_file_with_the_umasks_mode(tmp_path):
    path = tmp_path / "a.proof"
    umask = os.umask(0o027)
    try:
        write_atomically(path, b"first")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        write_atomically(path, b"second")
    finally:
        os.umask(umask)
    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["a.proof"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "a.proof"
    path.write_bytes(b"old")

    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(local_file.os, "fsync", fail)
    else:
        monkeypatch.setattr(local_file.Path, "replace", fail)
    with pytest.raises(StoreUnavailableError, match="no space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.proof"]


def test_write_into_a_folder_that_is_not_there_says_so(tmp_path):
    with pytest.raises(NotFoundError):
        write_atomically(tmp_path / "none" / "a", b"x")


def test_name_beside_keeps_the_whole_name(tmp_path):
    assert beside(tmp_path / "cat.tar.gz", ".proof").name == "cat.tar.gz.proof"


# -- links, and two that write at once -------------------------------------------------------------


def test_a_link_inside_the_folder_stays_a_link_and_its_file_is_replaced(tmp_path):
    real, link = tmp_path / "real.proof", tmp_path / "link.proof"
    real.write_bytes(b"old")
    real.chmod(0o600)
    link.symlink_to("real.proof")
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert (real.read_bytes(), stat.S_IMODE(real.stat().st_mode)) == (b"new", 0o600)


@pytest.mark.parametrize("target", ["../outside", "/etc/hostname", "sub/inside", "missing/x"])
def test_nothing_is_written_through_a_link_that_leaves_the_folder(tmp_path, target):
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.write_bytes(b"theirs")
    outside.chmod(0o604)
    link = folder / "a.proof"
    link.symlink_to(target)
    for write in (write_atomically, lambda path, data: keep_beside(path, data.decode())):
        with pytest.raises(StoreConflictError, match="a link that leaves its folder") as raised:
            write(link, b".bak")
        assert raised.value.code == "file.link"
    assert outside.read_bytes() == b"theirs"
    assert sorted(item.name for item in folder.iterdir()) == ["a.proof", "sub"]


def test_a_folder_that_is_a_link_is_no_matter(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link" / "a", b"x")
    assert (tmp_path / "real" / "a").read_bytes() == b"x"


def test_a_new_file_is_never_written_over_another(tmp_path):
    path = tmp_path / "a"
    write_new(path, b"first")
    with pytest.raises(StoreConflictError) as raised:
        write_new(path, b"second")
    assert raised.value.code == "file.exists"
    assert path.read_bytes() == b"first"
    path.unlink()
    path.symlink_to("nowhere")
    with pytest.raises(StoreConflictError):
        write_new(path, b"third")
    assert [item.name for item in tmp_path.iterdir()] == ["a"]


def test_of_many_that_write_a_new_file_at_once_one_succeeds(tmp_path):
    def write(number):
        try:
            write_new(tmp_path / "a", b"%d" % number * 1000)
        except StoreConflictError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(write, range(8)) if number is not None]
    assert len(winners) == 1
    assert (tmp_path / "a").read_bytes() == b"%d" % winners[0] * 1000
    assert [item.name for item in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("write", [write_new, lambda path, _data: keep_beside(path, ".bak")])
def test_a_disk_without_hard_links_will_do(tmp_path, monkeypatch, write):
    def link(*_args, **_kwargs):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(local_file.os, "link", link)
    path = tmp_path / "a"
    if write is write_new:
        write(path, b"x")
        with pytest.raises(StoreConflictError):
            write(path, b"y")
        assert path.read_bytes() == b"x"
    else:
        path.write_bytes(b"x")
        write(path, b"")
        assert (tmp_path / "a.bak").read_bytes() == b"x"
    assert not list(tmp_path.glob(".vestige-*"))
