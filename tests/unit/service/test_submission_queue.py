from __future__ import annotations

import contextlib

import pytest

from anchor.errors import OverloadedError
from anchor.service.submission_queue import QueuedSubmission, SubmissionQueue
from tests.fakes.log import digests


def queue(max_bytes: int = 1 << 30, slice_digests: int = 5_000) -> SubmissionQueue[str]:
    return SubmissionQueue(max_bytes=max_bytes, slice_digests=slice_digests)


def submission(name: str, count: int, first: int = 0) -> QueuedSubmission[str]:
    return QueuedSubmission(digests(range(first, first + count)), name)


def taken(q: SubmissionQueue[str]) -> list[tuple[str, int, int]]:
    return [(part.submission.waiter, part.start, part.stop) for part in q.take()]


def test_short_ones_are_taken_together_in_order() -> None:
    q = queue()
    for name, count in (("a", 1), ("b", 3), ("c", 1_000)):
        q.put(submission(name, count))
    assert taken(q) == [("a", 0, 1), ("b", 0, 3), ("c", 0, 1_000)]
    assert len(q) == 0
    assert q.take() == []


def test_batch_of_short_ones_holds_no_more_than_a_slice() -> None:
    q = queue(slice_digests=1_500)
    for name in "abc":
        q.put(submission(name, 700))
    assert taken(q) == [("a", 0, 700), ("b", 0, 700)]
    assert taken(q) == [("c", 0, 700)]


def test_bulk_is_cut_into_slices_that_join_to_the_whole() -> None:
    q = queue(slice_digests=5_000)
    whole = submission("bulk", 12_001)
    q.put(whole)
    parts = [q.take()[0] for _ in range(3)]
    assert [(part.start, part.stop) for part in parts] == [
        (0, 5_000),
        (5_000, 10_000),
        (10_000, 12_001),
    ]
    assert [part.is_last for part in parts] == [False, False, True]
    assert b"".join(part.digests for part in parts) == whole.digests
    assert len(q) == 0


def test_short_and_bulk_take_turns() -> None:
    q = queue(slice_digests=2_000)
    q.put(submission("bulk", 5_000))
    assert taken(q) == [("bulk", 0, 2_000)]
    q.put(submission("a", 1))
    q.put(submission("b", 1))
    assert taken(q) == [("a", 0, 1), ("b", 0, 1)]
    q.put(submission("c", 1))
    assert taken(q) == [("bulk", 2_000, 4_000)]
    assert taken(q) == [("c", 0, 1)]
    assert taken(q) == [("bulk", 4_000, 5_000)]


def test_a_stream_of_short_ones_does_not_starve_bulk() -> None:
    q = queue(slice_digests=2_000)
    q.put(submission("bulk", 6_000))
    served = []
    for i in range(6):
        q.put(submission(f"short{i}", 1))
        served.append(taken(q)[0][0])
    assert served.count("bulk") == 3


def test_bulk_ones_go_round() -> None:
    q = queue(slice_digests=2_000)
    q.put(submission("x", 4_000))
    q.put(submission("y", 3_000))
    assert [taken(q)[0] for _ in range(4)] == [
        ("x", 0, 2_000),
        ("y", 0, 2_000),
        ("x", 2_000, 4_000),
        ("y", 2_000, 3_000),
    ]


def test_budget_is_counted_until_released() -> None:
    first, second = submission("a", 1_000), submission("b", 1_000)
    q = queue(max_bytes=first.n_bytes + second.n_bytes - 1)
    q.put(first)
    with pytest.raises(OverloadedError) as caught:
        q.put(second)
    assert caught.value.code == "overloaded.sequencer"
    q.take()
    with pytest.raises(OverloadedError):
        q.put(second)
    q.release(first)
    q.put(second)
    assert q.n_bytes == second.n_bytes


def test_a_submission_of_one_digest_is_counted_with_what_it_drags_along() -> None:
    q = queue(max_bytes=100_000)
    accepted = 0
    with contextlib.suppress(OverloadedError):
        for accepted in range(100):
            q.put(submission(str(accepted), 1))
    assert 20 < accepted < 60


def test_one_larger_than_the_budget_is_taken_when_nothing_waits() -> None:
    q = queue(max_bytes=10)
    q.put(submission("a", 100))
    with pytest.raises(OverloadedError):
        q.put(submission("b", 1))


def test_drop_and_drain_forget() -> None:
    q = queue(slice_digests=2_000)
    x, y = submission("x", 6_000), submission("y", 6_000)
    q.put(x)
    q.put(y)
    q.take()
    q.drop(x)
    assert taken(q) == [("y", 0, 2_000)]
    assert q.drain() == [y]
    assert len(q) == 0
