"""What the anchorer shows of itself: the status for people, samples for monitoring, the alarms.

Everything is read from snapshots and indexed rows; nothing here waits for a backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from anchor.errors import LogIntegrityError, StoreError
from anchor.formats.encoding import utc_text
from anchor.ports import CommittedTree, Json, RoundStore
from anchor.service.alarm import Alarm, AlarmBook, AlarmName
from anchor.service.alarm_rules import AlarmLimits, backend_alarms
from anchor.service.backend_worker import BackendWorker
from anchor.service.clock import Clock
from anchor.service.metrics import Sample
from anchor.service.publication import Publication
from anchor.service.token_log import TokenLog
from anchor.service.worker_view import OpenAttempt, WorkerView, describe_error

_SHOWN_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class Unanchored:
    """The oldest leaf that some set of backends has not made final.

    ``accepted_at`` is None while its time is not stored yet; ``age_s`` is then 0.
    """

    leaf_index: int
    accepted_at: datetime | None
    age_s: float

    def as_json(self) -> Json:
        """Return it as it is shown."""
        accepted_at = utc_text(self.accepted_at) if self.accepted_at else None
        return {
            "leaf_index": self.leaf_index,
            "accepted_at": accepted_at,
            "age_s": round(self.age_s, 3),
        }


class AnchorReport:
    """Status, metrics and alarms over the workers of one anchorer."""

    def __init__(
        self,
        *,
        workers: Sequence[BackendWorker],
        log_tree: Callable[[], CommittedTree | None],
        rounds: RoundStore,
        tokens: TokenLog,
        publication: Publication | None,
        clock: Clock,
        limits: AlarmLimits,
    ) -> None:
        self._workers = workers
        self._log_tree = log_tree
        self._rounds = rounds
        self._tokens = tokens
        self._publication = publication
        self._clock = clock
        self._limits = limits
        self._book = AlarmBook()
        self.fatal: LogIntegrityError | None = None
        self._troubles: dict[str, BaseException] = {}

    def note_trouble(self, source: str, exc: BaseException | None) -> None:
        """Show that one of our own chores failed; None when it went well again."""
        if exc is None:
            self._troubles.pop(source, None)
        else:
            self._troubles[source] = exc

    # -- the age of what is not anchored -----------------------------------------------------------

    def oldest_unanchored(self, families: frozenset[str] | None = None) -> Unanchored | None:
        """Return the oldest digest that none of these families (None: of all) has made final.

        Our own tokens do not count: they wait for the next round on purpose.
        """
        tree = self._log_tree()
        views = [worker.view for worker in self._workers]
        covered = max(
            (v.final_size for v in views if families is None or v.family in families), default=0
        )
        return self._unanchored(covered, tree.tree_size if tree else 0)

    def _unanchored(self, covered: int, tree_size: int) -> Unanchored | None:
        leaf_index = self._tokens.first_other(covered)
        if leaf_index >= tree_size:
            return None
        accepted_at = self._rounds.accepted_by(leaf_index)
        age_s = 0.0
        if accepted_at is not None:
            age_s = max(0.0, (self._clock.now() - accepted_at).total_seconds())
        return Unanchored(leaf_index, accepted_at, age_s)

    # -- alarms ------------------------------------------------------------------------------------

    def alarms(self) -> tuple[list[Alarm], list[Alarm], list[Alarm]]:
        """Return what is wrong now, and of that what began and what ended since the last look."""
        return self._book.update(self._found(), self._clock.now())

    def _found(self) -> Iterator[Alarm]:
        monotonic, now = self._clock.monotonic(), self._clock.now()
        if self.fatal is not None:
            yield Alarm(AlarmName.LOG_INTEGRITY, self.fatal.message)
        for worker in self._workers:
            yield from backend_alarms(worker.view, self._limits, monotonic=monotonic, now=now)
        limit_s = self._limits.unanchored_limit_s([worker.backend for worker in self._workers])
        oldest = self.oldest_unanchored()
        if oldest is not None and oldest.age_s > limit_s:
            note = f"leaf {oldest.leaf_index} waits for {oldest.age_s:.0f} s, limit {limit_s:.0f} s"
            yield Alarm(AlarmName.OLD_UNANCHORED_DIGEST, note)
        if self._tokens.waiting >= self._limits.tokens:
            note = f"{self._tokens.waiting} tokens are not in the log yet"
            yield Alarm(AlarmName.TOKENS_WAITING, note)
        publication = self._publication
        if publication is not None and publication.failures >= self._limits.failed_rounds:
            name = publication.publisher.name
            yield Alarm(AlarmName.PUBLISHING, publication.last_error, name)
        for source, exc in sorted(self._troubles.copy().items()):
            name = AlarmName.STORE if isinstance(exc, StoreError) else AlarmName.BUG
            if source != "tokens" or name is AlarmName.STORE:
                yield Alarm(name, describe_error(exc), source)

    # -- status ------------------------------------------------------------------------------------

    def status(self, *, running: bool) -> Json:
        """Return the state of everything as one JSON object."""
        tree = self._log_tree()
        tree_size = tree.tree_size if tree else 0
        oldest = self.oldest_unanchored()
        alarms, _, _ = self.alarms()
        fatal = self.fatal
        return {
            "running": running,
            "fatal": None if fatal is None else {"code": fatal.code, "message": fatal.message},
            "tree_size": tree_size,
            "oldest_unanchored": oldest.as_json() if oldest else None,
            "backends": [self._backend_json(worker.view, tree_size) for worker in self._workers],
            "tokens_waiting": self._tokens.waiting,
            "publisher": self._publisher_json(),
            "alarms": [alarm.as_json() for alarm in alarms],
        }

    def _backend_json(self, view: WorkerView, tree_size: int) -> Json:
        oldest = self._unanchored(view.final_size, tree_size)
        final: Json | None = None
        if view.final_size:
            final = {
                "tree_size": view.final_size,
                "round_created_at": _text(view.final_round_at),
                "at": _text(view.final_at),
            }
        return {
            "name": view.name,
            "family": view.family,
            "state": _state(view),
            "health": {
                "ok": view.health.ok,
                "note": view.health.note,
                "detail": dict(view.health.detail),
            },
            "last_final": final,
            "pending": len(view.open_attempts),
            "attempts": [_attempt_json(a) for a in view.open_attempts[-_SHOWN_ATTEMPTS:]],
            "failures": max((a.attempt.failures for a in view.open_attempts), default=0),
            "failed_in_a_row": view.failed_in_a_row,
            "last_error": view.last_error,
            "last_error_at": _text(view.last_error_at),
            "next_round_at": _text(view.next_round_at),
            "oldest_unanchored": oldest.as_json() if oldest else None,
        }

    def _publisher_json(self) -> Json | None:
        publication = self._publication
        if publication is None:
            return None
        health = publication.publisher.health()
        return {
            "name": publication.publisher.name,
            "waiting": publication.waiting,
            "failures": publication.failures,
            "last_error": publication.last_error,
            "health": {"ok": health.ok, "note": health.note, "detail": dict(health.detail)},
        }

    # -- metrics -----------------------------------------------------------------------------------

    def metrics(self) -> list[Sample]:
        """Return everything that monitoring wants, as samples."""
        tree = self._log_tree()
        tree_size = tree.tree_size if tree else 0
        oldest = self.oldest_unanchored()
        samples = [
            _gauge("vestige_log_tree_size", "Leaves of the newest committed tree", tree_size),
            _gauge(
                "vestige_oldest_unanchored_age_seconds",
                "Age of the oldest digest without a final attestation",
                oldest.age_s if oldest else 0,
            ),
            _gauge("vestige_tokens_waiting", "Tokens not in the log yet", self._tokens.waiting),
        ]
        for worker in self._workers:
            samples.extend(self._backend_samples(worker.view, tree_size))
        if self._publication is not None:
            samples.append(
                _gauge(
                    "vestige_publisher_waiting_rounds",
                    "Rounds that wait to be published",
                    self._publication.waiting,
                )
            )
        samples.extend(self._alarm_samples())
        return samples

    def _alarm_samples(self) -> Iterator[Sample]:
        standing, _, _ = self.alarms()
        counts = {(alarm.name.value, alarm.backend): 1 for alarm in standing}
        # Names that do not hold are shown as 0, so that monitoring can tell "well" from "absent".
        for name in AlarmName:
            if not any(key[0] == name.value for key in counts):
                counts[(name.value, "")] = 0
        for (name_text, backend), value in sorted(counts.items()):
            labels = (("alarm", name_text), ("backend", backend))
            yield Sample("vestige_alarm", "1 while the alarm holds", "gauge", value, labels)

    def _backend_samples(self, view: WorkerView, tree_size: int) -> Iterator[Sample]:
        labels = (("backend", view.name), ("family", view.family))
        oldest = self._unanchored(view.final_size, tree_size)
        gauges: list[tuple[str, str, float]] = [
            ("final_tree_size", "Greatest tree size that is final", view.final_size),
            (
                "open_attempts",
                "Attempts that are neither final nor failed",
                len(view.open_attempts),
            ),
            ("failed_rounds_in_a_row", "Rounds failed since one got out", view.failed_in_a_row),
            ("healthy", "1 if the backend says that it is well", int(view.health.ok)),
            (
                "unanchored_age_seconds",
                "Age of the oldest digest that is not final with this backend",
                oldest.age_s if oldest else 0,
            ),
        ]
        for name, text, value in gauges:
            yield Sample(f"vestige_backend_{name}", text, "gauge", value, labels)
        for outcome in ("progress", "retry", "failed", "bug"):
            yield Sample(
                "vestige_backend_steps_total",
                "Steps taken, by outcome",
                "counter",
                getattr(view.counts, outcome),
                (*labels, ("outcome", outcome)),
            )
        for key, detail in sorted(view.health.detail.items()):
            number = _as_number(detail)
            if number is not None:
                text = "Numbers that the backend shows of itself"
                yield Sample(
                    "vestige_backend_detail", text, "gauge", number, (*labels, ("key", key))
                )


def _gauge(name: str, text: str, value: float) -> Sample:
    return Sample(name, text, "gauge", value)


def _as_number(value: Any) -> float | None:
    """Return a number, a flag or a decimal text (amounts over 2**53 come as text) as a float."""
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 80:
        return float(int(value))
    return None


def _state(view: WorkerView) -> str:
    """Return one word: hanging and bugs aside, what the backend is doing."""
    if view.thread_error:
        return "stopped"
    if view.bug:
        return "bug"
    if view.failed_in_a_row:
        return "failing"
    if any(opened.attempt.failures for opened in view.open_attempts):
        return "retrying"
    if view.step is not None:
        return "working"
    return "waiting" if view.open_attempts else "idle"


def _attempt_json(opened: OpenAttempt) -> Json:
    attempt = opened.attempt
    return {
        "tree_size": opened.tree_size,
        "phase": attempt.phase.value,
        "note": attempt.note,
        "failures": attempt.failures,
        "retry_at": _text(attempt.retry_at),
        "expected_at": _text(attempt.expected_at),
        "stored": not opened.unsaved,
    }


def _text(when: datetime | None) -> str | None:
    return None if when is None else utc_text(when)
