"""Byte-exact originals, kept by their SHA-256; never changed, never removed.

A file is cloned where the file system can (btrfs, XFS, APFS through the kernel's clone call: no
bytes are copied, and the clone is a snapshot), else copied, in blocks of 1 MiB, hashed on the way.
It is never hard-linked: a program that edits the original in place would change what was recorded
(``docs/adr/0005-vault.md``). The same content is kept once: where its name is taken, what is there
is read again before the new bytes are dropped.

A file that changes while it is read is refused; nothing of it stays.

Many at once are flushed and named together (:class:`Keeping`): first all bytes are written, then
all are flushed, then all get their names, then the folders are flushed. A disk does that in a tenth
of the time that it takes file by file, and no name ever stands for bytes that are not durable.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from anchor.errors import DigestMismatchError, StoreConflictError
from anchor.vault.durable import (
    discard,
    flush,
    flush_all,
    flush_folders,
    give_name,
    scratch_file,
    translated,
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
# Larger files are flushed as they come; smaller ones together, when all are written.
_FLUSHED_LAST_BYTES: Final = 256 << 10
# From this size on the two digests are computed by two threads.
_PARALLEL_BYTES: Final = 32 << 20
_BLOCKS_AHEAD: Final = 4
_HOLE: Final = bytes(_BLOCK_BYTES)
_MAX_OPEN: Final = 256
_NEW_FILE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_FICLONE: Final = 0x40049409  # linux/fs.h


@dataclass(frozen=True, slots=True)
class KeptObject:
    """An original in the vault."""

    sha256: bytes
    sha3_256: bytes
    size: int
    media_type: str


class ObjectStore:
    """The originals of one vault; safe for threads and processes.

    Attributes:
        tell_mended: told the path of an original that no longer held the bytes of its name, when
            the right bytes came again and took its place.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.tell_mended: Callable[[Path], None] = lambda _path: None

    def keeping(self) -> Keeping:
        """Return a batch of originals that are made durable together."""
        return Keeping(self._layout, self.tell_mended)

    def keep(self, source: Source) -> KeptObject:
        """Keep a file; durable on return.

        Raises:
            StoreConflictError: it changed while it was read.
            StoreUnavailableError: the disk is full or failing; nothing of it stays.
        """
        with self.keeping() as keeping:
            kept = keeping.add(source)
            keeping.commit()
        return kept

    def keep_bytes(self, data: bytes, name: str = "") -> KeptObject:
        """Keep bytes that are no file; durable on return. Errors as :meth:`keep`."""
        with self.keeping() as keeping:
            kept = keeping.add_bytes(data, name)
            keeping.commit()
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


@dataclass(frozen=True, slots=True)
class _Unnamed:
    """An original that is written and has no name yet."""

    path: Path
    kept: KeptObject
    descriptor: int


class Keeping:
    """Originals on their way into a vault; threads may add at once, one commits.

    Nothing is durable before :meth:`commit`; what is not committed leaves nothing behind. Small
    files stay open until they are flushed, up to 256 of them.
    """

    def __init__(self, layout: Layout, tell_mended: Callable[[Path], None]) -> None:
        self._layout = layout
        self._tell_mended = tell_mended
        self._mutex = threading.Lock()
        self._unnamed: dict[bytes, _Unnamed] = {}
        self._open: list[_Unnamed] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def add(self, source: Source) -> KeptObject:
        """Copy and hash a file; errors as :meth:`ObjectStore.keep`."""
        return self._write(source.path, lambda target: _copy(source, target))

    def add_bytes(self, data: bytes, name: str = "") -> KeptObject:
        """Write and hash bytes that are no file; errors as :meth:`ObjectStore.keep`."""

        def write(target: int) -> KeptObject:
            _write_all(target, data)
            sha256, sha3 = hashlib.sha256(data).digest(), hashlib.sha3_256(data).digest()
            return KeptObject(sha256, sha3, len(data), _media_type(data, name))

        return self._write(self._layout.objects, write)

    def path(self, kept: KeptObject) -> Path:
        """Return where the bytes of something added are now."""
        with self._mutex:
            item = self._unnamed.get(kept.sha256)
        return self._layout.object(kept.sha256) if item is None else item.path

    def is_kept(self) -> bool:
        """Return whether the vault holds all that was added already; reads what it has of it."""
        items = list(self._unnamed.values())
        return all(_holds(self._layout.object(item.kept.sha256), item.kept) for item in items)

    def commit(self) -> None:
        """Make everything added durable under its name; after an error nothing is acknowledged.

        Raises:
            StoreUnavailableError: the disk is full or failing.
        """
        with translated(self._layout.objects):
            self._flush_open()
            folders: set[Path] = set()
            for item in self._unnamed.values():
                self._name(item, folders)
            flush_folders(folders)
        self._unnamed.clear()

    def close(self) -> None:
        """Drop what was not committed; safe to call twice."""
        for item in self._open:
            os.close(item.descriptor)
        self._open.clear()
        for item in self._unnamed.values():
            discard(item.path)
        self._unnamed.clear()

    def _write(self, what: Path, write: Callable[[int], KeptObject]) -> KeptObject:
        scratch = scratch_file(self._layout.scratch)
        with translated(what), contextlib.ExitStack() as undo:
            target = os.open(scratch, _NEW_FILE, 0o600)
            undo.callback(discard, scratch)
            undo.callback(os.close, target)
            kept = write(target)
            if hasattr(os, "fchmod"):
                os.fchmod(target, 0o444)
            is_large = kept.size > _FLUSHED_LAST_BYTES
            if is_large:
                flush(target)  # while others are hashed: the disk has enough to do with it
            with self._mutex:
                if kept.sha256 in self._unnamed:
                    return kept
                undo.pop_all()
                item = self._unnamed[kept.sha256] = _Unnamed(scratch, kept, target)
                if is_large:
                    os.close(target)
                else:
                    self._open.append(item)
                if len(self._open) >= _MAX_OPEN:
                    self._flush_open()
        return kept

    def _flush_open(self) -> None:
        flush_all([item.descriptor for item in self._open])
        while self._open:
            os.close(self._open.pop().descriptor)

    def _name(self, item: _Unnamed, folders: set[Path]) -> None:
        path = self._layout.object(item.kept.sha256)
        folders.add(path.parent)
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            folders.add(self._layout.objects)
        try:
            give_name(item.path, path)
        except FileExistsError:
            if not _holds(path, item.kept):
                item.path.replace(path)  # what is there is not what its name says
                self._tell_mended(path)
            discard(item.path)


def _holds(path: Path, kept: KeptObject) -> bool:
    """Return whether the bytes under a name are those that are to be kept; reads them all."""
    hasher = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size != kept.size:
                return False
            while block := file.read(_BLOCK_BYTES):
                hasher.update(block)
    except OSError:
        return False  # a disk that no longer gives the bytes back has not kept them
    return hasher.digest() == kept.sha256


# -- copying ---------------------------------------------------------------------------------------


def _copy(source: Source, target: int) -> KeptObject:
    """Copy a file, hashing what is copied; refuse one that changes meanwhile."""
    size = source.status.st_size
    if _clone(source.descriptor, target):
        blocks = _blocks(target, size)
    else:
        _want_room(target, size)
        blocks = _copied(source.descriptor, target, size)
    sha256, sha3, read, head = _hash(blocks, size)
    if read != size or _version(os.fstat(source.descriptor)) != _version(source.status):
        raise StoreConflictError(
            f"{source.path} changed while it was read",
            code="file.changed",
            hint="record it when whatever writes it has finished",
        )
    return KeptObject(sha256, sha3, size, _media_type(head, source.name))


def _hash(blocks: Iterator[bytes], size: int) -> tuple[bytes, bytes, int, bytes]:
    """Return SHA-256, SHA3-256, how many bytes there were, and the first of them.

    The two digests of a large file are computed side by side, as SHA3 takes longer than all else.
    """
    sha256, sha3, read, head = hashlib.sha256(), hashlib.sha3_256(), 0, b""
    with contextlib.ExitStack() as stack:
        update: Callable[[bytes], object] = sha3.update
        if size >= _PARALLEL_BYTES:
            from concurrent.futures import Future, ThreadPoolExecutor  # noqa: PLC0415 - rarely used

            other = stack.enter_context(ThreadPoolExecutor(1))
            waiting: deque[Future[None]] = deque()

            def update(block: bytes) -> None:
                waiting.append(other.submit(sha3.update, block))
                if len(waiting) > _BLOCKS_AHEAD:
                    waiting.popleft().result()

        for block in blocks:
            head = head or block[:_HEAD_BYTES]
            update(block)
            sha256.update(block)
            read += len(block)
    return sha256.digest(), sha3.digest(), read, head


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
        if block == _HOLE[: len(block)]:
            os.lseek(target, len(block), os.SEEK_CUR)  # a hole of the file stays one
        else:
            _write_all(target, block)
        yield block
    os.ftruncate(target, os.lseek(target, 0, os.SEEK_CUR))


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _want_room(descriptor: int, size: int) -> None:
    """Refuse at once what would fill the disk after minutes of copying."""
    if not hasattr(os, "fstatvfs") or size <= _RESERVE_BYTES:
        return
    status = os.fstatvfs(descriptor)
    if status.f_bavail * status.f_frsize < size + _RESERVE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
