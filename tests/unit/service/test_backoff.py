from __future__ import annotations

import pytest

from anchor.service.backoff import Backoff


def test_waits_double_up_to_the_greatest():
    backoff = Backoff(2.0, 30.0, lambda: 0.0)
    assert [backoff.delay_s(n) for n in range(7)] == [0, 2, 4, 8, 16, 30, 30]


def test_jitter_takes_away_up_to_half():
    assert Backoff(2.0, 30.0, lambda: 0.5).delay_s(2) == 3.0
    assert Backoff(2.0, 30.0, lambda: 0.999999).delay_s(2) == pytest.approx(2.0, abs=1e-5)


def test_thousands_of_failures_do_not_overflow():
    assert Backoff(2.0, 300.0, lambda: 0.0).delay_s(100_000) == 300.0
