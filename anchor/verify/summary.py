"""Steps 10 to 12: the sum, the headline, the answer to "before T?", and the exit status.

The sum never says more than the attestation it rests on.

Specification: ``docs/spec/verification.md``, steps 10 to 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from anchor.proof.policy import Policy
from anchor.proof.proof import ExpectedAttestation
from anchor.verify.verdict import Answer, AttestationVerdict, Headline, Status

_NEVER = datetime.max.replace(tzinfo=UTC)

EXIT_VERIFIED = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PENDING = 3
EXIT_NOT_CHECKED = 4
EXIT_UNREADABLE = 5
EXIT_NOT_SHOWN = 6


def order_rows(rows: Sequence[AttestationVerdict]) -> tuple[AttestationVerdict, ...]:
    """Return the ladder: earliest bound first, then what could still give one, pending last."""
    rank = {Status.VERIFIED: 0, Status.FAILED: 1, Status.NOT_CHECKED: 2, Status.PENDING: 3}
    return tuple(
        sorted(rows, key=lambda row: (rank[row.status], row.attested_time or _NEVER, row.family))
    )


def bounds_by_family(rows: Sequence[AttestationVerdict]) -> dict[str, datetime]:
    """Return the earliest verified bound of each family (step 10.1)."""
    bounds: dict[str, datetime] = {}
    for row in rows:
        if row.attested_time is not None:
            bounds[row.family] = min(bounds.get(row.family, _NEVER), row.attested_time)
    return bounds


def headline(rows: Sequence[AttestationVerdict], policy: Policy) -> Headline | None:
    """Return the earliest bound that the policy admits, if enough families have one (step 10.2)."""
    admitted = [
        row
        for row in rows
        if row.attested_time is not None
        and row.judgement.headline
        and row.family in policy.headline_families
    ]
    if not admitted or len({row.family for row in admitted}) < policy.families_wanted:
        return None
    best = min(admitted, key=lambda row: row.attested_time or _NEVER)
    return Headline(best.attested_time or _NEVER, best)


def sum_status(
    rows: Sequence[AttestationVerdict], *, failed: bool, head: Headline | None
) -> Status:
    """Return the word for the whole (step 11)."""
    statuses = {row.status for row in rows}
    if failed or Status.FAILED in statuses:
        return Status.FAILED
    if head is not None:
        return Status.VERIFIED
    if statuses & {Status.NOT_CHECKED, Status.VERIFIED}:
        return Status.NOT_CHECKED
    return Status.PENDING if Status.PENDING in statuses else Status.NOT_CHECKED


def answer_before(
    rows: Sequence[AttestationVerdict], head: Headline | None, before: datetime, now: datetime
) -> tuple[Answer, int]:
    """Answer "did it exist before T?" and give the exit status (step 12).

    ``no`` means: nothing that is there, or promised, could still show it. A promise may have been
    kept long ago and only not been fetched, so that it could give any time; a row that is merely
    expected can only give one to come; what was not checked gives its potential time, or any if
    that is not known.
    """
    if head is not None and head.existed_before <= before:
        return Answer.YES, EXIT_VERIFIED
    could = {
        row.status
        for row in rows
        if (row.status is Status.NOT_CHECKED and _potential(row) <= before)
        or (row.status is Status.PENDING and (now <= before or _is_promised(row)))
    }
    if Status.NOT_CHECKED in could:
        return Answer.UNKNOWN, EXIT_NOT_CHECKED
    if Status.PENDING in could:
        return Answer.UNKNOWN, EXIT_PENDING
    return Answer.NO, EXIT_NOT_SHOWN


def exit_status(status: Status) -> int:
    """Return the exit status of a verdict that was not asked for a time (step 11)."""
    return {
        Status.VERIFIED: EXIT_VERIFIED,
        Status.FAILED: EXIT_FAILED,
        Status.PENDING: EXIT_PENDING,
        Status.NOT_CHECKED: EXIT_NOT_CHECKED,
    }[status]


def _is_promised(row: AttestationVerdict) -> bool:
    return not isinstance(row.attestation, ExpectedAttestation)


def _potential(row: AttestationVerdict) -> datetime:
    return row.judgement.potential_time or datetime.min.replace(tzinfo=UTC)
