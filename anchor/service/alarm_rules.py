"""When an alarm holds: one small rule for each name, over what is known of a backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from anchor.ports import AnchorBackend
from anchor.service.alarm import Alarm, AlarmName
from anchor.service.worker_view import WorkerView

# How long the families usually take from a round to its final state.
USUAL_S: Final = {"rfc3161": 10.0, "witness": 10.0, "evm": 1800.0, "bitcoin": 12 * 3600.0}
_USUAL_OTHER_S: Final = 3600.0
_CALENDAR_FAMILY: Final = "bitcoin"
# Flags that a backend raises itself in the detail of its health.
_FLAGS: Final = {
    "low_funds": AlarmName.LOW_FUNDS,
    "fee_ceiling": AlarmName.FEE_CEILING,
    "silent": AlarmName.SILENT_CALENDAR,
}


def usual_s(family: str) -> float:
    """Return how long that family usually takes from a round to its final state."""
    return USUAL_S.get(family, _USUAL_OTHER_S)


@dataclass(frozen=True, slots=True)
class AlarmLimits:
    """From when on something is worth an alarm.

    Attributes:
        unanchored_s: age of the oldest digest without a final attestation; None for three times
            what the quickest backend needs, at least ten minutes.
        silent_s: errors and nothing else from one backend for so long.
        hanging_s: one step that does not come back.
        overdue_s: past the time at which a final state was expected.
        failed_rounds: in a row, of one backend.
        tokens: time-stamp tokens that are not in the log yet.
    """

    unanchored_s: float | None = None
    silent_s: float = 900.0
    hanging_s: float = 300.0
    overdue_s: float = 24 * 3600.0
    failed_rounds: int = 3
    tokens: int = 20

    def unanchored_limit_s(self, backends: Sequence[AnchorBackend]) -> float:
        """Return the limit that holds with these backends."""
        if self.unanchored_s is not None:
            return self.unanchored_s
        quickest = min((b.interval_s + usual_s(b.family) for b in backends), default=3600.0)
        return min(max(600.0, 3 * quickest), 10 * 24 * 3600.0)


def backend_alarms(
    view: WorkerView, limits: AlarmLimits, *, monotonic: float, now: datetime
) -> Iterator[Alarm]:
    """Yield what is wrong with one backend."""
    name = view.name
    flags = [alarm for key, alarm in _FLAGS.items() if view.health.detail.get(key) is True]
    for flag in flags:
        yield Alarm(flag, view.health.note or flag.value.replace("_", " "), name)
    since = view.troubled_since
    if since is not None and monotonic - since >= limits.silent_s and not flags:
        calendar = view.family == _CALENDAR_FAMILY
        silent = AlarmName.SILENT_CALENDAR if calendar else AlarmName.BACKEND_UNAVAILABLE
        yield Alarm(silent, view.last_error or view.health.note, name)
    if view.failed_in_a_row >= limits.failed_rounds:
        note = f"{view.failed_in_a_row} rounds failed in a row: {view.last_error}"
        yield Alarm(AlarmName.ROUNDS_FAILING, note, name)
    late = now - timedelta(seconds=limits.overdue_s)
    for opened in view.open_attempts:
        expected_at = opened.attempt.expected_at
        if expected_at is not None and expected_at < late:
            note = f"round {opened.tree_size}: {opened.attempt.note or opened.attempt.phase.value}"
            yield Alarm(AlarmName.OVERDUE, note, name)
            break
    if view.step is not None and monotonic - view.step[2] >= limits.hanging_s:
        note = f"round {view.step[0]}: a step from {view.step[1].value} does not come back"
        yield Alarm(AlarmName.HANGING, note, name)
    if view.bug or view.thread_error:
        yield Alarm(AlarmName.BUG, view.thread_error or view.bug, name)
    if view.store_error:
        yield Alarm(AlarmName.STORE, view.store_error, name)
