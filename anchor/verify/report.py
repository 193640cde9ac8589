"""The verdict as one stable JSON object, the same in the command line, the service and the pages.

Specification: ``docs/spec/verification.md``, "The verdict as JSON". Times are UTC, ISO 8601, upper
bounds with the tolerance applied.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from anchor.formats.encoding import utc_text
from anchor.records.chain import Finding
from anchor.verify.records import RecordsVerdict
from anchor.verify.verdict import AttestationVerdict, RecordJudgement, Step, Verdict


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
        "not_before": _utc(verdict.record.not_before if verdict.record else None),
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
    if verdict.record is not None:
        value["record"] = _record(verdict.record)
    if steps:
        value["steps"] = [_step(step) for step in all_steps(verdict)]
    return value


def records_to_json(verdict: RecordsVerdict, *, steps: bool = False) -> dict[str, Any]:
    """Return the JSON object of a list of records, with one verdict for each record shown."""
    report = verdict.report
    return {
        "status": verdict.status.value,
        "reason": verdict.reason,
        "project": report.project,
        "complete_up_to": report.complete_up_to,
        "closed": report.closed,
        "statement": verdict.statement,
        "withheld_records": verdict.withheld_records,
        "withheld_fields": verdict.withheld_fields,
        "not_listed": report.missing,
        "forks": [_finding(finding) for finding in verdict.forks],
        "records": [verdict_to_json(each, steps=steps) for each in verdict.verdicts],
        "stubs": [
            {"seq": stub.seq, "kind": stub.kind, "digest": stub.digest.hex()}
            for stub in report.stubs
        ],
        "exit_status": verdict.exit_status,
    }


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


def _record(judgement: RecordJudgement) -> dict[str, Any]:
    record = judgement.record
    return {
        "project": record.place.project,
        "seq": record.seq,
        "kind": record.kind.name,
        "original": record.kind.original,
        "actor": {"key": record.actor.key.hex(), "role": record.actor.role},
        "claimed_time": _utc(record.claimed_time),
        "lag_s": judgement.lag_s,
        "disclosed": sorted(record.sd_jwt.disclosed_fields),
        "withheld_fields": record.withheld,
        "findings": [_finding(finding) for finding in judgement.findings],
        "beacons": [
            {
                **row.beacon.to_json(),
                "status": row.status.value,
                "reason": row.reason,
                "code": row.code,
                "not_before": _utc(row.not_before),
                "trust": row.trust,
            }
            for row in judgement.beacons
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "step": finding.step,
        "status": finding.word,
        "code": finding.code,
        "reason": finding.reason,
    }


def _step(step: Step) -> dict[str, Any]:
    return {"number": step.number, "title": step.title, "lines": list(step.lines)}


def _utc(time: datetime | None) -> str | None:
    return None if time is None else utc_text(time)
