"""Read a bag from a folder: the same rules about names and kinds of files as for a zip file.

Specification: ``docs/spec/exhibit.md``, step E1.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from anchor import limits
from anchor.errors import FormatError, StoreUnavailableError
from anchor.exhibit.container import BLOCK_BYTES, check_count, check_names


class FolderContainer:
    """The bag in a folder, which may be called anything.

    Raises:
        FormatError, LimitExceededError: as step E1 says.
        StoreUnavailableError: it can not be read.
    """

    folder: str | None = None

    def __init__(self, root: Path) -> None:
        self._root = root
        found: dict[str, int] = {}
        try:
            for name, size in _walk(root, ""):
                found[name] = size
                check_count(len(found))
        except OSError as error:
            raise StoreUnavailableError(f"{root}: {error.strerror or error}") from error
        check_names(found)
        self._sizes = dict(sorted(found.items(), key=lambda item: item[0].encode()))

    @property
    def sizes(self) -> Mapping[str, int]:
        """Return the size of every file, by path."""
        return self._sizes

    def blocks(self, path: str) -> Iterator[bytes]:
        """Yield a file's bytes; FormatError (``exhibit.size``) if it does not keep to its size."""
        # It was a plain file a moment ago; no link is followed now, and nothing is waited for.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        left = self._sizes[path]
        try:
            descriptor = os.open(self._root / path, flags | getattr(os, "O_BINARY", 0))
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                while block := file.read(BLOCK_BYTES):
                    left -= len(block)
                    if left < 0:
                        break
                    yield block
        except OSError as error:
            raise StoreUnavailableError(f"{path}: {error.strerror or error}") from error
        if left:
            raise FormatError(f"{path} changed while it was read", code="exhibit.size")


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
    if len(prefix) > limits.MAX_EXHIBIT_NAME_BYTES:
        raise FormatError("a name is too long: folder lies in folder", code="exhibit.name")
    with os.scandir(folder) as items:
        for item in sorted(items, key=lambda item: item.name):
            status = item.stat(follow_symlinks=False)
            name = prefix + item.name
            if stat.S_ISDIR(status.st_mode):
                yield from _walk(folder / item.name, f"{name}/")
            elif stat.S_ISREG(status.st_mode):
                yield name, status.st_size
            else:
                raise FormatError(
                    f"{name} is a link or no plain file; an exhibit holds plain files only",
                    code="exhibit.kind",
                )
