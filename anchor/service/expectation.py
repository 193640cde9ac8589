"""When a backend that has not taken a digest yet will probably be done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from anchor.service.alarm_rules import usual_s
from anchor.service.worker_view import WorkerView


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a backend that has not taken a digest yet will probably do.

    Attributes:
        backend: name.
        family: of the backend.
        expected_at: when a final state is usual, or None if no round comes by itself.
    """

    backend: str
    family: str
    expected_at: datetime | None


Expectations = Callable[[], list[Expectation]]


def expectations_of(views: Iterable[WorkerView], now: datetime) -> list[Expectation]:
    """Return, for each backend, when a digest that comes now is usually final."""
    expected = []
    for view in views:
        at = view.next_round_at
        if at is not None:
            at = max(at, now) + timedelta(seconds=usual_s(view.family))
        expected.append(Expectation(view.name, view.family, at))
    return expected
