"""The packed log against a list and a dict, through any order of appends, failures and restarts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from anchor.errors import StoreUnavailableError
from anchor.stores.packed import PackedReader, digest_index, fsck, index_run
from tests.fakes.faulty_disk import FaultyDisk
from tests.fakes.log import SIGNER, LogModel, append_and_commit, committed_tree, digests, open_log

# Few digests, so that repeats are common; the second half share their first 24 bytes.
_POOL = [digests([n]) for n in range(600)] + [bytes(24) + n.to_bytes(8, "big") for n in range(600)]
_FAULTS = [
    "entries.write",
    "entries.flush",
    "level.write",
    "level.flush",
    "row.commit",
    "run.write",
    "manifest.flush",
    "manifest.replace",
    "folder.flush",
]

_batches = st.tuples(
    st.integers(0, len(_POOL) - 1), st.integers(1, 300), st.sampled_from([1, 1, 7, 601])
)


def _digests(batch: tuple[int, int, int]) -> bytes:
    start, count, step = batch
    return b"".join(_POOL[(start + i * step) % len(_POOL)] for i in range(count))


class LogMachine(RuleBasedStateMachine):
    @initialize()
    def make(self) -> None:
        self._patch = pytest.MonkeyPatch()
        # Small enough that files are written and merged within one run.
        self._patch.setattr(digest_index, "_INLINE_KEYS", 16)
        self._patch.setattr(index_run, "_FILTER_FROM", 50)
        self._folder = tempfile.TemporaryDirectory()
        self.model = LogModel()
        self.disk = FaultyDisk()
        self.log = self._open()

    def _open(self):
        return open_log(Path(self._folder.name) / "log", disk=self.disk, index_file_keys=100)

    @rule(batch=_batches)
    def append(self, batch: tuple[int, int, int]) -> None:
        data = _digests(batch)
        appended = append_and_commit(self.log, data)
        indices, created = self.model.append(data)
        assert appended.leaf_indices.tolist() == indices
        assert appended.created.tolist() == created

    @rule(batch=_batches)
    def append_and_roll_back(self, batch: tuple[int, int, int]) -> None:
        self.log.append(_digests(batch))
        self.log.rollback()

    @rule(batch=_batches)
    def append_and_restart(self, batch: tuple[int, int, int]) -> None:
        self.log.append(_digests(batch))
        self.restart()

    @rule(
        batch=_batches,
        step=st.sampled_from(_FAULTS),
        mode=st.sampled_from(["failed", "persisted", "torn"]),
        times=st.integers(1, 3),
    )
    def fail(self, batch: tuple[int, int, int], step: str, mode: str, times: int) -> None:
        data = _digests(batch)
        before = self.log.committed
        self.disk.arm(step, mode, times=times)
        try:
            append_and_commit(self.log, data)
            self.model.append(data)
        except StoreUnavailableError:
            # In doubt: it counts if, and only if, the store says so.
            self.disk.disarm()
            if self.log.committed != before:
                assert step == "row.commit"
                self.model.append(data)
        finally:
            self.disk.disarm()

    @rule()
    def restart(self) -> None:
        self.log.close()
        self.log = self._open()

    @rule()
    def rebuild(self) -> None:
        self.log.rebuild_index()

    @precondition(lambda self: self.model.size)
    @rule(data=st.data())
    def keep(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(1, self.model.size))
        root = self.log.root_hash(size)
        from anchor.ports import CommittedTree

        tree = CommittedTree(size, root, SIGNER.sign(size, root))
        self.log.keep(tree)
        assert tree in self.log.checkpoints()

    @rule(data=st.data())
    def compare(self, data: st.DataObject) -> None:
        sizes = data.draw(st.lists(st.integers(1, max(1, self.model.size)), max_size=4))
        self.model.check(self.log, sizes=sizes, strangers=digests([10_000, 10_001]))

    @invariant()
    def size_is_that_of_the_model(self) -> None:
        assert self.log.size == self.model.size

    def teardown(self) -> None:
        if not hasattr(self, "log"):
            return
        self.model.check(self.log)
        assert fsck(self.log, note_key=SIGNER.note_key).problems == []
        self.log.close()
        reader = PackedReader(Path(self._folder.name) / "log")
        self.model.check(reader)
        reader.close()
        self._folder.cleanup()
        self._patch.undo()


LogMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestLogMachine = LogMachine.TestCase


def test_the_machine_uses_a_real_commit(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    appended = log.append(digests(range(3)))
    log.commit(committed_tree(appended))
    assert log.committed == committed_tree(appended)
    log.close()
