"""Which runs of the digest index are merged next.

Each run is to be larger than all newer ones together, so there are about as many runs as the size
has doublings, and each leaf is rewritten as many times.
"""

from __future__ import annotations

from collections.abc import Sequence

from anchor.stores.packed.index_run import IndexRun


def next_merge(
    runs: Sequence[IndexRun], *, file_keys: int, inline_keys: int
) -> tuple[int, bool] | None:
    """Return the oldest run to merge with all newer ones, and whether into a file; None if none.

    Args:
        runs: in the order of their leaves; those in files before those in memory.
        file_keys: from this many keys on the runs in memory become a file.
        inline_keys: runs that together are no larger are left to whoever adds to them.
    """
    in_memory = next((i for i, run in enumerate(runs) if run.path is None), len(runs))
    newer = sum(map(len, runs[in_memory:]))
    if newer >= file_keys:
        start = in_memory
        for i in reversed(range(in_memory)):
            if len(runs[i]) < newer:
                start = i
            newer += len(runs[i])
        return start, True
    start, newer = len(runs), 0
    for i in reversed(range(in_memory, len(runs))):
        if len(runs[i]) < newer:
            start = i
        newer += len(runs[i])
    if sum(map(len, runs[start:])) <= inline_keys:
        return None
    return start, False
