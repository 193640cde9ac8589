"""The recorder: the one function through which every record is made.

    recorder = Recorder(vault, signer, beacons=BeaconCache(...).beacons)
    record = recorder.append(Draft("note", {"text": "the left hand is wrong"}))

Rules:

* originals are kept first, then the record is signed and written; it returns when both are durable;
* the place (``seq``, ``prev``, ``head``) comes from the files under the vault's lock, so that two
  processes can not give one number twice;
* what a verifier would later call false is refused here: a key that is not in force, a record after
  ``close``, a reference to what is not there, a reproduction taken for an original;
* nothing here talks to anybody: beacons come from a function, :mod:`anchor.vault.sender` sends.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from anchor.errors import NotFoundError, StoreConflictError, UsageError, VestigeError
from anchor.records.kinds import KINDS, RECOVERY_KINDS
from anchor.records.record import Actor, Beacon, Capture, Record, build_record
from anchor.records.sdjwt import SALT_BYTES
from anchor.vault.clock import claimed_time, local_now
from anchor.vault.draft import Attachment, Draft
from anchor.vault.objects import Keeping
from anchor.vault.signer import Signer
from anchor.vault.source import open_source
from anchor.vault.vault import Vault
from anchor.vault.writer import Writer

_BATCH_RECORDS: Final = 256
_THREADS: Final = 8
_THREADS_FROM: Final = 2

FileEntry = dict[str, Any]
"""A file entry as a record carries it."""


@dataclass(frozen=True, slots=True)
class _Ready:
    draft: Draft
    files: list[FileEntry]


class Recorder:
    """Appends records to one vault with one key.

    Args:
        vault: open.
        signer: the key; it must be in force in the project.
        beacons: asked once for each batch, before the vault is held.
        now: the clock, aware, in the zone of the place.
        new_salt: 16 random bytes at each call.
    """

    def __init__(
        self,
        vault: Vault,
        signer: Signer,
        *,
        beacons: Callable[[], Sequence[Beacon]] = tuple,
        now: Callable[[], datetime] = local_now,
        new_salt: Callable[[], bytes] = lambda: secrets.token_bytes(SALT_BYTES),
    ) -> None:
        self._vault = vault
        self._signer = signer
        self._beacons = beacons
        self._now = now
        self._new_salt = new_salt

    def append(self, draft: Draft, *, adopting: bool = False, at_seq: int | None = None) -> Record:
        """Make one record; durable on return.

        Args:
            draft: what it says.
            adopting: see :meth:`Vault.writing`.
            at_seq: the number that it is for: what it says holds there and nowhere else, as a seed
                does that was derived from a beacon, the project and the number. None takes any.

        Raises:
            StoreConflictError: ``vault.place_taken``: another record has the number ``at_seq``, or
                there are not so many yet. Derive the seed again for the number that is next now.
            UsageError, NotFoundError: it refers to what is not there, or a file can not be taken.
            FormatError: a field is missing, unknown or of another type; a file is empty.
            StoreConflictError: the vault is read-only here or closed, the key is not in force, or a
                file changed while it was read.
            StoreUnavailableError: the disk is full or failing; nothing was recorded.
        """
        (made,) = self._append_batch([draft], adopting=adopting, at_seq=at_seq)
        if isinstance(made, VestigeError):
            raise made
        return made

    def append_many(
        self, drafts: Sequence[Draft], *, adopting: bool = False
    ) -> list[Record | VestigeError]:
        """Make records in order; durable on return. One that can not be made stops no other.

        Returns:
            For each draft its record, or why there is none.

        Raises:
            StoreConflictError, StoreUnavailableError: the vault can not be written to; the batches
                (of up to 256) before that are there.
        """
        made: list[Record | VestigeError] = []
        for start in range(0, len(drafts), _BATCH_RECORDS):
            made += self._append_batch(drafts[start : start + _BATCH_RECORDS], adopting=adopting)
        return made

    # -- one batch ---------------------------------------------------------------------------------

    def _append_batch(
        self, drafts: Sequence[Draft], *, adopting: bool, at_seq: int | None = None
    ) -> list[Record | VestigeError]:
        ready = self._keep_files(drafts)
        not_before = tuple(self._beacons())
        made: list[Record | VestigeError] = []
        with self._vault.writing(adopting=adopting) as writer:
            _want_place(at_seq, writer.tip.tree.size)
            for item in ready:
                if isinstance(item, VestigeError):
                    made.append(item)
                    continue
                try:
                    record = self._build(item, writer, not_before)
                    writer.add(record)
                except VestigeError as error:
                    made.append(error)
                else:
                    made.append(record)
            writer.commit()
        return made

    def _build(self, ready: _Ready, writer: Writer, not_before: tuple[Beacon, ...]) -> Record:
        draft = ready.draft
        self._check(draft, writer)
        clock = claimed_time(self._now(), writer.tip.claimed_time)
        return build_record(
            writer.tip.place,
            draft.kind,
            actor=Actor(self._signer.thumbprint, draft.role),
            claimed_time=clock.time,
            capture=Capture(draft.mode, draft.client or client_name(), draft.lag_s),
            fields=draft.fields,
            new_salt=self._new_salt,
            sign=self._signer.sign,
            files=ready.files,
            tier=draft.tier,
            late=draft.late or draft.kind == "import",
            not_before=not_before,
            clock_source=clock.source,
            utc_offset_minutes=clock.utc_offset_minutes,
        )

    # -- files -------------------------------------------------------------------------------------

    def _keep_files(self, drafts: Sequence[Draft]) -> list[_Ready | VestigeError]:
        """Keep the originals of all drafts, several at a time; they are made durable together."""
        with self._vault.objects.keeping() as keeping:

            def ready(draft: Draft) -> _Ready | VestigeError:
                try:
                    return _Ready(draft, [self._keep(item, keeping) for item in draft.files])
                except VestigeError as error:
                    return error

            unkept = sum(item.kept is None for draft in drafts for item in draft.files)
            if unkept < _THREADS_FROM:
                found = [ready(draft) for draft in drafts]
            else:
                from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - a note needs none

                with ThreadPoolExecutor(_THREADS) as threads:
                    found = list(threads.map(ready, drafts))
            keeping.commit()
        return found

    def _keep(self, item: Attachment, keeping: Keeping) -> FileEntry:
        if item.kept is not None:
            name, kept = item.name, item.kept
        elif item.data is not None:
            name, kept = item.name, keeping.add_bytes(item.data, item.name or "")
        elif item.path is not None:
            layout = self._vault.layout
            with open_source(item.path, layout, allow_empty=item.allow_empty) as source:
                name, kept = item.name or source.name, keeping.add(source)
        else:
            raise UsageError("an attachment without a path or bytes", code="usage.attachment")
        entry: FileEntry = {
            "role": item.role,
            "media_type": kept.media_type,
            "size": kept.size,
            "sha256": kept.sha256.hex(),
            "sha3_256": kept.sha3_256.hex(),
        }
        return entry if name is None else {**entry, "name": name}

    # -- what a verifier would call false ----------------------------------------------------------

    def _check(self, draft: Draft, writer: Writer) -> None:
        seq, kind = writer.tip.tree.size, draft.kind
        if (kind == "genesis") != (seq == 0):
            why = "the project has a genesis already" if seq else "the project has no genesis yet"
            raise StoreConflictError(why, code="vault.genesis", hint="vestige init makes it")
        if writer.is_closed and kind != "key_revoke":
            raise StoreConflictError(
                "the project is closed; only key_revoke may follow", code="vault.closed"
            )
        if kind not in ("genesis", *RECOVERY_KINDS):
            in_force = {key.thumbprint for key in writer.keys.in_force(draft.role)}
            if self._signer.thumbprint not in in_force:
                raise StoreConflictError(
                    f"the key {self._signer.thumbprint.hex()[:8]}… may not sign here as "
                    f"{draft.role}, or was ended",
                    code="keys.not_in_force",
                    hint="vestige keys list shows which may",
                )
        for reference in references(draft):
            self._check_reference(reference, draft, writer)

    def _check_reference(self, reference: str, draft: Draft, writer: Writer) -> None:
        seq, _, number = reference.partition(".")
        kind, numbers = self._target(int(seq) if seq.isdigit() else -1, writer)
        if number and (not number.isdigit() or int(number) not in numbers):
            raise NotFoundError(
                f"record {seq} has no file {number}",
                code="record.reference",
                hint=f"vestige show {seq} lists what it has",
            )
        row = KINDS.get(draft.kind)
        if kind == "reproduction_test" and row is not None and row.original:
            raise UsageError(
                f"record {seq} is a run made again; it can not stand for an original",
                code="record.reproduction_as_original",
            )

    def _target(self, seq: int, writer: Writer) -> tuple[str, set[int]]:
        """Return the kind and file numbers of an earlier record."""
        if (record := writer.waiting.get(seq)) is not None:
            return record.kind.name, set(record.files)
        entry = self._vault.index.entry(seq) if seq >= 0 else None
        if entry is None:
            raise NotFoundError(
                f"there is no record {seq} before this one",
                code="record.reference",
                hint="vestige log shows which there are",
            )
        return entry.kind, {file.number for file in entry.files}


def _want_place(wanted: int | None, there: int) -> None:
    if wanted is not None and wanted != there:
        raise StoreConflictError(
            f"the record was made for number {wanted}, and the next one is {there}",
            code="vault.place_taken",
            hint="what depends on the number, such as a seed, is to be derived again",
        )


def references(draft: Draft) -> Iterator[str]:
    """Yield every reference that a draft makes."""
    row = KINDS.get(draft.kind)
    if row is None:
        return
    for name, value in draft.fields.items():
        if value is not None:
            yield from {"ref": [value], "refs": value}.get(row.types.get(name, ""), ())


@cache
def client_name() -> str:
    """Return this program's name and version, as records state it."""
    try:
        return f"vestige/{version('vestige')}"
    except PackageNotFoundError:
        return "vestige"
