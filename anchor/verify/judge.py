"""The steps in order: a proof, a policy and known facts go in, a verdict comes out.

No I/O, no clock: the caller brings the time, the digest of the file and whatever was confirmed or
supplied from outside. The numbers are those of ``docs/spec/verification.md``.

:class:`Judge` remembers what it found out, so that many proofs of one round cost little more than
their own paths. Each step has its module: :mod:`anchor.verify.opening` (1),
:mod:`anchor.verify.inclusion` (2, 3), :mod:`anchor.verify.rows` (4 to 9), and
:mod:`anchor.verify.summary` (10 to 12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from anchor.errors import VestigeError
from anchor.formats.ots.codec import DetachedTimestamp
from anchor.formats.ots.op import Sha1
from anchor.limits import DIGEST_BYTES
from anchor.proof.policy import Policy
from anchor.proof.proof import OpenTimestampsAttestation, Proof
from anchor.verify import summary
from anchor.verify.archive import standing_of
from anchor.verify.bitcoin import judge_tree
from anchor.verify.inclusion import CheckpointReader, ReachedRoot, judge_log, log_steps
from anchor.verify.known import KnownFacts
from anchor.verify.opening import judge_opening, opening_steps
from anchor.verify.rows import RowJudge
from anchor.verify.verdict import (
    AttestationVerdict,
    Headline,
    Judgement,
    LogVerdict,
    Status,
    Step,
    Verdict,
)

BARE_WARNING = "a bare digest: whoever has the file can look it up in the log"
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
        self._rows = RowJudge(policy, now=now, known=self.known)
        self._last: tuple[object, _Ladder] | None = None

    def verify_proof(
        self,
        proof: Proof,
        *,
        file_digest: bytes | None = None,
        before: datetime | None = None,
        steps: bool = False,
        unpaid: bool = False,
    ) -> Verdict:
        """Judge one proof.

        Args:
            proof: as parsed.
            file_digest: SHA-256 of the file at hand; None when there is no file.
            before: the time asked about, aware UTC.
            steps: write down the hash steps of the file and the log, for people to redo.
            unpaid: the exhibit has no units of work left for its attestations.
        """
        if file_digest is not None and len(file_digest) != DIGEST_BYTES:
            raise ValueError(f"a file's digest has {DIGEST_BYTES} bytes, not {len(file_digest)}")
        # (1) From the file to the digest.
        file_status = judge_opening(proof, file_digest)
        # (2, 3) From the digest to root hashes, and what the log's signatures say of them.
        log, reached = judge_log(proof.digest, proof.inclusions, self._reader)
        # (4 to 10) Each attestation, and the bounds that they give.
        ladder = self._ladder_of(proof, reached, unpaid=unpaid)
        warnings: tuple[str, ...] = ()
        if proof.opening is None and file_digest is not None:
            warnings = (BARE_WARNING,)
        redo: tuple[Step, ...] = ()
        if steps:
            redo = (*opening_steps(proof, file_digest), *log_steps(proof.digest, reached))
        # (11, 12) The sum, and the answer to "before T?".
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
            judgement = Judgement(Status.FAILED, error.message, error.code)
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

    def _ladder_of(self, proof: Proof, reached: Sequence[ReachedRoot], *, unpaid: bool) -> _Ladder:
        """Return the rows and what they add up to.

        They depend on the attestations, the roots that were reached and the checkpoints beside
        them alone, which many proofs of one round have in common: the last ones are remembered.
        """
        key = (
            proof.attestations,
            [(root.root_hash, root.inclusion.checkpoint) for root in reached],
            unpaid,
        )
        last = self._last
        if last is None or last[0] != key:
            rows = self._rows.judge(proof.attestations, reached, unpaid=unpaid)
            last = self._last = (key, self._sum_rows(rows))
        return last[1]

    def _sum_rows(self, rows: Sequence[AttestationVerdict]) -> _Ladder:
        return _Ladder(
            rows,
            summary.order_rows(rows),
            summary.bounds_by_family(rows),
            summary.headline(rows, self.policy),
        )

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
