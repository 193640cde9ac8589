"""Which services did not answer a moment ago, so that no command waits for them again.

A small file in the person's state folder, shared by all vaults and commands. It is only a memory:
whoever asks for sending (``vestige send``) is not held back by it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from anchor.client.local_file import load_bytes, write_atomically
from anchor.client.state_folder import state_folder
from anchor.errors import VestigeError
from anchor.formats.encoding import parse_json
from anchor.vault.durable import make_folder

SILENT_S: Final = 60
_MAX_BYTES: Final = 64 << 10
_MAX_SERVICES: Final = 64


class ServiceMemory:
    """Remembers services that were silent.

    Args:
        unix_time: the clock, in seconds.
        state: the person's state folder.
    """

    def __init__(self, unix_time: Callable[[], float], state: Path | None = None) -> None:
        self._now = unix_time
        self._path = (state or state_folder()) / "silent.json"

    def is_silent(self, url: str) -> bool:
        """Return whether the service did not answer within the last minute."""
        since = self._load().get(url)
        return isinstance(since, int) and 0 <= self._now() - since < SILENT_S

    def was_silent(self, url: str) -> None:
        """Remember that it did not answer just now."""
        known = self._load()
        known.pop(url, None)
        newest = list(known.items())[1 - _MAX_SERVICES :]
        self._store({**dict(newest), url: int(self._now())})

    def answered(self, url: str) -> None:
        """Remember that it answers."""
        known = self._load()
        if known.pop(url, None) is not None:
            self._store(known)

    def _load(self) -> dict[str, Any]:
        with contextlib.suppress(VestigeError):
            data = load_bytes(self._path, max_bytes=_MAX_BYTES, what="silent services")
            value = parse_json(data, max_bytes=_MAX_BYTES, what=str(self._path))
            if isinstance(value, dict):
                return value
        return {}

    def _store(self, value: dict[str, Any]) -> None:
        with contextlib.suppress(VestigeError):
            make_folder(self._path.parent, mode=0o700)
            write_atomically(self._path, json.dumps(value).encode())
