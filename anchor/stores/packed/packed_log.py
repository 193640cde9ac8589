"""The embedded log store: packed files, a digest index, and a SQLite row as the commit point.

A folder holds ``entries`` and ``level-1`` to ``level-3`` (:mod:`.packed_tree`), ``index/``
(:mod:`.digest_index`), ``log.sqlite`` (:mod:`.checkpoint_table`) and ``lock``. What counts is what
the row says; files may be longer, never shorter. ``docs/adr/0003-packed-log.md`` has the reasons.

Rules:

* One process at a time writes (``flock`` on ``lock``). Readers need no lock: they see the committed
  size, and nothing below it ever changes.
* Entries and levels are flushed before the row is; whoever opens drops what lies past the row and
  recomputes the root from the right edge of the files.
* After a failed write or flush the writer's descriptors are closed, the tail is dropped and the
  next append writes everything anew; a flush is never repeated. After a failed COMMIT the row is in
  doubt: it is read again from a fresh connection, and counts if it is there.
* While that recovery fails, appends raise StoreUnavailableError, each after trying it again, and
  reading goes on.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anchor import limits
from anchor.errors import (
    LogIntegrityError,
    NotFoundError,
    StoreConflictError,
    StoreUnavailableError,
    UsageError,
)
from anchor.formats.merkle import (
    CompactRange,
    consistency_path,
    inclusion_path,
    leaf_hashes,
    tree_root,
)
from anchor.formats.tiles import serialize_entry_bundle
from anchor.ports import AppendedTree, CommittedTree
from anchor.stores.packed.append_plan import AppendPlan
from anchor.stores.packed.checkpoint_table import CheckpointTable
from anchor.stores.packed.digest_index import DigestIndex
from anchor.stores.packed.disk import Disk, translated_errors
from anchor.stores.packed.folder_lock import lock_folder
from anchor.stores.packed.packed_file import RECORD_BYTES
from anchor.stores.packed.packed_tree import PackedTree, split_records

DATABASE_NAME: Final = "log.sqlite"
INDEX_NAME: Final = "index"
DEFAULT_RESERVE_BYTES: Final = 256 << 20
_KEEP_EVERY: Final = 65_536
# The most that one append takes; so a longer tail behind the checkpoint was no interrupted append.
_MAX_APPEND: Final = limits.MAX_RAW_DIGESTS
# Below this the other thread costs more than it saves.
_PARALLEL_FROM: Final = 4_096


@dataclass(frozen=True, slots=True)
class _Appended:
    """An append that waits for its commit."""

    tree: AppendedTree
    edge: CompactRange
    keys: NDArray[np.uint64]


class PackedLog:
    """A :class:`anchor.ports.LogStore` in one folder.

    Args:
        folder: made if it is not there. Whoever can write to it can stop the log, and can have
            false entries signed only while the process runs; what was signed stays provable.
        reserve_bytes: free space below which appends are refused; reading goes on.
        read_only: open beside a running writer: no lock, nothing changed, appends refused.
        disk: where writes go; a test passes one that fails.
        index_file_keys: as in :class:`DigestIndex`.

    Raises:
        StoreConflictError: another process writes to the folder.
        LogIntegrityError: the files contradict the committed checkpoint.
        StoreUnavailableError: the disk does not do as it is told.
    """

    def __init__(
        self,
        folder: Path,
        *,
        reserve_bytes: int = DEFAULT_RESERVE_BYTES,
        read_only: bool = False,
        disk: Disk | None = None,
        index_file_keys: int = 1 << 20,
    ) -> None:
        self.folder = folder
        self._disk = disk or Disk()
        self._reserve_bytes = reserve_bytes
        self._read_only = read_only
        self._appended: _Appended | None = None
        self._tail_doubtful = self._row_doubtful = False
        self._closed = False
        self._helper: ThreadPoolExecutor | None = None
        self._table_lock = threading.Lock()
        self._lock_fd = -1 if read_only else lock_folder(folder)
        try:
            self._require_database()
            self._table = CheckpointTable(folder / DATABASE_NAME, self._disk, read_only=read_only)
            self._committed = self._table.newest()
            self._tree = PackedTree(folder, self._disk, read_only=read_only)
            self._open_files()
            self._index = DigestIndex(
                folder / INDEX_NAME,
                self._tree.entries,
                self._disk,
                read_only=read_only,
                file_keys=index_file_keys,
            )
            self._index.open(self._size)
        except BaseException:
            self.close()
            raise

    def _require_database(self) -> None:
        entries = self.folder / "entries"
        lost = not (self.folder / DATABASE_NAME).exists()
        if lost and entries.exists() and entries.stat().st_size:
            raise LogIntegrityError(
                f"{self.folder} holds entries and no {DATABASE_NAME}",
                code="log.integrity.checkpoint_lost",
                hint="restore it from a backup; an empty one would drop the entries",
            )

    def _open_files(self) -> None:
        self._tree.require_size(self._size)
        if not self._read_only:
            tail = self._tree.entries.count() - self._size
            if tail > _MAX_APPEND:
                raise LogIntegrityError(
                    f"{self.folder} holds {tail} entries behind its newest checkpoint",
                    code="log.integrity.old_checkpoint",
                    hint=f"is {DATABASE_NAME} older than the entries? restore both together",
                )
            self._tree.truncate(self._size)
            with translated_errors(f"make {self.folder} durable"):
                self._disk.flush_folder(self.folder)
                self._disk.flush_folder(self.folder.absolute().parent)
        self._edge = self._verified_edge(self._committed)

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

    # -- reading -------------------------------------------------------------------------------

    @property
    def committed(self) -> CommittedTree | None:
        """See the port."""
        return self._committed

    @property
    def _size(self) -> int:
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
        _require_digests(digest)
        if len(digest) != RECORD_BYTES:
            raise UsageError(f"wanted one digest, got {len(digest)} bytes", code="usage.digest")
        return self._index.find(digest)

    def find_many(self, digests: bytes) -> NDArray[np.int64]:
        """See the port."""
        _require_digests(digests)
        return self._index.find_many(digests)

    def entry(self, leaf_index: int) -> bytes:
        """See the port."""
        if not 0 <= leaf_index < self._size:
            raise NotFoundError(
                f"no leaf {leaf_index} in a log of {self._size}", code="not_found.leaf"
            )
        return self._tree.entries.read(leaf_index, 1)

    def inclusion_path(self, leaf_index: int, tree_size: int) -> list[bytes]:
        """See the port."""
        self._require_tree(tree_size)
        if not 0 <= leaf_index < tree_size:
            raise NotFoundError(
                f"no leaf {leaf_index} in a tree of {tree_size}", code="not_found.leaf"
            )
        return inclusion_path(leaf_index, tree_size, self._tree.read_hash)

    def consistency_path(self, old_size: int, new_size: int) -> list[bytes]:
        """See the port."""
        self._require_tree(new_size)
        if not 0 < old_size <= new_size:
            raise NotFoundError(
                f"no consistency proof from tree size {old_size} to {new_size}",
                code="not_found.tree",
            )
        return consistency_path(old_size, new_size, self._tree.read_hash)

    def root_hash(self, tree_size: int) -> bytes:
        """See the port."""
        self._require_tree(tree_size)
        return tree_root(tree_size, self._tree.read_hash)

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
        with self._table_lock:
            kept = [tree for tree in self._table.kept() if tree.tree_size < self._size]
        return [*kept, committed] if committed else []

    def _require_tree(self, tree_size: int) -> None:
        if not 0 <= tree_size <= self._size:
            raise NotFoundError(
                f"no tree of size {tree_size} in a log of {self._size}", code="not_found.tree"
            )

    def _require_tile(self, level: int, index: int, width: int) -> int:
        """Return the first record of a tile that is wholly committed."""
        first = index * limits.TILE_WIDTH
        there = (
            level >= 0
            and index >= 0
            and 1 <= width <= limits.TILE_WIDTH
            and first + width <= self._size >> 8 * level
        )
        if not there:
            raise NotFoundError(
                f"no tile {index} of width {width} at level {level} in a log of {self._size}",
                code="not_found.tile",
            )
        return first

    # -- writing -------------------------------------------------------------------------------

    def append(self, digests: bytes) -> AppendedTree:
        """See the port."""
        _require_digests(digests)
        if len(digests) > _MAX_APPEND * RECORD_BYTES:
            raise UsageError(
                f"wanted at most {_MAX_APPEND} digests, got {len(digests) // RECORD_BYTES}",
                code="usage.digest",
            )
        self._require_writable()
        if self._appended is not None:
            raise StoreConflictError(
                "an append waits for its commit", code="store.conflict.appended"
            )
        keys = self._index.keys(digests)
        known, hashes = self._look_up_and_hash(digests, keys)
        plan = AppendPlan.of(digests, keys, known, self._size)
        if not plan.created.any():
            tree = self._committed
            if tree is None:
                raise LogIntegrityError("the index knows digests of a log that is empty")
            return AppendedTree(tree.tree_size, tree.root_hash, plan.leaf_indices, plan.created)
        self._require_reserve()
        if plan.n_new < len(keys):
            digests, hashes = plan.only_new(digests, hashes)
            keys = keys[plan.created]
        edge = self._edge.copy()
        completed = edge.append_many(hashes)
        try:
            self._tree.write(self._size, digests, completed)
        except BaseException:
            self._tail_doubtful = True
            self._try_to_recover()
            raise
        appended = AppendedTree(edge.size, edge.root_hash(), plan.leaf_indices, plan.created)
        self._appended = _Appended(appended, edge, keys)
        return appended

    def _look_up_and_hash(
        self, digests: bytes, keys: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int64], list[bytes]]:
        """Return what the index knows and the leaf hashes, both at once where there are many.

        Searching leaves the interpreter to other threads, hashing does not, so the two fit beside
        each other; where digests turn out to be known their hashes were made for nothing.
        """
        if len(keys) < _PARALLEL_FROM:
            return self._index.find_many(digests, keys), leaf_hashes(split_records(digests))
        if self._helper is None:
            self._helper = ThreadPoolExecutor(1, thread_name_prefix="log-lookup")
        known = self._helper.submit(self._index.find_many, digests, keys)
        hashes = leaf_hashes(split_records(digests))
        return known.result(), hashes

    def commit(self, tree: CommittedTree) -> None:
        """See the port."""
        appended = self._appended
        if appended is None or (appended.tree.tree_size, appended.tree.root_hash) != (
            tree.tree_size,
            tree.root_hash,
        ):
            raise LogIntegrityError(
                f"the tree of size {tree.tree_size} is not the one that was appended",
                code="log.integrity.not_appended",
            )
        self._appended = None
        keep = tree.tree_size // _KEEP_EVERY > self._size // _KEEP_EVERY
        try:
            self._table.store(tree, keep=keep)
        except BaseException:
            self._row_doubtful = self._tail_doubtful = True
            self._try_to_recover()
            raise
        self._adopt(tree, appended.edge, appended.keys)

    def _adopt(
        self, tree: CommittedTree, edge: CompactRange, keys: NDArray[np.uint64] | None
    ) -> None:
        first = self._size
        self._edge = edge
        # The tree before the index: whoever finds a digest finds its leaf committed.
        self._committed = tree
        if keys is None:
            keys = self._index.keys(self._tree.entries.read(first, tree.tree_size - first))
        self._index.add(keys)

    def rollback(self) -> None:
        """See the port."""
        if self._appended is not None:
            self._appended = None
            self._tail_doubtful = True
            self._try_to_recover()

    def keep(self, tree: CommittedTree) -> None:
        """See the port."""
        if self.root_hash(tree.tree_size) != tree.root_hash:
            raise LogIntegrityError(
                f"the checkpoint of tree size {tree.tree_size} to be kept has another root hash",
                code="log.integrity.root",
            )
        with self._table_lock:
            self._table.keep(tree)

    def rebuild_index(self) -> None:
        """Build the digest index again from the entries; call it where appends are called."""
        self._index.rebuild(self._size)

    def _require_writable(self) -> None:
        if self._read_only:
            raise StoreUnavailableError(
                "the log is open for reading only", code="store.unavailable.read_only"
            )
        if self._closed:
            raise StoreUnavailableError("the log is closed", code="store.unavailable.closed")
        if self._tail_doubtful:
            self._recover()

    def _require_reserve(self) -> None:
        with translated_errors(f"look at the free space of {self.folder}"):
            free = self._disk.free_bytes(self.folder)
        if free < self._reserve_bytes:
            raise StoreUnavailableError(
                f"{free} bytes are free where the log is, wanted {self._reserve_bytes}",
                code="store.unavailable.reserve",
                hint="free some disk space; reading goes on meanwhile",
            )

    # -- after a failure -----------------------------------------------------------------------

    def _try_to_recover(self) -> None:
        """Recover now if it can be done; otherwise the next append tries again."""
        with contextlib.suppress(StoreUnavailableError):
            self._recover()

    def _recover(self) -> None:
        """Find out what is committed, and drop everything else.

        Raises:
            StoreUnavailableError: not now.
            LogIntegrityError: the files do not fit the row.
        """
        if self._row_doubtful:
            with self._table_lock:
                self._table.close()
                self._table = CheckpointTable(self.folder / DATABASE_NAME, self._disk)
                self._table.settle()
                newest = self._table.newest()
            if newest is not None and newest != self._committed:
                self._adopt(newest, self._verified_edge(newest), None)
            elif newest != self._committed:
                raise LogIntegrityError(
                    "the committed checkpoint is gone", code="log.integrity.checkpoint_lost"
                )
            self._row_doubtful = False
        self._tree.reopen(self._size)
        self._edge = self._verified_edge(self._committed)
        self._tail_doubtful = False

    def close(self) -> None:
        """See the port."""
        self._closed = True
        for part in ("_index", "_tree", "_table"):
            if hasattr(self, part):
                getattr(self, part).close()
        if self._helper is not None:
            self._helper.shutdown()
        if self._lock_fd >= 0:
            descriptor, self._lock_fd = self._lock_fd, -1
            os.close(descriptor)


def _require_digests(digests: bytes) -> None:
    if not digests or len(digests) % RECORD_BYTES:
        raise UsageError(
            f"wanted a whole number of 32-byte digests, got {len(digests)} bytes",
            code="usage.digest",
        )
