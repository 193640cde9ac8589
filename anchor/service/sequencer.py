"""The sequencer: gives digests their place in the log, many at a time, under one signature.

One thread writes. It takes a batch from the queue, has the store append what is new, signs the
tree, has the store commit it, and only then answers everybody in the batch. While it works the next
batch gathers.

Rules:

* An answer means: flushed, sequenced, under a signed checkpoint that covers the digest.
* A batch that fails is answered with its error, to everybody in it; nothing of it was signed for
  the outside, and the next batch goes on. A bulk submission is several batches: what came before
  the failed one stays in the log, and submitting it again is safe.
* :class:`LogIntegrityError` ends signing for good; everybody gets it from then on, reading goes on.
* Checkpoints hold no time, and nothing here depends on the clock: it is read for figures only.

It does not count quotas, and does not know HTTP.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anchor import limits
from anchor.errors import LogIntegrityError, StoreUnavailableError, UsageError, VestigeError
from anchor.ports import AppendedTree, CommittedTree, LogStore
from anchor.service.outside_checkpoints import OutsideCheckpoints, check_outside_checkpoints
from anchor.service.signer import LogSigner
from anchor.service.submission_queue import QueuedSubmission, Slice, SubmissionQueue

_log = logging.getLogger(__name__)

_DEFAULT_MAX_PENDING_BYTES: Final = 128 << 20

_AsyncWaiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Submission]"]
_Waiter = _AsyncWaiter | concurrent.futures.Future["Submission"]
_Answer = tuple[QueuedSubmission[_Waiter], "Submission | BaseException"]


@dataclass(frozen=True, slots=True)
class Submission:
    """The answer to one submission.

    Attributes:
        leaf_indices: uint64, one for each digest, in the order submitted.
        created: bool, True where this submission made the leaf.
        tree: committed, and covers every leaf index.
    """

    leaf_indices: NDArray[np.uint64]
    created: NDArray[np.bool_]
    tree: CommittedTree


@dataclass(frozen=True, slots=True)
class SequencerFigures:
    """What has happened since the start, for metrics."""

    pending_bytes: int
    pending_submissions: int
    n_commits: int
    n_created: int
    n_repeated: int
    n_failed_batches: int
    last_commit_s: float


class Sequencer:
    """The one writer of a log.

    Args:
        store: the log; nobody else appends to it.
        signer: the log's key.
        max_pending_bytes: budget for submissions not answered yet; past it they are refused.
        slice_digests: the most digests under one signature.

    Raises:
        ConfigError: the stored log was signed by another key or under another origin.
    """

    def __init__(
        self,
        store: LogStore,
        signer: LogSigner,
        *,
        max_pending_bytes: int = _DEFAULT_MAX_PENDING_BYTES,
        slice_digests: int = limits.SEQUENCER_SLICE_DIGESTS,
    ) -> None:
        signer.require_own(store.committed)
        self._store = store
        self._signer = signer
        self._queue = SubmissionQueue[_Waiter](
            max_bytes=max_pending_bytes, slice_digests=slice_digests
        )
        self._changed = threading.Condition()
        self._refusal: VestigeError | None = None
        self._broken = False
        self._closing = False
        self._n_commits = self._n_created = self._n_repeated = self._n_failed = 0
        self._last_commit_s = 0.0
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)
        self._thread.start()

    # -- submitting ----------------------------------------------------------------------------

    async def submit(self, digests: bytes) -> Submission:
        """Sequence digests (32·n bytes) and return once they are under a durable checkpoint.

        Cancelling gives up the answer, not the submission.

        Raises:
            UsageError: not a whole number of digests, none, or over ``limits.MAX_RAW_DIGESTS``.
            OverloadedError: too much is waiting; nothing was queued.
            StoreUnavailableError: the disk cannot take it now, or the log is read-only.
            LogIntegrityError: the log contradicts itself; it will not sign again.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Submission] = loop.create_future()
        self._put(digests, (loop, future))
        return await future

    def submit_blocking(self, digests: bytes, *, timeout_s: float | None = None) -> Submission:
        """Do the same from a thread; TimeoutError gives up the answer, not the submission."""
        future: concurrent.futures.Future[Submission] = concurrent.futures.Future()
        self._put(digests, future)
        return future.result(timeout_s)

    def _put(self, digests: bytes, waiter: _Waiter) -> None:
        count, rest = divmod(len(digests), limits.DIGEST_BYTES)
        if rest or not 1 <= count <= limits.MAX_RAW_DIGESTS:
            raise UsageError(
                f"wanted 1 to {limits.MAX_RAW_DIGESTS} digests of {limits.DIGEST_BYTES} bytes, "
                f"got {len(digests)} bytes",
                code="usage.digests",
            )
        with self._changed:
            if self._refusal is not None:
                raise _copied(self._refusal)
            if self._closing:
                raise _closed()
            self._queue.put(QueuedSubmission(digests, waiter))
            self._changed.notify()

    # -- state ---------------------------------------------------------------------------------

    @property
    def committed(self) -> CommittedTree | None:
        """Return the newest committed tree."""
        return self._store.committed

    @property
    def read_only_reason(self) -> str | None:
        """Return why nothing is accepted, or None."""
        refusal = self._refusal
        return None if refusal is None else refusal.message

    @property
    def is_broken(self) -> bool:
        """Return whether the log contradicts itself: nothing will be signed by this process."""
        return self._broken

    @property
    def figures(self) -> SequencerFigures:
        """Return what has happened since the start."""
        return SequencerFigures(
            self._queue.n_bytes,
            len(self._queue),
            self._n_commits,
            self._n_created,
            self._n_repeated,
            self._n_failed,
            self._last_commit_s,
        )

    def check_against(
        self, checkpoints: Iterable[str], *, needed: bool = False
    ) -> OutsideCheckpoints:
        """Compare the log with signed checkpoints known outside this disk; read-only if it differs.

        Args:
            checkpoints: signed notes from witnesses, rounds, a file; texts not signed by this log
                are ignored.
            needed: read-only also when there is none and the log is not empty.
        """
        try:
            outside = check_outside_checkpoints(self._store, self._signer, checkpoints)
        except LogIntegrityError as exc:
            self._end_signing(exc)
            return OutsideCheckpoints(None, 0)
        if needed and outside.greatest is None and self._store.committed is not None:
            self.stop_accepting("no checkpoint of this log is known outside its own disk")
        return outside

    def stop_accepting(self, reason: str) -> None:
        """Refuse submissions (StoreUnavailableError) until :meth:`accept`; finish what waits."""
        with self._changed:
            if not self._broken:
                self._refusal = StoreUnavailableError(reason, code="store.unavailable.read_only")

    def accept(self) -> None:
        """Accept submissions again, as the operator says.

        Raises:
            LogIntegrityError: the log contradicted itself or what is known outside; restart it on
                the right files.
        """
        with self._changed:
            if self._broken and self._refusal is not None:
                raise _copied(self._refusal)
            self._refusal = None

    def close(self) -> None:
        """Answer what is queued, then stop; safe to call twice. The store stays open."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    # -- the writing thread --------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                while not len(self._queue) and not self._closing:
                    self._changed.wait()
                if not len(self._queue):
                    return
                batch = self._queue.take()
            self._deliver(self._sequence(batch))

    def _sequence(self, batch: Sequence[Slice[_Waiter]]) -> list[_Answer]:
        """Sequence one batch; return the answers that are due with it."""
        started = time.perf_counter()
        try:
            appended, tree = self._append_and_commit(b"".join(part.digests for part in batch))
        except Exception as exc:  # noqa: BLE001 - whatever it was, it belongs to this batch alone
            return self._failed(batch, exc)
        n_created = int(np.count_nonzero(appended.created))
        self._n_commits += n_created > 0
        self._n_created += n_created
        self._n_repeated += len(appended.created) - n_created
        self._last_commit_s = time.perf_counter() - started
        return list(_answers(batch, appended, tree))

    def _append_and_commit(self, digests: bytes) -> tuple[AppendedTree, CommittedTree]:
        if self._broken and self._refusal is not None:
            raise _copied(self._refusal)
        appended = self._store.append(digests)
        committed = self._store.committed
        if committed is not None and committed.tree_size == appended.tree_size:
            return appended, committed
        checkpoint = self._signer.sign(appended.tree_size, appended.root_hash)
        tree = CommittedTree(appended.tree_size, appended.root_hash, checkpoint)
        self._store.commit(tree)
        return appended, tree

    def _failed(self, batch: Sequence[Slice[_Waiter]], error: Exception) -> list[_Answer]:
        self._n_failed += 1
        _log.error("a batch of %d submissions failed: %s", len(batch), error)
        try:
            self._store.rollback()
        except Exception as exc:  # noqa: BLE001 - as above
            error = exc
        if isinstance(error, LogIntegrityError):
            self._end_signing(error)
        with self._changed:
            for part in batch:
                self._queue.drop(part.submission)
        return [(part.submission, error) for part in batch]

    def _end_signing(self, error: LogIntegrityError) -> None:
        _log.critical("the log contradicts itself, nothing will be signed again: %s", error)
        with self._changed:
            self._refusal = error
            self._broken = True

    def _deliver(self, answers: Sequence[_Answer]) -> None:
        """Hand out answers, with one call into each event loop."""
        by_loop: defaultdict[asyncio.AbstractEventLoop, list[_Answer]] = defaultdict(list)
        with self._changed:
            for submission, _ in answers:
                self._queue.release(submission)
        for submission, answer in answers:
            waiter = submission.waiter
            if isinstance(waiter, tuple):
                by_loop[waiter[0]].append((submission, answer))
            elif isinstance(answer, Submission):
                waiter.set_result(answer)
            else:
                waiter.set_exception(_copied(answer))
        for loop, its_answers in by_loop.items():
            try:
                loop.call_soon_threadsafe(_answer_in_loop, its_answers)
            except RuntimeError:
                # The loop is closed: nobody there waits any more.
                _log.warning("%d answers came too late for their event loop", len(its_answers))


def _answer_in_loop(answers: Sequence[_Answer]) -> None:
    for submission, answer in answers:
        waiter = submission.waiter
        if not isinstance(waiter, tuple) or waiter[1].done():
            continue
        if isinstance(answer, Submission):
            waiter[1].set_result(answer)
        else:
            waiter[1].set_exception(_copied(answer))


def _answers(
    batch: Sequence[Slice[_Waiter]], appended: AppendedTree, tree: CommittedTree
) -> Iterable[_Answer]:
    """Yield the answer of each submission that ends in the batch; add to the others."""
    stop = 0
    for part in batch:
        start, stop = stop, stop + part.stop - part.start
        leaf_indices, created = appended.leaf_indices[start:stop], appended.created[start:stop]
        submission = part.submission
        if part.start or not part.is_last:
            submission.leaf_indices.append(leaf_indices)
            submission.created.append(created)
            if not part.is_last:
                continue
            leaf_indices = np.concatenate(submission.leaf_indices)
            created = np.concatenate(submission.created)
        yield submission, Submission(leaf_indices, created, tree)


def _copied(error: BaseException) -> BaseException:
    """Return an exception of its own for one waiter: tracebacks grow where they are raised."""
    if isinstance(error, VestigeError):
        return type(error)(error.message, code=error.code, hint=error.hint)
    return error


def _closed() -> StoreUnavailableError:
    return StoreUnavailableError("the log is closing", code="store.unavailable.closed")
