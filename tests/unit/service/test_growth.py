from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from anchor.service.growth import leaves_by_day

TODAY = date(2026, 11, 23)
MORNING = datetime(2026, 11, 23, 8, tzinfo=UTC)


def by_day(times, *, size=None, n_days=5):
    """Return the counts, with times known for the first leaves alone."""
    size = len(times) if size is None else size
    found = leaves_by_day(
        lambda leaf: times[leaf] if leaf < len(times) else None, size, today=TODAY, n_days=n_days
    )
    assert [count.day for count in found] == [
        TODAY - timedelta(days=back) for back in reversed(range(n_days))
    ]
    return [count.n_leaves for count in found]


def test_an_empty_log_took_nothing():
    assert by_day([]) == [0] * 5


def test_leaves_belong_to_the_day_that_they_came_on():
    midnight = datetime(2026, 11, 22, tzinfo=UTC)
    times = [
        MORNING - timedelta(days=400),
        MORNING - timedelta(days=4),
        midnight - timedelta(microseconds=1),
        midnight,
        MORNING,
        MORNING,
    ]
    assert by_day(times) == [1, 0, 1, 1, 2]


def test_what_came_a_moment_ago_and_is_not_recorded_yet_belongs_to_today():
    assert by_day([MORNING - timedelta(days=1)], size=4) == [0, 0, 0, 1, 3]


@given(st.lists(st.integers(0, 12 * 24), max_size=60))
def test_it_is_what_counting_gives(hours):
    times = sorted(MORNING - timedelta(hours=back) for back in hours)
    wanted = [
        sum(when.date() == TODAY - timedelta(days=back) for when in times)
        for back in reversed(range(5))
    ]
    assert by_day(times) == wanted
