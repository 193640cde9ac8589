"""Files of the person's own: bounded reads, streaming digests, writes that are whole or not there.

Rules of this module:

* a file is never read past the limit that its reader gives;
* a digest is only given for a file that did not change while it was read;
* a write is a new file in the same folder, fsynced, then renamed; a reader sees the old bytes or
  the new ones, never half of them;
* a link is followed to a file of the same folder, so that it stays a link; one that leads out of it
  is refused, for what it leads to is not what the person named;
* what is not a regular file is never opened in a way that could wait for ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from anchor.errors import (
    LimitExceededError,
    NotFoundError,
    StoreConflictError,
    StoreError,
    StoreUnavailableError,
    UnsupportedVersionError,
)

_BLOCK_BYTES: Final = 1 << 20


def load_bytes(path: Path, *, max_bytes: int, what: str) -> bytes:
    """Read a whole file.

    Raises:
        NotFoundError: it is not there.
        StoreError: it cannot be read.
        LimitExceededError: it holds more than ``max_bytes``.
    """
    with _translated(path), path.open("rb") as file:
        data = file.read(max_bytes + 1)
    _check_length(path, data, max_bytes, what)
    return data


def load_regular(path: Path, *, max_bytes: int, what: str) -> bytes:
    """Read a whole regular file; a pipe, device or socket is never waited for.

    Raises:
        NotFoundError, LimitExceededError: as :func:`load_bytes`.
        StoreError: it cannot be read, or is no regular file.
    """
    with _opened_regular(path) as (file, _):
        data = file.read(max_bytes + 1)
    _check_length(path, data, max_bytes, what)
    return data


def file_digest(path: Path, algorithm: str = "sha256") -> bytes:
    """Return the digest of a regular file, read as a stream.

    Raises:
        NotFoundError: it is not there.
        StoreConflictError: it changed while it was read.
        StoreError: it cannot be read, or is no regular file.
        UnsupportedVersionError: this Python has no such algorithm.
    """
    try:
        hasher = hashlib.new(algorithm, usedforsecurity=False)
    except ValueError as error:
        raise UnsupportedVersionError(f"{path}: no {algorithm} on this machine") from error
    with _opened_regular(path) as (file, before):
        read = 0
        while block := file.read(_BLOCK_BYTES):
            hasher.update(block)
            read += len(block)
        after = os.fstat(file.fileno())
    if read != before.st_size or _version(before) != _version(after):
        raise StoreConflictError(
            f"{path} changed while it was read",
            code="file.changed",
            hint="stamp it when whatever writes it has finished",
        )
    return hasher.digest()


def write_atomically(path: Path, data: bytes, *, durable_name: bool = True) -> None:
    """Write a file, whole or not at all, with the mode that the umask gives (0644 as a rule).

    A link is followed to a file of the same folder and no further.

    Args:
        path: where to.
        data: its bytes.
        durable_name: make the rename durable too; False leaves that to :func:`sync_folder`, once
            for many files.

    Raises:
        StoreConflictError: it is a link to somewhere else (``file.link``).
        StoreUnavailableError: the folder or disk does not take it; what was there stays.
    """
    with _translated(path):
        path = _followed(path)
        with _draft(path, data) as draft:
            draft.replace(path)
        if durable_name:
            sync_folder(path.parent)


def write_new(path: Path, data: bytes, *, durable_name: bool = True) -> None:
    """Write a file that is not there yet, whole or not at all; arguments and errors as above.

    Of two that write the same name at once, one succeeds.

    Raises:
        StoreConflictError: there is something under this name (``file.exists``).
    """
    with _translated(path):
        try:
            with _draft(path, data) as draft:
                _name_exclusively(draft, path, data)
                draft.unlink()
        except FileExistsError as error:
            raise StoreConflictError(f"{path} is there already", code="file.exists") from error
        if durable_name:
            sync_folder(path.parent)


def keep_beside(path: Path, suffix: str) -> Path:
    """Keep what a file holds now under a second name beside it, in the place of an older keepsake.

    Errors as :func:`write_atomically`.
    """
    with _translated(path):
        real = _followed(path)
        kept = beside(real, suffix)
        draft = _draft_name(kept)
        try:
            try:
                os.link(real, draft)  # the bytes are on the disk already
            except OSError:
                draft.write_bytes(real.read_bytes())
            draft.replace(kept)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
        return kept


def _followed(path: Path) -> Path:
    """Return the file that a name stands for: itself, or what a link in this folder names in it."""
    if not path.is_symlink():
        return path
    real = path.resolve()
    if real.parent != path.parent.resolve():
        raise StoreConflictError(
            f"{path} is a link that leaves its folder; nothing is written through it",
            code="file.link",
            hint=f"name the file itself: {real}",
        )
    return real


@contextlib.contextmanager
def _draft(path: Path, data: bytes) -> Iterator[Path]:
    """Write a draft beside ``path``, on the disk and with its mode; remove it after a failure."""
    draft = _draft_name(path)
    # 0666 less the umask, which the system applies; a file that is replaced keeps its mode.
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(path.lstat().st_mode))
            os.fsync(file.fileno())
        yield draft
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _draft_name(path: Path) -> Path:
    return path.with_name(f".vestige-{secrets.token_hex(8)}.tmp")


def _name_exclusively(draft: Path, path: Path, data: bytes) -> None:
    """Give a draft a name that nothing has; FileExistsError if something has it."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links on this disk: the name is still taken once only, if not with all its bytes.
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def beside(path: Path, suffix: str) -> Path:
    """Return the path with a suffix appended: ``cat.png`` and ``.proof`` give ``cat.png.proof``."""
    return path.with_name(path.name + suffix)


@contextlib.contextmanager
def _opened_regular(path: Path) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    # Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with _translated(path):
        handle = os.open(path, flags)
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            os.close(handle)
            kind = _kind(status.st_mode)
            raise StoreError(f"{path} is {kind}, a file is wanted", code="file.kind")
        with os.fdopen(handle, "rb") as file:
            yield file, status


def _check_length(path: Path, data: bytes, max_bytes: int, what: str) -> None:
    if len(data) > max_bytes:
        raise LimitExceededError(
            f"{path}: more than {max_bytes} bytes, which no {what} has", code="file.too_large"
        )


def _kind(mode: int) -> str:
    kinds = (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    )
    return next((name for test, name in kinds if test(mode)), "no regular file")


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system lets a folder be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"{path}: there is no such file", code="file.not_found") from error
    except IsADirectoryError as error:
        raise StoreError(f"{path} is a folder, a file is wanted", code="file.kind") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreUnavailableError(f"{path}: {reason}", code="file.unavailable") from error
