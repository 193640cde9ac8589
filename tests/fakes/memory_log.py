"""A log in memory with real Merkle trees: what the anchorer and the proofs read of a LogStore."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

from anchor.errors import NotFoundError
from anchor.formats import merkle
from anchor.formats.checkpoint import Checkpoint
from anchor.formats.tiles import serialize_entry_bundle
from anchor.ports import CommittedTree

Sign = Callable[[str], str]


def unsigned(text: str) -> str:
    """Stand in for the log's key where nobody verifies the note."""
    return text + "\n— log.example AAAAAAAA\n"


class MemoryLog:
    """Entries, indices and trees; every append is committed at once."""

    def __init__(self, origin: str = "log.example/test", sign: Sign = unsigned) -> None:
        self.origin = origin
        self.entries: list[bytes] = []
        self._sign = sign
        self._index: dict[bytes, int] = {}
        self._lock = threading.RLock()
        self._committed: CommittedTree | None = None

    # -- what tests do -----------------------------------------------------------------------------

    def add(self, *digests: bytes) -> list[int]:
        """Append the digests that are new and commit; return the index of each."""
        with self._lock:
            for digest in digests:
                if digest not in self._index:
                    self._index[digest] = len(self.entries)
                    self.entries.append(digest)
            size = len(self.entries)
            root = self.root_hash(size)
            note = self._sign(Checkpoint(self.origin, size, root).text)
            self._committed = CommittedTree(size, root, note)
            return [self._index[digest] for digest in digests]

    def grow(self, count: int = 1) -> list[bytes]:
        """Append that many digests that nobody chose; return them."""
        with self._lock:
            start = len(self.entries)
            digests = [
                hashlib.sha256(b"entry %d" % n).digest() for n in range(start, start + count)
            ]
            self.add(*digests)
            return digests

    def submit(self, digest: bytes) -> int:
        """Do what the sequencer does for one digest."""
        return self.add(digest)[0]

    def tree(self) -> CommittedTree | None:
        return self._committed

    # -- LogStore ----------------------------------------------------------------------------------

    @property
    def committed(self) -> CommittedTree | None:
        return self._committed

    def find(self, digest: bytes) -> int | None:
        return self._index.get(digest)

    def entry(self, leaf_index: int) -> bytes:
        if not 0 <= leaf_index < len(self.entries):
            raise NotFoundError(f"no leaf {leaf_index}")
        return self.entries[leaf_index]

    def _read_hash(self, level: int, index: int) -> bytes:
        width = 1 << level
        entries = self.entries[index * width : (index + 1) * width]
        return merkle.root_hash([merkle.leaf_hash(entry) for entry in entries])

    def inclusion_path(self, leaf_index: int, tree_size: int) -> list[bytes]:
        if not 0 <= leaf_index < tree_size <= len(self.entries):
            raise NotFoundError(f"leaf {leaf_index} is not in {tree_size}")
        return merkle.inclusion_path(leaf_index, tree_size, self._read_hash)

    def consistency_path(self, old_size: int, new_size: int) -> list[bytes]:
        return merkle.consistency_path(old_size, new_size, self._read_hash)

    def root_hash(self, tree_size: int) -> bytes:
        return merkle.root_hash([merkle.leaf_hash(entry) for entry in self.entries[:tree_size]])

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        first = index * 256
        if (first + width) << (8 * level) > len(self.entries):
            raise NotFoundError(f"no tile {level}/{index} of width {width}")
        return b"".join(self._read_hash(8 * level, n) for n in range(first, first + width))

    def read_entries(self, index: int, width: int) -> bytes:
        if index * 256 + width > len(self.entries):
            raise NotFoundError(f"no entries {index} of width {width}")
        return serialize_entry_bundle(self.entries[index * 256 : index * 256 + width])
