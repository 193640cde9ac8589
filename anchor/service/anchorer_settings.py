"""How patient the anchorer is."""

from __future__ import annotations

from dataclasses import dataclass, field

from anchor.service.alarm_rules import AlarmLimits


@dataclass(frozen=True, slots=True)
class AnchorerSettings:
    """Waits and limits; all in seconds.

    Attributes:
        retry_base_s: first wait after a retryable error; doubles.
        retry_max_s: no such wait is longer.
        round_retry_base_s: first wait after a failed round; doubles.
        round_retry_max_s: no such wait is longer.
        token_interval_s: a backend takes a round for the sake of our own tokens alone only this
            long after its last one.
        alarms: from when on something is worth an alarm.
    """

    retry_base_s: float = 2.0
    retry_max_s: float = 300.0
    round_retry_base_s: float = 30.0
    round_retry_max_s: float = 3600.0
    token_interval_s: float = 24 * 3600.0
    alarms: AlarmLimits = field(default_factory=AlarmLimits)
