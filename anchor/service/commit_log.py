"""Remembers when the log grew, so that the age of a digest that nobody has stamped can be told.

The tree's size is looked at once a second; a size and the time it was seen are stored when it grew.
A leaf was accepted at, or at most a second before, the first stored time whose size covers it.
Times older than an hour are thinned to one a minute: an age is then told too small by at most a
minute, never too great.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from anchor.ports import CommittedTree, RoundStore
from anchor.service.clock import Clock

_THIN_EVERY_S: Final = 3600.0
_THIN_OLDER_THAN: Final = timedelta(hours=1)


class CommitLog:
    """The times of commits. ``look`` belongs to one thread."""

    def __init__(
        self, log_tree: Callable[[], CommittedTree | None], rounds: RoundStore, clock: Clock
    ) -> None:
        self._log_tree = log_tree
        self._rounds = rounds
        self._clock = clock
        self._seen_size = 0
        self._thinned_at = clock.monotonic()

    def look(self) -> None:
        """Look at the log, store its size if it grew, thin what is old.

        Raises:
            StoreError: not stored; the next look tries again.
        """
        tree = self._log_tree()
        if tree is not None and tree.tree_size > self._seen_size:
            self._rounds.record_commit(tree.tree_size, self._clock.now())
            self._seen_size = tree.tree_size
        if self._clock.monotonic() - self._thinned_at >= _THIN_EVERY_S:
            self._thinned_at = self._clock.monotonic()
            self._rounds.thin_commits(self._clock.now() - _THIN_OLDER_THAN)
