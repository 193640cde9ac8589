"""A progress bar for work that takes more than a second: count, rate, time left.

It is drawn on standard error when that is a terminal, one line that is drawn over and wiped at the
end; in a pipe, a file or under ``--quiet`` nothing is written at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Self

from anchor.cli._output import Output

_FIRST_S: Final = 1.0
_EVERY_S: Final = 0.1
_BAR_COLUMNS: Final = 24


class Progress:
    """Counts steps of known or unknown total; a context manager.

    Args:
        out: whose standard error is drawn on.
        what: the work, in one word, such as ``hashing``.
        total: number of steps, or None.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        out: Output,
        what: str,
        total: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._stream = out.stderr
        self._shown = not out.quiet and out.is_terminal(out.stderr)
        self._full, self._empty = ("█", "░") if out.shows_unicode(out.stderr) else ("#", ".")
        self._what = what
        self._total = total
        self._clock = clock
        self._count = 0
        self._start = clock()
        self._drawn_at: float | None = None
        self._visible = False

    def __enter__(self) -> Self:
        self._out.before_line = self.clear
        return self

    def __exit__(self, *_exc: object) -> None:
        self.clear()
        self._out.before_line = _nothing

    def clear(self) -> None:
        """Wipe the bar before something else is written; a later step draws it again."""
        if self._visible:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._visible = False

    def step(self) -> None:
        """Count a step; draw when it is time to."""
        self.reached(self._count + 1)

    def reached(self, count: int, total: int | None = None) -> None:  # noqa: ARG002 - for callbacks
        """Say how many steps are done; draw when it is time to."""
        self._count = count
        if not self._shown:
            return
        now = self._clock()
        if now - self._start < _FIRST_S:
            return
        if self._drawn_at is not None and now - self._drawn_at < _EVERY_S:
            return
        self._drawn_at = now
        self._visible = True
        self._stream.write("\r\x1b[K" + self._line(now - self._start))
        self._stream.flush()

    def _line(self, elapsed_s: float) -> str:
        rate = self._count / elapsed_s
        if self._total is None:
            return f"{self._what}  {self._count:,}  {rate:,.0f}/s"
        done = min(self._count / self._total, 1.0) if self._total else 1.0
        full = round(done * _BAR_COLUMNS)
        bar = self._full * full + self._empty * (_BAR_COLUMNS - full)
        left_s = (self._total - self._count) / rate if rate else 0
        return (
            f"{self._what}  {bar}  {self._count:,} of {self._total:,}  {rate:,.0f}/s  "
            f"{_duration(left_s)} left"
        )


def _nothing() -> None:
    """Do nothing: no bar is drawn."""


def _duration(seconds: float) -> str:
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
