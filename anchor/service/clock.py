"""The two clocks of the service, as one object that tests can replace.

Rules: the wall clock only labels what is stored and shown; every wait is measured on the monotonic
clock, so that a wall clock that jumps delays nothing and hurries nothing.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time twice."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware UTC; it may jump either way."""

    def monotonic(self) -> float:
        """Return seconds since some moment; never goes back, means nothing after a restart."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on the machine's monotonic clock."""
        return time.monotonic()
