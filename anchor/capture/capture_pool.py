"""Capture many files with a few workers: digests here, metadata there, at the same time."""

from __future__ import annotations

import os
import queue
from pathlib import Path
from typing import Final, Self

from anchor.capture.capture import Capture
from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.file_digests import FileDigests
from anchor.capture.metadata import Metadata
from anchor.capture.open_file import open_file
from anchor.capture.sandbox.worker_process import WorkerProcess, can_confine
from anchor.errors import UsageError

_MAX_WORKERS: Final = 4
_NOT_STARTED: Final = "the metadata is not read: the system starts no further process"
_UNCONFINED: Final = "the metadata is not read: this system cannot confine the reader"


class CapturePool:
    """Workers that are started when first wanted, and replaced when one dies.

    Threads may share a pool: each call of :meth:`read` has a worker of its own while it lasts, and
    waits for one if all are busy.

    Args:
        workers: at most so many processes; the number of processors up to four, if None.
        limits: for every file.
    """

    def __init__(self, workers: int | None = None, limits: CaptureLimits | None = None) -> None:
        n_workers = min(os.cpu_count() or 1, _MAX_WORKERS) if workers is None else workers
        if n_workers < 1:
            raise UsageError(f"{n_workers} workers, at least 1 is wanted", code="capture.workers")
        self._limits = limits or CaptureLimits()
        # The newest idle worker goes first, so that few files need few workers.
        self._idle: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
        self._n_workers = n_workers
        self._closed = False
        for _ in range(n_workers):
            self._idle.put(None)

    def start(self) -> None:
        """Start all workers now; otherwise the first files wait for that."""
        if can_confine() and not self._closed:
            taken = [self._idle.get() for _ in range(self._n_workers)]
            for worker in taken:
                self._idle.put(_usable(worker))

    def read(
        self, path: Path, *, digests: FileDigests | None = None, follow_links: bool = False
    ) -> Capture:
        """Capture one file.

        Args:
            path: of the file.
            digests: if they are known already; then the file is not hashed.
            follow_links: whether the path may be a symbolic link.

        Raises:
            NotFoundError, StoreError, StoreUnavailableError: the file cannot be opened or read to
                its end. What is in it raises nothing.
            UsageError: the pool is closed.
        """
        if self._closed:
            raise UsageError("the pool is closed", code="capture.closed")
        with open_file(path, follow_links=follow_links) as descriptor:
            if not can_confine():
                metadata = Metadata(notes=(_UNCONFINED,))
                return Capture.of(metadata, digests or FileDigests.of_descriptor(descriptor))
            worker = self._idle.get()
            try:
                worker = _usable(worker)
                if worker is None:
                    metadata = Metadata(notes=(_NOT_STARTED,))
                    return Capture.of(metadata, digests or FileDigests.of_descriptor(descriptor))
                worker.begin(descriptor, self._limits)
                if digests is None:
                    digests = FileDigests.of_descriptor(descriptor, between=worker.poll)
                return Capture.of(worker.finish(), digests)
            except BaseException:
                # Its answer to this file must not be taken for the answer to the next.
                if worker is not None:
                    worker.close()
                worker = None
                raise
            finally:
                self._idle.put(worker)

    def close(self) -> None:
        """End all workers; waits for those that are reading."""
        self._closed = True
        for _ in range(self._n_workers):
            worker = self._idle.get()
            if worker is not None:
                worker.close()
        for _ in range(self._n_workers):
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _usable(worker: WorkerProcess | None) -> WorkerProcess | None:
    """Return a worker that can take a file, this one or a new one; None if none can be started."""
    if worker is not None:
        if worker.is_usable:
            return worker
        worker.close()
    try:
        return WorkerProcess()
    except OSError:
        return None
