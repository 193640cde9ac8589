"""When one backend takes its next round.

Rules (all on the monotonic clock):

* A round is due ``interval_s`` after the last one; never closer than ``min_gap_s``, asked or not.
* After a failed round the next one comes after its own wait, which grows with each failure.
* The operator's wish replaces the interval, not the gap, and is spent by the round it brings.

Whether there is anything new to stamp is not decided here.
"""

from __future__ import annotations

import math

from anchor.service.backoff import Backoff


class RoundSchedule:
    """The waits of one backend.

    Args:
        interval_s: a round is wanted this long after the last one; infinity for never by itself.
        min_gap_s: never two rounds closer than this.
        backoff: waits after failed rounds in a row.
    """

    def __init__(self, *, interval_s: float, min_gap_s: float, backoff: Backoff) -> None:
        self._interval_s = max(interval_s, min_gap_s)
        self._min_gap_s = min_gap_s
        self._backoff = backoff
        self._last_at: float | None = None
        self._failed_wait_s: float | None = None
        self.failed_in_a_row = 0
        self.forced = False

    def took_round(self, at: float) -> None:
        """Note that a round was taken at that moment."""
        self._last_at = at
        self._failed_wait_s = None
        self.forced = False

    def round_failed(self) -> None:
        """Note that the last round failed; failures in a row make the waits grow."""
        self.failed_in_a_row += 1
        self._failed_wait_s = self._backoff.delay_s(self.failed_in_a_row)

    def round_succeeded(self) -> None:
        """Note that the last round reached the outside."""
        self.failed_in_a_row = 0
        self._failed_wait_s = None

    def force(self) -> None:
        """Make the next round due as soon as the gap allows."""
        self.forced = True

    def due_at(self) -> float:
        """Return when the next round is due; minus infinity for one that was never taken."""
        wait_s = self._interval_s if self._failed_wait_s is None else self._failed_wait_s
        return self._after_last(wait_s)

    def follow_at(self) -> float:
        """Return the same for a backend that takes the rounds of others: no interval."""
        return self._after_last(self._failed_wait_s or 0.0)

    def since_last_s(self, at: float) -> float:
        """Return the seconds since the last round; infinity if there was none."""
        return math.inf if self._last_at is None else at - self._last_at

    def _after_last(self, wait_s: float) -> float:
        if self.forced:
            wait_s = 0.0
        if wait_s == math.inf:
            return math.inf
        if self._last_at is None:
            return -math.inf
        return self._last_at + max(self._min_gap_s, wait_s)
