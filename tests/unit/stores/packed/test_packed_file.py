from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from anchor.errors import LogIntegrityError, StoreUnavailableError
from anchor.stores.packed.disk import Disk
from anchor.stores.packed.packed_file import PackedFile
from tests.fakes.log import digest, digests, split


@pytest.fixture
def file(tmp_path: Path) -> Iterator[PackedFile]:
    file = PackedFile(tmp_path / "entries", Disk())
    file.write(0, digests(range(1_000)))
    file.flush()
    yield file
    file.close()


def test_records_stand_where_their_index_says(file: PackedFile) -> None:
    assert file.count() == 1_000
    assert file.path.read_bytes() == digests(range(1_000))
    assert file.read(17, 3) == digests([17, 18, 19])
    file.write(1_000, digest(5))
    assert file.read(1_000, 1) == digest(5)


def test_reading_past_the_end_is_an_integrity_error(file: PackedFile) -> None:
    for first, count in ((1_000, 1), (999, 2), (5_000, 1)):
        with pytest.raises(LogIntegrityError) as caught:
            file.read(first, count)
        assert caught.value.code == "log.integrity.short_file"
    with pytest.raises(LogIntegrityError):
        file.gather(np.array([3, 1_000]))


@pytest.mark.parametrize(
    "indices",
    [
        [0],
        [999, 0],
        [5, 5, 5],
        list(range(1_000)),
        list(range(999, -1, -1)),
        [0, 8, 16, 25, 34, 35, 999],
        [700, 3, 701, 3, 702, 500, 2],
    ],
)
def test_gather_returns_records_in_the_order_asked_for(
    file: PackedFile, indices: list[int]
) -> None:
    rows = file.gather(np.array(indices, dtype=np.int64))
    assert rows.shape == (len(indices), 32)
    assert split(rows.tobytes()) == [digest(i) for i in indices]


def test_truncate_drops_records_and_half_records(file: PackedFile) -> None:
    with file.path.open("ab") as raw:
        raw.write(b"half")
    assert file.count() == 1_000
    file.truncate(1_000)
    assert file.path.stat().st_size == 32_000
    file.truncate(10)
    assert file.path.read_bytes() == digests(range(10))


def test_reopen_takes_a_new_descriptor_and_reading_never_stops(file: PackedFile) -> None:
    before = file._write_fd
    file.reopen()
    file.write(1_000, digest(7))
    assert file.read(1_000, 1) == digest(7)
    assert before >= 0


def test_closed_and_read_only_files_say_so(file: PackedFile) -> None:
    reader = PackedFile(file.path, Disk(), read_only=True)
    with pytest.raises(StoreUnavailableError):
        reader.write(0, digest(1))
    with pytest.raises(StoreUnavailableError):
        reader.truncate(0)
    reader.close()
    file.close()
    file.close()
    for call in (lambda: file.read(0, 1), lambda: file.write(0, digest(1)), file.count):
        with pytest.raises(StoreUnavailableError) as caught:
            call()
        assert caught.value.code == "store.unavailable.closed"


def test_missing_file_is_not_made_for_a_reader(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="No such file"):
        PackedFile(tmp_path / "none", Disk(), read_only=True)
    assert not (tmp_path / "none").exists()


def test_short_writes_of_the_kernel_are_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    original = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: original(fd, data[:7], offset))
    original_read = os.pread
    monkeypatch.setattr(
        os, "pread", lambda fd, count, offset: original_read(fd, min(count, 5), offset)
    )
    file = PackedFile(tmp_path / "entries", Disk())
    file.write(0, digests(range(9)))
    assert file.read(0, 9) == digests(range(9))
    file.close()
