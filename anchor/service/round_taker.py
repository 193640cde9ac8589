"""Decides which round a backend takes next, if any.

Rules:

* A round is the newest committed tree of the log. None for size 0, none for an unchanged root; a
  failed round may be taken again with the same root.
* Growth by our own tokens alone is no reason for a token, and for other backends only after a long
  time; the operator's wish overrides that.
* A witness takes the newest round of anybody as soon as its gap allows.
* A tree smaller than an anchored one, or another root at one size, is a LogIntegrityError.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal

from anchor.errors import LogIntegrityError
from anchor.ports import AnchorBackend, CommittedTree, Phase, Round, RoundStore
from anchor.service.backoff import Backoff
from anchor.service.clock import Clock
from anchor.service.round_schedule import RoundSchedule
from anchor.service.token_log import TOKEN_FAMILY, TokenLog

LogTree = Callable[[], CommittedTree | None]
ForceAnswer = Literal["scheduled", "in_flight", "unchanged", "empty"]

FOLLOWING_FAMILY: Final = "witness"


class RoundTaker:
    """The choice of rounds for one backend.

    Args:
        backend: whose rounds.
        log_tree: returns the newest committed tree.
        rounds: what was taken before.
        tokens: which leaves are our own tokens.
        clock: both clocks.
        backoff: waits after failed rounds in a row.
        token_interval_s: growth by tokens alone makes a round due this long after the last one.
    """

    def __init__(
        self,
        backend: AnchorBackend,
        *,
        log_tree: LogTree,
        rounds: RoundStore,
        tokens: TokenLog,
        clock: Clock,
        backoff: Backoff,
        token_interval_s: float,
    ) -> None:
        self._name = backend.name
        self._follows = backend.family == FOLLOWING_FAMILY
        self._makes_tokens = backend.family == TOKEN_FAMILY
        self._log_tree = log_tree
        self._rounds = rounds
        self._tokens = tokens
        self._clock = clock
        self._token_interval_s = token_interval_s
        self._schedule = RoundSchedule(
            interval_s=backend.interval_s, min_gap_s=backend.min_gap_s, backoff=backoff
        )
        self._last = rounds.newest_round_of(self._name)
        self._last_failed = False
        if self._last is not None:
            self._remember(self._last)

    def _remember(self, last: Round) -> None:
        """Take up the waits that an earlier process left."""
        # Under a wall clock that went back the last round lies in the future: its age is then 0.
        age_s = max((self._clock.now() - last.created_at).total_seconds(), 0.0)
        self._schedule.took_round(self._clock.monotonic() - age_s)
        attempt = self._rounds.attempt(last.tree_size, self._name)
        if attempt is not None and attempt.phase is Phase.FAILED:
            self._last_failed = True
            self._schedule.round_failed()

    @property
    def newest_size(self) -> int:
        """Return the tree size of the newest round taken, 0 if none."""
        return self._last.tree_size if self._last else 0

    @property
    def failed_in_a_row(self) -> int:
        """Return how many rounds failed since one reached the outside."""
        return self._schedule.failed_in_a_row

    def next_round(self) -> Round | None:
        """Return the round that is due now and has something new to stamp, or None.

        Raises:
            LogIntegrityError: the log is not what it was when it was anchored.
        """
        return self._followed() or self._own()

    def took(self, round_: Round) -> None:
        """Note that the attempt for this round is on disk."""
        self._last, self._last_failed = round_, False
        self._schedule.took_round(self._clock.monotonic())

    def reached(self, round_: Round, phase: Phase) -> None:
        """Note how far a round got; only the newest one moves the waits."""
        if self._last is None or round_.tree_size != self._last.tree_size:
            return
        if phase is Phase.FAILED:
            self._last_failed = True
            self._schedule.round_failed()
        elif phase in (Phase.PENDING, Phase.CONFIRMED, Phase.FINAL):
            self._schedule.round_succeeded()

    def force(self) -> ForceAnswer:
        """Ask for a round as soon as the gap allows; the rules on size and root still hold."""
        tree = self._log_tree()
        if tree is None or tree.tree_size == 0:
            return "empty"
        if not self._is_new(tree):
            return "unchanged"
        self._schedule.force()
        return "scheduled"

    def due_at(self) -> float:
        """Return when to look for the next round, monotonic; infinity for never by itself."""
        if self._follows:
            return min(self._schedule.follow_at(), self._schedule.due_at())
        return self._schedule.due_at()

    def next_own_at(self) -> float:
        """Return when a round is taken even if nobody else takes one."""
        return self._schedule.due_at()

    # -- choices -----------------------------------------------------------------------------------

    def _followed(self) -> Round | None:
        if not self._follows or self._schedule.follow_at() > self._clock.monotonic():
            return None
        newest = next(iter(self._rounds.rounds(limit=1)), None)
        if newest is None or newest.tree_size < self.newest_size:
            return None
        return newest if newest.tree_size > self.newest_size or self._last_failed else None

    def _own(self) -> Round | None:
        tree = self._log_tree()
        if tree is None or tree.tree_size == 0 or not self._is_new(tree):
            return None
        if self._schedule.due_at() > self._clock.monotonic():
            return None
        if not self._schedule.forced and not self._is_worth_it(tree):
            return None
        stored = self._rounds.round_at(tree.tree_size)
        if stored is not None and stored.root_hash == tree.root_hash:
            return stored
        return Round(tree.tree_size, tree.root_hash, tree.checkpoint, self._clock.now())

    def _is_new(self, tree: CommittedTree) -> bool:
        last = self._last
        if last is None or tree.tree_size > last.tree_size:
            return True
        if tree.tree_size < last.tree_size or tree.root_hash != last.root_hash:
            raise LogIntegrityError(
                f"the log shows size {tree.tree_size} and root {tree.root_hash.hex()}, after size "
                f"{last.tree_size} and root {last.root_hash.hex()} went to {self._name}",
                code="log.integrity.anchored_tree",
                hint="stop the service and compare the log's files with a backup",
            )
        return self._last_failed

    def _is_worth_it(self, tree: CommittedTree) -> bool:
        """Say whether the growth is more than our own tokens, or they have waited long enough."""
        if self._last is None or self._last_failed:
            return True
        if not self._tokens.only_tokens(self._last.tree_size, tree.tree_size):
            return True
        if self._makes_tokens or self._token_interval_s == math.inf:
            return False
        return self._schedule.since_last_s(self._clock.monotonic()) >= self._token_interval_s
