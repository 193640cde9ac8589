"""A disk that is really full: submissions are refused, reads go on, and space brings it back.

As root on a small tmpfs of its own; otherwise under RLIMIT_FSIZE, where the kernel refuses to let
the files grow (EFBIG instead of ENOSPC, the same path through the store).
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from anchor.errors import StoreUnavailableError
from anchor.formats.merkle import leaf_hash, verify_inclusion
from anchor.service.sequencer import Sequencer
from anchor.stores.packed import PackedReader, fsck
from tests.fakes.faulty_disk import FaultyDisk
from tests.fakes.log import SIGNER, digest, digests, open_log

_TMPFS_BYTES = 8 << 20
_FSIZE_BYTES = 3 << 20


@dataclass
class SmallDisk:
    folder: Path
    fill: Callable[[], None]
    free: Callable[[], None]


@pytest.fixture(params=["tmpfs", "rlimit"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    if request.param == "rlimit":
        with _limited_files(tmp_path) as disk:
            yield disk
        return
    mount = tmp_path / "small"
    mount.mkdir()
    options = f"size={_TMPFS_BYTES}"
    command = ["mount", "-t", "tmpfs", "-o", options, "vestige-test", str(mount)]
    if (
        os.geteuid() != 0
        or shutil.which("mount") is None
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        # The other parameter fills its files for everybody, so nothing is left untested.
        with _limited_files(tmp_path) as disk:
            yield disk
        return
    try:
        ballast = mount / "ballast"
        yield SmallDisk(mount, lambda: _fill(ballast), ballast.unlink)
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def _fill(ballast: Path) -> None:
    """Take all but some pages, so that the next batch gets only half-way."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(ballast, ballast.stat().st_size - 8 * 4096)


@contextlib.contextmanager
def _limited_files(folder: Path) -> Iterator[SmallDisk]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        # Just above what is there, so that the next batch gets only half-way.
        size = (folder / "log/entries").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5_000, hard))

    def free() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    try:
        yield SmallDisk(folder, fill, free)
    finally:
        free()


def test_disk_fills_up_writes_stop_reads_go_on_and_space_brings_it_back(
    small_disk: SmallDisk,
) -> None:
    log = open_log(small_disk.folder / "log")
    sequencer = Sequencer(log, SIGNER)
    accepted = 5_000
    sequencer.submit_blocking(digests(range(accepted)))
    before = log.committed
    small_disk.fill()
    for attempt in range(5):
        first = 100_000 + attempt * 10_000
        with pytest.raises(StoreUnavailableError) as caught:
            sequencer.submit_blocking(digests(range(first, first + 10_000)))
        assert caught.value.code == "store.unavailable.disk_full"
    # Reads: lookup, proof, tile, checkpoint.
    assert log.committed == before
    assert before is not None
    assert log.find(digest(1234)) == 1234
    path = log.inclusion_path(1234, accepted)
    verify_inclusion(leaf_hash(digest(1234)), 1234, accepted, path, before.root_hash)
    assert len(log.read_entries(0, 256)) == 256 * 34
    # A repeat needs no space.
    assert sequencer.submit_blocking(digest(17)).leaf_indices.tolist() == [17]
    small_disk.free()
    answer = sequencer.submit_blocking(digests(range(100_000, 110_000)))
    assert answer.created.all()
    assert answer.leaf_indices[0] == accepted
    sequencer.close()
    assert fsck(log, note_key=SIGNER.note_key).problems == []
    log.close()


def test_log_opens_for_reading_on_a_full_disk(small_disk: SmallDisk) -> None:
    log = open_log(small_disk.folder / "log")
    Sequencer(log, SIGNER).submit_blocking(digests(range(5_000)))
    small_disk.fill()
    reader = PackedReader(small_disk.folder / "log")
    assert reader.find(digest(4_999)) == 4_999
    reader.close()
    log.close()


def test_free_space_below_the_reserve_stops_writes_before_the_disk_is_full(tmp_path: Path) -> None:
    disk = FaultyDisk()
    log = open_log(tmp_path / "log", disk=disk, reserve_bytes=1_000_000)
    sequencer = Sequencer(log, SIGNER)
    sequencer.submit_blocking(digests(range(10)))
    disk.free = 999_999
    with pytest.raises(StoreUnavailableError) as caught:
        sequencer.submit_blocking(digests(range(20)))
    assert caught.value.code == "store.unavailable.reserve"
    assert "entries.write" not in disk.steps[disk.steps.index("row.commit") + 1 :]
    # Nothing new needs no space.
    assert not sequencer.submit_blocking(digests(range(10))).created.any()
    disk.free = 1_000_000
    assert sequencer.submit_blocking(digests(range(20))).created.sum() == 10
    sequencer.close()
    log.close()
