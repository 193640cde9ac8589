"""News of several folder trees: from the kernel where it gives them, else by looking.

The kernel's news are followed by a look every minute all the same: a network folder tells of what
this machine does and nothing else.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from anchor.vault.watching.change import Change
from anchor.vault.watching.inotify import Inotify
from anchor.vault.watching.scan import files_below, folders_below, is_temporary

_POLL_S: Final = 0.5
_LOOK_S: Final = 60.0


class FolderChanges:
    """What happens in folders, as long as this is open; every file is told of again and again.

    Args:
        folders: absolute; all that is below counts.
        poll: look, whatever the kernel offers.

    Attributes:
        polls: whether there is nothing but looking.
    """

    def __init__(self, folders: Sequence[Path], *, poll: bool = False) -> None:
        self._folders = tuple(folders)
        self._inotify: Inotify | None = None
        self._looked_at = float("-inf")
        if not poll:
            with contextlib.suppress(OSError, AttributeError):
                self._inotify = Inotify()
            for folder in self._folders:
                self._listen(folder)

    @property
    def polls(self) -> bool:
        """Return whether there is nothing but looking."""
        return self._inotify is None

    def wait(self, timeout_s: float) -> list[Change]:
        """Return what happened; waits up to so long for something to happen. The first call looks.

        Returns:
            News of names that are not those of temporary files.
        """
        if time.monotonic() - self._looked_at >= (_POLL_S if self.polls else _LOOK_S):
            return self._look(self._folders)
        if self._inotify is None:
            left_s = self._looked_at + _POLL_S - time.monotonic()
            time.sleep(max(min(timeout_s, left_s), 0.0))
            return []
        changes, folders, lost = self._inotify.wait(timeout_s)
        for folder in folders:
            self._listen(folder)
        if lost:
            folders = list(self._folders)
            for folder in folders:
                self._listen(folder)
        found = [change for change in changes if not is_temporary(change.path.name)]
        new = [folder for folder in folders if lost or not folder.name.startswith(".")]
        return found + [Change(path, "there") for folder in new for path in files_below(folder)]

    def close(self) -> None:
        """Stop."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _look(self, folders: Sequence[Path]) -> list[Change]:
        found = [Change(path, "there") for folder in folders for path in files_below(folder)]
        self._looked_at = time.monotonic()
        return found

    def _listen(self, folder: Path) -> None:
        """Listen to a tree; where the system watches no more folders, look from now on."""
        if self._inotify is None or (folder.name.startswith(".") and folder not in self._folders):
            return
        try:
            for below in folders_below(folder):
                self._inotify.add(below)
        except OSError:
            self.close()
