"""Hands the log's newest root to every backend, and follows each attempt until it is final.

One thread for each backend, so that one that is slow, down or hanging never holds up another; one
for our own chores (times of commits, tokens into the log, alarms), one for the publisher. All state
is in the round store: stopping at any moment loses nothing, and a new process goes on from there.

Rules: ``docs/spec/rounds.md``; :mod:`anchor.service.attempt_step` for errors;
:mod:`anchor.service.backend_worker` for what is stored when. A LogIntegrityError anywhere stops
every thread and is told as the event ``fatal``; the process should end then.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from random import SystemRandom
from typing import Final

from anchor.errors import ConfigError, LogIntegrityError, NotFoundError
from anchor.ports import (
    TERMINAL_PHASES,
    AnchorBackend,
    Attempt,
    CommittedTree,
    Json,
    Phase,
    Round,
    RoundPublisher,
    RoundStore,
)
from anchor.service.alarm import Alarm
from anchor.service.anchor_event import AnchorEvent
from anchor.service.anchor_report import AnchorReport
from anchor.service.anchorer_settings import AnchorerSettings
from anchor.service.backend_worker import BackendWorker
from anchor.service.backoff import Backoff, Jitter
from anchor.service.clock import Clock, SystemClock
from anchor.service.commit_log import CommitLog
from anchor.service.expectation import Expectation, expectations_of
from anchor.service.metrics import Sample
from anchor.service.publication import Publication
from anchor.service.round_taker import ForceAnswer, RoundTaker
from anchor.service.token_log import SubmitDigest, TokenLog
from anchor.service.worker_thread import WorkerThread

_CHORES_EVERY_S: Final = 1.0


class Anchorer:
    """Runs the rounds of every backend: one root is stamped for all the digests under it.

    Reading order: :mod:`anchor.service.round_taker` (when there is a round, and of which root),
    :mod:`anchor.service.backend_worker` (how it is carried forward and stored),
    :mod:`anchor.service.attempt_step` (what one step may return), then this, which gives each
    backend a thread and shows the whole.

    Args:
        log_tree: returns the newest committed tree, quickly; from any thread.
        rounds: keeps everything; the anchorer does not close it.
        backends: each with its own name.
        clock: both clocks.
        on_event: hears of changes, in the threads of the backends; must not block. What it raises
            is dropped.
        submit_digest: puts a digest into the log and returns its leaf index; for tokens. None
            leaves them out.
        publisher: gets every round that becomes final, or None.
        settings: waits and limits.
        jitter: numbers of [0, 1) that spread the waits; None for random ones.

    Raises:
        ConfigError: two backends have one name.
        StoreError: what an earlier process left cannot be read.
    """

    def __init__(
        self,
        log_tree: Callable[[], CommittedTree | None],
        rounds: RoundStore,
        backends: Sequence[AnchorBackend],
        clock: Clock | None = None,
        on_event: Callable[[AnchorEvent], None] = lambda _event: None,
        *,
        submit_digest: SubmitDigest | None = None,
        publisher: RoundPublisher | None = None,
        settings: AnchorerSettings | None = None,
        jitter: Jitter | None = None,
    ) -> None:
        settings = settings or AnchorerSettings()
        jitter = jitter or SystemRandom().random
        self._clock = clock or SystemClock()
        self._rounds = rounds
        self._listener = on_event
        self._final = threading.Condition()
        self._stopped = threading.Event()
        self._retry = Backoff(settings.retry_base_s, settings.retry_max_s, jitter)
        self._tokens = TokenLog(rounds, submit_digest)
        self._publication: Publication | None = None
        if publisher is not None:
            self._publication = Publication(
                publisher, rounds, self._clock, self._retry, self._on_event
            )
        self._commits = CommitLog(log_tree, rounds, self._clock)
        self._workers = self._make_workers(log_tree, backends, settings, jitter)
        self._report = AnchorReport(
            workers=list(self._workers.values()),
            log_tree=log_tree,
            rounds=rounds,
            tokens=self._tokens,
            publication=self._publication,
            clock=self._clock,
            limits=settings.alarms,
        )
        self._threads: dict[str, WorkerThread] = {}

    def _make_workers(
        self,
        log_tree: Callable[[], CommittedTree | None],
        backends: Sequence[AnchorBackend],
        settings: AnchorerSettings,
        jitter: Jitter,
    ) -> dict[str, BackendWorker]:
        round_backoff = Backoff(settings.round_retry_base_s, settings.round_retry_max_s, jitter)
        workers: dict[str, BackendWorker] = {}
        for backend in backends:
            if backend.name in workers:
                raise ConfigError(f"two backends are called {backend.name}", code="config.backends")
            taker = RoundTaker(
                backend,
                log_tree=log_tree,
                rounds=self._rounds,
                tokens=self._tokens,
                clock=self._clock,
                backoff=round_backoff,
                token_interval_s=settings.token_interval_s,
            )
            workers[backend.name] = BackendWorker(
                backend,
                taker=taker,
                rounds=self._rounds,
                clock=self._clock,
                backoff=self._retry,
                before_final=self._before_final,
                on_event=self._on_event,
            )
        return workers

    # -- running -----------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Say whether the threads were started and neither stopped nor ended by a fatal error."""
        return bool(self._threads) and not self._stopped.is_set()

    @property
    def fatal(self) -> LogIntegrityError | None:
        """Return the contradiction in our own log that stopped everything, or None."""
        return self._report.fatal

    def start(self) -> None:
        """Start the threads; once."""
        if self._threads:
            raise RuntimeError("the anchorer was started before")
        for name, worker in self._workers.items():
            self._add_thread(name, worker.run_once, worker.note_thread)
        self._add_thread("chores", self.run_chores, self._chore_error)
        if self._publication is not None:
            self._add_thread("publisher", self._publication.run_once, self._publisher_error)
        for thread in self._threads.values():
            thread.start()

    def _add_thread(
        self,
        name: str,
        work: Callable[[], float],
        on_error: Callable[[BaseException | None], None],
    ) -> None:
        self._threads[name] = WorkerThread(
            f"anchor-{name}", work, backoff=self._retry, on_error=on_error, on_fatal=self._on_fatal
        )

    def stop(self, timeout_s: float = 10.0) -> list[str]:
        """Let every thread end after the step it is in; return the names of those that did not.

        A step that is still out goes on in its thread and is stored when it comes back, as long as
        the process and the store live; otherwise it is taken again from what is on disk.
        """
        self._stopped.set()
        for thread in self._threads.values():
            thread.ask_to_stop()
        deadline = self._clock.monotonic() + timeout_s
        busy = [
            name
            for name, thread in self._threads.items()
            if not thread.wait_stopped(deadline - self._clock.monotonic())
        ]
        with self._final:
            self._final.notify_all()
        return busy

    def run_once(self, backend: str) -> float:
        """Do in this thread all that is due for one backend; return the seconds until more may be.

        Raises:
            NotFoundError: there is no such backend.
            LogIntegrityError: everything is stopped.
            StoreError: the store could not be read, or could not take a new round.
        """
        try:
            return self._worker(backend).run_once()
        except LogIntegrityError as exc:
            self._on_fatal(exc)
            raise

    def run_chores(self) -> float:
        """Do the anchorer's own work once; return the seconds until the next time.

        Raises:
            StoreError: the time of a commit could not be stored.
        """
        self._commits.look()
        try:
            self._tokens.submit_waiting()
        except LogIntegrityError:
            raise
        except Exception as exc:  # noqa: BLE001 - also what a submission that timed out raises
            # The log takes no digests now; they wait on disk, and an alarm counts them.
            self._report.note_trouble("tokens", exc)
        else:
            self._report.note_trouble("tokens", None)
        _, begun, ended = self._report.alarms()
        for alarm in begun:
            self._tell_alarm(alarm, over=False)
        for alarm in ended:
            self._tell_alarm(alarm, over=True)
        return _CHORES_EVERY_S

    def run_publisher(self) -> float:
        """Publish in this thread what changed; return the seconds until the next try."""
        return math.inf if self._publication is None else self._publication.run_once()

    def wake(self) -> None:
        """Look at the log now rather than within a second; call it after a commit, or do not."""
        for thread in self._threads.values():
            thread.wake()

    def force(self, backend: str | None = None) -> dict[str, ForceAnswer]:
        """Ask one backend, or all, for a round now; the operator's word.

        It replaces the interval, not the least gap, and brings no round of size 0 or of an
        unchanged root. Steps that failed are tried again at once.

        Returns:
            For each backend asked: ``scheduled``, ``in_flight`` (the last round is still on its
            way out), ``unchanged`` or ``empty``.

        Raises:
            NotFoundError: there is no such backend.
        """
        names = list(self._workers) if backend is None else [backend]
        try:
            answers = {name: self._worker(name).force() for name in names}
        except LogIntegrityError as exc:
            self._on_fatal(exc)
            raise
        self.wake()
        return answers

    def wait_final(
        self, tree_size: int, timeout_s: float, backends: Sequence[str] | None = None
    ) -> list[str]:
        """Wait until each of these backends (None: all) has a final round of that size or more.

        Returns:
            The names still missing when the time was over or the anchorer stopped; empty if none.

        Raises:
            NotFoundError: there is no such backend.
            LogIntegrityError: everything is stopped.
        """
        workers = [self._worker(name) for name in (self._workers if backends is None else backends)]
        deadline = self._clock.monotonic() + timeout_s
        while True:
            if self.fatal is not None:
                raise self.fatal
            missing = [w.view.name for w in workers if w.view.final_size < tree_size]
            left_s = deadline - self._clock.monotonic()
            if not missing or left_s <= 0 or self._stopped.is_set():
                return missing
            with self._final:
                self._final.wait(min(left_s, _CHORES_EVERY_S))

    # -- showing -----------------------------------------------------------------------------------

    @property
    def backend_names(self) -> list[str]:
        """Return the names of the backends, in their order."""
        return list(self._workers)

    def status(self) -> Json:
        """Return the state of everything as one JSON object; never waits for a backend."""
        return self._report.status(running=self.running)

    def metrics(self) -> list[Sample]:
        """Return the samples for monitoring; see :func:`anchor.service.metrics.render_metrics`."""
        return self._report.metrics()

    def alarms(self) -> list[Alarm]:
        """Return what is wrong now."""
        return self._report.alarms()[0]

    def expectations(self) -> list[Expectation]:
        """Return, for each backend, when a digest that comes now is usually final."""
        views = (worker.view for worker in self._workers.values())
        return expectations_of(views, self._clock.now())

    # -- what the threads call ---------------------------------------------------------------------

    def _worker(self, backend: str) -> BackendWorker:
        if backend not in self._workers:
            raise NotFoundError(f"there is no backend {backend!r}", code="not_found.backend")
        return self._workers[backend]

    def _before_final(self, round_: Round, attempt: Attempt) -> None:
        self._tokens.note(attempt.attestations)
        if self._publication is not None:
            self._publication.expect(round_.tree_size)

    def _on_event(self, event: AnchorEvent) -> None:
        """React to a stored change, then pass it on."""
        if event.kind == "round":
            # Witnesses follow; a thread that is awake notices by itself.
            self.wake()
        if event.phase in TERMINAL_PHASES and event.tree_size is not None:
            if self._publication is not None:
                self._publication.changed(event.tree_size)
            if event.phase is Phase.FINAL:
                self._wake_chores()
                with self._final:
                    self._final.notify_all()
        try:
            self._listener(event)
        except Exception as exc:  # noqa: BLE001 - a listener must not stop the rounds
            self._report.note_trouble("listener", exc)
        else:
            self._report.note_trouble("listener", None)

    def _wake_chores(self) -> None:
        for name in ("chores", "publisher"):
            if name in self._threads:
                self._threads[name].wake()

    def _on_fatal(self, exc: LogIntegrityError) -> None:
        first = self._report.fatal is None
        self._report.fatal = self._report.fatal or exc
        self._stopped.set()
        for thread in self._threads.values():
            thread.ask_to_stop()
        if first:
            self._on_event(AnchorEvent("fatal", self._clock.now(), note=exc.message))
        with self._final:
            self._final.notify_all()

    def _chore_error(self, exc: BaseException | None) -> None:
        self._report.note_trouble("chores", exc)

    def _publisher_error(self, exc: BaseException | None) -> None:
        self._report.note_trouble("publisher", exc)

    def _tell_alarm(self, alarm: Alarm, *, over: bool) -> None:
        self._on_event(
            AnchorEvent(
                kind="alarm_over" if over else "alarm",
                at=self._clock.now(),
                backend=alarm.backend,
                name=alarm.name.value,
                note=alarm.note,
            )
        )
