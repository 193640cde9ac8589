"""The Merkle tree over the packed entries, on four flat files.

``entries`` holds the digests; ``level-1``, ``level-2`` and ``level-3`` the hashes of the complete
subtrees of 256, 65,536 and 16,777,216 leaves, which are the tile levels of C2SP tlog-tiles above
the lowest. The lowest level, 32 bytes a leaf, is not stored: 256 leaf hashes take a tenth of a
millisecond. So a digest costs 32 bytes and an eighth of one.

Any hash inside a tile is computed from the tile's records when it is asked for: a whole inclusion
path takes at most 255 records of each level.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from anchor import limits
from anchor.errors import LogIntegrityError
from anchor.formats.merkle import CompactRange, leaf_hashes, root_hash
from anchor.stores.packed.disk import Disk, translated_errors
from anchor.stores.packed.packed_file import RECORD_BYTES, PackedFile

# With positions of 32 bits in the digest index a fourth stored level would never have a record.
STORED_LEVELS: Final = 3
_LEVEL_BITS: Final = 8


def split_records(data: bytes) -> list[bytes]:
    """Return the 32-byte records that ``data`` is made of."""
    return [record for (record,) in struct.iter_unpack(f"{RECORD_BYTES}s", data)]


class PackedTree:
    """The four files together.

    Args:
        folder: holds them; made files are empty. The caller makes their names durable.
        disk: where the calls go.
        read_only: never open for writing.
    """

    def __init__(self, folder: Path, disk: Disk, *, read_only: bool = False) -> None:
        names = ["entries", *(f"level-{level}" for level in range(1, STORED_LEVELS + 1))]
        self._files: list[PackedFile] = []
        try:
            for name in names:
                self._files.append(PackedFile(folder / name, disk, read_only=read_only))
        except BaseException:
            self.close()
            raise

    @property
    def files(self) -> tuple[PackedFile, ...]:
        """The entries, then the stored levels from the lowest."""
        return tuple(self._files)

    @property
    def entries(self) -> PackedFile:
        """The file of digests."""
        return self._files[0]

    def read_records(self, level: int, first: int, count: int) -> bytes:
        """Return records of a tile level: leaf hashes at 0, as stored above it.

        Raises:
            LogIntegrityError: the file ends before them.
        """
        data = self._files[level].read(first, count)
        return b"".join(leaf_hashes(split_records(data))) if level == 0 else data

    def read_hash(self, level: int, index: int) -> bytes:
        """Return the hash of the complete subtree of ``2**level`` leaves at ``index``.

        The caller sees to it that all its leaves are committed.
        """
        tile_level = min(level // _LEVEL_BITS, STORED_LEVELS)
        depth = level - tile_level * _LEVEL_BITS
        return root_hash(split_records(self.read_records(tile_level, index << depth, 1 << depth)))

    def right_edge(self, tree_size: int) -> CompactRange:
        """Return the right edge of the first ``tree_size`` leaves, from at most 4·255 records."""
        hashes: list[bytes] = []
        for level in reversed(range(STORED_LEVELS + 1)):
            count = tree_size >> level * _LEVEL_BITS
            first = 0 if level == STORED_LEVELS else count & ~(limits.TILE_WIDTH - 1)
            part = CompactRange()
            part.append_many(split_records(self.read_records(level, first, count - first)))
            hashes += part.hashes
        return CompactRange.from_hashes(tree_size, hashes)

    def require_size(self, tree_size: int) -> None:
        """Check that the files are at least as long as a tree of that size.

        Raises:
            LogIntegrityError: one is shorter.
        """
        for level, file in enumerate(self._files):
            wanted, got = tree_size >> level * _LEVEL_BITS, file.count()
            if got < wanted:
                raise LogIntegrityError(
                    f"{file.path} holds {got} records, and tree size {tree_size} wants {wanted}",
                    code="log.integrity.short_file",
                )

    def write_entries(self, tree_size: int, digests: bytes) -> None:
        """Append digests, 32 bytes each, to the entries of a tree of ``tree_size``; durable.

        Raises:
            StoreUnavailableError: not done, or perhaps done: only :meth:`reopen` helps.
        """
        self._write(0, tree_size, digests)

    def write_levels(self, tree_size: int, completed: Sequence[Sequence[bytes]]) -> None:
        """Append the subtrees that were completed in a tree that had ``tree_size``; durable.

        Args:
            tree_size: leaves before.
            completed: as :meth:`CompactRange.append_many` returns them.

        Raises:
            StoreUnavailableError: as :meth:`write_entries`.
        """
        for level in range(1, STORED_LEVELS + 1):
            if level * _LEVEL_BITS < len(completed):
                self._write(level, tree_size, b"".join(completed[level * _LEVEL_BITS]))

    def _write(self, level: int, tree_size: int, records: bytes) -> None:
        file = self._files[level]
        with translated_errors(f"write {file.path}"):
            file.write(tree_size >> level * _LEVEL_BITS, records)
            file.flush()

    def reopen(self, tree_size: int) -> None:
        """Take new descriptors for writing and drop whatever lies past ``tree_size``."""
        for file in self._files:
            file.reopen()
        self.truncate(tree_size)

    def truncate(self, tree_size: int) -> None:
        """Drop whatever lies past ``tree_size``."""
        for level, file in enumerate(self._files):
            file.truncate(tree_size >> level * _LEVEL_BITS)

    def close(self) -> None:
        """Close the files; safe to call twice."""
        for file in self._files:
            file.close()
