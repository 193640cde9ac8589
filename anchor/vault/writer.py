"""Adds records at the end of a vault that is held for writing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from anchor.errors import StoreError
from anchor.records.record import Record
from anchor.vault.entry import entry_of
from anchor.vault.instance import Mark
from anchor.vault.project_keys import ProjectKeys
from anchor.vault.tip import Tip

if TYPE_CHECKING:
    from anchor.vault.vault import Vault


class Writer:
    """Adds records at the end of a vault that is held for writing.

    Attributes:
        tip: where the next record goes.
        keys: the keys that the records so far name.
        waiting: what was added and is not written yet, by number.
        branched: a ``branch`` record was written.
    """

    def __init__(self, vault: Vault, tip: Tip, keys: ProjectKeys) -> None:
        self._vault = vault
        self.tip = tip
        self.keys = keys
        self.waiting: dict[int, Record] = {}
        self.branched = False
        self._closed: bool | None = None

    @property
    def is_closed(self) -> bool:
        """Return whether a ``close`` is among the records, those waiting included."""
        if self._closed is None:
            self._closed = self._is_closed_on_disk()
        return self._closed

    def _is_closed_on_disk(self) -> bool:
        """Look at the last record itself; nothing but ``key_revoke`` follows a ``close``."""
        for seq in reversed(range(self._vault.size)):
            kind = self._vault.chained(seq).kind.name
            if kind != "key_revoke":
                return kind == "close"
        return False

    def add(self, record: Record) -> None:
        """Take a record up; it is in the vault after :meth:`commit`.

        Raises:
            SignatureError: it says of keys what no verifier would accept.
            StoreConflictError: it does not follow the one before it.
        """
        if record.is_key_record:
            self.keys.accept(record)
        self.tip.append(record)
        self.waiting[record.seq] = record
        self._closed = self.is_closed or record.kind.name == "close"

    def commit(self) -> list[Record]:
        """Write what was added; durable on return, all of it or (after an error) nothing.

        Raises:
            StoreUnavailableError: the disk is full or failing.
        """
        records, self.waiting = list(self.waiting.values()), {}
        if not records:
            return []
        vault = self._vault
        vault.files.write(records)
        # From here on the records are there. The index and the mark are derived: that they could
        # not be written is no reason to say that the records were not.
        with contextlib.suppress(StoreError):
            vault.index.add([entry_of(record) for record in records], self.tip.to_bytes())
        self.branched = self.branched or any(r.kind.name == "branch" for r in records)
        vault.instance.remember(Mark(records[-1].seq, records[-1].digest))
        return records
