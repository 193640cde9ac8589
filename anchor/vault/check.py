"""Read a whole vault again: the chain, the originals, the proofs.

Nothing derived is believed: every record is read from its file, has to hold all its fields and is
judged by :mod:`anchor.records.chain`, every original is at least there with its size, and read
whole if that is asked for. What is wrong is listed, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from anchor.errors import NotFoundError, VestigeError
from anchor.records.chain import ChainReport, verify_chain
from anchor.records.record import Record
from anchor.vault.durable import translated
from anchor.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong: with which record (None: with none of them), the cause, and why."""

    seq: int | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a vault was found to be.

    Attributes:
        records, originals: how many were read or looked at.
        read_whole: the originals were read, not only looked at.
        problems: what is wrong.
        complete_up_to: number of the last record of an unbroken chain, or None.
        closed: the project is closed.
    """

    records: int
    originals: int
    read_whole: bool
    problems: tuple[Problem, ...]
    complete_up_to: int | None
    closed: bool


def check_vault(
    vault: Vault, *, originals: bool = False, step: Callable[[], None] = lambda: None
) -> CheckReport:
    """Read everything again.

    Args:
        vault: open.
        originals: read every original whole, not only its size.
        step: called after each record and each original.

    Raises:
        StoreConflictError: a record is missing, so that the chain has a hole.
    """
    problems: list[Problem] = []
    records: list[Record] = []
    for seq in vault.files.numbers():
        try:
            records.append(vault.read(seq))
        except VestigeError as error:
            problems.append(Problem(seq, error.code, error.message))
        step()
    problems += [_fields_missing(record) for record in records if record.withheld]
    report = verify_chain(records) if records else None
    if report is not None:
        problems += _chain_problems(report)
    sizes = {
        bytes.fromhex(entry["sha256"]): (record.seq, entry["size"])
        for record in reversed(records)
        for entry in record.files.values()
    }
    for sha256, (seq, size) in sizes.items():
        try:
            _check_original(vault, sha256, size, whole=originals)
        except VestigeError as error:
            problems.append(Problem(seq, error.code, error.message))
        step()
    return CheckReport(
        len(records),
        len(sizes),
        originals,
        tuple(sorted(problems, key=lambda problem: (problem.seq or 0, problem.code))),
        report.complete_up_to if report else None,
        report.closed if report else False,
    )


def _fields_missing(record: Record) -> Problem:
    """Say that disclosures are gone: the signature holds without them, what they said is lost."""
    hidden = len(record.sd_jwt.hidden_digests)
    lost = (
        f"{record.withheld} of its {hidden} hidden fields {'is' if record.withheld == 1 else 'are'}"
    )
    why = f"{lost} gone from its file: take the file from a copy of the vault"
    return Problem(record.seq, "vault.fields_missing", why)


def _chain_problems(report: ChainReport) -> Iterator[Problem]:
    for item in report.records:
        for finding in (item.signature, item.place):
            if finding.word != "verified":
                yield Problem(item.record.seq, finding.code, finding.reason)


def _check_original(vault: Vault, sha256: bytes, size: int, *, whole: bool) -> None:
    path = vault.objects.path(sha256)
    if whole:
        found = vault.objects.verify(sha256)
    else:
        with translated(path):
            found = path.stat().st_size
    if found != size:
        raise NotFoundError(
            f"{path} has {found} bytes, {size} were recorded", code="vault.object_changed"
        )
