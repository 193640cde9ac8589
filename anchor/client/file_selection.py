"""Which files ``stamp`` means: files as named, folders with all that is in them, glob patterns.

Rules:

* A folder stands for the regular files below it, in order of their names. What begins with a dot,
  symbolic links, pipes and the like, and evidence (``.proof``, ``.ots``) are passed over there.
* A file named outright is taken, a symbolic link to a file too. Evidence named outright is refused:
  nobody means to stamp a proof.
* A pattern is expanded here only where no file has that very name, for shells that do not do it.
* What cannot be taken is reported, and the rest goes on.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from anchor.client.evidence import OTS_SUFFIX, PROOF_SUFFIX
from anchor.errors import NotFoundError, StoreError, UsageError, VestigeError

_EVIDENCE: Final = (PROOF_SUFFIX, OTS_SUFFIX, PROOF_SUFFIX + ".bak")
_PATTERN: Final = frozenset("*?[")


def select_files(names: Iterable[str]) -> Iterator[tuple[Path, VestigeError | None]]:
    """Yield each file once, with the error where it cannot be taken."""
    seen: set[Path] = set()
    for name in names:
        for path, error in _select(name):
            if path not in seen:
                seen.add(path)
                yield path, error


def _select(name: str) -> Iterator[tuple[Path, VestigeError | None]]:
    path = Path(name)
    if not os.path.lexists(path) and _PATTERN & set(name):
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 - patterns may be absolute
        if not matches:
            yield path, NotFoundError(f"{name}: no file matches", code="file.not_found")
        for match in matches:
            if not match.endswith(_EVIDENCE):
                yield from _select(match)
    elif path.is_dir():
        yield from _walk(path)
    elif not os.path.lexists(path):
        yield path, NotFoundError(f"{name}: there is no such file", code="file.not_found")
    elif path.name.endswith(_EVIDENCE):
        yield (
            path,
            UsageError(
                f"{name} is evidence, not a file to stamp",
                code="file.is_evidence",
                hint=f"vestige upgrade {name} fetches what was added to it",
            ),
        )
    else:
        yield path, None


def _walk(folder: Path) -> Iterator[tuple[Path, VestigeError | None]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        yield folder, StoreError(f"{folder}: {reason}", code="file.unavailable")
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith(".") or entry.name.endswith(_EVIDENCE) or entry.is_symlink():
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path)
        elif entry.is_file(follow_symlinks=False):
            yield path, None
