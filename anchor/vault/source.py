"""A file to be recorded, opened once, by rules that a prepared folder can not get around.

* A symbolic link is followed only where it leads to somewhere in the working folder; one that
  leaves it, and any link outside, is refused: whoever may drop a link into a watched folder would
  otherwise have any file of the person recorded, and later disclosed. What is opened is the path
  that was looked at, part by part, so that a folder swapped for a link in between is not followed.
* What is not a regular file is never opened in a way that could wait for ever.
* Files of a vault are not recorded.
* The name kept is the one below the working folder, or the last part of any other path: where a
  person's files are is nobody's business.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from anchor.errors import FormatError, StoreError, UsageError
from anchor.vault.durable import translated
from anchor.vault.layout import VAULT_FOLDER, Layout


@dataclass(frozen=True, slots=True)
class Source:
    """An open regular file.

    Attributes:
        path: as given.
        name: as a record keeps it; any bytes in it that are not UTF-8 are replaced.
        descriptor: readable, at byte 0.
        status: as it was opened.
    """

    path: Path
    name: str
    descriptor: int
    status: os.stat_result

    @property
    def modified(self) -> datetime:
        """Return the time of the last write, as the file system says, aware UTC."""
        return datetime.fromtimestamp(self.status.st_mtime, UTC)


@contextlib.contextmanager
def open_source(path: Path, layout: Layout, *, allow_empty: bool = False) -> Iterator[Source]:
    """Open a file to be recorded.

    Raises:
        NotFoundError: it is not there, or vanished.
        UsageError: a symbolic link that leaves the working folder (``file.link_leaves``), or a file
            of the vault (``file.of_vault``).
        FormatError: it holds no bytes (``file.empty``) and that is not allowed.
        StoreError: it is no regular file, or can not be read.
    """
    real = _real(path, layout)
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_BINARY", "O_CLOEXEC"):
        flags |= getattr(os, name, 0)
    with translated(path):
        descriptor = _opened(real, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"{path} is no regular file", code="file.kind")
        if status.st_size == 0 and not allow_empty:
            raise FormatError(
                f"{path} holds no bytes, so there is nothing to record",
                code="file.empty",
                hint="record it when whatever writes it has finished",
            )
        yield Source(path, recorded_name(real, layout), descriptor, status)
    finally:
        os.close(descriptor)


def _opened(real: Path, flags: int) -> int:
    """Open a path without symbolic links, each part in the folder that was opened before it.

    A folder that takes a link's place after the path was resolved is not gone through: the open
    fails, as it does where the file vanished.
    """
    if os.open not in os.supports_dir_fd or not hasattr(os, "O_NOFOLLOW"):
        return os.open(real, flags)
    way = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(real.anchor, way)
    try:
        for part in real.parts[1:-1]:
            below = os.open(part, way, dir_fd=folder)
            os.close(folder)
            folder = below
        return os.open(real.name or ".", flags, dir_fd=folder)
    finally:
        os.close(folder)


def recorded_name(real: Path, layout: Layout) -> str:
    """Return the name that a record keeps of a file."""
    inside = real.is_relative_to(layout.work)
    name = real.relative_to(layout.work).as_posix() if inside else real.name
    return os.fsencode(name).decode("utf-8", "replace")


def _real(path: Path, layout: Layout) -> Path:
    with translated(path):
        given = Path(os.path.normpath(path.absolute()))
        real = Path(os.path.realpath(given, strict=True))
        # The working folder itself may be reached by a link; only what comes below it matters.
        inside = _below(given, layout.work) or (
            given != real and any(_below(folder.resolve(), layout.work) for folder in given.parents)
        )
    leaves = not _below(real, layout.work) if inside else given.is_symlink()
    if leaves:
        raise UsageError(
            f"{path} is a symbolic link that leads out of the working folder",
            code="file.link_leaves",
            hint="name the file itself, or copy it here",
        )
    if VAULT_FOLDER in real.parts:
        raise UsageError(f"{path} is a file of a vault", code="file.of_vault")
    return real


def _below(path: Path, folder: Path) -> bool:
    return path == folder or path.is_relative_to(folder)
