"""A sorted, immutable run of the digest index: keys in order, and the leaf index of each.

A run covers the leaves from ``first`` to before ``end``, every one of them. On disk it is one file,
mapped into memory and never changed: the keys (8 bytes each, little-endian, ascending), the leaf
indices (4 bytes each), the filter. There is no checksum: it can be rebuilt from the entries,
``fsck`` compares it with them, and a key found is always checked against its entry.

The filter has 8 to 16 bits a key, one for each of 2**b equal stretches of the keys' range, set
where a key lies. Keys are spread evenly, so nine of ten keys that are not in the run are known to
be absent from one bit, and bulk, which mostly brings what is new, rarely searches.

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
# Smaller runs are searched in less time than a filter takes.
_FILTER_FROM: Final = 1 << 14
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
        filter: the bits, eight a byte, the least first; empty for a small run.
        path: the file, or None while it is in memory alone.
    """

    first: int
    end: int
    keys: NDArray[np.uint64]
    positions: NDArray[np.uint32]
    filter: NDArray[np.uint8]
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
        return cls._in_memory(first, ordered, positions)

    @classmethod
    def merged(cls, runs: Sequence[IndexRun]) -> IndexRun:
        """Return one run in memory over adjacent runs, oldest first."""
        return cls._in_memory(runs[0].first, *_merge([(run.keys, run.positions) for run in runs]))

    @classmethod
    def _in_memory(
        cls, first: int, keys: NDArray[np.uint64], positions: NDArray[np.uint32]
    ) -> IndexRun:
        bits = _empty_filter(len(keys))
        _add_to_filter(bits, keys)
        return cls(first, first + len(keys), keys, positions, bits)

    @classmethod
    def load(cls, path: Path, first: int, end: int) -> IndexRun:
        """Return the run in the file, mapped; OSError or ValueError if it is not of that size."""
        count = end - first
        filter_offset = count * (_KEY_BYTES + _POSITION_BYTES)
        wanted = filter_offset + _filter_bytes(count)
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != wanted:
                message = f"{path} has {size} bytes, wanted {wanted}"
                raise ValueError(message)
            data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        keys = np.frombuffer(data, dtype="<u8", count=count)
        positions = np.frombuffer(data, dtype="<u4", count=count, offset=count * _KEY_BYTES)
        bits = np.frombuffer(data, dtype=np.uint8, offset=filter_offset)
        return cls(first, end, keys, positions, bits, path)

    @classmethod
    def write_merged(cls, runs: Sequence[IndexRun], path: Path, disk: Disk) -> IndexRun:
        """Write adjacent runs, oldest first, as one file, durable but for its name, and load it.

        Raises:
            OSError: the file is not there or not whole; remove it.
        """
        count = sum(map(len, runs))
        positions_offset = count * _KEY_BYTES
        bits, done = _empty_filter(count), 0
        descriptor = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            for keys, positions in _merge_in_parts(runs, count):
                data = _bytes_of(keys.astype("<u8", copy=False))
                disk.write_at(descriptor, data, done * _KEY_BYTES)
                data = _bytes_of(positions.astype("<u4", copy=False))
                disk.write_at(descriptor, data, positions_offset + done * _POSITION_BYTES)
                _add_to_filter(bits, keys)
                done += len(keys)
                if done < count:
                    # Little by little: one flush of hundreds of megabytes would hold up the
                    # writer's own flushes for as long.
                    disk.flush(descriptor)
            disk.write_at(descriptor, bits.data, positions_offset + count * _POSITION_BYTES)
            disk.flush(descriptor)
        finally:
            os.close(descriptor)
        return cls.load(path, runs[0].first, runs[-1].end)

    def slot_of(self, key: int) -> int | None:
        """Return the slot of the first key equal to ``key``, or None."""
        if len(self.filter):
            bit = key >> _filter_shift(len(self.filter))
            if not self.filter[bit >> 3] >> (bit & 7) & 1:
                return None
        slot = int(self.keys.searchsorted(np.uint64(key)))
        return slot if slot < len(self) and int(self.keys[slot]) == key else None

    def slots_of(self, needles: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which of the needles, ascending keys, are in the run, and the first slot of each.

        Returns:
            Indices into ``needles``, and as many slots.
        """
        maybe: NDArray[np.int64] | None = None
        if len(self.filter):
            bits = (needles >> np.uint64(_filter_shift(len(self.filter)))).astype(np.int64)
            maybe = np.flatnonzero(self.filter[bits >> 3] >> (bits & 7).astype(np.uint8) & 1)
            needles = needles[maybe]
        slots = self.keys.searchsorted(needles)
        np.minimum(slots, len(self) - 1, out=slots)
        hits = np.flatnonzero(self.keys[slots] == needles)
        return hits if maybe is None else maybe[hits], slots[hits]


def _filter_bytes(count: int) -> int:
    """Return the filter's length: a power of two, 8 to 16 bits a key; 0 for a small run."""
    return 1 << (count - 1).bit_length() if count >= _FILTER_FROM else 0


def _filter_shift(n_bytes: int) -> int:
    """Return how far a key is shifted to give the number of its bit."""
    return 64 - (n_bytes * 8).bit_length() + 1


def _empty_filter(count: int) -> NDArray[np.uint8]:
    return np.zeros(_filter_bytes(count), dtype=np.uint8)


def _add_to_filter(bits: NDArray[np.uint8], keys: NDArray[np.uint64]) -> None:
    """Set the bits of ascending keys."""
    if not len(bits) or not len(keys):
        return
    numbers = keys >> np.uint64(_filter_shift(len(bits)))
    places = (numbers >> np.uint64(3)).astype(np.int64)
    starts = np.append(0, np.flatnonzero(places[1:] != places[:-1]) + 1)
    masks = np.uint8(1) << (numbers & np.uint64(7)).astype(np.uint8)
    bits[places[starts]] |= np.bitwise_or.reduceat(masks, starts)


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
