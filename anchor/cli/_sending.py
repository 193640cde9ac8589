"""A thread that sends what waits, while its command does something else.

It has a vault of its own, asks a silent service again after a while, and stays out of the way of
recording: it waits a moment after each record, so that many go in one request.
"""

from __future__ import annotations

import argparse
import io
import threading
from collections.abc import Callable
from typing import Final, Self

from anchor.cli._output import Output
from anchor.cli._vault import Desk
from anchor.errors import VestigeError

_TOGETHER_S: Final = 1.0
_AGAIN_S: Final = 15.0
_JOIN_S: Final = 20.0


class Sending:
    """Sends from its start to its end, once more at the end; a context manager.

    Args:
        args: of the command, with ``vault``, ``server`` and ``offline``.
        tell: told how many records were sent.
        warn: told what keeps it from sending at all.
    """

    def __init__(
        self, args: argparse.Namespace, tell: Callable[[int], None], warn: Callable[[str], None]
    ) -> None:
        self._args = args
        self._tell = tell
        self._warn = warn
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sending", daemon=True)

    def wake(self) -> None:
        """Say that there is something to send."""
        self._wake.set()

    def __enter__(self) -> Self:
        self._wake.set()
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        silent = Output(stdout=io.StringIO(), stderr=io.StringIO(), quiet=True)
        try:
            with Desk(self._args, silent) as desk:
                if not desk.link.is_offline:
                    self._send_all(desk)
        except (VestigeError, ImportError) as error:
            self._warn(f"nothing is sent: {error}")

    def _send_all(self, desk: Desk) -> None:
        queued = True
        while True:
            self._wake.wait(_AGAIN_S if queued else None)
            self._stop.wait(_TOGETHER_S)
            last = self._stop.is_set()
            self._wake.clear()
            sent = desk.send()
            if sent is not None and sent.sent:
                self._tell(len(sent.sent))
            queued = sent is None or sent.queued > 0
            if last:
                return
