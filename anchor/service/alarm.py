"""The states that a person should see, each with a fixed name.

An alarm is computed from what is known now, never latched: it ends when its cause ends. The book of
alarms only adds since when each one holds, and says what began and what ended.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from anchor.formats.encoding import utc_text
from anchor.ports import Json


class AlarmName(enum.StrEnum):
    """What can be wrong; the values are fixed, monitoring matches on them."""

    LOW_FUNDS = "low_funds"
    FEE_CEILING = "fee_ceiling"
    SILENT_CALENDAR = "silent_calendar"
    BACKEND_UNAVAILABLE = "backend_unavailable"
    OLD_UNANCHORED_DIGEST = "old_unanchored_digest"
    ROUNDS_FAILING = "rounds_failing"
    OVERDUE = "overdue"
    HANGING = "hanging"
    BUG = "bug"
    STORE = "store"
    TOKENS_WAITING = "tokens_waiting"
    PUBLISHING = "publishing"
    LOG_INTEGRITY = "log_integrity"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong now.

    Attributes:
        name: which.
        note: one line for people.
        backend: name, or "" for the whole service.
        since: wall clock of the first look that found it, or None before the book saw it.
    """

    name: AlarmName
    note: str
    backend: str = ""
    since: datetime | None = None

    def as_json(self) -> Json:
        """Return the alarm as it is shown."""
        return {
            "name": self.name.value,
            "backend": self.backend or None,
            "note": self.note,
            "since": utc_text(self.since) if self.since else None,
        }


class AlarmBook:
    """Which alarms hold, and since when. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standing: dict[tuple[AlarmName, str], Alarm] = {}

    def update(
        self, found: Iterable[Alarm], now: datetime
    ) -> tuple[list[Alarm], list[Alarm], list[Alarm]]:
        """Take in what holds now; return (all with their times, those begun, those ended)."""
        with self._lock:
            before = self._standing
            self._standing = {}
            for alarm in found:
                key = (alarm.name, alarm.backend)
                since = before[key].since if key in before else now
                self._standing[key] = replace(alarm, since=since)
            begun = [alarm for key, alarm in self._standing.items() if key not in before]
            ended = [alarm for key, alarm in before.items() if key not in self._standing]
            return list(self._standing.values()), begun, ended
