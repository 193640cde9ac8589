"""A sorted, immutable run of the digest index: keys in order, and the leaf index of each.

A run covers the leaves from ``first`` to before ``end``, every one of them. On disk it is one file,
the keys (8 bytes each, little-endian, ascending) and then the leaf indices (4 bytes each), mapped
into memory and never changed. There is no checksum: it can be rebuilt from the entries, ``fsck``
compares it with them, and a key found is always checked against its entry.

Equal keys stand in the order of their leaf indices, so that the first one is found first.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anchor.stores.packed.disk import Disk

_KEY_BYTES: Final = 8
_POSITION_BYTES: Final = 4
RUN_BYTES_PER_DIGEST: Final = _KEY_BYTES + _POSITION_BYTES
# A merge of files holds this many keys in memory at a time.
_PART_KEYS: Final = 1 << 19


@dataclass(frozen=True, slots=True, eq=False)
class IndexRun:
    """One run.

    Attributes:
        first: the first leaf index it covers.
        end: one past the last.
        keys: ``end - first`` keys, ascending.
        positions: the leaf index that belongs to each key.
        path: the file, or None while it is in memory alone.
    """

    first: int
    end: int
    keys: NDArray[np.uint64]
    positions: NDArray[np.uint32]
    path: Path | None = None

    def __len__(self) -> int:
        return self.end - self.first

    @classmethod
    def from_keys(cls, first: int, keys: NDArray[np.uint64]) -> IndexRun:
        """Return a run in memory over the keys of consecutive leaves from ``first``."""
        order = keys.argsort()
        ordered = keys[order]
        if (ordered[1:] == ordered[:-1]).any():
            # The quick sort above does not keep the order of equal keys.
            order = keys.argsort(kind="stable")
        positions = order.astype(np.uint32)
        positions += np.uint32(first)
        return cls(first, first + len(keys), ordered, positions)

    @classmethod
    def merged(cls, runs: Sequence[IndexRun]) -> IndexRun:
        """Return one run in memory over adjacent runs, oldest first."""
        keys, positions = _merge([(run.keys, run.positions) for run in runs])
        return cls(runs[0].first, runs[-1].end, keys, positions)

    @classmethod
    def load(cls, path: Path, first: int, end: int) -> IndexRun:
        """Return the run in the file, mapped; OSError or ValueError if it is not of that size."""
        count = end - first
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != count * RUN_BYTES_PER_DIGEST:
                message = f"{path} has {size} bytes, wanted {count * RUN_BYTES_PER_DIGEST}"
                raise ValueError(message)
            data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        keys = np.frombuffer(data, dtype="<u8", count=count)
        positions = np.frombuffer(data, dtype="<u4", count=count, offset=count * _KEY_BYTES)
        return cls(first, end, keys, positions, path)

    @classmethod
    def write_merged(cls, runs: Sequence[IndexRun], path: Path, disk: Disk) -> IndexRun:
        """Write adjacent runs, oldest first, as one file, durable but for its name, and load it.

        Raises:
            OSError: the file is not there or not whole; remove it.
        """
        count = sum(map(len, runs))
        done = 0
        descriptor = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            for keys, positions in _merge_in_parts(runs, count):
                disk.write_at(
                    descriptor, _bytes_of(keys.astype("<u8", copy=False)), done * _KEY_BYTES
                )
                disk.write_at(
                    descriptor,
                    _bytes_of(positions.astype("<u4", copy=False)),
                    count * _KEY_BYTES + done * _POSITION_BYTES,
                )
                done += len(keys)
            disk.flush(descriptor)
        finally:
            os.close(descriptor)
        return cls.load(path, runs[0].first, runs[-1].end)


_Part = tuple[NDArray[np.uint64], NDArray[np.uint32]]


def _bytes_of(numbers: NDArray[Any]) -> memoryview:
    return numbers.view(np.uint8).data


def _merge(parts: Sequence[_Part]) -> _Part:
    keys = np.concatenate([part[0] for part in parts])
    positions = np.concatenate([part[1] for part in parts])
    # Stable: equal keys stay in the order of their leaves. On sorted stretches it is also fastest.
    order = keys.argsort(kind="stable")
    return keys[order], positions[order]


def _merge_in_parts(runs: Sequence[IndexRun], count: int) -> Iterator[_Part]:
    """Yield the merged run in ascending parts; keys are spread evenly, so the parts are alike."""
    n_parts = -(-count // _PART_KEYS)
    limits = np.array([part * 2**64 // n_parts for part in range(1, n_parts)], dtype=np.uint64)
    cuts = [[0, *run.keys.searchsorted(limits).tolist(), len(run)] for run in runs]
    spans = [list(pairwise(cut)) for cut in cuts]
    for part in range(n_parts):
        yield _merge(
            [
                (run.keys[slice(*span[part])], run.positions[slice(*span[part])])
                for run, span in zip(runs, spans, strict=True)
            ]
        )
