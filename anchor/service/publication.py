"""Hands final rounds to a publisher, again whenever one more backend became final.

Rules: a round is on a durable list from before its first attempt is stored as final until all its
attempts are terminal and published, so that a crash at any moment forgets nothing; the oldest goes
first; the result is kept as the round's meta ``<publisher>:<tree_size>``. A publisher that fails
holds up no backend.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from anchor.errors import BackendError, StoreError
from anchor.formats.encoding import utc_text
from anchor.ports import TERMINAL_PHASES, Json, Phase, RoundPublisher, RoundStore
from anchor.service.anchor_event import AnchorEvent
from anchor.service.backoff import Backoff
from anchor.service.clock import Clock
from anchor.service.worker_view import describe_error

_IDLE_S: Final = 60.0


def publication_of(rounds: RoundStore, publisher: str, tree_size: int) -> Json | None:
    """Return what the publisher said of that round (an IPFS node: its CID), or None."""
    return rounds.meta(f"{publisher}:{tree_size}")


class Publication:
    """The rounds of one publisher. ``run_once`` belongs to one thread, the rest to any."""

    def __init__(
        self,
        publisher: RoundPublisher,
        rounds: RoundStore,
        clock: Clock,
        backoff: Backoff,
        on_event: Callable[[AnchorEvent], None],
    ) -> None:
        self.publisher = publisher
        self._rounds = rounds
        self._clock = clock
        self._backoff = backoff
        self._on_event = on_event
        self._lock = threading.Lock()
        self._key = f"{publisher.name}.unfinished"
        stored = rounds.meta(self._key) or {}
        self._unfinished: set[int] = set(stored.get("tree_sizes", ()))
        self._changed: set[int] = set(self._unfinished)
        self._failures = 0
        self.last_error = ""

    @property
    def waiting(self) -> int:
        """Return how many rounds wait to be published."""
        return len(self._changed)

    @property
    def failures(self) -> int:
        """Return how many tries failed in a row."""
        return self._failures

    def expect(self, tree_size: int) -> None:
        """Remember that an attempt of the round is about to be final; durable on return.

        Raises:
            StoreUnavailableError: not remembered; call again.
        """
        with self._lock:
            if tree_size not in self._unfinished:
                self._store(self._unfinished | {tree_size})

    def changed(self, tree_size: int) -> None:
        """Note that an attempt of an expected round is stored as final or failed."""
        with self._lock:
            if tree_size in self._unfinished:
                self._changed.add(tree_size)

    def run_once(self) -> float:
        """Publish what changed; return the seconds until the next try."""
        while self._changed:
            with self._lock:
                tree_size = min(self._changed)
                self._changed.discard(tree_size)
            try:
                self._publish(tree_size)
            except BaseException as exc:
                with self._lock:
                    self._changed.add(tree_size)
                if not isinstance(exc, Exception):
                    raise
                return self._failed(exc)
            self._failures, self.last_error = 0, ""
        return _IDLE_S

    def _failed(self, exc: Exception) -> float:
        self._failures += 1
        known = isinstance(exc, BackendError | StoreError)
        self.last_error = describe_error(exc) if known else f"bug: {describe_error(exc)}"
        return self._backoff.delay_s(self._failures)

    def _publish(self, tree_size: int) -> None:
        round_ = self._rounds.round_at(tree_size)
        attempts = self._rounds.attempts(tree_size)
        final = {name: a for name, a in attempts.items() if a.phase is Phase.FINAL}
        key = f"{self.publisher.name}:{tree_size}"
        published = (self._rounds.meta(key) or {}).get("backends")
        if round_ is not None and final and published != sorted(final):
            result = self.publisher.publish(round_, final)
            now = utc_text(self._clock.now())
            self._rounds.put_meta(key, {**result, "backends": sorted(final), "published_at": now})
            self._on_event(
                AnchorEvent("published", self._clock.now(), self.publisher.name, tree_size)
            )
        if all(attempt.phase in TERMINAL_PHASES for attempt in attempts.values()):
            with self._lock:
                if tree_size not in self._changed:
                    self._store(self._unfinished - {tree_size})

    def _store(self, unfinished: set[int]) -> None:
        self._rounds.put_meta(self._key, {"tree_sizes": sorted(unfinished)})
        self._unfinished = unfinished
