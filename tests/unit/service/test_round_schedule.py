from __future__ import annotations

import math

from anchor.service.backoff import Backoff
from anchor.service.round_schedule import RoundSchedule


def schedule(interval_s: float = 60.0, min_gap_s: float = 10.0) -> RoundSchedule:
    return RoundSchedule(
        interval_s=interval_s, min_gap_s=min_gap_s, backoff=Backoff(30.0, 3600.0, lambda: 0.0)
    )


def test_the_first_round_is_due_at_once():
    assert schedule().due_at() == -math.inf


def test_the_next_round_is_due_after_the_interval():
    one = schedule()
    one.took_round(1000.0)
    assert one.due_at() == 1060.0


def test_an_interval_shorter_than_the_gap_is_the_gap():
    one = schedule(interval_s=1.0)
    one.took_round(1000.0)
    assert one.due_at() == 1010.0


def test_force_shortens_the_interval_to_the_gap_and_is_spent():
    one = schedule()
    one.took_round(1000.0)
    one.force()
    assert one.due_at() == 1010.0
    one.took_round(1010.0)
    assert one.due_at() == 1070.0


def test_failures_in_a_row_wait_longer_and_longer_whatever_the_interval():
    one = schedule(interval_s=3600.0)
    waits = []
    for _ in range(4):
        one.took_round(0.0)
        one.round_failed()
        waits.append(one.due_at())
    assert waits == [30.0, 60.0, 120.0, 240.0]


def test_failed_wait_is_never_below_the_gap():
    one = schedule(min_gap_s=45.0)
    one.took_round(0.0)
    one.round_failed()
    assert one.due_at() == 45.0


def test_success_ends_the_row():
    one = schedule()
    one.took_round(0.0)
    one.round_failed()
    one.took_round(30.0)
    assert one.due_at() == 90.0
    one.round_succeeded()
    assert one.failed_in_a_row == 0
    assert one.due_at() == 90.0


def test_a_follower_waits_for_its_gap_only():
    one = schedule(interval_s=3600.0)
    assert one.follow_at() == -math.inf
    one.took_round(0.0)
    assert one.follow_at() == 10.0
    one.round_failed()
    assert one.follow_at() == 30.0


def test_infinite_interval_is_never_due_unless_forced():
    one = schedule(interval_s=math.inf)
    assert one.due_at() == math.inf
    one.force()
    assert one.due_at() == -math.inf
    one.took_round(0.0)
    assert one.due_at() == math.inf
    assert one.follow_at() == 10.0
