"""The steps in order: a proof, a policy and known facts go in, a verdict comes out.

No I/O, no clock: the caller brings the time, the digest of the file and whatever was confirmed or
supplied from outside. The numbers are those of ``docs/spec/verification.md``.

:class:`Judge` remembers what it found out about each attestation and checkpoint, so that many
proofs of one round cost little more than their own paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from anchor.errors import FormatError, VerificationError, VestigeError
from anchor.formats.ots.codec import DetachedTimestamp
from anchor.formats.ots.op import Sha1
from anchor.limits import DIGEST_BYTES, MAX_REMEMBERED_BYTES
from anchor.proof.policy import Policy
from anchor.proof.proof import (
    Attestation,
    EvmAttestation,
    ExpectedAttestation,
    OpenTimestampsAttestation,
    Proof,
    Rfc3161Attestation,
    UnknownAttestation,
    WitnessAttestation,
)
from anchor.verify import summary
from anchor.verify.archive import standing_of
from anchor.verify.bitcoin import judge_opentimestamps, judge_tree
from anchor.verify.evm import judge_evm
from anchor.verify.inclusion import CheckpointReader, ReachedRoot, judge_log, log_steps
from anchor.verify.known import KnownFacts
from anchor.verify.opening import judge_opening, opening_steps
from anchor.verify.rfc3161 import TokenFinding, covered_digests, judge_token, settle_tokens
from anchor.verify.verdict import (
    AttestationVerdict,
    Headline,
    Judgement,
    LogVerdict,
    Status,
    Step,
    Verdict,
)
from anchor.verify.witness import judge_witness
from anchor.verify.work import OVER_BUDGET, RowCost, affordable, evidence_bytes

BARE_WARNING = "a bare digest: whoever has the file can look it up in the log"
_REMEMBERED = 4096
_NO_LOG = LogVerdict(Status.NOT_CHECKED, "an .ots file names no log", "log.none")


class Judge:
    """Judges proofs under one policy, at one time, with one set of known facts.

    Args:
        policy: what is trusted.
        now: aware UTC; bounds certificates' ends and what pending evidence could still give.
        known: blocks confirmed and headers supplied.

    Raises:
        FormatError, AttestationError: the header archive in ``known`` does not lie on the
            policy's chain.
    """

    def __init__(self, policy: Policy, *, now: datetime, known: KnownFacts | None = None) -> None:
        if now.tzinfo is None:
            raise ValueError("now must carry a time zone")
        self.policy = policy
        self.now = now
        self.known = known or KnownFacts()
        if self.known.archive is not None:
            standing_of(self.known.archive, policy.bitcoin)
        self._reader = CheckpointReader(policy)
        self._remembered: dict[Attestation, _Remembered] = {}
        self._remembered_bytes = 0
        self._last: tuple[object, _Ladder] | None = None

    def verify_proof(
        self,
        proof: Proof,
        *,
        file_digest: bytes | None = None,
        before: datetime | None = None,
        steps: bool = False,
    ) -> Verdict:
        """Judge one proof.

        Args:
            proof: as parsed.
            file_digest: SHA-256 of the file at hand; None when there is no file.
            before: the time asked about, aware UTC.
            steps: write down the hash steps of the file and the log, for people to redo.
        """
        if file_digest is not None and len(file_digest) != DIGEST_BYTES:
            raise ValueError(f"a file's digest has {DIGEST_BYTES} bytes, not {len(file_digest)}")
        file_status = judge_opening(proof, file_digest)
        log, reached = judge_log(proof.digest, proof.inclusions, self._reader)
        ladder = self._ladder_of(proof, reached)
        warnings: tuple[str, ...] = ()
        if proof.opening is None and file_digest is not None:
            warnings = (BARE_WARNING,)
        redo: tuple[Step, ...] = ()
        if steps:
            redo = (*opening_steps(proof, file_digest), *log_steps(proof.digest, reached))
        return self._sum(
            digest=proof.digest,
            file_status=file_status,
            log=log,
            ladder=ladder,
            before=before,
            warnings=warnings,
            steps=redo,
        )

    def verify_ots(
        self,
        detached: DetachedTimestamp,
        *,
        file_digest: bytes | None = None,
        before: datetime | None = None,
    ) -> Verdict:
        """Judge an OpenTimestamps file; ``file_digest`` is made with the file's own operation."""
        sha1 = isinstance(detached.file_op, Sha1)
        file_status = Status.NOT_CHECKED
        if file_digest is not None:
            same = file_digest == detached.file_digest
            file_status = Status.VERIFIED if same else Status.FAILED
        attestation = OpenTimestampsAttestation(detached.file_digest, "", b"")
        try:
            judgement = judge_tree(detached.tree, {}, self.policy, self.known, by="")
            if sha1:
                judgement = _without_sha1(judgement)
        except VestigeError as error:
            judgement = _failed(error)
        return self._sum(
            digest=detached.file_digest,
            file_status=file_status,
            log=_NO_LOG,
            ladder=self._sum_rows([AttestationVerdict(attestation, "bitcoin", judgement)]),
            before=before,
            warnings=("SHA-1 is broken: two different files can share this digest",)
            if sha1
            else (),
            steps=(),
        )

    # -- the parts ---------------------------------------------------------------------------------

    def _ladder_of(self, proof: Proof, reached: Sequence[ReachedRoot]) -> _Ladder:
        """Return the rows and what they add up to.

        They depend on the attestations, the roots that were reached and the checkpoints beside
        them alone, which many proofs of one round have in common: the last ones are remembered.
        """
        key = (
            proof.attestations,
            [(root.root_hash, root.inclusion.checkpoint) for root in reached],
        )
        last = self._last
        if last is None or last[0] != key:
            last = self._last = (key, self._sum_rows(self._rows(proof, reached)))
        return last[1]

    def _sum_rows(self, rows: Sequence[AttestationVerdict]) -> _Ladder:
        return _Ladder(
            rows,
            summary.order_rows(rows),
            summary.bounds_by_family(rows),
            summary.headline(rows, self.policy),
        )

    def _rows(self, proof: Proof, reached: Sequence[ReachedRoot]) -> list[AttestationVerdict]:
        """Judge each attestation alone, then settle tokens that lean on other rows (step 5.4)."""
        roots = {root.root_hash for root in reached}
        found: list[tuple[Attestation, str, Judgement | TokenFinding]] = []
        joined: list[tuple[int, _Remembered]] = []
        for attestation in proof.attestations:
            judgement: Judgement | TokenFinding = _UNJOINED
            if isinstance(attestation, ExpectedAttestation | UnknownAttestation):
                judgement = _judge_absent(attestation)
            elif attestation.root_hash in roots:
                joined.append((len(found), self._remember(attestation)))
            found.append((attestation, _family(attestation), judgement))
        covered = _Covered(reached)
        paid = affordable([entry.cost for _, entry in joined])
        for (position, entry), is_paid in zip(joined, paid, strict=True):
            attestation, family, _ = found[position]
            judgement = OVER_BUDGET
            if is_paid:
                judgement = self._judge(attestation, entry, covered.digests(attestation))
            found[position] = (attestation, family, judgement)
        return settle_tokens(found, self.now)

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
            case Rfc3161Attestation():
                return judge_token(attestation, covered, self.policy)
            case EvmAttestation():
                return judge_evm(attestation, self.policy, self.known)
            case OpenTimestampsAttestation():
                return judge_opentimestamps(attestation, self.policy, self.known)
            case WitnessAttestation():
                return judge_witness(attestation, self.policy, self.now)
        return _judge_absent(attestation)

    def _sum(
        self,
        *,
        digest: bytes,
        file_status: Status,
        log: LogVerdict,
        ladder: _Ladder,
        before: datetime | None,
        warnings: tuple[str, ...],
        steps: tuple[Step, ...],
    ) -> Verdict:
        failed = Status.FAILED in (file_status, log.status)
        rows, ordered = ladder.rows, ladder.ordered
        head = None if failed else ladder.headline
        status = summary.sum_status(rows, failed=failed, head=head)
        answer, code = None, summary.exit_status(status)
        if before is not None and status is not Status.FAILED:
            answer, code = summary.answer_before(rows, head, before, self.now)
        return Verdict(
            status=status,
            reason=_reason(status, file_status, log, ordered),
            digest=digest,
            file_status=file_status,
            log=log,
            rows=ordered,
            existed_before=dict(ladder.bounds),
            headline=None if status is Status.FAILED else head,
            policy_name=self.policy.name,
            policy_sha256=self.policy.sha256,
            policy_class=self.policy.policy_class,
            before=before,
            answer=answer,
            exit_status=code,
            warnings=warnings,
            steps=steps,
        )


def verify_proof(
    proof: Proof,
    policy: Policy,
    *,
    now: datetime,
    file_digest: bytes | None = None,
    before: datetime | None = None,
    known: KnownFacts | None = None,
    steps: bool = False,
) -> Verdict:
    """Judge one proof; see :meth:`Judge.verify_proof`."""
    return Judge(policy, now=now, known=known).verify_proof(
        proof, file_digest=file_digest, before=before, steps=steps
    )


@dataclass(frozen=True, slots=True)
class _Ladder:
    """The rows of a proof in its order and by their bounds, and what they add up to."""

    rows: Sequence[AttestationVerdict]
    ordered: tuple[AttestationVerdict, ...]
    bounds: dict[str, datetime]
    headline: Headline | None


@dataclass(slots=True)
class _Remembered:
    """What was found out about an attestation, by the digests that it could be about."""

    cost: RowCost
    judgements: dict[tuple[bytes, ...], Judgement | TokenFinding] = field(default_factory=dict)


# -- small parts -----------------------------------------------------------------------------------

_UNJOINED = Judgement(
    Status.FAILED,
    "is for a root hash that no inclusion proof leads to",
    "attestation.root_unreached",
)


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


def _failed(error: VestigeError) -> Judgement:
    return Judgement(Status.FAILED, error.message, error.code)


def _without_sha1(judgement: Judgement) -> Judgement:
    if judgement.status is not Status.VERIFIED:
        return judgement
    return replace(
        judgement,
        status=Status.NOT_CHECKED,
        reason="the file's digest is SHA-1, for which two files can be made to agree",
        code="ots.sha1",
        attested_time=None,
        trust="",
    )


def _reason(
    status: Status,
    file_status: Status,
    log: LogVerdict,
    rows: Sequence[AttestationVerdict],
) -> str:
    if file_status is Status.FAILED:
        return "the file is not the one that the proof is about"
    if log.status is Status.FAILED:
        return log.reason
    first = next((row for row in rows if row.status is status), None)
    if first is not None:
        return first.judgement.reason
    if any(row.status is Status.VERIFIED for row in rows):
        return "what is verified is not what the policy admits, or not enough of it"
    return "there is no evidence yet"
