"""Steps W and 4 to 9: each attestation of a proof, judged by its kind.

What was found out about an attestation is remembered, so that many proofs of one round cost little
more than their own paths. That changes no verdict: a row has its cost (step W) whether or not it
was judged before.

Specification: ``docs/spec/verification.md``, steps W, 4 and 9; the kinds have modules of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from anchor.errors import FormatError, VerificationError
from anchor.limits import MAX_REMEMBERED_BYTES
from anchor.proof.policy import Policy
from anchor.proof.proof import (
    Attestation,
    EvmAttestation,
    ExpectedAttestation,
    OpenTimestampsAttestation,
    Rfc3161Attestation,
    UnknownAttestation,
    WitnessAttestation,
)
from anchor.verify.bitcoin import judge_opentimestamps
from anchor.verify.evm import judge_evm
from anchor.verify.inclusion import ReachedRoot
from anchor.verify.known import KnownFacts
from anchor.verify.rfc3161 import TokenFinding, covered_digests, judge_token, settle_tokens
from anchor.verify.verdict import AttestationVerdict, Judgement, Status
from anchor.verify.witness import judge_witness
from anchor.verify.work import (
    EXHIBIT_OVER_BUDGET,
    OVER_BUDGET,
    RowCost,
    affordable,
    evidence_bytes,
)

_REMEMBERED: Final = 4096
_UNJOINED: Final = Judgement(
    Status.FAILED,
    "is for a root hash that no inclusion proof leads to",
    "attestation.root_unreached",
)


class RowJudge:
    """Judges attestations under one policy, at one time, with one set of known facts.

    Args:
        policy: what is trusted.
        now: aware UTC.
        known: blocks confirmed and headers supplied.
    """

    def __init__(self, policy: Policy, *, now: datetime, known: KnownFacts) -> None:
        self._policy = policy
        self._now = now
        self._known = known
        self._remembered: dict[Attestation, _Remembered] = {}
        self._remembered_bytes = 0

    def judge(
        self,
        attestations: Sequence[Attestation],
        reached: Sequence[ReachedRoot],
        *,
        unpaid: bool = False,
    ) -> list[AttestationVerdict]:
        """Judge each attestation alone, then settle tokens that lean on other rows.

        Args:
            attestations: of one proof.
            reached: the roots that its inclusions lead to, with what signed them.
            unpaid: the exhibit has no units left for the proof: no row that joins is judged.
        """
        # (4) Rows join that are for a root that was reached. (9) Others have nothing to join with.
        roots = {root.root_hash for root in reached}
        found: list[tuple[Attestation, str, Judgement | TokenFinding]] = []
        joined: list[tuple[int, _Remembered]] = []
        for attestation in attestations:
            judgement: Judgement | TokenFinding = _UNJOINED
            if isinstance(attestation, ExpectedAttestation | UnknownAttestation):
                judgement = _judge_absent(attestation)
            elif attestation.root_hash in roots:
                joined.append((len(found), self._remember(attestation)))
            found.append((attestation, _family(attestation), judgement))
        # (W) Of those that join, as many as the units pay for are judged (5 to 8).
        covered = _Covered(reached)
        paid = [not unpaid] * len(joined)
        if not unpaid:
            paid = affordable([entry.cost for _, entry in joined])
        for (position, entry), is_paid in zip(joined, paid, strict=True):
            attestation, family, _ = found[position]
            judgement = EXHIBIT_OVER_BUDGET if unpaid else OVER_BUDGET
            if is_paid:
                judgement = self._judge(attestation, entry, covered.digests(attestation))
            found[position] = (attestation, family, judgement)
        # (5.4) An old token counts only if another row shows that it existed in its time.
        return settle_tokens(found, self._now)

    def _remember(self, attestation: Attestation) -> _Remembered:
        """Return what is known of an attestation: at least its cost."""
        entry = self._remembered.get(attestation)
        if entry is None:
            self._remembered_bytes += evidence_bytes(attestation)
            if (
                len(self._remembered) >= _REMEMBERED
                or self._remembered_bytes > MAX_REMEMBERED_BYTES
            ):
                self._remembered.clear()
                self._remembered_bytes = evidence_bytes(attestation)
            entry = self._remembered[attestation] = _Remembered(RowCost(attestation))
        return entry

    def _judge(
        self, attestation: Attestation, entry: _Remembered, covered: tuple[bytes, ...]
    ) -> Judgement | TokenFinding:
        # What a token over a checkpoint shows depends on the checkpoint beside it.
        judgement = entry.judgements.get(covered)
        if judgement is None:
            try:
                judgement = self._judge_afresh(attestation, covered)
            except (FormatError, VerificationError) as error:
                judgement = _failed(error)
            entry.judgements[covered] = judgement
        return judgement

    def _judge_afresh(
        self, attestation: Attestation, covered: tuple[bytes, ...]
    ) -> Judgement | TokenFinding:
        match attestation:
            case Rfc3161Attestation():  # (5)
                return judge_token(attestation, covered, self._policy)
            case EvmAttestation():  # (6)
                return judge_evm(attestation, self._policy, self._known)
            case OpenTimestampsAttestation():  # (7)
                return judge_opentimestamps(attestation, self._policy, self._known)
            case WitnessAttestation():  # (8)
                return judge_witness(attestation, self._policy, self._now)
        return _judge_absent(attestation)


@dataclass(slots=True)
class _Remembered:
    """What was found out about an attestation, by the digests that it could be about."""

    cost: RowCost
    judgements: dict[tuple[bytes, ...], Judgement | TokenFinding] = field(default_factory=dict)


class _Covered:
    """The digests that a token over a checkpoint may be about, by the root hash it is for.

    Args:
        reached: the roots of one proof, with the signed notes beside them.
    """

    def __init__(self, reached: Sequence[ReachedRoot]) -> None:
        self._reached = reached
        self._known: dict[bytes, tuple[bytes, ...]] = {}

    def digests(self, attestation: Attestation) -> tuple[bytes, ...]:
        """Return them for one attestation; none for any but such a token."""
        if not isinstance(attestation, Rfc3161Attestation) or attestation.covers != "checkpoint":
            return ()
        root = attestation.root_hash
        if root not in self._known:
            notes = [r.note for r in self._reached if r.root_hash == root and r.note]
            self._known[root] = covered_digests(notes)
        return self._known[root]


def _family(attestation: Attestation) -> str:
    if isinstance(attestation, ExpectedAttestation):
        return attestation.family
    if isinstance(attestation, OpenTimestampsAttestation):
        return "bitcoin"
    return attestation.kind


def _judge_absent(attestation: Attestation) -> Judgement:
    if isinstance(attestation, ExpectedAttestation):
        return Judgement(
            Status.PENDING, attestation.note or "not there yet", "expected", by=attestation.by
        )
    return Judgement(
        Status.NOT_CHECKED,
        f"this release does not know attestations of kind {attestation.kind!r}",
        "attestation.kind_unknown",
        by=attestation.kind,
    )


def _failed(error: FormatError | VerificationError) -> Judgement:
    return Judgement(Status.FAILED, error.message, error.code)
