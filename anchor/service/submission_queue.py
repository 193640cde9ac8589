"""What waits for the sequencer: two lanes, a budget of bytes, batches cut to size.

Short submissions (up to ``limits.MAX_JSON_DIGESTS`` digests) are batched together; a bulk one is
cut into slices. While both wait they take turns, so a short one waits for at most one slice, and
several bulk ones go round.

Not safe for threads by itself: the sequencer holds its lock around every call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from anchor import limits
from anchor.errors import OverloadedError

# What a request costs beside its digests, roughly: objects, futures, the connection behind it.
_REQUEST_BYTES: Final = 2_048

WaiterT = TypeVar("WaiterT")


@dataclass(slots=True, eq=False)
class QueuedSubmission(Generic[WaiterT]):
    """One submission on its way.

    Attributes:
        digests: 32·n bytes.
        waiter: who wants the answer.
        n_taken: how many digests are in batches so far.
        leaf_indices: the answers so far, one array a batch.
        created: the same.
    """

    digests: bytes
    waiter: WaiterT
    n_taken: int = 0
    leaf_indices: list[NDArray[np.uint64]] = field(default_factory=list)
    created: list[NDArray[np.bool_]] = field(default_factory=list)

    @property
    def n_digests(self) -> int:
        """Return how many digests it has in all."""
        return len(self.digests) // limits.DIGEST_BYTES

    @property
    def n_bytes(self) -> int:
        """Return what it takes of the budget, until it is answered."""
        return len(self.digests) + _REQUEST_BYTES


@dataclass(frozen=True, slots=True)
class Slice(Generic[WaiterT]):
    """A part of a submission that goes into one batch: digests ``start`` to before ``stop``."""

    submission: QueuedSubmission[WaiterT]
    start: int
    stop: int

    @property
    def digests(self) -> bytes:
        """Return the part's digests."""
        size = limits.DIGEST_BYTES
        return self.submission.digests[self.start * size : self.stop * size]

    @property
    def is_last(self) -> bool:
        """Return whether nothing of the submission is left after it."""
        return self.stop == self.submission.n_digests


class SubmissionQueue(Generic[WaiterT]):
    """The two lanes.

    Args:
        max_bytes: budget over both, counted until :meth:`release`.
        slice_digests: the most digests in one batch.
    """

    def __init__(self, *, max_bytes: int, slice_digests: int) -> None:
        self._max_bytes = max_bytes
        self._slice_digests = slice_digests
        self._short: deque[QueuedSubmission[WaiterT]] = deque()
        self._bulk: deque[QueuedSubmission[WaiterT]] = deque()
        self._bulk_is_next = False
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._short) + len(self._bulk)

    def put(self, submission: QueuedSubmission[WaiterT]) -> None:
        """Queue a submission.

        Raises:
            OverloadedError: the budget is used up. One submission alone always fits.
        """
        if self.n_bytes and self.n_bytes + submission.n_bytes > self._max_bytes:
            raise OverloadedError(
                f"{self.n_bytes} bytes of submissions are waiting already, of {self._max_bytes}",
                code="overloaded.sequencer",
                hint="submit again in a second",
            )
        self.n_bytes += submission.n_bytes
        is_short = submission.n_digests <= min(limits.MAX_JSON_DIGESTS, self._slice_digests)
        (self._short if is_short else self._bulk).append(submission)

    def release(self, submission: QueuedSubmission[WaiterT]) -> None:
        """Give back the budget of a submission that is being answered."""
        self.n_bytes -= submission.n_bytes

    def take(self) -> list[Slice[WaiterT]]:
        """Return the next batch; empty if nothing waits."""
        if self._bulk and (self._bulk_is_next or not self._short):
            self._bulk_is_next = False
            return [self._take_bulk()]
        self._bulk_is_next = True
        return list(self._take_short())

    def _take_bulk(self) -> Slice[WaiterT]:
        submission = self._bulk.popleft()
        start = submission.n_taken
        submission.n_taken = min(start + self._slice_digests, submission.n_digests)
        taken = Slice(submission, start, submission.n_taken)
        if not taken.is_last:
            self._bulk.append(submission)
        return taken

    def _take_short(self) -> Iterator[Slice[WaiterT]]:
        room = self._slice_digests
        while self._short and self._short[0].n_digests <= room:
            submission = self._short.popleft()
            submission.n_taken = submission.n_digests
            room -= submission.n_digests
            yield Slice(submission, 0, submission.n_digests)

    def drop(self, submission: QueuedSubmission[WaiterT]) -> None:
        """Forget what is left of a submission that failed."""
        if submission in self._bulk:
            self._bulk.remove(submission)

    def drain(self) -> list[QueuedSubmission[WaiterT]]:
        """Forget everything and return it."""
        everything = [*self._short, *self._bulk]
        self._short.clear()
        self._bulk.clear()
        return everything
