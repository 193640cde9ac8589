"""What the clock says, and what is known of the clock.

The claimed time is only ever a claim. It is written as the clock gives it, never corrected: a clock
that was set back shows as ``stepped_back``, and the order of records is their numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from anchor.formats.encoding import parse_utc

# systemd-timesyncd makes this file when the clock was set from the network.
_SYNCHRONISED: Final = Path("/run/systemd/timesync/synchronized")


@dataclass(frozen=True, slots=True)
class ClaimedTime:
    """A time as a record states it: UTC to the millisecond, its source, the place's offset."""

    time: datetime
    source: str
    utc_offset_minutes: int


def claimed_time(now: datetime, last: str | None) -> ClaimedTime:
    """Return what a record says of its time.

    Args:
        now: what the clock says, aware, in the zone of the place.
        last: the claimed time of the record before, as it is written there.
    """
    time = now.astimezone(UTC)
    time = time.replace(microsecond=time.microsecond // 1000 * 1000)
    offset = now.utcoffset()
    minutes = 0 if offset is None else round(offset.total_seconds() / 60)
    if last is not None and time < parse_utc(last):
        return ClaimedTime(time, "stepped_back", minutes)
    return ClaimedTime(time, "ntp" if _SYNCHRONISED.exists() else "system", minutes)


def local_now() -> datetime:
    """Return what the clock says, in the zone of the place."""
    return datetime.now(UTC).astimezone()
