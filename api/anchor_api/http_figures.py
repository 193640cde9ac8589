"""What the HTTP side counts of itself. One event loop only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from anchor.service.metrics import Sample
from anchor_api.body import ByteBudget


class HttpFigures:
    """Requests by kind and status, bytes held, streams open.

    Args:
        budget: of request bodies.
    """

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.event_streams = 0
        self.submissions: Counter[int] = Counter()

    def as_json(self) -> dict[str, Any]:
        """Return the figures as they are shown."""
        return {
            "submissions": {str(status): n for status, n in sorted(self.submissions.items())},
            "bytes_in_flight": self._budget.held,
            "event_streams": self.event_streams,
        }

    def samples(self) -> Iterator[Sample]:
        """Yield the figures for monitoring."""
        for status, count in sorted(self.submissions.items()):
            yield Sample(
                "vestige_http_submissions_total",
                "Submissions answered, by HTTP status",
                "counter",
                count,
                (("status", str(status)),),
            )
        yield Sample(
            "vestige_http_bytes_in_flight",
            "Bytes of large request bodies being held",
            "gauge",
            self._budget.held,
        )
        yield Sample(
            "vestige_http_event_streams", "Event streams open", "gauge", self.event_streams
        )
