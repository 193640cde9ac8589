"""Names are given once, errors are told apart, and nothing half-written stays."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from anchor.errors import NotFoundError, StoreConflictError, StoreError, StoreUnavailableError
from anchor.vault.durable import (
    flush_folders,
    give_name,
    make_folder,
    translated,
    write_scratch,
    write_scratches,
)


def test_a_name_is_never_given_twice(tmp_path: Path):
    first = write_scratch(tmp_path, b"first")
    second = write_scratch(tmp_path, b"second")
    assert first != second
    give_name(first, tmp_path / "record")
    with pytest.raises(FileExistsError):
        give_name(second, tmp_path / "record")
    assert (tmp_path / "record").read_bytes() == b"first"
    assert not first.exists()


def test_without_hard_links_a_name_is_never_given_twice_either(tmp_path: Path, monkeypatch):
    def refusing(*_args):
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", refusing)
    give_name(write_scratch(tmp_path, b"first"), tmp_path / "record")
    with pytest.raises(FileExistsError):
        give_name(write_scratch(tmp_path, b"second"), tmp_path / "record")
    assert (tmp_path / "record").read_bytes() == b"first"


def test_a_scratch_file_that_can_not_be_flushed_does_not_stay(tmp_path: Path, monkeypatch):
    def failing(_descriptor):
        raise OSError(errno.EIO, "the disk fails")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="the disk fails"):
        write_scratch(tmp_path, b"half")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, StoreUnavailableError, "vault.disk_full"),
        (errno.EDQUOT, StoreUnavailableError, "vault.disk_full"),
        (errno.EFBIG, StoreUnavailableError, "vault.disk_full"),
        (errno.EROFS, StoreUnavailableError, "file.unavailable"),
        (errno.EIO, StoreUnavailableError, "file.unavailable"),
        (errno.EACCES, StoreUnavailableError, "file.unavailable"),
        (errno.ENOENT, NotFoundError, "file.not_found"),
        (errno.EEXIST, StoreConflictError, "file.exists"),
        (errno.EISDIR, StoreError, "file.kind"),
    ],
)
def test_what_the_system_says_is_told_apart(number: int, kind: type, code: str):
    with pytest.raises(kind) as caught, translated("cat.png"):
        raise OSError(number, os.strerror(number))
    assert caught.value.code == code
    assert caught.value.message.startswith("cat.png")


def test_folders_that_are_there_are_left_alone(tmp_path: Path):
    make_folder(tmp_path / "a" / "b", mode=0o700)
    (tmp_path / "a" / "b").chmod(0o755)
    make_folder(tmp_path / "a" / "b", mode=0o700)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o755
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        make_folder(tmp_path / "file")


@pytest.mark.parametrize("pause_s", [0.0, 0.002])
@pytest.mark.parametrize("failing", [None, 2, 12])
def test_of_many_flushes_each_is_made_and_a_failing_one_is_told(
    tmp_path: Path, monkeypatch, pause_s: float, failing: int | None
):
    """On a disk that answers at once, and on one that takes its time."""
    folders = [tmp_path / str(number) for number in range(20)]
    for folder in folders:
        folder.mkdir()
    flushed: list[int] = []
    real = os.fsync

    def told(descriptor: int) -> None:
        time.sleep(pause_s)
        flushed.append(os.fstat(descriptor).st_ino)
        if len(flushed) == failing:
            raise OSError(errno.EIO, "the disk fails")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", told)
    if failing is not None:
        with pytest.raises(OSError, match="the disk fails"):
            flush_folders(folders)
        return
    flush_folders(folders)
    assert sorted(flushed) == sorted(folder.stat().st_ino for folder in folders)
    flushed.clear()
    paths = write_scratches(tmp_path, [b"x"] * 12)
    assert sorted(flushed) == sorted(path.stat().st_ino for path in paths)
