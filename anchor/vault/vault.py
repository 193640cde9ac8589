"""The vault: a project's records, originals and proofs in a working folder.

    with Vault.open(Path.cwd()) as vault:
        for entry in vault.index.entries(newest_first=True, limit=10): ...

Reading needs no lock and no key, and works on a copy and on a medium that takes no writes. Writing
goes through :meth:`Vault.writing`: one process at a time, only on the instance that may write, and
always at the end of the chain as the files have it, not as this process remembers it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from anchor.client.local_file import write_atomically
from anchor.errors import (
    FormatError,
    NotFoundError,
    SignatureError,
    StoreConflictError,
    StoreError,
    VerificationError,
)
from anchor.formats.merkle import CompactRange, leaf_hash
from anchor.records.kinds import KEY_KINDS
from anchor.records.record import Record
from anchor.vault.durable import flush_folder, make_folder, translated
from anchor.vault.entry import entry_of
from anchor.vault.index import Index, remove_index
from anchor.vault.instance import Instance
from anchor.vault.layout import Layout, find_layout
from anchor.vault.lock import WRITE_WAIT_S, held
from anchor.vault.objects import ObjectStore
from anchor.vault.project_file import Project, load_project, store_project
from anchor.vault.project_keys import ProjectKeys
from anchor.vault.readme_text import README
from anchor.vault.record_files import RecordFiles
from anchor.vault.tip import Tip
from anchor.vault.writer import Writer

_CATCH_UP_RECORDS: Final = 500


class Vault:
    """A vault that is there; see :meth:`init` and :meth:`open`.

    Attributes:
        layout: where everything is.
        project: as ``project.json`` says.
        files, objects, index, instance: its parts.
    """

    def __init__(self, layout: Layout, project: Project, *, state: Path | None = None) -> None:
        self.layout = layout
        self.project = project
        self.files = RecordFiles(layout)
        self.objects = ObjectStore(layout)
        self.instance = Instance(layout, project.id, state)
        self._takes_writes = os.access(layout.root, os.W_OK)
        self.index = Index(layout.index if self._takes_writes else None, project.id)

    @classmethod
    def init(cls, work: Path, *, server: str | None = None, state: Path | None = None) -> Vault:
        """Make a vault without records in a folder, or return one that was begun and has none.

        Raises:
            StoreConflictError: there is one already (``vault.exists``).
            StoreUnavailableError: the folder takes no writes.
        """
        with translated(work):
            layout = Layout(work.resolve(strict=True))
        make_folder(layout.root, mode=0o700)
        with _write_lock(layout):
            return cls._begin(layout, server, state)

    @classmethod
    def _begin(cls, layout: Layout, server: str | None, state: Path | None) -> Vault:
        if not layout.project_file.exists():
            if layout.record_numbers():
                raise StoreConflictError(
                    f"{layout.root} holds records and no project.json",
                    code="vault.damaged",
                    hint="restore project.json from a copy of the vault",
                )
            for folder in (layout.records, layout.proofs, layout.objects, layout.scratch):
                make_folder(folder)
            write_atomically(layout.readme, README.encode())
            store_project(layout, Project(secrets.token_hex(16), server))
            with translated(layout.root):
                flush_folder(layout.root)
        vault = cls(layout, load_project(layout), state=state)
        if vault.files.has(0):
            vault.close()
            raise StoreConflictError(f"{layout.work} has a vault already", code="vault.exists")
        vault.instance.claim()
        return vault

    @classmethod
    def open(cls, start: Path, *, state: Path | None = None, fresh_index: bool = False) -> Vault:
        """Open the vault of a folder, or of the nearest one above it.

        Args:
            start: the folder.
            state: the person's state folder.
            fresh_index: throw the index away first, however damaged it is.

        Raises:
            NotFoundError: there is none (``vault.not_found``).
            StoreConflictError: a record is missing, does not follow the one before it, or is not
                signed by a key of the project (``vault.not_signed``).
        """
        layout = find_layout(start)
        if fresh_index and os.access(layout.root, os.W_OK):
            with _write_lock(layout):
                remove_index(layout.index)
        vault = cls(layout, load_project(layout), state=state)
        try:
            vault.refresh()
            vault._distrust_other_end()
        except BaseException:
            vault.close()
            raise
        return vault

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the index; safe to call twice."""
        self.index.close()

    # -- reading -----------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Return how many records there are."""
        return self.index.size

    def read(self, seq: int) -> Record:
        """Read a record whole, from its file. Errors as :meth:`RecordFiles.read`."""
        return self.files.read(seq)

    @property
    def read_only_reason(self) -> StoreError | None:
        """Return why nothing can be written here, or None."""
        if not self._takes_writes:
            return StoreError(f"{self.layout.root} takes no writes", code="vault.read_only")
        try:
            self.instance.verify(self._digest_of)
        except StoreError as error:
            return error
        return None

    def refresh(self) -> None:
        """Take records into the index that other processes wrote, if there are any."""
        if not self._is_behind():
            return
        if not self._takes_writes:
            self._catch_up()
            return
        with _write_lock(self.layout):
            self._catch_up()

    def rebuild(self) -> None:
        """Make the index anew from the record files.

        Raises:
            StoreConflictError: as :meth:`open`.
        """
        with _write_lock(self.layout) if self._takes_writes else contextlib.nullcontext():
            self.index.clear()
            self._catch_up()

    def chained(self, seq: int) -> Record:
        """Read a record that is to be the one of that number in the chain.

        Raises:
            StoreConflictError: it is another one (``vault.chain_broken``).
            NotFoundError, FormatError, VerificationError: as :meth:`RecordFiles.read`.
        """
        record = self.files.read(seq)
        if record.seq != seq or record.digest != self._digest_of(seq):
            raise StoreConflictError(
                f"record {seq} is not the one that the records after it were signed upon",
                code="vault.chain_broken",
                hint="restore the records from a copy of the vault",
            )
        return record

    def project_keys(self) -> ProjectKeys:
        """Return the keys that the records name, from the files of those records.

        Raises:
            StoreConflictError: as :meth:`open`.
        """
        end = self._kept_end()
        if end is None:
            self.rebuild()
            end = self._kept_end()
        return ProjectKeys() if end is None else end[1]

    def where(self, sha256: bytes) -> list[str]:
        """Return where a content was recorded, as references, newest first.

        The newest one was looked up in its record; the index is made anew if it is not there.

        Raises:
            StoreConflictError: as :meth:`open`.
        """
        found = self.index.where(sha256)
        if not found:
            return []
        seq, _, number = found[0].partition(".")
        with contextlib.suppress(StoreConflictError, VerificationError, FormatError, NotFoundError):
            entry = self.chained(int(seq)).files.get(int(number))
            if entry is not None and entry["sha256"] == sha256.hex():
                return found
        self.rebuild()
        return self.index.where(sha256)

    def mend_index(self) -> None:
        """Make the index anew if its digests are not those of the chain that was signed.

        All of them are hashed into the head that the last record's file gives: about 3 µs each.
        """
        if not self._has_chain():
            self.rebuild()

    def _has_chain(self) -> bool:
        if self.index.size == 0:
            return True
        tip, tree = self._kept_tip(), CompactRange()
        for digest in self.index.digests():
            tree.append(leaf_hash(digest))
        return tip is not None and tree.root_hash() == tip.tree.root_hash()

    # -- writing -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self, *, adopting: bool = False) -> Iterator[Writer]:
        """Hold the vault for writing while the block runs; others wait up to 30 seconds.

        Args:
            adopting: go on although this is not the instance that may write; it becomes it when a
                ``branch`` record was written.

        Raises:
            StoreConflictError: it is read-only here (``vault.foreign``, ``vault.copied``,
                ``vault.older``), somebody else holds it (``vault.locked``), or its records do not
                follow each other.
        """
        if not self._takes_writes:
            raise StoreError(f"{self.layout.root} takes no writes", code="vault.read_only")
        with _write_lock(self.layout):
            if self._is_behind():
                self._catch_up()
            tip, keys = self._end()
            if not adopting:
                self.instance.verify(self._digest_of)
                self.instance.settle()
            self.files.clear_scratch(time.time())
            writer = Writer(self, tip, keys)
            yield writer
            if adopting and writer.branched:
                self.instance.claim()

    def _digest_of(self, seq: int) -> bytes | None:
        entry = self.index.entry(seq)
        return None if entry is None else entry.digest

    # -- the index ---------------------------------------------------------------------------------

    def _is_behind(self) -> bool:
        size = self.index.size
        return self.files.has(size) or (size > 0 and not self.files.has(size - 1))

    def _distrust_other_end(self) -> None:
        """Make the index anew if its end or its keys are not those of the record files."""
        with contextlib.suppress(VerificationError, FormatError, NotFoundError):
            if self._kept_end() is None:
                self.rebuild()

    def _end(self) -> tuple[Tip, ProjectKeys]:
        """Return the end of the chain; the index is made anew if it is of something else."""
        end = self._kept_end()
        if end is None:
            self.index.clear()
            self._catch_up()
            end = self._kept_end()
        if end is None:
            raise StoreConflictError(
                "the last record changed while it was read", code="vault.chain_broken"
            )
        return end

    def _kept_end(self) -> tuple[Tip, ProjectKeys] | None:
        """Return the end of the chain as the index has it, if that is what the records say.

        The last record and all that name keys are read and verified: whoever can plant a record
        file can write to the index, too.
        """
        tip = self._kept_tip()
        if tip is None:
            return None
        keys = ProjectKeys()
        try:
            for seq in self.index.numbers(KEY_KINDS):
                keys.accept(self.chained(seq))
            if keys.records != tip.key_records:
                return None
            if tip.prev is not None:
                keys.verify(self.chained(tip.tree.size - 1))
        except (StoreConflictError, SignatureError):
            return None  # what is wrong, the index or a record, shows when it is made anew
        return tip, keys

    def _kept_tip(self) -> Tip | None:
        size, kept = self.index.size, self.index.tip
        if size == 0:
            return Tip.empty(self.project.id)
        last = self.files.read(size - 1)
        if kept is None or self._digest_of(size - 1) != last.digest:
            return None
        return Tip.after(last, kept)

    def _catch_up(self) -> None:
        """Read and verify the records that the index does not have."""
        total, size = len(self.files.numbers()), self.index.size
        end = self._kept_end() if size <= total else None
        if end is None:
            self.index.clear()
            size, end = 0, (Tip.empty(self.project.id), ProjectKeys())
        tip, keys = end
        for first in range(size, total, _CATCH_UP_RECORDS):
            entries = []
            for seq in range(first, min(first + _CATCH_UP_RECORDS, total)):
                record = self.files.read(seq)
                tip.append(record)
                self._accept(record, keys)
                entries.append(entry_of(record))
            self.index.add(entries, tip.to_bytes())

    def _accept(self, record: Record, keys: ProjectKeys) -> None:
        try:
            keys.accept(record)
        except SignatureError as error:
            path = self.layout.record(record.seq)
            hint = f"move {path} to another folder, unless a copy of the vault has the true one"
            if self.files.has(record.seq + 1):
                hint = f"restore {path} from a copy of the vault"
            raise StoreConflictError(
                f"{path} is not signed by who may sign in this project: {error.message}",
                code="vault.not_signed",
                hint=hint,
            ) from error


def _write_lock(layout: Layout) -> contextlib.AbstractContextManager[None]:
    return held(layout.lock("write"), f"is writing to {layout.root}", wait_s=WRITE_WAIT_S)
