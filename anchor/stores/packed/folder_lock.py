"""The lock that keeps two processes from writing one log."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from anchor.errors import StoreConflictError
from anchor.stores.packed.disk import translated_errors


def lock_folder(folder: Path) -> int:
    """Return a descriptor that holds the folder's lock until it is closed.

    The kernel gives it back when the process ends, however it ends.

    Raises:
        StoreConflictError: somebody else, in this process or another, holds it.
    """
    with translated_errors(f"open {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise StoreConflictError(
            f"another process has the log in {folder} open",
            code="store.conflict.locked",
            hint="stop it first; reading beside it needs no lock",
        ) from exc
    return descriptor
