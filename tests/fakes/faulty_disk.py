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
        self._paths: dict[int, Path] = {}
        # What a power cut would leave: lengths as last flushed, names as last flushed.
        self._flushed_bytes: dict[Path, int] = {}
        self._old_names: dict[Path, bytes | None] = {}

    def arm(
        self, step: str, mode: Mode = "failed", *, times: int = 1, error: int = errno.EIO
    ) -> None:
        self.fault = Fault(step, mode, times, error)
        self.n_faults = 0

    def disarm(self) -> None:
        self.fault = None

    def open(self, path: Path, flags: int) -> int:
        existed = path.exists()
        descriptor: list[int] = []
        self._step(
            f"{_kind(path)}.open",
            lambda: descriptor.append(super(FaultyDisk, self).open(path, flags)),
        )
        if flags & (os.O_WRONLY | os.O_RDWR):
            self._flushed_bytes.setdefault(path, os.fstat(descriptor[0]).st_size)
            if not existed:
                self._old_names.setdefault(path, None)
        self._paths[descriptor[0]] = path
        return descriptor[0]

    def write_at(self, descriptor: int, data: bytes | memoryview, offset: int) -> None:
        def write() -> None:
            super(FaultyDisk, self).write_at(descriptor, data, offset)

        def write_half() -> None:
            half = memoryview(data).cast("B")[: memoryview(data).nbytes // 2 + 1]
            super(FaultyDisk, self).write_at(descriptor, half, offset)

        self._step(f"{_kind(self._paths[descriptor])}.write", write, write_half)

    def flush(self, descriptor: int) -> None:
        path = self._paths[descriptor]

        def flush() -> None:
            super(FaultyDisk, self).flush(descriptor)
            self._flushed_bytes[path] = os.fstat(descriptor).st_size

        self._step(f"{_kind(path)}.flush", flush)

    def truncate(self, descriptor: int, n_bytes: int) -> None:
        name = _kind(self._paths[descriptor])
        self._step(
            f"{name}.truncate", lambda: super(FaultyDisk, self).truncate(descriptor, n_bytes)
        )

    def replace(self, source: Path, target: Path) -> None:
        def replace() -> None:
            self._old_names.setdefault(target, target.read_bytes() if target.exists() else None)
            super(FaultyDisk, self).replace(source, target)
            self._flushed_bytes[target] = self._flushed_bytes.pop(source)
            self._old_names.pop(source, None)

        self._step(f"{_kind(target)}.replace", replace)

    def flush_folder(self, folder: Path) -> None:
        def flush() -> None:
            super(FaultyDisk, self).flush_folder(folder)
            for path in [path for path in self._old_names if path.parent == folder]:
                del self._old_names[path]

        self._step("folder.flush", flush)

    def commit(self, connection: sqlite3.Connection) -> None:
        self._step("row.commit", lambda: super(FaultyDisk, self).commit(connection))

    def cut_power(self, folder: Path, copy: Path) -> None:
        """Take from ``copy``, made of ``folder`` now, whatever no flush has made durable.

        The database keeps all it was given: the worst case for a row that came too early.
        """
        for path, n_bytes in list(self._flushed_bytes.items()):
            there = copy / path.relative_to(folder)
            if there.exists() and there.stat().st_size > n_bytes:
                os.truncate(there, n_bytes)
        for path, old in list(self._old_names.items()):
            there = copy / path.relative_to(folder)
            if old is not None:
                there.write_bytes(old)
            else:
                there.unlink(missing_ok=True)

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
