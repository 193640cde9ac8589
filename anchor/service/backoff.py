"""How long to wait after the n-th failure in a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Jitter = Callable[[], float]
"""Returns a number of [0, 1); random in service, fixed in tests."""

_GREATEST_EXPONENT = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling waits with jitter, so that many callers do not come back at the same moment.

    Attributes:
        base_s: the first wait, before jitter.
        max_s: no wait is longer.
        jitter: takes away up to half of each wait.
    """

    base_s: float
    max_s: float
    jitter: Jitter

    def delay_s(self, failures: int) -> float:
        """Return the wait after so many failures in a row; 0 for none."""
        if failures <= 0:
            return 0.0
        exponent = min(failures - 1, _GREATEST_EXPONENT)
        whole = min(self.max_s, self.base_s * 2.0**exponent)
        return whole * (1.0 - self.jitter() / 2.0)
