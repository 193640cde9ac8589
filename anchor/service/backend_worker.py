"""Carries the rounds of one backend forward, one stored step at a time.

Rules:

* A step starts only from what is on disk. What a step returned is stored before the next one; if
  the store refuses, storing is what is tried again, not the step.
* While something is on its way to the outside (``scheduled``, ``prepared``, ``submitted``) no new
  round is taken: the digests that come meanwhile share the next one.

It has no thread of its own (see :mod:`anchor.service.worker_thread`) and sleeps nowhere;
:attr:`BackendWorker.view` may be read by any thread at any time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from anchor.errors import StoreError
from anchor.ports import (
    IN_FLIGHT_PHASES,
    TERMINAL_PHASES,
    AnchorBackend,
    Attempt,
    Phase,
    Round,
    RoundStore,
)
from anchor.service.anchor_event import AnchorEvent, EventKind
from anchor.service.attempt_step import AttemptStep, take_step, wait_after_restart_s
from anchor.service.backoff import Backoff
from anchor.service.clock import Clock
from anchor.service.party_lines import PartyLines
from anchor.service.round_taker import ForceAnswer, RoundTaker
from anchor.service.worker_view import (
    OpenAttempt,
    WorkerView,
    describe_error,
    seen_health,
)

OnEvent = Callable[[AnchorEvent], None]
BeforeFinal = Callable[[Round, Attempt], None]
"""Makes a durable note of an attempt that is about to be stored as final."""

_STEPS_AT_ONCE: Final = 32
_POLL_S: Final = 1.0


@dataclass(slots=True)
class _Slot:
    """One open attempt: as on disk, or (``unsaved``) what could not be stored yet."""

    round_: Round
    attempt: Attempt
    due_at: float
    unsaved: bool = False
    save_failures: int = 0


class BackendWorker:
    """The rounds of one backend.

    Args:
        backend: called by this worker alone.
        taker: chooses its rounds.
        rounds: where every step is stored.
        clock: both clocks.
        backoff: waits after retryable errors.
        before_final: called before an attempt is stored as final.
        on_event: hears of every stored change.
    """

    def __init__(
        self,
        backend: AnchorBackend,
        *,
        taker: RoundTaker,
        rounds: RoundStore,
        clock: Clock,
        backoff: Backoff,
        before_final: BeforeFinal,
        on_event: OnEvent,
    ) -> None:
        self.backend = backend
        self._taker = taker
        self._rounds = rounds
        self._clock = clock
        self._backoff = backoff
        self._before_final = before_final
        self._on_event = on_event
        self._running = threading.Lock()
        self._retry_now = False
        # Whether the store may hold an attempt that it said it did not take.
        self._unsure = False
        self._slots: dict[int, _Slot] = {}
        self._lines = PartyLines(backend.name)
        self._view = WorkerView(name=backend.name, family=backend.family)
        self._load()

    @property
    def view(self) -> WorkerView:
        """Return what is known of this backend now; never waits for a step."""
        return self._view

    def force(self) -> ForceAnswer:
        """Ask for a round as soon as the gap allows, and for failed steps to be tried again now.

        Raises:
            LogIntegrityError: the log is not what it was when it was anchored.
        """
        self._retry_now = True
        if any(opened.attempt.phase in IN_FLIGHT_PHASES for opened in self._view.open_attempts):
            return "in_flight"
        return self._taker.force()

    def run_once(self) -> float:
        """Do all that is due now; return the seconds until something may be due again.

        Raises:
            LogIntegrityError: stop everything.
            StoreError: the store could not be read, or could not take a new round.
        """
        with self._running:
            try:
                if self._unsure:
                    self._adopt_stored()
                self._advance_due()
                if self._take_round():
                    self._advance_due()
            finally:
                self._refresh_view()
            return self._wait_s()

    def note_thread(self, exc: BaseException | None) -> None:
        """Show why the thread of this backend stumbled or ended; None when it goes on well."""
        error = "" if exc is None else describe_error(exc)
        is_store = isinstance(exc, StoreError)
        self._view = replace(
            self._view,
            thread_error="" if is_store else error,
            store_error=error if is_store else self._view.store_error,
        )

    # -- state -------------------------------------------------------------------------------------

    def _load(self) -> None:
        """Take up what an earlier process left."""
        self._adopt_stored()
        final = self._rounds.newest_final_round_of(self.backend.name)
        if final is not None:
            self._view = replace(
                self._view, final_size=final.tree_size, final_round_at=final.created_at
            )
        self._refresh_view()

    def _adopt_stored(self) -> None:
        """Take over open attempts that are on disk and not known here."""
        at = self._clock.monotonic()
        for round_, attempt in self._rounds.open_attempts(self.backend.name):
            if round_.tree_size not in self._slots:
                due_at = at + wait_after_restart_s(attempt, self._clock)
                self._slots[round_.tree_size] = _Slot(round_, attempt, due_at)
                if self._unsure:
                    self._taker.took(round_)
        self._unsure = False

    def _refresh_view(self) -> None:
        at, now = self._clock.monotonic(), self._clock.now()
        slots = sorted(self._slots.values(), key=lambda slot: slot.round_.tree_size)
        next_at = max(self._taker.next_own_at(), at)
        self._view = replace(
            self._view,
            step=None,
            open_attempts=tuple(
                OpenAttempt(slot.round_.tree_size, slot.attempt, slot.unsaved) for slot in slots
            ),
            newest_size=self._taker.newest_size,
            failed_in_a_row=self._taker.failed_in_a_row,
            next_round_at=None if next_at == math.inf else now + timedelta(seconds=next_at - at),
            health=seen_health(self.backend),
        )

    def _wait_s(self) -> float:
        at = self._clock.monotonic()
        waits = [slot.due_at - at for slot in self._slots.values()]
        if not self._in_flight():
            # A round that is due and has nothing new looks at the log again soon.
            waits.append(max(self._taker.due_at() - at, _POLL_S))
        return max(0.0, min(waits))

    def _in_flight(self) -> bool:
        return any(slot.attempt.phase in IN_FLIGHT_PHASES for slot in self._slots.values())

    # -- steps -------------------------------------------------------------------------------------

    def _advance_due(self) -> None:
        retry_now, self._retry_now = self._retry_now, False
        for tree_size in sorted(self._slots):
            slot = self._slots[tree_size]
            if retry_now and (slot.attempt.failures or slot.unsaved):
                slot.due_at = self._clock.monotonic()
            self._advance(slot)

    def _advance(self, slot: _Slot) -> None:
        for _ in range(_STEPS_AT_ONCE):
            if slot.due_at > self._clock.monotonic():
                return
            if not slot.unsaved:
                self._step(slot)
            self._save(slot)
            if slot.attempt.phase in TERMINAL_PHASES and not slot.unsaved:
                return
        # A backend that always wants the next step at once must not starve its other rounds.
        slot.due_at = self._clock.monotonic() + _POLL_S

    def _step(self, slot: _Slot) -> None:
        tree_size, phase = slot.round_.tree_size, slot.attempt.phase
        self._view = replace(self._view, step=(tree_size, phase, self._clock.monotonic()))
        step = take_step(
            self.backend, slot.round_, slot.attempt, clock=self._clock, backoff=self._backoff
        )
        slot.attempt = step.attempt
        slot.due_at = self._clock.monotonic() + step.wait_s
        slot.unsaved = True
        self._count(step)
        self._lines.took(tree_size, step)

    def _count(self, step: AttemptStep) -> None:
        counts = self._view.counts.plus(step.outcome)
        health = seen_health(self.backend)
        self._view = replace(self._view, step=None, counts=counts, health=health)
        if step.outcome == "progress" and health.ok:
            self._view = replace(self._view, troubled_since=None, bug="")
            return
        if self._view.troubled_since is None:
            self._view = replace(self._view, troubled_since=self._clock.monotonic())
        if step.outcome == "progress":
            return
        self._view = replace(
            self._view,
            bug=step.note if step.outcome == "bug" else self._view.bug,
            last_error=step.note,
            last_error_at=self._clock.now(),
        )

    def _save(self, slot: _Slot) -> None:
        """Store the slot's attempt; on refusal keep it, and try storing again later."""
        try:
            if slot.attempt.phase is Phase.FINAL:
                self._before_final(slot.round_, slot.attempt)
            self._rounds.set_attempt(slot.round_.tree_size, self.backend.name, slot.attempt)
        except StoreError as exc:
            slot.save_failures += 1
            slot.due_at = self._clock.monotonic() + self._backoff.delay_s(slot.save_failures)
            self._view = replace(self._view, store_error=exc.message)
            return
        slot.unsaved, slot.save_failures = False, 0
        self._view = replace(self._view, store_error="")
        self._stored(slot.round_, slot.attempt)
        self._emit("attempt", slot.round_, slot.attempt)

    def _stored(self, round_: Round, attempt: Attempt) -> None:
        self._taker.reached(round_, attempt.phase)
        if attempt.phase in TERMINAL_PHASES:
            del self._slots[round_.tree_size]
        if attempt.phase is Phase.FINAL and round_.tree_size > self._view.final_size:
            self._view = replace(
                self._view,
                final_size=round_.tree_size,
                final_round_at=round_.created_at,
                final_at=self._clock.now(),
            )

    def _take_round(self) -> bool:
        """Take a new round if one is due and there is something new to stamp."""
        round_ = None if self._in_flight() else self._taker.next_round()
        if round_ is None:
            return False
        attempt = Attempt()
        self._unsure = True
        self._rounds.add_round(round_)
        self._rounds.set_attempt(round_.tree_size, self.backend.name, attempt)
        self._unsure = False
        self._slots[round_.tree_size] = _Slot(round_, attempt, self._clock.monotonic())
        self._taker.took(round_)
        self._emit("round", round_, attempt)
        return True

    def _emit(self, kind: EventKind, round_: Round, attempt: Attempt) -> None:
        self._refresh_view()
        self._on_event(
            AnchorEvent(
                kind=kind,
                at=self._clock.now(),
                backend=self.backend.name,
                tree_size=round_.tree_size,
                phase=attempt.phase,
                note=attempt.note,
            )
        )
