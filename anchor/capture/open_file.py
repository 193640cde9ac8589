"""Open a file to be captured, and nothing that only looks like one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from anchor.errors import NotFoundError, StoreError, StoreUnavailableError


@contextlib.contextmanager
def open_file(path: Path, *, follow_links: bool = False) -> Iterator[int]:
    """Open a regular file for reading, and give its descriptor.

    What is opened is what is looked at: whatever stands at the path a moment later plays no part.

    Args:
        path: of the file.
        follow_links: whether the last part of the path may be a symbolic link. Folders on the way
            may be; whoever keeps to a folder checks that before.

    Raises:
        NotFoundError: it is not there.
        StoreError: it is no regular file.
        StoreUnavailableError: it cannot be opened.
    """
    # A pipe that nobody writes to would hold up the opening without O_NONBLOCK.
    names = ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY")
    flags = os.O_RDONLY | sum(getattr(os, name, 0) for name in names)
    descriptor = _open(path, flags if follow_links else flags | getattr(os, "O_NOFOLLOW", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreError(f"{path} is no regular file", code="file.kind")
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags)
    except FileNotFoundError as error:
        raise NotFoundError(f"{path}: there is no such file", code="file.not_found") from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.EMLINK):
            raise StoreError(
                f"{path} is a symbolic link, a file is wanted",
                code="file.kind",
                hint="name the file that it points to",
            ) from error
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise StoreUnavailableError(f"{path}: {reason}", code="file.unavailable") from error
