"""What an exhibit shows, in sentences: proved, asserted, not checked.

A sentence never says more than the verdict that it is made from. They are in English here; the
printed exhibit has its own, in its languages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from anchor.exhibit.listing import Listing
from anchor.exhibit.verdict import ExhibitFinding
from anchor.records.keys import key_thumbprint
from anchor.verify.records import RecordsVerdict
from anchor.verify.verdict import Status, Verdict

_ASSERTED: Final = (
    "what the records say in words: prompts, reasons, names, tools and settings",
    "the times of the creator's clock, and who acted: a signature shows a key, not a person",
    "the title, texts, description (RO-Crate), report and PDF: they are the party's own words",
)
_NEVER_SHOWN: Final = (
    "that the work is original, who first thought of it, and whether there are earlier copies: "
    "no evidence of this kind shows that"
)


@dataclass(frozen=True, slots=True)
class Sentences:
    """The three lists; see :class:`anchor.exhibit.verdict.ExhibitVerdict`."""

    proved: tuple[str, ...]
    asserted: tuple[str, ...]
    not_checked: tuple[str, ...]


def sentences_of(
    listing: Listing,
    records: RecordsVerdict,
    findings: Sequence[ExhibitFinding] = (),
    *,
    entries: int = 0,
    bundle: bytes | None = None,
    signed_by: bytes | None = None,
) -> Sentences:
    """Return the sentences about an exhibit.

    Args:
        listing: its list.
        records: what its records show.
        findings: what else was found out.
        entries: how many files there are; 0 where no bag was looked at.
        bundle: as in the verdict.
        signed_by: the same.
    """
    proved = []
    if entries:
        proved.append(f"the {entries:,} files are those that its manifests name, byte for byte")
    if signed_by is not None and bundle is not None:
        proved.append(
            f"the key {key_thumbprint(signed_by).hex()[:8]}… of the project signed this list of "
            f"files (bundle {bundle.hex()[:8]}…)"
        )
    given = sum(file.path is not None for file in listing.files)
    if given:
        proved.append(f"{_counted(given, 'file')} {_are(given)} what the records name, by SHA-256")
    proved += _proved(records)
    unchecked = [finding.reason for finding in findings if finding.word == "not_checked"]
    unchecked += _not_checked(listing, records)
    return Sentences(tuple(proved), _ASSERTED, (*unchecked, _NEVER_SHOWN))


def _proved(records: RecordsVerdict) -> Iterator[str]:
    report = records.report
    signed = sum(item.signature.word == "verified" for item in report.records)
    if signed:
        yield f"{_counted(signed, 'record')} {_are(signed)} signed by a key of the project"
    timed = [
        (verdict.headline.existed_before, item.record, verdict)
        for item, verdict in zip(report.records, records.verdicts, strict=True)
        if verdict.status is Status.VERIFIED and verdict.headline is not None
    ]
    if timed:
        time, record, verdict = timed[-1]
        trust = verdict.headline.row.judgement.trust if verdict.headline is not None else ""
        yield (
            f"{_counted(len(timed), 'record')} existed before the times below; the newest of them, "
            f"record {record.seq}, before {time:%Y-%m-%d %H:%M:%S} UTC ({trust})"
        )
    if report.complete_up_to is not None and records.status is not Status.FAILED:
        yield records.statement


def _not_checked(listing: Listing, records: RecordsVerdict) -> Iterator[str]:
    withheld = [record.seq for record in listing.records if not record.shown]
    if withheld:
        yield f"{_counted(len(withheld), 'record')} withheld: {numbers(withheld)}"
    if records.withheld_fields:
        yield f"{_counted(records.withheld_fields, 'field')} withheld in the records shown"
    files = sum(file.path is None for file in listing.files)
    if files:
        yield f"{_counted(files, 'file')} named, {_are(files)} withheld"
    reasons: dict[str, list[int]] = {}
    for item, verdict in zip(records.report.records, records.verdicts, strict=True):
        if verdict.status not in (Status.VERIFIED, Status.FAILED):
            reasons.setdefault(_why(verdict), []).append(item.record.seq)
    for reason, seqs in reasons.items():
        yield f"{'record' if len(seqs) == 1 else 'records'} {numbers(seqs)}: {reason}"
    if records.report.complete_up_to is None:
        yield records.statement


def _why(verdict: Verdict) -> str:
    word = "pending" if verdict.status is Status.PENDING else "not checked"
    return f"{word}: {verdict.reason}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def numbers(seqs: Iterable[int]) -> str:
    """Return ``1-3, 7``."""
    runs: list[list[int]] = []
    for number in sorted(seqs):
        if runs and runs[-1][-1] == number - 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
