"""A clock that stands still until a test moves it; wall and monotonic time move apart if asked."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """Both clocks of the service."""

    def __init__(self, now: datetime = START, monotonic: float = 1000.0) -> None:
        self._lock = threading.Lock()
        self._now = now
        self._monotonic = monotonic

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        with self._lock:
            return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._monotonic += seconds

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back; monotonic time does not notice."""
        with self._lock:
            self._now += timedelta(seconds=seconds)

    def restart(self) -> None:
        """Begin the monotonic clock anew, as a reboot does."""
        with self._lock:
            self._monotonic = 5.0
