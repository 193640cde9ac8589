from __future__ import annotations

import asyncio
import time
import tracemalloc

import pytest

from anchor_api.asgi import Answer
from anchor_api.idempotency import IdempotencyKeys
from anchor_api.problems import IdempotencyKeyReusedError


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Work:
    def __init__(self, size=10, error=None) -> None:
        self.calls = 0
        self.size = size
        self.error = error
        self.gate = None

    async def __call__(self):
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Answer(200, bytes(self.size), ())


def test_answers_are_forgotten_after_a_day():
    async def go():
        clock, work = Clock(), Work()
        keys = IdempotencyKeys(monotonic=clock)
        await keys.once("a", b"k", b"f", work)
        clock.now = 86_399
        await keys.once("a", b"k", b"f", work)
        assert work.calls == 1
        clock.now = 86_401
        await keys.once("a", b"k", b"f", work)
        assert work.calls == 2

    asyncio.run(go())


def test_the_oldest_answers_go_where_the_budget_is_full():
    async def go():
        work = Work(size=1000)
        keys = IdempotencyKeys(max_bytes=10_000, monotonic=Clock())
        for number in range(100):
            await keys.once("a", b"k%d" % number, b"f", work)
        assert keys._n_bytes <= 10_000
        assert work.calls == 100
        await keys.once("a", b"k99", b"f", work)
        assert work.calls == 100
        await keys.once("a", b"k0", b"f", work)
        assert work.calls == 101

    asyncio.run(go())


def test_one_answer_over_the_budget_is_not_remembered():
    async def go():
        work = Work(size=100_000)
        keys = IdempotencyKeys(max_bytes=10_000, monotonic=Clock())
        await keys.once("a", b"k", b"f", work)
        await keys.once("a", b"k", b"f", work)
        assert work.calls == 2
        assert keys._n_bytes <= 10_000

    asyncio.run(go())


def test_who_waits_for_a_first_one_that_fails_does_the_work():
    async def go():
        keys = IdempotencyKeys(monotonic=Clock())
        failing, good = Work(error=RuntimeError("no")), Work()
        failing.gate = asyncio.Event()
        first = asyncio.create_task(keys.once("a", b"k", b"f", failing))
        await asyncio.sleep(0)
        second = asyncio.create_task(keys.once("a", b"k", b"f", good))
        await asyncio.sleep(0)
        failing.gate.set()
        with pytest.raises(RuntimeError):
            await first
        answer = await second
        assert good.calls == 1
        assert answer.status == 200

    asyncio.run(go())


def test_a_first_one_that_is_given_up_leaves_no_trace():
    async def go():
        keys = IdempotencyKeys(monotonic=Clock())
        slow, good = Work(), Work()
        slow.gate = asyncio.Event()
        first = asyncio.create_task(keys.once("a", b"k", b"f", slow))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await keys.once("a", b"k", b"f", good)
        assert good.calls == 1

    asyncio.run(go())


def test_a_waiter_that_gives_up_does_not_spoil_the_others():
    async def go():
        keys = IdempotencyKeys(monotonic=Clock())
        work = Work()
        work.gate = asyncio.Event()
        tasks = [asyncio.create_task(keys.once("a", b"k", b"f", work)) for _ in range(4)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks[1].cancel()
        work.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [getattr(a, "status", None) for a in answers] == [200, None, 200, 200]
        assert work.calls == 1

    asyncio.run(go())


def test_another_request_under_a_key_that_is_being_answered_is_refused():
    async def go():
        keys = IdempotencyKeys(monotonic=Clock())
        work = Work()
        work.gate = asyncio.Event()
        first = asyncio.create_task(keys.once("a", b"k", b"f", work))
        await asyncio.sleep(0)
        with pytest.raises(IdempotencyKeyReusedError):
            await keys.once("a", b"k", b"other", work)
        work.gate.set()
        await first

    asyncio.run(go())


def test_a_request_costs_the_same_however_many_keys_are_remembered():
    async def steps(n_keys):
        """Return how many lines one more request runs when so many keys are remembered."""
        keys = IdempotencyKeys(max_bytes=1 << 40)
        for number in range(n_keys):
            await keys.once("a", b"%d" % number, b"f", work_of(b""))
        started = time.perf_counter()
        for number in range(200):
            await keys.once("a", b"more %d" % number, b"f", work_of(b""))
        return time.perf_counter() - started

    few = min(asyncio.run(steps(10)) for _ in range(5))
    many = min(asyncio.run(steps(20_000)) for _ in range(3))
    assert many < 5 * few


def test_the_budget_covers_what_is_really_held():
    async def held():
        keys = IdempotencyKeys(max_bytes=4 << 20)
        for number in range(20_000):
            # Each its own bytes, as they come from the network.
            checkpoint = (b"vestige-checkpoint", b"%0300d" % number)
            await keys.once("a", b"%0200d" % number, b"f" * 32, work_of(bytes(8), checkpoint))
        return keys

    tracemalloc.start()
    try:
        keys = asyncio.run(held())
        used, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert keys
    assert used < 6 << 20


def work_of(body, *headers):
    async def work():
        return Answer(200, body, headers)

    return work
