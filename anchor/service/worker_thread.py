"""One thread that calls one piece of work again and again.

Rules: whatever the work raises is shown and never ends the thread in silence; after a failure the
next call waits longer. LogIntegrityError is handed on and ends the thread. A thread that hangs in
its work holds up nobody else, and not the end of the process either (it is a daemon).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from anchor.errors import LogIntegrityError
from anchor.service.backoff import Backoff

_MAX_WAIT_S: Final = 3600.0


class WorkerThread:
    """A thread around ``work``.

    Args:
        name: of the thread.
        work: does what is due; returns the seconds to wait before the next call.
        backoff: waits after exceptions in a row.
        on_error: hears of each exception, and None after each good call.
        on_fatal: hears LogIntegrityError.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], float],
        *,
        backoff: Backoff,
        on_error: Callable[[BaseException | None], None],
        on_fatal: Callable[[LogIntegrityError], None],
    ) -> None:
        self.name = name
        self._work = work
        self._backoff = backoff
        self._on_error = on_error
        self._on_fatal = on_fatal
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """Say whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def wake(self) -> None:
        """Make the next call happen at once."""
        self._wake.set()

    def ask_to_stop(self) -> None:
        """Make the thread end after the call it is in."""
        self._stopping.set()
        self._wake.set()

    def wait_stopped(self, timeout_s: float) -> bool:
        """Wait for the end of the thread; False if it is still in its work then."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                wait_s = self._work()
            except LogIntegrityError as exc:
                self._on_error(exc)
                self._on_fatal(exc)
                return
            except BaseException as exc:  # noqa: BLE001 - a dead thread would look like a quiet one
                failures += 1
                self._on_error(exc)
                wait_s = self._backoff.delay_s(failures)
            else:
                failures = 0
                self._on_error(None)
            # The wait is monotonic: a wall clock that jumps does not change it.
            self._wake.wait(min(max(wait_s, 0.0), _MAX_WAIT_S))
