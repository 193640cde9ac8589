"""What can happen to a file in a watched folder, and what a file looks like from outside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

What = Literal["closed", "writing", "there", "attributes"]
"""``closed`` after writing or moved in whole; ``writing`` goes on; ``there`` is all that is known;
``attributes`` changed, such as who may read it."""

Signature = tuple[int, int, int, int]
"""Size, time of the last write in nanoseconds, number of the file, time of the last change of any
kind in nanoseconds; of a symbolic link, its own. The last one is what no program can put back."""


@dataclass(frozen=True, slots=True)
class Change:
    """One piece of news of a file."""

    path: Path
    what: What


def signature_of(status: os.stat_result) -> Signature:
    """Return what has to stay the same for a file to count as unchanged."""
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def look(path: Path) -> os.stat_result | None:
    """Return the status of a file (of a link: the link's), None where it can not be had."""
    try:
        return path.lstat()
    except (OSError, ValueError):
        return None
