"""The verdict as one stable JSON object, the same in the command line, the service and the pages.

Specification: ``docs/spec/verification.md``, "The verdict as JSON". Times are UTC, ISO 8601, upper
bounds with the tolerance applied.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from anchor.formats.encoding import utc_text
from anchor.verify.verdict import AttestationVerdict, Step, Verdict


def verdict_to_json(verdict: Verdict, *, steps: bool = False) -> dict[str, Any]:
    """Return the verdict's JSON object; ``steps`` adds every hash step."""
    head = verdict.headline
    value: dict[str, Any] = {
        "status": verdict.status.value,
        "reason": verdict.reason,
        "digest": verdict.digest.hex(),
        "file": verdict.file_status.value,
        "policy": {
            "name": verdict.policy_name,
            "sha256": verdict.policy_sha256.hex(),
            "class": verdict.policy_class,
        },
        "existed_before": {
            "headline": _utc(head.existed_before if head else None),
            **{family: _utc(time) for family, time in sorted(verdict.existed_before.items())},
        },
        "headline": _row(head.row) if head else None,
        "not_before": None,
        "log": {
            "status": verdict.log.status.value,
            "reason": verdict.log.reason,
            "code": verdict.log.code,
            "origin": verdict.log.origin,
            "leaf_index": verdict.log.leaf_index,
            "tree_size": verdict.log.tree_size,
        },
        "attestations": [_row(row) for row in verdict.rows],
        "warnings": list(verdict.warnings),
        "exit_status": verdict.exit_status,
    }
    if verdict.before is not None:
        value["before"] = _utc(verdict.before)
        value["answer"] = verdict.answer.value if verdict.answer else None
    if steps:
        value["steps"] = [_step(step) for step in all_steps(verdict)]
    return value


def all_steps(verdict: Verdict) -> list[Step]:
    """Return every step that was taken, in the order of the specification."""
    steps = [*verdict.steps]
    for row in verdict.rows:
        steps.extend(row.judgement.steps)
    return sorted(steps, key=lambda step: [int(part) for part in step.number.split(".")])


def _row(row: AttestationVerdict) -> dict[str, Any]:
    judgement = row.judgement
    root_hash = getattr(row.attestation, "root_hash", None)
    return {
        "kind": row.attestation.kind,
        "family": row.family,
        "by": judgement.by,
        "root_hash": root_hash.hex() if root_hash is not None else None,
        "status": judgement.status.value,
        "reason": judgement.reason,
        "code": judgement.code,
        "attested_time": _utc(judgement.attested_time),
        "tolerance_s": judgement.tolerance_s,
        "precision": judgement.precision,
        "trust": judgement.trust,
    }


def _step(step: Step) -> dict[str, Any]:
    return {"number": step.number, "title": step.title, "lines": list(step.lines)}


def _utc(time: datetime | None) -> str | None:
    return None if time is None else utc_text(time)
