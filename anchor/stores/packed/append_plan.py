"""What one append has to do: which of its digests are new, and the leaf index of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anchor.stores.packed.packed_file import RECORD_BYTES


@dataclass(frozen=True, slots=True)
class AppendPlan:
    """The outcome, before anything is written.

    Attributes:
        leaf_indices: for each digest of the call, in its order.
        created: True for those that become a leaf.
        n_new: how many do.
    """

    leaf_indices: NDArray[np.uint64]
    created: NDArray[np.bool_]
    n_new: int

    @classmethod
    def of(
        cls, digests: bytes, keys: NDArray[np.uint64], known: NDArray[np.int64], tree_size: int
    ) -> AppendPlan:
        """Plan the append of ``digests``, of which the log knows some, to ``tree_size`` leaves."""
        first = _first_occurrences(digests, keys)
        created = known < 0
        if first is not None:
            created &= first == np.arange(len(keys))
        numbers = np.cumsum(created)
        leaf_indices = np.where(known < 0, tree_size - 1 + numbers, known)
        if first is not None:
            leaf_indices = leaf_indices[first]
        return cls(leaf_indices.astype(np.uint64), created, int(numbers[-1]))

    def only_new(self, digests: bytes) -> bytes:
        """Return the new ones of the digests."""
        rows = np.frombuffer(digests, dtype=np.uint8).reshape(-1, RECORD_BYTES)
        return rows[self.created].tobytes()


def _first_occurrences(digests: bytes, keys: NDArray[np.uint64]) -> NDArray[np.int64] | None:
    """Return for each digest where it comes first in the same call; None if all differ."""
    ordered = np.sort(keys)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(repeated):
        return None
    first = np.arange(len(keys))
    seen: dict[bytes, int] = {}
    for i in np.flatnonzero(np.isin(keys, repeated)).tolist():
        first[i] = seen.setdefault(digests[i * RECORD_BYTES : (i + 1) * RECORD_BYTES], i)
    return first
