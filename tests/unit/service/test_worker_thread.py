from __future__ import annotations

import queue
import threading

import pytest

from anchor.errors import LogIntegrityError
from anchor.service.backoff import Backoff
from anchor.service.worker_thread import WorkerThread

SOON = Backoff(0.001, 0.002, lambda: 0.0)


def make(work, errors=None, fatals=None):
    return WorkerThread(
        "t",
        work,
        backoff=SOON,
        on_error=(errors or queue.Queue()).put,
        on_fatal=(fatals or queue.Queue()).put,
    )


@pytest.mark.parametrize("raised", [ValueError("x"), SystemExit(1), KeyboardInterrupt()])
def test_whatever_the_work_raises_is_told_and_the_thread_goes_on(raised):
    errors: queue.Queue = queue.Queue()
    calls: queue.Queue = queue.Queue()

    def work() -> float:
        calls.put(1)
        if calls.qsize() < 3:
            raise raised
        return 3600.0

    thread = make(work, errors)
    thread.start()
    assert [errors.get(timeout=30) for _ in range(3)] == [raised, raised, None]
    assert thread.alive
    thread.ask_to_stop()
    assert thread.wait_stopped(30)


def test_log_integrity_error_ends_the_thread_and_is_handed_on():
    fatals: queue.Queue = queue.Queue()
    error = LogIntegrityError("two roots")

    def work() -> float:
        raise error

    thread = make(work, None, fatals)
    thread.start()
    assert fatals.get(timeout=30) is error
    assert thread.wait_stopped(30)


def test_wake_cuts_a_long_wait_short_even_if_it_comes_during_the_work():
    calls: queue.Queue = queue.Queue()
    go_on = threading.Event()

    def work() -> float:
        calls.put(1)
        go_on.wait(30)
        return 3600.0

    thread = make(work)
    thread.start()
    calls.get(timeout=30)
    thread.wake()
    go_on.set()
    calls.get(timeout=30)
    thread.wake()
    calls.get(timeout=30)
    thread.ask_to_stop()
    assert thread.wait_stopped(30)


def test_one_wake_brings_one_call():
    calls: queue.Queue = queue.Queue()

    def work() -> float:
        calls.put(1)
        return 3600.0

    thread = make(work)
    thread.start()
    calls.get(timeout=30)
    thread.wake()
    calls.get(timeout=30)
    with pytest.raises(queue.Empty):
        calls.get(timeout=0.1)
    thread.ask_to_stop()
    assert thread.wait_stopped(30)


def test_infinite_wait_is_no_error():
    errors: queue.Queue = queue.Queue()
    thread = make(lambda: float("inf"), errors)
    thread.start()
    assert errors.get(timeout=30) is None
    thread.ask_to_stop()
    assert thread.wait_stopped(30)
    assert errors.empty()


def test_a_thread_that_hangs_is_reported_and_does_not_block_stopping():
    inside, go_on = threading.Event(), threading.Event()

    def work() -> float:
        inside.set()
        go_on.wait(60)
        return 0.0

    thread = make(work)
    thread.start()
    assert inside.wait(30)
    thread.ask_to_stop()
    assert not thread.wait_stopped(0.01)
    go_on.set()
    assert thread.wait_stopped(30)
