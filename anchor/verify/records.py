"""Step 13: a project's records, with their proofs, under a policy.

A record is judged in three parts: the time of its digest, as any proof's; what it is, by its
signature, its key and its place among the project's records (:mod:`anchor.records.chain`); and from
when on it can be, by its beacons. Its claimed time and ``late`` are claims: they are set beside the
evidence and touch no word.

A record is its creator's only if it is shown to have existed before its key was compromised, as a
revocation states it; what the record says of its own time does not matter (step 13.4).

Specification: ``docs/spec/verification.md``, step 13.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from anchor.proof.proof import Proof
from anchor.records.chain import ChainReport, Finding, Fork, Stub, verify_chain
from anchor.records.record import Record
from anchor.verify import summary
from anchor.verify.beacon import judge_beacon
from anchor.verify.judge import BARE_WARNING, Judge
from anchor.verify.verdict import Answer, BeaconVerdict, RecordJudgement, Status, Step, Verdict

LATE_AFTER: Final = timedelta(hours=24)
_PRECEDENCE: Final = (
    summary.EXIT_FAILED,
    summary.EXIT_NOT_SHOWN,
    summary.EXIT_NOT_CHECKED,
    summary.EXIT_PENDING,
    summary.EXIT_VERIFIED,
)


@dataclass(frozen=True, slots=True)
class ProvenRecord:
    """A record and the proof of its digest, if there is one."""

    record: Record
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class RecordsVerdict:
    """What a project's records show together.

    Attributes:
        status, reason, exit_status: of the whole; verified only if every record shown is, every
            place is listed, and there is one history.
        report: the chain.
        verdicts: one for each record shown, by ``seq``; ``record`` is set in each.
        forks: what was found out about each of the report's forks.
        statement: what is claimed of completeness, and no more.
        withheld_records: stubs below the last record shown.
        withheld_fields: of the records shown.
    """

    status: Status
    reason: str
    exit_status: int
    report: ChainReport
    verdicts: tuple[Verdict, ...]
    forks: tuple[Finding, ...]
    statement: str
    withheld_records: int
    withheld_fields: int


def judge_records(
    items: Sequence[ProvenRecord | Stub],
    judge: Judge,
    *,
    others: Sequence[ProvenRecord] = (),
    before: datetime | None = None,
    steps: bool = False,
    unpaid: Container[bytes] = (),
    judged: Callable[[int], None] = lambda _count: None,
) -> RecordsVerdict:
    """Judge the list of a project's records, each with its proof.

    Args:
        items: one for each place, in any order, at least one of them a record.
        judge: holds the policy, the time and the known facts.
        others: records seen elsewhere, which may show a fork or a revocation.
        before: the time asked about, of every record.
        steps: write down the steps for people to redo.
        unpaid: digests of records for whose proofs an exhibit has no units of work left.
        judged: told how many proofs are judged.

    Raises:
        FormatError: no record is shown.
    """
    report = verify_chain(
        [item if isinstance(item, Stub) else item.record for item in items],
        [item.record for item in others],
    )
    timed = _judge_times(
        [*items, *others], judge, before, steps=steps, unpaid=unpaid, judged=judged
    )
    forks = tuple(_judge_fork(fork, report, timed) for fork in report.forks)
    keys = _judge_keys(report, timed)
    verdicts = []
    for chained in report.records:
        record = chained.record
        findings = [chained.signature, *keys.get(record.seq, ()), chained.place]
        findings += [
            found
            for fork, found in zip(report.forks, forks, strict=True)
            if found.word == "failed" and fork.record is record
        ]
        verdict = _judge_record(record, tuple(findings), timed[record.digest], judge)
        if steps:
            verdict = replace(verdict, steps=(*verdict.steps, *_steps(record)))
        verdicts.append(verdict)
    return _sum(report, tuple(verdicts), forks)


def _judge_times(
    items: Iterable[ProvenRecord | Stub],
    judge: Judge,
    before: datetime | None,
    *,
    steps: bool,
    unpaid: Container[bytes],
    judged: Callable[[int], None],
) -> dict[bytes, Verdict]:
    """Return by digest what its proof shows; the first proof of a record counts."""
    proofs: dict[bytes, Proof | None] = {}
    for item in items:
        if isinstance(item, ProvenRecord):
            digest = item.record.digest
            proofs[digest] = proofs.get(digest) or item.proof
    timed = {}
    for digest, proof in proofs.items():
        timed[digest] = judge.verify_proof(
            proof or Proof(digest, None, (), ()),
            file_digest=digest,
            before=before,
            steps=steps,
            unpaid=digest in unpaid,
        )
        judged(len(timed))
    return timed


# -- keys and forks --------------------------------------------------------------------------------


def _precedes(record: Record | Stub, report: ChainReport, timed: Mapping[bytes, Verdict]) -> bool:
    """Return whether the record is shown to precede its key's compromise, if there was one."""
    if isinstance(record, Stub):
        return True
    since = report.compromised.get(record.actor.key)
    head = timed[record.digest].headline
    return since is None or (head is not None and head.existed_before < since)


def _judge_keys(
    report: ChainReport, timed: Mapping[bytes, Verdict]
) -> dict[int, tuple[Finding, ...]]:
    """Step 13.4: by ``seq``, where a compromise touches the record."""
    found: dict[int, tuple[Finding, ...]] = {}
    for item in report.records:
        since = report.compromised.get(item.record.actor.key)
        binder = () if item.bound_by is None else found.get(item.bound_by, ())
        if any(finding.word != "verified" for finding in binder):
            code = "record.key_bound_after_compromise"
            why = f"its key was bound by record {item.bound_by}, which is not shown to be genuine"
            found[item.record.seq] = (Finding("13.4", "not_checked", code, why),)
        elif since is not None and _precedes(item.record, report, timed):
            why = f"it existed before its key was compromised at {since:%Y-%m-%d %H:%M:%S}"
            found[item.record.seq] = (Finding("13.4", "verified", "record.before_compromise", why),)
        elif since is not None:
            why = (
                f"its key was compromised at {since:%Y-%m-%d %H:%M:%S}, "
                "and nothing verified shows that it existed before that"
            )
            code = "record.key_compromised"
            found[item.record.seq] = (Finding("13.4", "not_checked", code, why),)
    return found


def _judge_fork(fork: Fork, report: ChainReport, timed: Mapping[bytes, Verdict]) -> Finding:
    """Step 13.6: a thief can not make a creator's history false."""
    seq, digests = fork.record.seq, f"{fork.record.digest.hex()} and {fork.other.digest.hex()}"
    if not all(_precedes(record, report, timed) for record in (fork.record, fork.other)):
        why = f"two records {seq}, {digests}, one of them by a key that was compromised"
        return Finding("13.6", "not_checked", "record.fork_by_compromised_key", why)
    if fork.one_key:
        why = f"one key signed two records {seq}: {digests}"
        return Finding("13.6", "failed", "record.forked", why)
    why = f"two histories meet at record {seq}: {digests}"
    return Finding("13.6", "not_checked", "record.histories_meet", why)


# -- one record ------------------------------------------------------------------------------------


def _judge_record(
    record: Record, findings: tuple[Finding, ...], timed: Verdict, judge: Judge
) -> Verdict:
    beacons = tuple(judge_beacon(beacon, judge.policy, judge.known) for beacon in record.not_before)
    not_before = max((row.not_before for row in beacons if row.not_before), default=None)
    existed_before = min(timed.existed_before.values(), default=None)
    if not_before and existed_before and not_before > existed_before:
        why = (
            f"its beacon is of {not_before:%Y-%m-%d %H:%M:%S} at the earliest, "
            f"it existed before {existed_before:%Y-%m-%d %H:%M:%S}"
        )
        found = Finding("13.7", "failed", "record.not_before_after_existed_before", why)
        findings = (*findings, found)
    head = timed.headline
    lag = None if head is None else head.existed_before - record.claimed_time
    lag_s = None if lag is None else lag // timedelta(seconds=1)
    verdict = replace(
        timed,
        warnings=(
            *(warning for warning in timed.warnings if warning != BARE_WARNING),
            *_claims(record, not_before, lag),
        ),
        record=RecordJudgement(record, findings, beacons, not_before, lag_s),
    )
    return _sum_record(verdict, findings, beacons)


def _claims(record: Record, not_before: datetime | None, lag: timedelta | None) -> Iterator[str]:
    """Step 13.8: set what the record says of its time beside what is shown."""
    late = record.sd_jwt.payload["late"]
    if lag is not None and lag < timedelta(0):
        yield "the claimed time is later than the time by which it existed: a clock was wrong"
    if not_before is not None and record.claimed_time < not_before:
        yield "the claimed time is earlier than its beacon could be known"
    if lag is not None and lag > LATE_AFTER and not late:
        hours = lag // timedelta(hours=1)
        yield f"shown to exist {hours} hours after the claimed time only; it does not say late"
    if not record.kind.original and record.kind.name in ("import", "reproduction_test"):
        yield f"a record of kind {record.kind.name} is never an original one"


def _sum_record(
    verdict: Verdict, findings: Iterable[Finding], beacons: Iterable[BeaconVerdict]
) -> Verdict:
    """Step 13.9: a failed part fails the record; without its signature nothing is verified."""
    if verdict.status is Status.FAILED:
        return verdict
    failed = [found.reason for found in findings if found.word == "failed"]
    failed += [row.reason for row in beacons if row.status is Status.FAILED]
    if failed:
        return replace(
            verdict,
            status=Status.FAILED,
            reason=failed[0],
            headline=None,
            answer=None,
            exit_status=summary.EXIT_FAILED,
        )
    unsure = [f for f in findings if f.step in ("13.3", "13.4") and f.word != "verified"]
    if not unsure or verdict.status is Status.NOT_CHECKED:
        return verdict
    yes = verdict.answer is Answer.YES
    return replace(
        verdict,
        status=Status.NOT_CHECKED,
        reason=unsure[0].reason,
        answer=Answer.UNKNOWN if yes else verdict.answer,
        exit_status=summary.EXIT_NOT_CHECKED
        if yes or verdict.before is None
        else verdict.exit_status,
    )


def _steps(record: Record) -> Iterator[Step]:
    place = record.place
    line = f"SHA-256(header.payload.signature) = {record.digest.hex()}"
    yield Step("13.1", "digest of the record", (f"{line}   (printf %s JWT | sha256sum)",))
    lines = [f"{item.name}: {item.digest}" for item in record.sd_jwt.disclosures]
    lines.append(f"{record.withheld} of {len(record.sd_jwt.hidden_digests)} hidden fields withheld")
    yield Step("13.2", "base64url(SHA-256(disclosure)) stands in _sd", tuple(lines))
    lines = [f"thumbprint of the key (RFC 7638): {record.actor.key.hex()}"]
    yield Step("13.3", "Ed25519 over header.payload", tuple(lines))
    lines = [f"prev {place.prev.hex() if place.prev else 'null'}", f"head {place.head.hex()}"]
    yield Step("13.5", f"root hash over the digests of {record.seq} records", tuple(lines))


# -- the list --------------------------------------------------------------------------------------


def _sum(
    report: ChainReport, verdicts: tuple[Verdict, ...], forks: tuple[Finding, ...]
) -> RecordsVerdict:
    """Step 13.10."""
    last = report.records[-1].record.seq
    withheld = sum(stub.seq < last for stub in report.stubs)
    met = next((found for found in forks if found.code == "record.histories_meet"), None)
    whole = report.complete_up_to is not None and met is None
    statuses = [verdict.status for verdict in verdicts]
    exits = {verdict.exit_status for verdict in verdicts}
    status, reason = Status.VERIFIED, f"{len(verdicts)} records, {withheld} withheld"
    for word in (Status.FAILED, Status.NOT_CHECKED, Status.PENDING):
        if word in statuses:
            at = statuses.index(word)
            seq = report.records[at].record.seq
            status, reason = word, f"record {seq}: {verdicts[at].reason}"
            break
    statement = _statement(report, withheld, whole=whole)
    if not whole and status in (Status.VERIFIED, Status.PENDING):
        status, reason = Status.NOT_CHECKED, met.reason if met else statement
        exits.add(summary.EXIT_NOT_CHECKED)
    return RecordsVerdict(
        status,
        reason,
        next(code for code in _PRECEDENCE if code in exits),
        report,
        verdicts,
        forks,
        statement,
        withheld,
        sum(item.record.withheld for item in report.records),
    )


def _statement(report: ChainReport, withheld: int, *, whole: bool) -> str:
    if not whole:
        gap = f"{report.missing} records are not listed" if report.missing else (
            "the place of the last record is not verified, or there are two histories"
        )  # fmt: skip
        return f"completeness of project {report.project} is not shown: {gap}"
    last = report.complete_up_to
    later = "" if report.closed else "about later records, "
    closed = ", which is closed" if report.closed else ""
    return (
        f"complete up to record {last} of project {report.project}{closed}, {withheld} of them "
        f"withheld; nothing is shown {later}about other projects or other keys"
    )
