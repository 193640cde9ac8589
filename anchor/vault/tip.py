"""The end of the chain: where the next record goes, derived from the last one and checked by it.

The index keeps the right edge of the tree as it was *before* the last record. With it the head that
the last record signed must come out again; only then is the tree carried on. So neither a damaged
index nor an exchanged record file can make the vault sign a head that is not that of its records.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from anchor.errors import FormatError, StoreConflictError
from anchor.formats.merkle import CompactRange, leaf_hash
from anchor.records.record import Place, Record


@dataclass(slots=True)
class Tip:
    """The end of a project's chain.

    Attributes:
        project: 16 bytes in hex.
        tree: over the digests of all records.
        prev: digest of the last one, None for an empty chain.
        key_records: how many say which keys may sign.
        claimed_time: of the last one, as it was written, or None.
    """

    project: str
    tree: CompactRange
    prev: bytes | None = None
    key_records: int = 0
    claimed_time: str | None = None
    _before: tuple[bytes, ...] = ()

    @classmethod
    def empty(cls, project: str) -> Tip:
        """Return the tip of a chain without records."""
        return cls(project, CompactRange())

    @classmethod
    def after(cls, last: Record, kept: bytes) -> Tip | None:
        """Return the tip after a record, or None if what was kept is of another one.

        Args:
            last: the last record.
            kept: what :meth:`to_bytes` gave after it.
        """
        try:
            hashes = [bytes.fromhex(text) for text in json.loads(kept)]
            tree = CompactRange.from_hashes(last.seq, hashes)
        except (ValueError, TypeError, FormatError):
            return None
        if tree.root_hash() != last.place.head:
            return None
        tip = cls(last.place.project, tree, last.place.prev, last.place.key_records)
        tip.append(last)
        return tip

    @property
    def place(self) -> Place:
        """Return the place of the next record."""
        return Place(
            self.project, self.tree.size, self.prev, self.tree.root_hash(), self.key_records
        )

    def append(self, record: Record) -> None:
        """Take up the next record.

        Raises:
            StoreConflictError: it is not the next one (``vault.chain_broken``).
        """
        if record.place != self.place:
            raise StoreConflictError(
                f"record {record.seq} does not follow the records before it",
                code="vault.chain_broken",
                hint="restore the records from a copy of the vault",
            )
        self._before = tuple(self.tree.hashes)
        self.tree.append(leaf_hash(record.digest))
        self.prev = record.digest
        self.key_records += record.is_key_record
        self.claimed_time = record.sd_jwt.payload["claimed_time"]

    def to_bytes(self) -> bytes:
        """Return what :meth:`after` wants to have kept, with the last record beside it."""
        return json.dumps([item.hex() for item in self._before]).encode()
