"""Look through a folder tree: the files that may be recorded, the folders to listen to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TEMPORARY: Final = (
    "~", ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp",
    ".swx", ".lock", ".kra-autosave",
)  # fmt: skip


def is_temporary(name: str) -> bool:
    """Return whether a name is one that programs give to what they have not finished."""
    return name.startswith((".", "~$")) or name.lower().endswith(_TEMPORARY)


def folders_below(folder: Path) -> Iterator[Path]:
    """Yield the folder and all below it; no hidden ones, and nothing behind a symbolic link."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        yield here
        waiting += [Path(entry.path) for entry in _entries(here) if _is_folder(entry)]


def files_below(folder: Path) -> Iterator[Path]:
    """Yield every file and symbolic link in the tree whose name is not that of something begun."""
    for here in folders_below(folder):
        for entry in _entries(here):
            if not is_temporary(entry.name) and not _is_folder(entry):
                yield Path(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []  # it has gone, or is not for us


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
