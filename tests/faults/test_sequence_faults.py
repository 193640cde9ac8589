"""The write path, one step failing at a time: failed, half done, or done and reported as failed.

After each fault: who was waiting got an error (or, where the step is not part of the commit, the
answer), the next submission goes on, and the log is right, seen three ways: in the running process,
after a restart, and after a crash at the very moment of the fault (a copy of the folder taken
then). Right means: everything acknowledged is there with its first index, fsck finds nothing, and
no two checkpoints of one size that left the process have different roots. The crash is looked at
twice: of the process (what was written is there) and of the machine (what no flush made durable is
gone).
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from anchor.errors import LogIntegrityError, StoreUnavailableError
from anchor.ports import CommittedTree
from anchor.service.sequencer import Sequencer, Submission
from anchor.service.signer import LogSigner
from anchor.stores.packed import PackedLog, PackedReader, digest_index, fsck, index_run
from tests.fakes.faulty_disk import FaultyDisk
from tests.fakes.log import SIGNER, LogModel, digests, open_log, split

# step, and what becomes of the submission that meets it
COMMIT_STEPS = ["entries.write", "entries.flush", "level.write", "level.flush", "row.commit"]
INDEX_STEPS = [
    "run.open",
    "run.write",
    "run.flush",
    "manifest.open",
    "manifest.write",
    "manifest.flush",
    "manifest.replace",
    "folder.flush",
]
MODES = ["failed", "persisted", "torn"]


class FaultySigner(LogSigner):
    """Fails once, before or after signing."""

    def __init__(self) -> None:
        super().__init__(SIGNER._private_key, SIGNER.origin)
        self.mode: str | None = None
        self.signed: list[str] = []

    def sign(self, tree_size: int, root_hash: bytes) -> str:
        mode, self.mode = self.mode, None
        checkpoint = super().sign(tree_size, root_hash) if mode != "failed" else ""
        self.signed.append(checkpoint)
        if mode is not None:
            raise RuntimeError("the key went away")
        return checkpoint


class Bench:
    """A sequencer on a faulty disk that remembers what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = FaultyDisk()
        self.signer = FaultySigner()
        self.acknowledged: dict[bytes, int] = {}
        self.roots: dict[int, bytes] = {}
        self.at_the_fault: tuple[dict[bytes, int], dict[int, bytes]] = ({}, {})
        self.log: PackedLog
        self.open()

    def open(self) -> None:
        self.log = open_log(self.folder / "log", disk=self.disk, index_file_keys=1_000)
        self.sequencer = Sequencer(self.log, self.signer)

    def close(self) -> None:
        self.sequencer.close()
        self.log.close()

    def submit(self, numbers: range) -> Submission:
        data = digests(numbers)
        answer = self.sequencer.submit_blocking(data, timeout_s=60)
        for one, index in zip(split(data), answer.leaf_indices.tolist(), strict=True):
            assert self.acknowledged.setdefault(one, index) == index
        self.saw(answer.tree)
        return answer

    def saw(self, tree: CommittedTree) -> None:
        assert self.roots.setdefault(tree.tree_size, tree.root_hash) == tree.root_hash

    def check(self, log: PackedReader) -> None:
        """Compare a log with all that was acknowledged."""
        self.check_against(log, self.acknowledged, self.roots)
        assert log.committed is not None
        self.saw(log.committed)

    def check_against(
        self, log: PackedReader, acknowledged: dict[bytes, int], roots: dict[int, bytes]
    ) -> None:
        known = b"".join(acknowledged)
        assert log.find_many(known).tolist() == list(acknowledged.values())
        model = LogModel()
        model.append(log.tree.entries.read(0, log.size))
        model.check(log, sizes=roots)
        for size, root in roots.items():
            assert log.root_hash(size) == root
        assert fsck(log, note_key=SIGNER.note_key).problems == []

    def arm(self, step: str, mode: str, *, error: int = errno.EIO) -> None:
        """Let ``step`` fail once; the log as it is then is kept for :meth:`check_everything`."""
        self.at_the_fault = (dict(self.acknowledged), dict(self.roots))
        self.disk.on_fault = self.crash
        self.disk.arm(step, mode, error=error)  # type: ignore[arg-type]

    def check_everything(self) -> None:
        """Check the running log, the same after a restart, and those that crashed at the fault."""
        assert self.disk.n_faults == 1
        self.check(self.log)
        self.close()
        self.open()
        self.check(self.log)
        for name in ("process", "machine"):
            log = open_log(self.folder / name)
            self.check_against(log, *self.at_the_fault)
            log.close()

    def crash(self) -> None:
        """Copy the log as a crash at this moment would leave it: of the process, of the machine."""
        for name in ("process", "machine"):
            shutil.copytree(self.folder / "log", self.folder / name)
        self.disk.cut_power(self.folder / "log", self.folder / "machine")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(digest_index, "_INLINE_KEYS", 64)
    monkeypatch.setattr(index_run, "_FILTER_FROM", 100)
    monkeypatch.setattr(digest_index, "_RETRY_AFTER_S", 0.01)
    bench = Bench(tmp_path)
    bench.submit(range(300))
    bench.submit(range(300, 301))
    yield bench
    bench.disk.disarm()
    bench.close()


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", COMMIT_STEPS)
def test_commit_step_fails_waiters_get_the_error_and_the_log_goes_on(
    bench: Bench, step: str, mode: str, error: int
) -> None:
    before = bench.log.committed
    bench.arm(step, mode, error=error)
    with pytest.raises(StoreUnavailableError):
        bench.submit(range(1_000, 1_600))
    in_doubt = step == "row.commit" and mode == "persisted"
    assert (bench.log.committed == before) is not in_doubt
    assert bench.sequencer.read_only_reason is None
    # Reads go on, the same digests can be sent again, and so can others.
    assert bench.log.find(digests([7])) == 7
    again = bench.submit(range(1_000, 1_600))
    assert again.leaf_indices[0] == 301
    assert again.created.all() != in_doubt
    bench.submit(range(2_000, 2_500))
    bench.check_everything()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", COMMIT_STEPS)
def test_commit_step_fails_and_something_else_comes_next(
    bench: Bench, step: str, mode: str
) -> None:
    """The lost batch must not shine through: its tail is longer than what takes its place."""
    bench.arm(step, mode)
    with pytest.raises(StoreUnavailableError):
        bench.submit(range(1_000, 1_900))
    bench.submit(range(5_000, 5_003))
    bench.submit(range(6_000, 6_900))
    bench.check_everything()


def test_a_tree_whose_commit_failed_was_signed_in_memory_alone(bench: Bench) -> None:
    bench.arm("row.commit", "failed")
    with pytest.raises(StoreUnavailableError):
        bench.submit(range(1_000, 1_003))
    bench.submit(range(5_000, 5_003))
    dropped, kept = (note.splitlines()[-1] for note in bench.signer.signed[-2:])
    assert dropped != kept
    assert {tree.tree_size for tree in bench.log.checkpoints()} == {bench.log.size}
    shown = "".join(tree.checkpoint for tree in bench.log.checkpoints())
    assert kept in shown
    assert dropped not in shown
    bench.close()
    stored = b"".join(path.read_bytes() for path in bench.folder.rglob("*") if path.is_file())
    assert kept.encode() in stored
    assert dropped.encode() not in stored
    bench.open()


@pytest.mark.parametrize("mode", ["failed", "persisted"])
@pytest.mark.parametrize("step", ["level.flush", "row.commit"])
@pytest.mark.parametrize("recovery", ["entries.open", "entries.truncate", "level.open"])
def test_recovery_fails_too_and_the_next_append_tries_it_again(
    bench: Bench, step: str, mode: str, recovery: str
) -> None:
    def then_recovery_fails() -> None:
        bench.disk.on_fault = None
        bench.disk.arm(recovery, "failed", times=1)
        # This fault is the one that armed it.
        bench.disk.n_faults = 0

    bench.arm(step, mode)
    bench.disk.on_fault = then_recovery_fails
    with pytest.raises(StoreUnavailableError):
        bench.submit(range(1_000, 1_600))
    assert bench.log.find(digests([300])) == 300
    bench.submit(range(7_000, 7_010))
    bench.check(bench.log)
    bench.close()
    bench.open()
    bench.check(bench.log)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", INDEX_STEPS)
def test_index_step_fails_and_nobody_notices(bench: Bench, step: str, mode: str) -> None:
    bench.arm(step, mode)
    # Over the thousand from which on a file is written.
    bench.submit(range(1_000, 1_800))
    wait_for(lambda: bench.disk.n_faults)
    answer = bench.submit(range(1_700, 1_900))
    assert answer.created.tolist() == [False] * 100 + [True] * 100
    wait_for(lambda: any(run.path for run in bench.log.index.runs))
    bench.check_everything()
    named = {run.path.name for run in bench.log.index.runs if run.path}
    assert {path.name for path in (bench.folder / "log/index").glob("run-*")} == named


@pytest.mark.parametrize("mode", ["failed", "persisted"])
def test_signing_fails_and_what_was_appended_is_dropped(bench: Bench, mode: str) -> None:
    before = bench.log.committed
    bench.signer.mode = mode
    with pytest.raises(RuntimeError, match="key went away"):
        bench.submit(range(1_000, 1_600))
    assert bench.log.committed == before
    bench.submit(range(5_000, 5_003))
    bench.close()
    bench.open()
    bench.check(bench.log)
    assert bench.log.find(digests([1_000])) is None


def test_disk_stays_broken_for_long_every_waiter_is_told_and_nothing_leaks(bench: Bench) -> None:
    bench.disk.arm("entries.write", "torn", times=50, error=errno.ENOSPC)
    for attempt in range(50):
        with pytest.raises(StoreUnavailableError, match="No space") as caught:
            bench.submit(range(9_000 + attempt, 9_100 + attempt))
        assert caught.value.code == "store.unavailable.disk_full"
        assert bench.log.tree.entries.count() == 301
    bench.submit(range(9_000, 9_100))
    bench.check(bench.log)


def test_bulk_fails_in_its_second_slice_the_first_stays_and_again_is_safe(
    bench: Bench,
) -> None:
    bench.sequencer.close()
    bench.sequencer = Sequencer(bench.log, bench.signer, slice_digests=1_000)
    bench.disk.on_fault = None
    data = digests(range(10_000, 13_500))
    commits = 0

    def second_commit_fails() -> None:
        nonlocal commits
        commits += 1
        if commits == 2:
            bench.disk.arm("entries.flush")

    original = bench.signer.sign

    def sign(tree_size: int, root_hash: bytes) -> str:
        second_commit_fails()
        return original(tree_size, root_hash)

    bench.signer.sign = sign  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailableError):
        bench.sequencer.submit_blocking(data, timeout_s=60)
    assert bench.log.size == 301 + 2_000
    assert bench.sequencer.figures.pending_bytes == 0
    answer = bench.submit(range(10_000, 13_500))
    assert answer.created.tolist() == [False] * 2_000 + [True] * 1_500
    assert answer.leaf_indices.tolist() == list(range(301, 3_801))
    bench.check(bench.log)


# -- fatal: the log contradicts itself -------------------------------------------------------------


def expect_fatal(bench: Bench) -> None:
    with pytest.raises(LogIntegrityError):
        bench.submit(range(1_000, 1_600))
    for _ in range(2):
        with pytest.raises(LogIntegrityError):
            bench.submit(range(2_000, 2_001))
    with pytest.raises(LogIntegrityError):
        bench.sequencer.accept()
    bench.sequencer.stop_accepting("another reason does not hide it")
    assert bench.sequencer.read_only_reason != "another reason does not hide it"
    assert bench.log.find(digests([7])) == 7
    assert bench.log.committed is not None
    assert bench.log.committed.tree_size == 301


def test_committed_entries_change_under_a_failed_flush_is_fatal(bench: Bench) -> None:
    def damage() -> None:
        with (bench.folder / "log/entries").open("r+b") as file:
            file.seek(300 * 32)
            file.write(b"\xff")

    bench.disk.on_fault = damage
    bench.disk.arm("entries.flush", "persisted")
    expect_fatal(bench)


def test_committed_entries_vanish_under_a_failed_write_is_fatal(bench: Bench) -> None:
    def damage() -> None:
        with (bench.folder / "log/entries").open("r+b") as file:
            file.truncate(100 * 32)

    bench.disk.on_fault = damage
    bench.disk.arm("entries.write", "failed")
    with pytest.raises(LogIntegrityError):
        bench.submit(range(1_000, 1_600))
    with pytest.raises(LogIntegrityError):
        bench.submit(range(2_000, 2_001))


def test_committed_row_is_gone_after_a_failed_commit_is_fatal(bench: Bench) -> None:
    import sqlite3

    def damage() -> None:
        other = sqlite3.connect(bench.folder / "log/log.sqlite", timeout=0.1)
        bench.log._table._connection.execute("ROLLBACK")
        other.execute("DELETE FROM newest")
        other.commit()
        other.close()

    bench.disk.on_fault = damage
    bench.disk.arm("row.commit", "failed")
    expect_fatal(bench)


def test_row_of_the_same_size_with_another_root_is_fatal(bench: Bench) -> None:
    """Another process got past the lock and committed: nothing more may be signed here."""
    import sqlite3

    other = sqlite3.connect(bench.folder / "log/log.sqlite")
    other.execute("UPDATE newest SET tree_size = 901, root_hash = zeroblob(32)")
    other.commit()
    other.close()
    expect_fatal(bench)


def wait_for(condition) -> None:
    import time

    for _ in range(2_000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it did not happen")
