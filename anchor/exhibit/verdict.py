"""What checking an exhibit found out, and its JSON object.

Specification: ``docs/spec/exhibit.md``, "The verdict as JSON".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from anchor.verify.records import RecordsVerdict
from anchor.verify.report import records_to_json
from anchor.verify.verdict import Status


@dataclass(frozen=True, slots=True)
class ExhibitFinding:
    """Something that is false or was not checked: where, which, and why.

    Attributes:
        step: ``E2`` to ``E6``.
        word: ``failed`` or ``not_checked``.
        code: ``exhibit.…``.
        path: within the bag, or None.
        reason: one sentence.
    """

    step: str
    word: Literal["failed", "not_checked"]
    code: str
    path: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ExhibitVerdict:
    """What an exhibit shows.

    Attributes:
        status, reason, exit_status: of the whole (step E7).
        name, title, project: as its list says; None where it could not be read.
        bundle: 32 bytes; None without a manifest.
        signed_by: raw public key that signed the manifest, if that was verified.
        findings: in the order of steps.
        records: what the records show (step E5); None where none could be read.
        files_shown, files_withheld: file entries with and without their bytes.
        proved, asserted, not_checked: sentences for people.
    """

    status: Status
    reason: str
    exit_status: int
    name: str | None
    title: str | None
    project: str | None
    bundle: bytes | None
    signed_by: bytes | None
    findings: tuple[ExhibitFinding, ...]
    records: RecordsVerdict | None
    files_shown: int
    files_withheld: int
    proved: tuple[str, ...]
    asserted: tuple[str, ...]
    not_checked: tuple[str, ...]


def exhibit_to_json(verdict: ExhibitVerdict, *, steps: bool = False) -> dict[str, Any]:
    """Return the verdict's JSON object; ``steps`` adds every hash step of the records."""
    records = verdict.records
    return {
        "status": verdict.status.value,
        "reason": verdict.reason,
        "name": verdict.name,
        "project": verdict.project,
        "bundle": None if verdict.bundle is None else verdict.bundle.hex(),
        "signed_by": None if verdict.signed_by is None else verdict.signed_by.hex(),
        "findings": [
            {
                "step": finding.step,
                "status": finding.word,
                "code": finding.code,
                "path": finding.path,
                "reason": finding.reason,
            }
            for finding in verdict.findings
        ],
        "records": None if records is None else records_to_json(records, steps=steps),
        "files": {"shown": verdict.files_shown, "withheld": verdict.files_withheld},
        "proved": list(verdict.proved),
        "asserted": list(verdict.asserted),
        "not_checked": list(verdict.not_checked),
        "exit_status": verdict.exit_status,
    }
