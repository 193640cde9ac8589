"""How many leaves the log took in each day, from the times at which it was seen to grow.

The times are those of :mod:`anchor.service.commit_log`: our own clock's word, at most a second
late, older ones to the minute. Nothing is stored for it; each day's bound is looked for by halves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

AcceptedBy = Callable[[int], datetime | None]


@dataclass(frozen=True, slots=True)
class DayCount:
    """What one day brought.

    Attributes:
        day: in UTC.
        n_leaves: taken in on it.
    """

    day: date
    n_leaves: int


def leaves_by_day(
    accepted_by: AcceptedBy, tree_size: int, *, today: date, n_days: int
) -> list[DayCount]:
    """Return the leaves of each of the last ``n_days`` days, today last and not over yet.

    Args:
        accepted_by: when a leaf was accepted, never falling from leaf to leaf; None where that is
            not recorded yet.
        tree_size: of the log.
        today: in UTC.
        n_days: 1 or more.
    """
    days = [today - timedelta(days=back) for back in reversed(range(n_days))]
    starts = [_leaves_before(_midnight(day), accepted_by, tree_size) for day in days]
    counts = [stop - start for start, stop in pairwise([*starts, tree_size])]
    return [DayCount(day, count) for day, count in zip(days, counts, strict=True)]


def _leaves_before(when: datetime, accepted_by: AcceptedBy, tree_size: int) -> int:
    """Return how many leaves were accepted before a time."""
    low, high = 0, tree_size
    while low < high:
        middle = (low + high) // 2
        accepted_at = accepted_by(middle)
        if accepted_at is not None and accepted_at < when:
            low = middle + 1
        else:
            high = middle
    return low


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
