"""Byte-exact originals, kept by their SHA-256; never changed, never removed.

A file is cloned where the file system can (btrfs, XFS, APFS through the kernel's clone call: no
bytes are copied, and the clone is a snapshot), else copied, in blocks of 1 MiB, hashed on the way.
It is never hard-linked: a program that edits the original in place would change what was recorded
(``docs/adr/0005-vault.md``). The same content is kept once.

A file that changes while it is read is refused; nothing of it stays.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor.errors import DigestMismatchError, StoreConflictError
from anchor.vault.durable import (
    discard,
    flush,
    flush_folder,
    give_name,
    scratch_file,
    translated,
    write_scratch,
)
from anchor.vault.layout import Layout
from anchor.vault.source import Source

try:
    from fcntl import ioctl
except ImportError:  # Windows
    ioctl = None  # type: ignore[assignment, unused-ignore]

_BLOCK_BYTES: Final = 1 << 20
_RESERVE_BYTES: Final = 8 << 20
_HEAD_BYTES: Final = 64
_FICLONE: Final = 0x40049409  # linux/fs.h


@dataclass(frozen=True, slots=True)
class KeptObject:
    """An original in the vault."""

    sha256: bytes
    sha3_256: bytes
    size: int
    media_type: str


class ObjectStore:
    """The originals of one vault; safe for threads and processes."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def keep(self, source: Source, *, unflushed: set[Path] | None = None) -> KeptObject:
        """Keep a file; durable on return.

        Args:
            source: the file.
            unflushed: takes up the folder that is still to be flushed (:meth:`flush`) before the
                name of the original is durable; None flushes it here.

        Raises:
            StoreConflictError: it changed while it was read.
            StoreUnavailableError: the disk is full or failing; nothing of it stays.
        """
        scratch = scratch_file(self._layout.scratch)
        try:
            with translated(source.path):
                kept = self._copy(source, scratch)
                self._name(scratch, kept, unflushed)
        finally:
            discard(scratch)
        return kept

    def flush(self, folders: Iterable[Path]) -> None:
        """Make the names in folders durable that :meth:`keep` left to be flushed."""
        for folder in sorted(folders):
            with translated(folder):
                flush_folder(folder)

    def keep_bytes(
        self, data: bytes, name: str = "", *, unflushed: set[Path] | None = None
    ) -> KeptObject:
        """Keep bytes that are no file; arguments and errors as :meth:`keep`."""
        kept = KeptObject(
            hashlib.sha256(data).digest(),
            hashlib.sha3_256(data).digest(),
            len(data),
            _media_type(data, name),
        )
        with translated(self._layout.objects):
            scratch = write_scratch(self._layout.scratch, data)
            try:
                self._name(scratch, kept, unflushed)
            finally:
                discard(scratch)
        return kept

    def path(self, sha256: bytes) -> Path:
        """Return where an original is, or would be."""
        return self._layout.object(sha256)

    def verify(self, sha256: bytes) -> int:
        """Read an original whole; return its size.

        Raises:
            NotFoundError: it is not there.
            DigestMismatchError: its bytes are not those that were kept.
        """
        path = self.path(sha256)
        hasher, size = hashlib.sha256(), 0
        with translated(path), path.open("rb", buffering=0) as file:
            while block := file.read(_BLOCK_BYTES):
                hasher.update(block)
                size += len(block)
        if hasher.digest() != sha256:
            raise DigestMismatchError(
                f"{path} no longer holds the bytes that it is named after",
                code="vault.object_changed",
                hint="restore it from a copy of the vault",
            )
        return size

    # -- copying -----------------------------------------------------------------------------------

    def _copy(self, source: Source, scratch: Path) -> KeptObject:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        target = os.open(scratch, flags, 0o600)
        try:
            size = source.status.st_size
            if _clone(source.descriptor, target):
                blocks = _blocks(target, size)
            else:
                _want_room(target, size)
                blocks = _copied(source.descriptor, target, size)
            sha256, sha3, read, head = hashlib.sha256(), hashlib.sha3_256(), 0, b""
            for block in blocks:
                head = head or block[:_HEAD_BYTES]
                sha256.update(block)
                sha3.update(block)
                read += len(block)
            if read != size or _version(os.fstat(source.descriptor)) != _version(source.status):
                raise StoreConflictError(
                    f"{source.path} changed while it was read",
                    code="file.changed",
                    hint="record it when whatever writes it has finished",
                )
            if hasattr(os, "fchmod"):
                os.fchmod(target, 0o444)
            flush(target)
        finally:
            os.close(target)
        media_type = _media_type(head, source.name)
        return KeptObject(sha256.digest(), sha3.digest(), size, media_type)

    def _name(self, scratch: Path, kept: KeptObject, unflushed: set[Path] | None) -> None:
        path = self.path(kept.sha256)
        folders = {path.parent}
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            folders.add(self._layout.objects)
        try:
            give_name(scratch, path)
        except FileExistsError:
            if path.stat().st_size != kept.size:
                scratch.replace(path)  # what is there is not what its name says
        if unflushed is None:
            self.flush(folders)
        else:
            unflushed |= folders


def _media_type(head: bytes, name: str) -> str:
    from anchor.vault.media_type import media_type_of  # noqa: PLC0415 - reading needs it not

    return media_type_of(head[:_HEAD_BYTES], name)


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _clone(source: int, target: int) -> bool:
    if ioctl is None:
        return False
    try:
        ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _blocks(descriptor: int, size: int) -> Iterator[bytes]:
    """Yield a file's bytes; at most one block more than it is said to have."""
    read = 0
    while read <= size and (block := os.read(descriptor, _BLOCK_BYTES)):
        read += len(block)
        yield block


def _copied(source: int, target: int, size: int) -> Iterator[bytes]:
    for block in _blocks(source, size):
        view = memoryview(block)
        while view:
            view = view[os.write(target, view) :]
        yield block


def _want_room(descriptor: int, size: int) -> None:
    """Refuse at once what would fill the disk after minutes of copying."""
    if not hasattr(os, "fstatvfs") or size <= _RESERVE_BYTES:
        return
    status = os.fstatvfs(descriptor)
    if status.f_bavail * status.f_frsize < size + _RESERVE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
