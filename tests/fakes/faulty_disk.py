"""A disk on which one chosen call fails: before it works, after it has worked, or half-way."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anchor.stores.packed.disk import Disk

Mode = Literal["failed", "persisted", "torn"]


@dataclass
class Fault:
    """What is to fail: ``step`` is ``<what>.<call>`` as :class:`FaultyDisk` names it."""

    step: str
    mode: Mode = "failed"
    times: int = 1
    error: int = errno.EIO


class FaultyDisk(Disk):
    """The real disk, but for the armed fault.

    Steps: ``entries``, ``level``, ``run`` and ``manifest`` with ``.write``, ``.flush``,
    ``.truncate``, ``.open``; ``manifest.replace``; ``folder.flush``; ``row.commit``. Every step
    that was taken is in ``steps``; ``on_fault`` is called at the moment of the fault.
    """

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.on_fault: Callable[[], None] | None = None
        self.steps: list[str] = []
        self.n_faults = 0
        self.free: int | None = None
        self._names: dict[int, str] = {}

    def arm(
        self, step: str, mode: Mode = "failed", *, times: int = 1, error: int = errno.EIO
    ) -> None:
        self.fault = Fault(step, mode, times, error)
        self.n_faults = 0

    def disarm(self) -> None:
        self.fault = None

    def open(self, path: Path, flags: int) -> int:
        descriptor: list[int] = []
        self._step(
            f"{_kind(path)}.open",
            lambda: descriptor.append(super(FaultyDisk, self).open(path, flags)),
        )
        self._names[descriptor[0]] = _kind(path)
        return descriptor[0]

    def write_at(self, descriptor: int, data: bytes | memoryview, offset: int) -> None:
        def write() -> None:
            super(FaultyDisk, self).write_at(descriptor, data, offset)

        def write_half() -> None:
            half = memoryview(data).cast("B")[: memoryview(data).nbytes // 2 + 1]
            super(FaultyDisk, self).write_at(descriptor, half, offset)

        self._step(f"{self._names[descriptor]}.write", write, write_half)

    def flush(self, descriptor: int) -> None:
        name = self._names.get(descriptor, "other")
        self._step(f"{name}.flush", lambda: super(FaultyDisk, self).flush(descriptor))

    def truncate(self, descriptor: int, n_bytes: int) -> None:
        name = self._names[descriptor]
        self._step(
            f"{name}.truncate", lambda: super(FaultyDisk, self).truncate(descriptor, n_bytes)
        )

    def replace(self, source: Path, target: Path) -> None:
        self._step(
            f"{_kind(target)}.replace", lambda: super(FaultyDisk, self).replace(source, target)
        )

    def flush_folder(self, folder: Path) -> None:
        self._step("folder.flush", lambda: super(FaultyDisk, self).flush_folder(folder))

    def commit(self, connection: sqlite3.Connection) -> None:
        self._step("row.commit", lambda: super(FaultyDisk, self).commit(connection))

    def free_bytes(self, folder: Path) -> int:
        return super().free_bytes(folder) if self.free is None else self.free

    def _step(
        self, step: str, call: Callable[[], None], torn: Callable[[], None] | None = None
    ) -> None:
        self.steps.append(step)
        fault = self.fault
        if fault is None or fault.step != step or self.n_faults >= fault.times:
            call()
            return
        self.n_faults += 1
        if fault.mode == "persisted":
            call()
        elif fault.mode == "torn" and torn is not None:
            torn()
        if self.on_fault is not None:
            self.on_fault()
        if step == "row.commit":
            raise sqlite3.OperationalError("disk I/O error")
        raise OSError(fault.error, os.strerror(fault.error))


def _kind(path: Path) -> str:
    for prefix, kind in (("level-", "level"), ("run-", "run"), ("MANIFEST", "manifest")):
        if path.name.startswith(prefix):
            return kind
    return path.name
