"""Locks between processes, one file each in the vault; the kernel gives them back at any end.

* ``write``: held for the moment of a write; others wait for it.
* ``watch``: held as long as a folder is watched; a second watcher is refused at once.
* ``send``: held while the queue is sent; a second sender has nothing to do.

Every acquisition opens the file anew, so that threads of one process exclude each other too.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from anchor.errors import StoreConflictError
from anchor.vault.durable import translated

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment, unused-ignore]

_POLL_S: Final = 0.005
WRITE_WAIT_S: Final = 30.0


@contextlib.contextmanager
def held(path: Path, what: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        path: the lock's file; made if it is not there.
        what: what the holder does, for the message: ``another process WHAT``.
        wait_s: how long to wait for it.

    Raises:
        StoreConflictError: somebody else holds it and went on holding it (``vault.locked``).
    """
    with translated(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    try:
        deadline = time.monotonic() + wait_s
        while not _try(descriptor):
            if time.monotonic() >= deadline:
                raise StoreConflictError(
                    f"another process{_holder(descriptor)} {what}",
                    code="vault.locked",
                    hint="wait for it, or stop it",
                )
            time.sleep(_POLL_S)
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        if fcntl is None:
            _lock_windows(descriptor)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _lock_windows(descriptor: int) -> None:
    """Lock one byte far past the text that names the holder."""
    import msvcrt  # noqa: PLC0415 - only there

    os.lseek(descriptor, 1 << 30, os.SEEK_SET)
    msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]


def _sign(descriptor: int) -> None:
    """Write who holds the lock, for the message of the one who does not get it."""
    with contextlib.suppress(OSError):  # a full disk must not keep anybody from reading
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"{os.getpid():<20}\n".encode())


def _holder(descriptor: int) -> str:
    with contextlib.suppress(OSError, ValueError):
        os.lseek(descriptor, 0, os.SEEK_SET)
        return f" ({int(os.read(descriptor, 21))})"
    return ""
