"""What judgement says: four words for each piece of evidence, and a sum that says no more.

Specification: ``docs/spec/verification.md``, steps 10 to 13.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import overload

from anchor.proof.proof import Attestation
from anchor.records.chain import Finding
from anchor.records.record import Beacon, Record


class Status(enum.StrEnum):
    """The four words. There is no fifth."""

    VERIFIED = "verified"
    FAILED = "failed"
    PENDING = "pending"
    NOT_CHECKED = "not_checked"


class Answer(enum.StrEnum):
    """The answer to "did it exist before T?"."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class LazyLines(Sequence[str]):
    """Lines that are made when somebody reads them; most verdicts are read without their steps.

    Args:
        make: returns the lines; called once at most.
    """

    __slots__ = ("_lines", "_make")

    def __init__(self, make: Callable[[], Sequence[str]]) -> None:
        self._make = make
        self._lines: Sequence[str] | None = None

    @property
    def _made(self) -> Sequence[str]:
        if self._lines is None:
            self._lines = tuple(self._make())
        return self._lines

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        """Return a line, or some."""
        return self._made[index]

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self._made)

    def __eq__(self, other: object) -> bool:
        """Return whether the other lines say the same."""
        return isinstance(other, LazyLines | tuple | list) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        """Return what equal lines have in common."""
        return hash(self._made)


@dataclass(frozen=True, slots=True)
class Step:
    """One step that a person can redo.

    Attributes:
        number: as in ``docs/spec/verification.md``, such as ``2.1``.
        title: what is done.
        lines: inputs, result and, where a stock tool redoes it, its command.
    """

    number: str
    title: str
    lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found out about one piece of evidence.

    Attributes:
        status: one of the four words.
        reason: why, in one sentence without a capital or a full stop.
        code: the cause for programs, such as ``tsp.chain.expired``.
        attested_time: upper bound, tolerance applied, aware UTC; only when verified.
        potential_time: the bound that it would give if what is missing were there, if known.
        tolerance_s: what was added to the time that the evidence states.
        precision: ``second`` or ``day``.
        trust: whom one has to believe, one sentence; empty when nothing was verified.
        headline: whether the policy lets this attestation set the headline.
        by: who attests: the authority, chain, calendar or witness.
        steps: what was done, in order.
    """

    status: Status
    reason: str
    code: str
    attested_time: datetime | None = None
    potential_time: datetime | None = None
    tolerance_s: int = 0
    precision: str = "second"
    trust: str = ""
    headline: bool = True
    by: str = ""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class AttestationVerdict:
    """One row of the ladder: an attestation and what was found out about it."""

    attestation: Attestation
    family: str
    judgement: Judgement

    @property
    def status(self) -> Status:
        """Return the judgement's word."""
        return self.judgement.status

    @property
    def attested_time(self) -> datetime | None:
        """Return the verified upper bound, or None."""
        return self.judgement.attested_time


@dataclass(frozen=True, slots=True)
class LogVerdict:
    """What is known of the place in the log; it does not touch the time.

    ``origin``, ``leaf_index`` and ``tree_size`` are given only when verified: under a checkpoint
    that a policy key signed. ``tree_size`` is the smallest such tree.
    """

    status: Status
    reason: str
    code: str
    origin: str | None = None
    leaf_index: int | None = None
    tree_size: int | None = None


@dataclass(frozen=True, slots=True)
class Headline:
    """The earliest verified bound that the policy admits, and the row that it rests on."""

    existed_before: datetime
    row: AttestationVerdict


@dataclass(frozen=True, slots=True)
class BeaconVerdict:
    """What was found out about one beacon of a record (step 13.7).

    Attributes:
        beacon: as the record states it.
        status, reason, code: as in :class:`Judgement`.
        not_before: lower bound, tolerance applied, aware UTC; only when verified.
        trust: whom one has to believe; empty when nothing was verified.
    """

    beacon: Beacon
    status: Status
    reason: str
    code: str
    not_before: datetime | None = None
    trust: str = ""


@dataclass(frozen=True, slots=True)
class RecordJudgement:
    """What was found out about a record besides the time of its digest (step 13).

    Attributes:
        record: as read; what of it is withheld is not here.
        findings: on its signature, its key, its place and its forks, in the order of the steps.
        beacons: one for each beacon that it states.
        not_before: the latest verified lower bound: of the record, never of a file.
        lag_s: from its claimed time to the headline, in whole seconds; None without a headline.
    """

    record: Record
    findings: tuple[Finding, ...]
    beacons: tuple[BeaconVerdict, ...]
    not_before: datetime | None
    lag_s: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole.

    Attributes:
        status: the word for the sum (VERDICTS: failed, verified, not_checked, pending).
        digest: the log's entry, 32 bytes.
        file_status: verified when a file was given and its opening leads to the digest,
            not_checked when none was given, failed otherwise.
        log: the place in the log.
        rows: one for each attestation, earliest bound first.
        existed_before: earliest verified bound of each family.
        headline: None when nothing that the policy admits is verified, or not enough families.
        before, answer: the question and its answer, when asked.
        policy_name, policy_sha256, policy_class: what it rests on.
        warnings: things that a reader should know and that no word says.
        steps: the hash steps of the file and the log, when asked for; those of an attestation
            stand with its judgement.
    """

    status: Status
    reason: str
    digest: bytes
    file_status: Status
    log: LogVerdict
    rows: tuple[AttestationVerdict, ...]
    existed_before: dict[str, datetime]
    headline: Headline | None
    policy_name: str
    policy_sha256: bytes
    policy_class: str
    before: datetime | None = None
    answer: Answer | None = None
    exit_status: int = 0
    warnings: tuple[str, ...] = ()
    steps: tuple[Step, ...] = field(default=())
    record: RecordJudgement | None = None
