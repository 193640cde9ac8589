"""The few calls on the disk that can fail, as one small object that a test can replace.

Every write, flush, truncation, rename and commit of the packed log goes through :class:`Disk`, so
that the fault tests can make each of them fail, or fail after it has worked. Methods raise OSError
(``commit`` also sqlite3.Error), as the calls below them do; :func:`translated_errors` turns these
into :class:`anchor.errors.StoreUnavailableError` at the edge of the adapter.

It never retries a flush: after a failed fsync the kernel may have dropped the data and say yes to
the next one, so whoever gets the error has to write again from what it knows to be durable.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from anchor.errors import StoreUnavailableError

_FILE_MODE: Final = 0o600
# macOS has no fdatasync.
_flush = getattr(os, "fdatasync", os.fsync)


class Disk:
    """The real disk."""

    def open(self, path: Path, flags: int) -> int:
        """Return a descriptor; the file is made where ``flags`` hold O_CREAT."""
        return os.open(path, flags | os.O_CLOEXEC, _FILE_MODE)

    def read_at(self, descriptor: int, n_bytes: int, offset: int) -> bytes:
        """Return up to ``n_bytes`` from ``offset``; fewer only at the end of the file."""
        data = os.pread(descriptor, n_bytes, offset)
        while 0 < len(data) < n_bytes:
            more = os.pread(descriptor, n_bytes - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def write_at(self, descriptor: int, data: bytes | memoryview, offset: int) -> None:
        """Write all of ``data`` at ``offset``; not durable before :meth:`flush`."""
        view = memoryview(data).cast("B")
        while view:
            written = os.pwrite(descriptor, view, offset)
            offset += written
            view = view[written:]

    def flush(self, descriptor: int) -> None:
        """Make what was written to the file, and its length, durable."""
        _flush(descriptor)

    def truncate(self, descriptor: int, n_bytes: int) -> None:
        """Cut the file to ``n_bytes``."""
        os.ftruncate(descriptor, n_bytes)

    def replace(self, source: Path, target: Path) -> None:
        """Rename over ``target``, atomically; durable after :meth:`flush_folder`."""
        source.replace(target)

    def flush_folder(self, folder: Path) -> None:
        """Make the names in the folder durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def commit(self, connection: sqlite3.Connection) -> None:
        """Commit the open transaction; durable on return."""
        connection.execute("COMMIT")

    def free_bytes(self, folder: Path) -> int:
        """Return the bytes that this process may still write to the folder's file system."""
        numbers = os.statvfs(folder)
        return numbers.f_bavail * numbers.f_frsize


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def translated_errors(what: str) -> Iterator[None]:
    """Turn OSError and sqlite3.Error into StoreUnavailableError.

    ``what`` is what was being done, as a verb and its object.
    """
    try:
        yield
    except OSError as exc:
        full = exc.errno in _FULL
        raise StoreUnavailableError(
            f"could not {what}: {exc.strerror or exc}",
            code="store.unavailable.disk_full" if full else "store.unavailable.disk",
            hint="free some disk space; reading goes on meanwhile" if full else None,
        ) from exc
    except sqlite3.Error as exc:
        raise StoreUnavailableError(
            f"could not {what}: {exc}", code="store.unavailable.database"
        ) from exc
