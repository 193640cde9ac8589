"""What people and metrics may know of one backend at any moment, without waiting for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from anchor.errors import VestigeError, quote_peer
from anchor.ports import AnchorBackend, Attempt, Health, Phase
from anchor.service.attempt_step import Outcome


@dataclass(frozen=True, slots=True)
class StepCounts:
    """How often each outcome of a step was seen since the start."""

    progress: int = 0
    retry: int = 0
    failed: int = 0
    bug: int = 0

    def plus(self, outcome: Outcome) -> StepCounts:
        """Return the counts with one more of that outcome."""
        return replace(self, **{outcome: getattr(self, outcome) + 1})


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt that is not terminal; ``unsaved`` if the store has not taken its newest state."""

    tree_size: int
    attempt: Attempt
    unsaved: bool = False


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A snapshot of one backend.

    Attributes:
        name: of the backend.
        family: of the backend.
        open_attempts: not terminal, oldest round first.
        step: (tree size, phase, monotonic start) of the step being taken, or None.
        newest_size: tree size of the newest round taken, 0 if none.
        final_size: greatest tree size that is final, 0 if none.
        final_round_at: when that round was made, or None.
        final_at: when it became final, or None if that was before the start.
        failed_in_a_row: rounds.
        next_round_at: earliest time of the next round, None for never by itself.
        troubled_since: monotonic time of the first error or bad health in a row, or None.
        last_error: one line, or "".
        last_error_at: when that was.
        bug: the last error if it was ours, cleared by the next good step.
        store_error: why the newest state is not stored, or "".
        thread_error: why the thread of this backend stumbled or ended, or "".
        counts: steps by outcome.
        health: what the backend last said of itself.
    """

    name: str
    family: str
    open_attempts: tuple[OpenAttempt, ...] = ()
    step: tuple[int, Phase, float] | None = None
    newest_size: int = 0
    final_size: int = 0
    final_round_at: datetime | None = None
    final_at: datetime | None = None
    failed_in_a_row: int = 0
    next_round_at: datetime | None = None
    troubled_since: float | None = None
    last_error: str = ""
    last_error_at: datetime | None = None
    bug: str = ""
    store_error: str = ""
    thread_error: str = ""
    counts: StepCounts = field(default_factory=StepCounts)
    health: Health = field(default_factory=lambda: Health(ok=True))


def describe_error(exc: BaseException) -> str:
    """Return one line on an exception, fit to be shown: ours by its message, others by type too."""
    if isinstance(exc, VestigeError):
        return exc.message
    return f"{type(exc).__name__}: {quote_peer(str(exc))}"


def seen_health(backend: AnchorBackend) -> Health:
    """Ask a backend for its health; what it raises is its health too."""
    try:
        health = backend.health()
    except Exception as exc:  # noqa: BLE001 - must not stop the rounds
        return Health(ok=False, note=f"bug: {describe_error(exc)}")
    if not isinstance(health, Health):
        return Health(ok=False, note=f"bug: health is {type(health).__name__}")
    return health
