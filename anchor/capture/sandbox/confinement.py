"""Give up what a reader of files does not need, before the first one comes.

Limits of the kernel bound memory, time and files; an audit hook (PEP 578) refuses whatever the
interpreter could be talked into: importing, compiling, opening, starting, connecting. The hook
cannot be taken out again. Neither is needed by the readers: they are the walls for the day on
which one of them, or the C code under them, has a hole.

Address space is limited where the system enforces it (Linux does, macOS does not).
"""

from __future__ import annotations

import resource
import signal
import sys
from typing import Any

from anchor.limits import CAPTURE_MEMORY_BYTES, CAPTURE_TIME_S

_DESCRIPTORS = 16
# What the interpreter reports of its own doings, and the readers cause.
_HARMLESS = ("sys._getframe", "object.__getattr__", "sys.unraisablehook")
# The same for calls into a native library.
_CALLS = ("ctypes.addressof", "ctypes.string_at", "builtins.id", "object.__setattr__")


class Confinement:
    """The walls around this process."""

    def __init__(self) -> None:
        self._allowed: tuple[str, ...] = ("",)
        self._limit(resource.RLIMIT_CORE, 0)
        self._limit(resource.RLIMIT_FSIZE, 0)
        self._limit(resource.RLIMIT_NOFILE, _DESCRIPTORS)
        self._limit(resource.RLIMIT_NPROC, 0)
        self._limit(resource.RLIMIT_AS, CAPTURE_MEMORY_BYTES)
        sys.addaudithook(self._audit)

    def begin(self, *also: str) -> None:
        """Start a file: from here on nothing is allowed but ``also``, and time runs out."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + CAPTURE_TIME_S
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
        # Nobody handles the signal: the kernel ends the process, whatever it is doing.
        signal.setitimer(signal.ITIMER_REAL, CAPTURE_TIME_S)
        self._allowed = (*_HARMLESS, *also)

    def let_load(self) -> None:
        """Let a library be loaded, which no file has a say in; :meth:`let_call` must follow."""
        self._allowed = ("",)

    def let_call(self) -> None:
        """Let the loaded library be called, for as long as this file lasts."""
        self._allowed = (*_HARMLESS, *_CALLS)

    def end(self) -> None:
        """End a file."""
        self._allowed = ("",)
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _audit(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if not event.startswith(self._allowed):
            raise PermissionError(f"{event} is refused while a file is read")

    def _limit(self, kind: int, value: int) -> None:
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            if sys.platform == "linux":
                raise
