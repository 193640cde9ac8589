"""Read a packed log: lookups, tiles, paths, checkpoints; beside the writer if there is one.

Everything below the committed size never changes, so reading takes no lock and never waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anchor import limits
from anchor.errors import LogIntegrityError, NotFoundError, UsageError
from anchor.formats.merkle import CompactRange, consistency_path, inclusion_path, tree_root
from anchor.formats.tiles import serialize_entry_bundle
from anchor.ports import CommittedTree
from anchor.stores.packed.checkpoint_table import CheckpointTable
from anchor.stores.packed.digest_index import DEFAULT_FILE_KEYS, DigestIndex
from anchor.stores.packed.disk import Disk
from anchor.stores.packed.packed_file import RECORD_BYTES
from anchor.stores.packed.packed_tree import PackedTree, split_records

DATABASE_NAME: Final = "log.sqlite"
_INDEX_NAME: Final = "index"
# Hashes of complete subtrees never change. Those of 4,096 leaves and more are few enough to keep
# (two for each 4,096 leaves, about 8 MiB for all that fit), and the dearest to compute again.
_CACHED_FROM_LEVEL: Final = 12
_CACHED_HASHES: Final = 1 << 15


class PackedReader:
    """The reading half of :class:`anchor.ports.LogStore`, over the tree committed when it opened.

    What of the digest index is in no file is held in memory, for a log without index files 12 bytes
    a digest.

    Args:
        folder: of a packed log.

    Raises:
        LogIntegrityError: the files contradict the committed checkpoint.
        StoreUnavailableError: they cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._open(folder, Disk(), read_only=True)
        except BaseException:
            self.close()
            raise

    def _open(
        self,
        folder: Path,
        disk: Disk,
        *,
        read_only: bool,
        index_file_keys: int = DEFAULT_FILE_KEYS,
    ) -> None:
        self.folder = folder
        self._require_database()
        self._table = CheckpointTable(folder / DATABASE_NAME, disk, read_only=read_only)
        self._committed = self._table.newest()
        self._tree = PackedTree(folder, disk, read_only=read_only)
        self._cached_hash = lru_cache(_CACHED_HASHES)(self._tree.read_hash)
        self._edge = self._verified_edge(self._committed)
        self._index = DigestIndex(
            folder / _INDEX_NAME,
            self._tree.entries,
            disk,
            read_only=read_only,
            file_keys=index_file_keys,
        )
        self._index.open(self.size)

    def _require_database(self) -> None:
        entries = self.folder / "entries"
        lost = not (self.folder / DATABASE_NAME).exists()
        if lost and entries.exists() and entries.stat().st_size:
            raise LogIntegrityError(
                f"{self.folder} holds entries and no {DATABASE_NAME}",
                code="log.integrity.checkpoint_lost",
                hint="restore it from a backup; an empty one would drop the entries",
            )

    def _verified_edge(self, tree: CommittedTree | None) -> CompactRange:
        """Return the right edge at a committed tree; LogIntegrityError if its root is not that."""
        if tree is None:
            return CompactRange()
        self._tree.require_size(tree.tree_size)
        edge = self._tree.right_edge(tree.tree_size)
        if edge.root_hash() != tree.root_hash:
            raise LogIntegrityError(
                f"the files in {self.folder} have root {edge.root_hash().hex()} at tree size "
                f"{tree.tree_size}, and the checkpoint says {tree.root_hash.hex()}",
                code="log.integrity.root",
                hint="restore a backup of this log; do not go on with these files",
            )
        return edge

    @property
    def committed(self) -> CommittedTree | None:
        """See the port."""
        return self._committed

    @property
    def size(self) -> int:
        """Return the committed tree size, 0 before the first commit."""
        committed = self._committed
        return committed.tree_size if committed else 0

    @property
    def tree(self) -> PackedTree:
        """The files below, for fsck, export and backup."""
        return self._tree

    @property
    def index(self) -> DigestIndex:
        """The digest index, for fsck and figures."""
        return self._index

    def find(self, digest: bytes) -> int | None:
        """See the port."""
        if len(digest) != RECORD_BYTES:
            raise UsageError(f"wanted one digest, got {len(digest)} bytes", code="usage.digest")
        return self._index.find(digest)

    def find_many(self, digests: bytes) -> NDArray[np.int64]:
        """See the port."""
        require_digests(digests)
        return self._index.find_many(digests)

    def entry(self, leaf_index: int) -> bytes:
        """See the port."""
        if not 0 <= leaf_index < self.size:
            raise NotFoundError(
                f"no leaf {leaf_index} in a log of {self.size}", code="not_found.leaf"
            )
        return self._tree.entries.read(leaf_index, 1)

    def inclusion_path(self, leaf_index: int, tree_size: int) -> list[bytes]:
        """See the port."""
        self._require_tree(tree_size)
        if not 0 <= leaf_index < tree_size:
            raise NotFoundError(
                f"no leaf {leaf_index} in a tree of {tree_size}", code="not_found.leaf"
            )
        return inclusion_path(leaf_index, tree_size, self._read_hash)

    def consistency_path(self, old_size: int, new_size: int) -> list[bytes]:
        """See the port."""
        self._require_tree(new_size)
        if not 0 < old_size <= new_size:
            raise NotFoundError(
                f"no consistency proof from tree size {old_size} to {new_size}",
                code="not_found.tree",
            )
        return consistency_path(old_size, new_size, self._read_hash)

    def root_hash(self, tree_size: int) -> bytes:
        """See the port."""
        self._require_tree(tree_size)
        return tree_root(tree_size, self._read_hash)

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """See the port."""
        first = self._require_tile(level, index, width)
        return self._tree.read_records(level, first, width)

    def read_entries(self, index: int, width: int) -> bytes:
        """See the port."""
        first = self._require_tile(0, index, width)
        return serialize_entry_bundle(split_records(self._tree.entries.read(first, width)))

    def checkpoints(self) -> Sequence[CommittedTree]:
        """See the port."""
        committed = self._committed
        kept = [tree for tree in self._table.kept() if tree.tree_size < self.size]
        return [*kept, committed] if committed else []

    def _read_hash(self, level: int, index: int) -> bytes:
        read = self._tree.read_hash if level < _CACHED_FROM_LEVEL else self._cached_hash
        return read(level, index)

    def _require_tree(self, tree_size: int) -> None:
        if not 0 <= tree_size <= self.size:
            raise NotFoundError(
                f"no tree of size {tree_size} in a log of {self.size}", code="not_found.tree"
            )

    def _require_tile(self, level: int, index: int, width: int) -> int:
        """Return the first record of a tile that is wholly committed."""
        first = index * limits.TILE_WIDTH
        there = (
            level >= 0
            and index >= 0
            and 1 <= width <= limits.TILE_WIDTH
            and first + width <= self.size >> 8 * level
        )
        if not there:
            raise NotFoundError(
                f"no tile {index} of width {width} at level {level} in a log of {self.size}",
                code="not_found.tile",
            )
        return first

    def copy_checkpoints(self, path: Path) -> None:
        """Write a consistent copy of the checkpoint database to a new file."""
        self._table.copy_to(path)

    def close(self) -> None:
        """See the port."""
        for part in ("_index", "_tree", "_table"):
            if hasattr(self, part):
                getattr(self, part).close()


def require_digests(digests: bytes) -> None:
    """Refuse what is no whole number of digests, or none, with UsageError."""
    if not digests or len(digests) % RECORD_BYTES:
        raise UsageError(
            f"wanted a whole number of 32-byte digests, got {len(digests)} bytes",
            code="usage.digest",
        )
