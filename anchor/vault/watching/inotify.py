"""The kernel's news of a folder tree (Linux, inotify(7)), through the C library.

It says more than looking does: that a file was closed after writing. It can also lose news (its
queue is bounded); then it says so, and whoever listens looks for itself.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import sys
from pathlib import Path
from typing import Final

from anchor.vault.watching.change import Change, What

MODIFY: Final = 0x2
ATTRIB: Final = 0x4
CLOSE_WRITE: Final = 0x8
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
OVERFLOW: Final = 0x4000
IGNORED: Final = 0x8000
ONLYDIR: Final = 0x1000000
DONT_FOLLOW: Final = 0x2000000
ISDIR: Final = 0x40000000
_WANTED: Final = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_TO | CREATE | ONLYDIR | DONT_FOLLOW
_HEAD: Final = struct.Struct("iIII")
_BUFFER_BYTES: Final = 1 << 18
_MEANING: Final[tuple[tuple[int, What], ...]] = (
    (CLOSE_WRITE, "closed"),
    (MOVED_TO, "closed"),
    (MODIFY, "writing"),
    (CREATE, "there"),
    (ATTRIB, "attributes"),
)


class Inotify:
    """Listens to folders; each is added by itself.

    Raises:
        OSError: the system has no inotify, or gives none.
    """

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "no inotify here")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._folders: dict[int, Path] = {}

    def add(self, folder: Path) -> None:
        """Listen to a folder, not to those below it; one that has gone is passed over.

        Raises:
            OSError: the system watches no further folder (``ENOSPC``), or not this one.
        """
        number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _WANTED)
        if number >= 0:
            self._folders[number] = folder
            return
        error = ctypes.get_errno()
        if error not in (errno.ENOENT, errno.ENOTDIR):
            raise OSError(error, os.strerror(error), str(folder))

    def wait(self, timeout_s: float) -> tuple[list[Change], list[Path], bool]:
        """Return what happened to files, the folders that are new, and whether news were lost."""
        changes: list[Change] = []
        folders: list[Path] = []
        lost = False
        ready, _, _ = select.select([self._descriptor], [], [], timeout_s)
        data = self._read() if ready else b""
        offset = 0
        while offset < len(data):
            number, mask, _cookie, length = _HEAD.unpack_from(data, offset)
            offset += _HEAD.size
            name = data[offset : offset + length].rstrip(b"\0")
            offset += length
            lost = lost or bool(mask & OVERFLOW)
            if mask & IGNORED:
                self._folders.pop(number, None)
            folder = self._folders.get(number)
            if folder is None or not name:
                continue
            path = folder / os.fsdecode(name)
            if mask & ISDIR:
                if mask & (CREATE | MOVED_TO):
                    folders.append(path)
                continue
            what = next((meaning for bit, meaning in _MEANING if mask & bit), None)
            if what is not None:
                changes.append(Change(path, what))
        return changes, folders, lost

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _BUFFER_BYTES)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        """Stop listening."""
        os.close(self._descriptor)
