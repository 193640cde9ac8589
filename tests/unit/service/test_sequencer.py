from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from anchor.errors import (
    ConfigError,
    LogIntegrityError,
    OverloadedError,
    StoreUnavailableError,
    UsageError,
)
from anchor.formats.merkle import leaf_hash, verify_inclusion
from anchor.ports import AppendedTree, CommittedTree
from anchor.service.sequencer import Sequencer, Submission
from anchor.stores.packed import PackedLog
from tests.fakes.log import SIGNER, LogModel, digest, digests, open_log, signer, split


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PackedLog]:
    log = open_log(tmp_path / "log")
    yield log
    log.close()


@pytest.fixture
def sequencer(log: PackedLog) -> Iterator[Sequencer]:
    sequencer = Sequencer(log, SIGNER)
    yield sequencer
    sequencer.close()


class GatedStore:
    """Passes on to a log, but each append waits for the gate; remembers the batches."""

    def __init__(self, log: PackedLog) -> None:
        self.log = log
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.batches: list[int] = []
        self.fail: BaseException | None = None

    @property
    def committed(self) -> CommittedTree | None:
        return self.log.committed

    def append(self, data: bytes) -> AppendedTree:
        self.batches.append(len(data) // 32)
        self.entered.release()
        assert self.gate.wait(30)
        fail, self.fail = self.fail, None
        if fail is not None:
            raise fail
        return self.log.append(data)

    def __getattr__(self, name: str):
        return getattr(self.log, name)


@pytest.fixture
def gated(log: PackedLog) -> Iterator[tuple[Sequencer, GatedStore]]:
    store = GatedStore(log)
    sequencer = Sequencer(store, SIGNER, slice_digests=2_000, max_pending_bytes=1 << 20)  # type: ignore[arg-type]
    yield sequencer, store
    store.gate.set()
    sequencer.close()


def check_answer(log: PackedLog, data: bytes, answer: Submission) -> None:
    """The answer holds by itself: signed checkpoint, index, inclusion."""
    checkpoint = SIGNER.verify(answer.tree.checkpoint)
    assert checkpoint.tree_size == answer.tree.tree_size
    for one, index in zip(split(data), answer.leaf_indices.tolist(), strict=True):
        path = log.inclusion_path(index, checkpoint.tree_size)
        verify_inclusion(leaf_hash(one), index, checkpoint.tree_size, path, checkpoint.root_hash)


# -- answers ---------------------------------------------------------------------------------------


def test_answer_names_index_created_and_a_checkpoint_that_covers_it(
    log: PackedLog, sequencer: Sequencer
) -> None:
    data = digests([5, 6, 5, 7])
    answer = sequencer.submit_blocking(data)
    assert answer.leaf_indices.tolist() == [0, 1, 0, 2]
    assert answer.created.tolist() == [True, True, False, True]
    assert answer.leaf_indices.dtype == np.uint64
    check_answer(log, data, answer)
    again = sequencer.submit_blocking(digests([7, 8]))
    assert again.leaf_indices.tolist() == [2, 3]
    assert again.created.tolist() == [False, True]


def test_repeat_alone_signs_and_commits_nothing(sequencer: Sequencer) -> None:
    first = sequencer.submit_blocking(digests([5]))
    again = sequencer.submit_blocking(digests([5]))
    assert again.tree == first.tree
    figures = sequencer.figures
    assert (figures.n_commits, figures.n_created, figures.n_repeated) == (1, 1, 1)


def test_bulk_larger_than_a_slice_comes_back_whole_and_in_order(log: PackedLog) -> None:
    sequencer = Sequencer(log, SIGNER, slice_digests=1_000)
    data = digests([*range(2_500), *range(100), *range(2_500, 3_333)])
    answer = sequencer.submit_blocking(data)
    model = LogModel()
    indices, created = model.append(data)
    assert answer.leaf_indices.tolist() == indices
    assert answer.created.tolist() == created
    assert answer.tree == log.committed
    assert sequencer.figures.n_commits == 4
    sequencer.close()


@pytest.mark.parametrize("length", [0, 1, 31, 33, 32 * 1_000_000 + 32])
def test_wrong_length_is_refused_at_once(sequencer: Sequencer, length: int) -> None:
    with pytest.raises(UsageError) as caught:
        sequencer.submit_blocking(bytes(length))
    assert caught.value.code == "usage.digests"


def test_submit_from_many_tasks_gives_every_digest_one_index(
    log: PackedLog, sequencer: Sequencer
) -> None:
    async def run() -> list[Submission]:
        return await asyncio.gather(*(sequencer.submit(digest(i % 150)) for i in range(600)))

    answers = asyncio.run(run())
    model: dict[int, int] = {}
    for i, answer in enumerate(answers):
        assert model.setdefault(i % 150, int(answer.leaf_indices[0])) == answer.leaf_indices[0]
    assert sorted(model.values()) == list(range(150))
    assert sum(int(answer.created[0]) for answer in answers) == 150
    # One signature covers many.
    assert sequencer.figures.n_commits < 100
    check_answer(log, digest(599 % 150), answers[599])


def test_two_threads_submitting_the_same_bulk_agree(sequencer: Sequencer) -> None:
    data = digests(range(5_000))
    answers: list[Submission] = []
    threads = [
        threading.Thread(target=lambda: answers.append(sequencer.submit_blocking(data)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    for answer in answers:
        assert answer.leaf_indices.tolist() == list(range(5_000))
    assert sum(int(answer.created.sum()) for answer in answers) == 5_000


# -- lanes, budget ---------------------------------------------------------------------------------


def in_thread(results: dict[str, object], name: str, call) -> threading.Thread:
    def run() -> None:
        try:
            results[name] = call()
        except BaseException as exc:
            results[name] = exc

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_until(condition) -> None:
    for _ in range(4_000):
        if condition():
            return
        time.sleep(0.002)
    raise AssertionError("it did not happen")


def test_single_waits_for_one_slice_of_bulk_and_not_for_all(
    gated: tuple[Sequencer, GatedStore],
) -> None:
    sequencer, store = gated
    results: dict[str, object] = {}
    bulk = in_thread(results, "bulk", lambda: sequencer.submit_blocking(digests(range(9_000))))
    store.entered.acquire()
    single = in_thread(results, "single", lambda: sequencer.submit_blocking(digest(1_000_000)))
    wait_until(lambda: sequencer.figures.pending_submissions == 2)
    store.gate.set()
    single.join()
    bulk.join()
    assert store.batches == [2_000, 1, 2_000, 2_000, 2_000, 1_000]
    assert results["single"].leaf_indices.tolist() == [2_000]  # type: ignore[attr-defined]
    assert results["bulk"].leaf_indices.tolist() == [*range(2_000), *range(2_001, 9_001)]  # type: ignore[attr-defined]


def test_budget_used_up_is_overloaded_and_comes_back(gated: tuple[Sequencer, GatedStore]) -> None:
    sequencer, store = gated
    results: dict[str, object] = {}
    first = in_thread(results, "first", lambda: sequencer.submit_blocking(digests(range(30_000))))
    store.entered.acquire()
    with pytest.raises(OverloadedError):
        sequencer.submit_blocking(digests(range(10_000)))
    store.gate.set()
    first.join()
    assert sequencer.figures.pending_bytes == 0
    assert len(sequencer.submit_blocking(digests(range(10_000))).created) == 10_000


def test_nobody_is_answered_before_the_commit(gated: tuple[Sequencer, GatedStore]) -> None:
    sequencer, store = gated
    results: dict[str, object] = {}
    thread = in_thread(results, "x", lambda: sequencer.submit_blocking(digest(1)))
    store.entered.acquire()
    with pytest.raises(TimeoutError):
        sequencer.submit_blocking(digest(2), timeout_s=0.05)
    assert not results
    store.gate.set()
    thread.join()
    # The one who gave up waiting was sequenced all the same.
    assert sequencer.submit_blocking(digest(2)).leaf_indices.tolist() == [1]


# -- failures --------------------------------------------------------------------------------------


def test_failed_batch_fails_for_everybody_in_it_and_for_nobody_else(
    gated: tuple[Sequencer, GatedStore],
) -> None:
    sequencer, store = gated
    results: dict[str, object] = {}
    first = in_thread(results, "first", lambda: sequencer.submit_blocking(digest(0)))
    store.entered.acquire()
    others = [
        in_thread(results, str(i), lambda i=i: sequencer.submit_blocking(digest(i)))
        for i in range(1, 6)
    ]
    wait_until(lambda: sequencer.figures.pending_submissions == 5)
    store.gate.set()
    first.join()
    for thread in others:
        thread.join()
    assert all(isinstance(result, Submission) for result in results.values())
    results.clear()
    store.gate.clear()
    first = in_thread(results, "first", lambda: sequencer.submit_blocking(digest(10)))
    store.entered.acquire()
    store.entered.acquire()
    store.fail = StoreUnavailableError("disk full", code="store.unavailable.disk_full")
    second = in_thread(results, "second", lambda: sequencer.submit_blocking(digest(11)))
    wait_until(lambda: sequencer.figures.pending_submissions == 1)
    store.gate.set()
    first.join()
    second.join()
    assert isinstance(results["first"], StoreUnavailableError)
    assert results["first"].code == "store.unavailable.disk_full"
    assert isinstance(results["second"], Submission)


def test_waiters_of_one_batch_get_exceptions_of_their_own(
    log: PackedLog, gated: tuple[Sequencer, GatedStore]
) -> None:
    sequencer, store = gated

    async def run() -> list[object]:
        tasks = [asyncio.create_task(sequencer.submit(digest(i))) for i in range(3)]
        await asyncio.sleep(0)
        more = [asyncio.create_task(sequencer.submit(digest(i))) for i in range(3, 6)]
        await asyncio.sleep(0)
        store.fail = StoreUnavailableError("no")
        store.gate.set()
        return await asyncio.gather(*tasks, *more, return_exceptions=True)

    outcomes = asyncio.run(run())
    failed = [outcome for outcome in outcomes if isinstance(outcome, StoreUnavailableError)]
    assert failed
    assert len({id(error) for error in failed}) == len(failed)
    assert len(failed) + sum(isinstance(o, Submission) for o in outcomes) == 6
    assert log.size == 6 - len(failed)


def test_surprise_in_the_store_is_told_and_does_not_end_the_thread(
    gated: tuple[Sequencer, GatedStore],
) -> None:
    sequencer, store = gated
    store.gate.set()
    store.fail = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        sequencer.submit_blocking(digest(1))
    assert sequencer.submit_blocking(digest(1)).created.all()


def test_integrity_error_ends_signing_for_those_who_wait_and_those_who_come(
    log: PackedLog, gated: tuple[Sequencer, GatedStore]
) -> None:
    sequencer, store = gated
    results: dict[str, object] = {}
    store.fail = LogIntegrityError("roots differ", code="log.integrity.root")
    first = in_thread(results, "first", lambda: sequencer.submit_blocking(digest(0)))
    store.entered.acquire()
    second = in_thread(results, "second", lambda: sequencer.submit_blocking(digest(1)))
    bulk = in_thread(results, "bulk", lambda: sequencer.submit_blocking(digests(range(9_000))))
    wait_until(lambda: sequencer.figures.pending_submissions == 2)
    store.gate.set()
    for thread in (first, second, bulk):
        thread.join()
    for name in ("first", "second", "bulk"):
        assert isinstance(results[name], LogIntegrityError), name
        assert results[name].code == "log.integrity.root"
    with pytest.raises(LogIntegrityError):
        sequencer.submit_blocking(digest(2))
    assert sequencer.is_broken
    assert store.batches == [1]
    assert log.committed is None
    assert sequencer.figures.pending_bytes == 0


def test_cancelled_waiter_does_not_disturb_the_batch(gated: tuple[Sequencer, GatedStore]) -> None:
    sequencer, store = gated

    async def run() -> Submission:
        gone = asyncio.create_task(sequencer.submit(digest(0)))
        stays = asyncio.create_task(sequencer.submit(digest(1)))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0)
        store.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await stays

    answer = asyncio.run(run())
    assert answer.created.all()
    assert sequencer.submit_blocking(digest(0)).leaf_indices.tolist() == [0]


def test_event_loop_that_is_gone_does_not_disturb_others(
    gated: tuple[Sequencer, GatedStore],
) -> None:
    sequencer, store = gated

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sequencer.submit(digest(0)), 0.01)

    asyncio.run(give_up())
    store.gate.set()
    assert sequencer.submit_blocking(digest(1)).created.all()


# -- life ------------------------------------------------------------------------------------------


def test_close_answers_what_is_queued_and_refuses_what_comes_later(
    log: PackedLog, gated: tuple[Sequencer, GatedStore]
) -> None:
    sequencer, store = gated
    results: dict[str, object] = {}
    threads = [
        in_thread(results, str(i), lambda i=i: sequencer.submit_blocking(digest(i)))
        for i in range(4)
    ]
    wait_until(lambda: sequencer.figures.pending_bytes >= 4 * 2_048)
    closing = threading.Thread(target=sequencer.close)
    closing.start()
    wait_until(lambda: sequencer._closing)
    with pytest.raises(StoreUnavailableError) as caught:
        sequencer.submit_blocking(digest(9))
    assert caught.value.code == "store.unavailable.closed"
    store.gate.set()
    closing.join()
    for thread in threads:
        thread.join()
    assert all(isinstance(result, Submission) for result in results.values())
    assert log.size == 4
    sequencer.close()


def test_key_or_origin_that_did_not_sign_the_stored_log_is_refused(log: PackedLog) -> None:
    first = Sequencer(log, SIGNER)
    first.submit_blocking(digest(1))
    first.close()
    for other in (signer(5), signer(0, "renamed.example")):
        with pytest.raises(ConfigError) as caught:
            Sequencer(log, other)
        assert caught.value.code == "config.log_key.mismatch"
    Sequencer(log, SIGNER).close()


def test_clock_that_jumps_back_changes_nothing(
    log: PackedLog, sequencer: Sequencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sequencer.submit_blocking(digests(range(10)))
    for name, value in (("time", 0.0), ("perf_counter", -1e9)):
        monkeypatch.setattr(time, name, lambda value=value: value)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    after = sequencer.submit_blocking(digests(range(5, 20)))
    assert after.tree.tree_size == 20
    assert after.leaf_indices.tolist() == list(range(5, 20))
    # Nothing in a checkpoint but origin, size and root: the same tree is the same bytes.
    assert before.tree.checkpoint == SIGNER.sign(10, log.root_hash(10))
    assert after.tree.checkpoint == SIGNER.sign(20, log.root_hash(20))
    check_answer(log, digests(range(5, 20)), after)


def test_stop_accepting_and_accept(sequencer: Sequencer) -> None:
    sequencer.stop_accepting("being moved")
    assert sequencer.read_only_reason == "being moved"
    with pytest.raises(StoreUnavailableError, match="being moved"):
        sequencer.submit_blocking(digest(1))
    sequencer.accept()
    assert sequencer.submit_blocking(digest(1)).created.all()
