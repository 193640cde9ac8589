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
  reading goes on. The same holds while the index is behind the committed tree.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anchor import limits
from anchor.errors import (
    LogIntegrityError,
    StoreConflictError,
    StoreUnavailableError,
    UsageError,
)
from anchor.formats.merkle import CompactRange, leaf_hashes
from anchor.ports import AppendedTree, CommittedTree
from anchor.stores.packed.append_plan import AppendPlan
from anchor.stores.packed.checkpoint_table import CheckpointTable
from anchor.stores.packed.digest_index import DEFAULT_FILE_KEYS, MAX_POSITIONS
from anchor.stores.packed.disk import Disk, translated_errors
from anchor.stores.packed.folder_lock import lock_folder
from anchor.stores.packed.packed_file import RECORD_BYTES
from anchor.stores.packed.packed_reader import DATABASE_NAME, PackedReader, require_digests
from anchor.stores.packed.packed_tree import split_records

DEFAULT_RESERVE_BYTES: Final = 256 << 20
_KEEP_EVERY: Final = 65_536
# The most that one append takes; so a longer tail behind the checkpoint was no interrupted append.
_MAX_APPEND: Final = limits.MAX_RAW_DIGESTS
# Below this another thread costs more than it saves.
_OVERLAP_FROM_BYTES: Final = 4_096 * RECORD_BYTES


@dataclass(frozen=True, slots=True)
class _Appended:
    """An append that waits for its commit."""

    tree: AppendedTree
    edge: CompactRange
    keys: NDArray[np.uint64]


class PackedLog(PackedReader):
    """A :class:`anchor.ports.LogStore` in one folder.

    Args:
        folder: made if it is not there. Whoever can write to it can stop the log, and can have
            false entries signed only while the process runs; what was signed stays provable.
        reserve_bytes: free space below which appends are refused; reading goes on.
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
        disk: Disk | None = None,
        index_file_keys: int = DEFAULT_FILE_KEYS,
    ) -> None:
        self._disk = disk or Disk()
        self._reserve_bytes = reserve_bytes
        self._appended: _Appended | None = None
        self._tail_doubtful = self._row_doubtful = False
        self._closed = False
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="log-entries")
        self._lock_fd = lock_folder(folder)
        try:
            self._open(folder, self._disk, read_only=False, index_file_keys=index_file_keys)
            self._drop_tail()
        except BaseException:
            self.close()
            raise

    def _drop_tail(self) -> None:
        tail = self._tree.entries.count() - self.size
        if tail > _MAX_APPEND:
            raise LogIntegrityError(
                f"{self.folder} holds {tail} entries behind its newest checkpoint",
                code="log.integrity.old_checkpoint",
                hint=f"is {DATABASE_NAME} older than the entries? restore both together",
            )
        self._tree.truncate(self.size)
        with translated_errors(f"make {self.folder} durable"):
            self._disk.flush_folder(self.folder)
            self._disk.flush_folder(self.folder.absolute().parent)

    # -- writing -------------------------------------------------------------------------------

    def append(self, digests: bytes) -> AppendedTree:
        """See the port."""
        require_digests(digests)
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
        known = self._index.find_many(digests, keys)
        plan = AppendPlan.of(digests, keys, known, self.size)
        if not plan.created.any():
            tree = self._committed
            if tree is None:
                raise LogIntegrityError("the index knows digests of a log that is empty")
            return AppendedTree(tree.tree_size, tree.root_hash, plan.leaf_indices, plan.created)
        self._require_room(plan.n_new)
        if plan.n_new < len(keys):
            digests = plan.only_new(digests)
            keys = keys[plan.created]
        try:
            edge = self._write(digests)
        except BaseException:
            self._tail_doubtful = True
            self._try_to_recover()
            raise
        appended = AppendedTree(edge.size, edge.root_hash(), plan.leaf_indices, plan.created)
        self._appended = _Appended(appended, edge, keys)
        return appended

    def _write(self, digests: bytes) -> CompactRange:
        """Make new digests and what they complete durable; return the right edge with them."""
        edge = self._edge.copy()
        if len(digests) < _OVERLAP_FROM_BYTES:
            self._tree.write_entries(self.size, digests)
            completed = edge.append_many(leaf_hashes(split_records(digests)))
        else:
            # The disk works while the hashes are computed.
            writing = self._helper.submit(self._tree.write_entries, self.size, digests)
            try:
                completed = edge.append_many(leaf_hashes(split_records(digests)))
            finally:
                writing.result()
        self._tree.write_levels(self.size, completed)
        return edge

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
        keep = tree.tree_size // _KEEP_EVERY > self.size // _KEEP_EVERY
        try:
            self._table.store(tree, keep=keep)
        except LogIntegrityError:
            raise
        except BaseException:
            self._row_doubtful = self._tail_doubtful = True
            self._try_to_recover()
            raise
        self._adopt(tree, appended.edge, appended.keys)

    def _adopt(
        self, tree: CommittedTree, edge: CompactRange, keys: NDArray[np.uint64] | None
    ) -> None:
        first = self.size
        self._edge = edge
        # The tree before the index: whoever finds a digest finds its leaf committed.
        self._committed = tree
        with _index_errors():
            if keys is None:
                self._index.catch_up(tree.tree_size)
            else:
                self._index.add(first, keys)

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
        self._table.keep(tree)

    def rebuild_index(self) -> None:
        """Build the digest index again from the entries; call it where appends are called."""
        self._index.rebuild(self.size)

    def _require_writable(self) -> None:
        if self._closed:
            raise StoreUnavailableError("the log is closed", code="store.unavailable.closed")
        if self._tail_doubtful:
            self._recover()
        if self._index.size < self.size:
            # Or digests that it misses would get a second leaf.
            with _index_errors():
                self._index.catch_up(self.size)

    def _require_room(self, n_new: int) -> None:
        if self.size + n_new > MAX_POSITIONS:
            raise StoreUnavailableError(
                f"this log holds at most {MAX_POSITIONS} leaves", code="store.unavailable.log_full"
            )
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
            doubtful = self._table
            self._table = CheckpointTable(self.folder / DATABASE_NAME, self._disk)
            doubtful.close()
            self._table.settle()
            newest = self._table.newest()
            if newest is not None and newest != self._committed:
                self._adopt(newest, self._verified_edge(newest), None)
            elif newest != self._committed:
                raise LogIntegrityError(
                    "the committed checkpoint is gone", code="log.integrity.checkpoint_lost"
                )
            self._row_doubtful = False
        self._tree.reopen(self.size)
        self._edge = self._verified_edge(self._committed)
        self._tail_doubtful = False

    def close(self) -> None:
        """See the port."""
        self._closed = True
        self._helper.shutdown()
        super().close()
        if self._lock_fd >= 0:
            descriptor, self._lock_fd = self._lock_fd, -1
            os.close(descriptor)


@contextlib.contextmanager
def _index_errors() -> Iterator[None]:
    """Turn what keeps the index from growing into StoreUnavailableError; the tree is durable."""
    try:
        yield
    except (MemoryError, OSError, RuntimeError) as exc:
        raise StoreUnavailableError(
            f"the digest index could not take what was committed: {exc or type(exc).__name__}",
            code="store.unavailable.index",
            hint="send the same digests again; they keep the place that they have",
        ) from exc
