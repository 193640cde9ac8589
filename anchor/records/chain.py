"""The chain of a project's records: whose they are, in which order, and what is missing.

Whoever shows a project lists all of its records from 0 on; one that is withheld is a stub of
``seq``, ``kind`` and digest. The digests lead from record to record (``prev``) and up to the
``head`` that the last one signed, so that nothing can be left out, put in or moved before it.
What a stub says of its kind is only said; how many key records there are is signed by every record.

Each record gets two findings: on its signature (step 13.3) and on its place (step 13.5). Two
different records under one key for one place are a fork (step 13.6).

Nothing is raised about content, and no time is judged here: that is ``anchor/verify/records.py``.

Specification: ``docs/spec/record.md``, ``docs/spec/verification.md`` step 13; RFC 6962, 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from anchor.errors import FormatError, SignatureError
from anchor.formats.merkle import CompactRange, leaf_hash
from anchor.records.keys import KeyRing
from anchor.records.kinds import KEY_KINDS
from anchor.records.record import Place, Record

Word: TypeAlias = Literal["verified", "failed", "not_checked"]


@dataclass(frozen=True, slots=True)
class Stub:
    """A record that is withheld. Its digest is bound by later heads; its kind is only said."""

    seq: int
    kind: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one thing: the step, one of the words, the cause, and why."""

    step: str
    word: Word
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChainedRecord:
    """A record of the history with what was found out about it.

    Attributes:
        record: as read.
        signature: by the key in force at its place?
        place: ``seq``, ``prev``, ``head`` and the kind's rules?
        bound_by: ``seq`` of the ``key_bind`` that its key's standing depends on, or None.
    """

    record: Record
    signature: Finding
    place: Finding
    bound_by: int | None = None


@dataclass(frozen=True, slots=True)
class Fork:
    """Two records for one place.

    Attributes:
        record: the one of the list, its signature verified; or its stub.
        other: one seen elsewhere, signed by a key of the project.
        one_key: one key signed both, so that its holder said two things.
    """

    record: Record | Stub
    other: Record
    one_key: bool


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a list of records shows.

    Attributes:
        project: its id.
        records: those that are shown, by ``seq``.
        stubs: those that are withheld, by ``seq``.
        missing: how many places below the last record shown are not listed at all.
        forks: places with two histories.
        compromised: by thumbprint, since when a key is not to be believed.
        complete_up_to: ``seq`` of the last record shown, if every digest below it was given and its
            signature and place are verified; else None.
        closed: that record is, or follows, one of kind ``close``.
    """

    project: str
    records: tuple[ChainedRecord, ...]
    stubs: tuple[Stub, ...]
    missing: int
    forks: tuple[Fork, ...]
    compromised: Mapping[bytes, datetime]
    complete_up_to: int | None
    closed: bool


class ChainTip:
    """The end of a project's chain, where the next record goes."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._tree = CompactRange()
        self._prev: bytes | None = None
        self._key_records = 0

    @property
    def place(self) -> Place:
        """Return the place of the next record."""
        return Place(
            self._project, self._tree.size, self._prev, self._tree.root_hash(), self._key_records
        )

    @property
    def size(self) -> int:
        """Return how many records there are."""
        return self._tree.size

    def append(self, digest: bytes, kind: str) -> None:
        """Take up the next record."""
        self._tree.append(leaf_hash(digest))
        self._prev = digest
        self._key_records += kind in KEY_KINDS


def verify_chain(items: Sequence[Record | Stub], others: Iterable[Record] = ()) -> ChainReport:
    """Judge the list of a project's records.

    Args:
        items: one for each place, in any order; at least one record. A second record for a place
            is compared as ``others`` are.
        others: records seen elsewhere, which may show a fork or a revocation.

    Raises:
        FormatError: no record is shown.
    """
    listed, more = _by_place(items)
    shown = [item for item in listed.values() if isinstance(item, Record)]
    if not shown:
        raise FormatError("no record of the project is shown", code="record.none_shown")
    walk = _Walk(shown[0].place.project)
    for item in listed.values():
        walk.pass_by(item)
    chained = walk.records
    # A revocation elsewhere counts before any fork is looked at.
    elsewhere = [
        record
        for record in (*more, *others)
        if record.place.project == walk.project and walk.ring.compare(record)
    ]
    forks = tuple(_forks(listed, chained, elsewhere))
    if walk.key_record_withheld:
        chained = [replace(item, signature=_hedged(item.signature)) for item in chained]
    end = chained[-1]
    below = sum(seq < end.record.seq for seq in listed)
    whole = below == end.record.seq and end.signature.word == end.place.word == "verified"
    return ChainReport(
        walk.project,
        tuple(chained),
        tuple(item for item in listed.values() if isinstance(item, Stub)),
        end.record.seq - below,
        forks,
        walk.ring.compromised,
        end.record.seq if whole else None,
        whole and walk.closed,
    )


def _by_place(items: Iterable[Record | Stub]) -> tuple[dict[int, Record | Stub], list[Record]]:
    """Return one item a place, in order, records before stubs, and the records left over."""
    listed: dict[int, Record | Stub] = {}
    more = []
    for item in sorted(items, key=lambda item: (item.seq, isinstance(item, Stub))):
        if item.seq not in listed:
            listed[item.seq] = item
        elif isinstance(item, Record):
            more.append(item)
    return listed, more


class _Walk:
    """Passes a project's records in order and remembers what they add up to."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.ring = KeyRing()
        self.records: list[ChainedRecord] = []
        self.closed = False
        self.key_record_withheld = False
        self._tip = ChainTip(project)
        self._before: Record | Stub | None = None
        self._all_listed = True
        self._stubs = 0
        self._key_records_shown = 0
        self._reproductions: set[int] = set()

    def pass_by(self, item: Record | Stub) -> None:
        """Judge a record, count a stub."""
        self._all_listed = self._all_listed and item.seq == self._tip.size
        if isinstance(item, Record):
            self._judge(item)
        else:
            self._stubs += 1
        if self._all_listed:
            self._tip.append(item.digest, item.kind if isinstance(item, Stub) else item.kind.name)
        self._before = item

    def _judge(self, record: Record) -> None:
        place = self._place(record)
        signature = self._signature(record, in_place=place.word != "failed")
        bound = self.ring.keys.get(record.actor.key)
        self.records.append(
            ChainedRecord(record, signature, place, bound.bound_by if bound else None)
        )
        self._key_records_shown += record.is_key_record
        if "failed" not in (place.word, signature.word):
            self.closed = self.closed or record.kind.name == "close"
            if record.kind.name == "reproduction_test":
                self._reproductions.add(record.seq)

    def _signature(self, record: Record, *, in_place: bool) -> Finding:
        """Step 13.3."""
        if record.place.project != self.project:
            return Finding("13.3", "not_checked", "record.project", "it is of another project")
        withheld = record.place.key_records > self._key_records_shown
        try:
            if self.ring.verify_record(record, learn=in_place):
                self.key_record_withheld = self.key_record_withheld or withheld
                why = f"signed by the key {record.actor.key.hex()}"
                return Finding("13.3", "verified", "record.signed", why)
        except SignatureError as error:
            # A rotation that is withheld may have named another recovery key.
            if not (withheld and error.code == "record.recovery"):
                return Finding("13.3", "failed", error.code, error.message)
        if withheld or not self.ring.keys:
            why = "the record that names its key is not shown"
            return Finding("13.3", "not_checked", "record.key_unknown", why)
        why = "no record of the project names its key"
        return Finding("13.3", "failed", "record.key_unknown", why)

    def _place(self, record: Record) -> Finding:
        """Step 13.5."""
        for code, why in self._misplaced(record):
            return Finding("13.5", "failed", code, why)
        if self._all_listed:
            why = f"record {record.seq} of the project"
            return Finding("13.5", "verified", "record.in_place", why)
        why = "not every record before it is listed, so that its head can not be rebuilt"
        return Finding("13.5", "not_checked", "record.place_unknown", why)

    def _misplaced(self, record: Record) -> Iterator[tuple[str, str]]:
        place, before, kind = record.place, self._before, record.kind
        shown, stated = self._key_records_shown, place.key_records
        if place.project != self.project:
            yield "record.project", "it is of another project"
        if (kind.name == "genesis") != (record.seq == 0):
            yield "record.genesis", "the first record of a project, and no other, is its genesis"
        if before is not None and before.seq == record.seq - 1 and place.prev != before.digest:
            yield "record.prev", "it does not follow the record listed before it"
        if self._all_listed:
            expected = self._tip.place
            if (place.prev, place.head) != (expected.prev, expected.head):
                yield "record.head", "the records listed before it do not add up to its head"
        if shown > stated or (self._all_listed and not self._stubs and shown < stated):
            yield "record.key_records", f"it states {stated} key records before it, not {shown}"
        if self.closed and kind.name != "key_revoke":
            yield "record.after_close", "the project was closed before it"
        reproduced = self._reproductions and kind.original
        if reproduced and not self._reproductions.isdisjoint(record.references()):
            yield "record.reproduction_as_original", "it takes a reproduction for an original"


def _hedged(signature: Finding) -> Finding:
    if signature.word != "verified":
        return signature
    why = "a record that says which keys may sign is withheld"
    return Finding("13.3", "not_checked", "record.key_record_withheld", why)


def _forks(
    listed: Mapping[int, Record | Stub], chained: Sequence[ChainedRecord], elsewhere: list[Record]
) -> Iterator[Fork]:
    """Step 13.6: two different signing inputs, never two encodings of one.

    A stub at a place for which another digest is signed hides one of two histories; stubs after the
    last record are bound by nothing, and count for nothing.
    """
    signed = {item.record.seq for item in chained if item.signature.word == "verified"}
    for other in elsewhere:
        item = listed.get(other.seq)
        if isinstance(item, Stub):
            if item.digest != other.digest and item.seq < chained[-1].record.seq:
                yield Fork(item, other, one_key=False)
        elif (
            item is not None
            and item.seq in signed
            and item.sd_jwt.signing_input != other.sd_jwt.signing_input
        ):
            yield Fork(item, other, one_key=item.actor.key == other.actor.key)
