"""Recompute everything a packed log derives, from its entries, and compare.

It may run beside the writer, on a reader of its own: it checks the tree that was committed when the
reader was opened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from anchor.errors import FormatError, LogIntegrityError, SignatureError
from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.merkle import CompactRange, leaf_hashes
from anchor.formats.note import NoteKey, parse_note, verify_note
from anchor.ports import CommittedTree
from anchor.stores.packed.packed_file import RECORD_BYTES
from anchor.stores.packed.packed_reader import PackedReader
from anchor.stores.packed.packed_tree import STORED_LEVELS, split_records

_CHUNK: Final = 65_536
_MAX_PROBLEMS: Final = 100


@dataclass(slots=True)
class FsckReport:
    """What fsck found.

    Attributes:
        tree_size: leaves checked.
        root_hash: as computed from the entries, or None for an empty log.
        n_checkpoints: checkpoints compared.
        n_problems: how many in all.
        problems: the first hundred, one line each.
    """

    tree_size: int = 0
    root_hash: bytes | None = None
    n_checkpoints: int = 0
    n_problems: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether nothing was wrong."""
        return self.n_problems == 0

    def add(self, problem: str, count: int = 1) -> None:
        """Note a problem, or several that one line describes."""
        self.n_problems += count
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(problem)


def fsck(
    log: PackedReader,
    *,
    note_key: NoteKey | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FsckReport:
    """Check entries, levels, index and checkpoints against each other; changes nothing.

    Args:
        log: open for reading or writing.
        note_key: the log's key, to verify the signatures of the checkpoints too.
        progress: called with leaves done and leaves in all.

    Raises:
        StoreUnavailableError: the disk cannot be read.
    """
    report = FsckReport()
    # The newest is among them, so its root is compared as well.
    checkpoints = list(log.checkpoints())
    size = checkpoints[-1].tree_size if checkpoints else 0
    for tree in checkpoints:
        _check_text(tree, note_key, report)
    edge = CompactRange()
    try:
        for start in range(0, size, _CHUNK):
            stop = min(start + _CHUNK, size)
            inside = [tree for tree in checkpoints if start < tree.tree_size <= stop]
            _check_chunk(log, edge, stop, inside, report)
            if progress is not None:
                progress(stop, size)
    except LogIntegrityError as exc:
        report.add(exc.message)
    report.tree_size = edge.size
    report.root_hash = edge.root_hash() if edge.size else None
    return report


def _check_chunk(
    log: PackedReader,
    edge: CompactRange,
    stop: int,
    checkpoints: Sequence[CommittedTree],
    report: FsckReport,
) -> None:
    """Add the leaves up to ``stop`` to ``edge``, and compare all that belongs to them."""
    start = edge.size
    digests = log.tree.entries.read(start, stop - start)
    hashes = leaf_hashes(split_records(digests))
    for tree in checkpoints:
        probe = edge.copy()
        probe.append_many(hashes[: tree.tree_size - start])
        report.n_checkpoints += 1
        if probe.root_hash() != tree.root_hash:
            report.add(f"checkpoint of tree size {tree.tree_size}: the entries have another root")
    completed = edge.append_many(hashes)
    for level in range(1, STORED_LEVELS + 1):
        wanted = completed[8 * level] if len(completed) > 8 * level else []
        first = start >> 8 * level
        got = split_records(log.tree.read_records(level, first, len(wanted)))
        for index, (one, other) in enumerate(zip(wanted, got, strict=True), first):
            if one != other:
                report.add(f"level-{level} record {index} is not the hash of its leaves")
    _check_index(log, digests, start, report)


def _check_index(log: PackedReader, digests: bytes, start: int, report: FsckReport) -> None:
    found = log.index.find_many(digests)
    wanted = np.arange(start, start + len(digests) // RECORD_BYTES)
    missing = wanted[found < 0]
    if len(missing):
        report.add(f"index misses {len(missing)} leaves, the first is {missing[0]}", len(missing))
    repeated = wanted[(found >= 0) & (found != wanted)]
    if len(repeated):
        # The index compares all 32 bytes, so this is the same digest at two places.
        report.add(
            f"{len(repeated)} leaves repeat the digest of another, the first is {repeated[0]}",
            len(repeated),
        )


def _check_text(tree: CommittedTree, note_key: NoteKey | None, report: FsckReport) -> None:
    try:
        note = parse_note(tree.checkpoint)
        parsed = parse_checkpoint(note.text)
        if note_key is not None:
            verify_note(note, note_key)
    except (FormatError, SignatureError) as exc:
        report.add(f"checkpoint of tree size {tree.tree_size}: {exc}")
        return
    if (parsed.tree_size, parsed.root_hash) != (tree.tree_size, tree.root_hash):
        report.add(f"checkpoint of tree size {tree.tree_size}: its text says something else")
