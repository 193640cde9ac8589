"""Files that are whole and durable, or not there.

A new file is written elsewhere in the vault (``tmp/``), flushed, and then given its name, in a way
that never takes the place of a file that is there; the folder is flushed last. Whatever dies in
between leaves rubbish in ``tmp/`` and nothing else. A flush that failed is never repeated: the
kernel may have dropped the data and say yes to the second one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from anchor.errors import NotFoundError, StoreConflictError, StoreError, StoreUnavailableError

try:
    from fcntl import F_FULLFSYNC, fcntl  # type: ignore[attr-defined, unused-ignore]
except ImportError:  # only macOS has a disk cache that fsync leaves alone
    F_FULLFSYNC = None

_T = TypeVar("_T")
_THREADS: Final = 8
_TRIED: Final = 4
_QUICK_S: Final = 0.001
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# What file systems without the call answer.
_NO_FOLDER_FLUSH: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def flush(descriptor: int) -> None:
    """Make an open file durable, past the disk's own cache where the system can be asked to."""
    if F_FULLFSYNC is not None:
        with contextlib.suppress(OSError):
            fcntl(descriptor, F_FULLFSYNC)
            return
    os.fsync(descriptor)


def flush_all(descriptors: Sequence[int]) -> None:
    """Make open files durable: have all of them written, then wait for several at a time.

    Flushed one after the other, each new file has the journal written and the disk's cache emptied
    for itself. Asked beforehand for all of them, and for several at once, Linux does both a few
    times for all: that takes a tenth of the time, on a busy disk a twentieth.
    """
    if hasattr(os, "posix_fadvise"):
        for descriptor in descriptors:
            with contextlib.suppress(OSError):  # advice; what follows does not count on it
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    _at_once(flush, descriptors)


def flush_folders(folders: Iterable[Path]) -> None:
    """Make the names in folders durable, several at a time."""
    _at_once(flush_folder, sorted(folders))


def _at_once(act: Callable[[_T], None], items: Sequence[_T]) -> None:
    """Do something with each item, by several threads where the disk takes its time.

    A disk that answers at once needs no threads; on a busy one they share what each waits for.
    """
    started = time.monotonic()
    for item in items[:_TRIED]:
        act(item)
    rest = items[_TRIED:]
    if time.monotonic() - started < _TRIED * _QUICK_S:
        for item in rest:
            act(item)
    elif rest:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - one record needs none

        with ThreadPoolExecutor(_THREADS) as threads:
            done = [threads.submit(act, item) for item in rest]
        for future in done:
            future.result()


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system lets a folder be flushed."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_FLUSH:
            raise
    finally:
        os.close(handle)


def make_folder(folder: Path, *, mode: int = 0o755) -> None:
    """Make a folder and those above it; durable in the folder above."""
    with translated(folder):
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True, mode=mode)
            flush_folder(folder.parent)


def want_folder_of(path: Path) -> None:
    """Refuse a file to be written where there is no folder for it.

    Raises:
        NotFoundError: the folder is named, not the file, which nobody expects to be there.
    """
    folder = path.parent
    if not folder.is_dir():
        raise NotFoundError(
            f"there is no folder {folder}",
            code="file.not_found",
            hint=f"make it, or name another place for {path.name}",
        )


def scratch_file(scratch: Path) -> Path:
    """Return a path in ``tmp/`` that nobody else uses."""
    return scratch / f"{os.getpid()}-{secrets.token_hex(8)}"


def write_scratch(scratch: Path, data: bytes, *, mode: int = 0o444) -> Path:
    """Write a file in ``tmp/`` and flush it; return where it is. The caller names or drops it."""
    (path,) = write_scratches(scratch, [data], mode=mode)
    return path


def write_scratches(scratch: Path, contents: Sequence[bytes], *, mode: int = 0o444) -> list[Path]:
    """Write files in ``tmp/``, then flush them all; return where they are, or leave none.

    A few hundred at most: all are open at once.
    """
    paths: list[Path] = []
    with contextlib.ExitStack() as opened, contextlib.ExitStack() as undo:
        descriptors = []
        for data in contents:
            path = scratch_file(scratch)
            file = opened.enter_context(path.open("xb"))
            undo.callback(discard, path)
            file.write(data)
            file.flush()
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
            paths.append(path)
            descriptors.append(file.fileno())
        flush_all(descriptors)
        undo.pop_all()
    return paths


def give_name(scratch: Path, path: Path) -> None:
    """Move a flushed file out of ``tmp/``; raises FileExistsError if the name is taken.

    The name itself is durable after :func:`flush_folder`.
    """
    try:
        os.link(scratch, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links (FAT): the lock is all that keeps others away.
        if path.exists():
            raise FileExistsError(errno.EEXIST, "it is there already", str(path)) from error
        scratch.rename(path)
        return
    discard(scratch)


def discard(path: Path) -> None:
    """Remove a file if it is there and can be removed."""
    with contextlib.suppress(OSError):
        path.unlink()


@contextlib.contextmanager
def translated(what: Path | str) -> Iterator[None]:
    """Turn what the system says into errors of the project.

    Raises:
        StoreUnavailableError: the disk is full (``vault.disk_full``), read-only or failing.
        NotFoundError, StoreConflictError, StoreError: not there; there already; not a file.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"{what}: there is no such file", code="file.not_found") from error
    except FileExistsError as error:
        raise StoreConflictError(f"{what} is there already", code="file.exists") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise StoreError(f"{what}: {_reason(error)}", code="file.kind") from error
    except OSError as error:
        if error.errno in _FULL:
            raise StoreUnavailableError(
                f"{what}: the disk is full",
                code="vault.disk_full",
                hint="nothing was recorded; free some space and give the command again",
            ) from error
        raise StoreUnavailableError(f"{what}: {_reason(error)}", code="file.unavailable") from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()
