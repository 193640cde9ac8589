"""What a watcher that was killed leaves for the next one: up to when it had seen everything.

``.vestige/watch.json`` holds a time for each folder watched. A watcher that ends in order, with
nothing left to do, removes it; the next one then takes nothing that is there already. A watcher
that finds it takes what was written or moved in since then. Nothing is recorded twice by that:
content that has a record is passed over.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from anchor.client.local_file import load_bytes, write_atomically
from anchor.errors import VestigeError
from anchor.formats.encoding import parse_json
from anchor.vault.durable import discard
from anchor.vault.layout import Layout

_MAX_BYTES: Final = 1 << 20
# Clocks of file systems lag behind that of the system, those of other machines by more.
_MARGIN_S: Final = 60


class WatchMark:
    """The times of one vault, in whole seconds of the system's clock."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.root / "watch.json"
        self._since = self._load()

    def since(self, folder: Path) -> int | None:
        """Return from when on a folder is to be gone through, None where nothing was left."""
        return self._since.get(str(folder))

    def begin(self, folders: Iterable[Path], unix_time: float) -> None:
        """Say that folders are watched from a time on; one that is known keeps its own."""
        for folder in folders:
            self._since.setdefault(str(folder), int(unix_time) - 1)
        self._store()

    def move(self, folders: Iterable[Path], unix_time: float) -> None:
        """Say that everything up to now was dealt with."""
        for folder in folders:
            self._since[str(folder)] = int(unix_time) - _MARGIN_S
        self._store()

    def end(self, folders: Iterable[Path]) -> None:
        """Say that nothing is left to do in folders."""
        for folder in folders:
            self._since.pop(str(folder), None)
        if self._since:
            self._store()
        else:
            discard(self._path)

    def _load(self) -> dict[str, int]:
        with contextlib.suppress(VestigeError):
            data = load_bytes(self._path, max_bytes=_MAX_BYTES, what="watch.json")
            value = parse_json(data, max_bytes=_MAX_BYTES, what=str(self._path))
            if isinstance(value, dict):
                return {name: time for name, time in value.items() if isinstance(time, int)}
        return {}

    def _store(self) -> None:
        with contextlib.suppress(VestigeError):  # a full disk must not end the watching
            write_atomically(self._path, json.dumps(self._since, indent=2).encode() + b"\n")
