"""A verdict as people read it: the sentence, and below it one row for each attestation.

The columns are those of the sample in ``docs/guides/commands.md``; a long label widens the first.
On a terminal that is too narrow for a row, its text goes below it. Times are UTC upper bounds with
the tolerance applied; in the row *not before*, lower bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from anchor.cli._output import Cell, Output, Painted, dim, padded, short, shown_time, width, word
from anchor.cli._peer_words import expected_words, family_word, promised_words, without_signs
from anchor.proof.proof import (
    ExpectedAttestation,
    OpenTimestampsAttestation,
    Rfc3161Attestation,
)
from anchor.records.chain import Finding
from anchor.verify.verdict import (
    Answer,
    AttestationVerdict,
    BeaconVerdict,
    RecordJudgement,
    Status,
    Verdict,
)

_INDENT: Final = "  "
_LABEL_COLUMNS: Final = 12
_BOUND_COLUMNS: Final = 29
_WORD_COLUMNS: Final = 15
_SENTENCE_COLUMNS: Final = 72
_LONGEST_WORD_COLUMNS: Final = 13
_DIGEST: Final = re.compile(r"\b[0-9a-f]{64}\b", re.ASCII)
_LABELS: Final = {"rfc3161": "RFC 3161", "bitcoin": "bitcoin", "witness": "witness"}
_FINDINGS: Final = {
    "13.3": "signature",
    "13.4": "key",
    "13.5": "place",
    "13.6": "fork",
    "13.7": "not before",
}
ANSWERS: Final = {
    Answer.YES: "yes",
    Answer.NO: "no: the evidence is genuine and does not show it",
    Answer.UNKNOWN: "unknown: what is not checked or pending may show it",
}


def print_verdict(out: Output, verdict: Verdict, name: str, *, digest_only: bool = False) -> None:
    """Print the sentence and the ladder.

    Args:
        out: where to.
        verdict: what was found out.
        name: what the evidence is about, as people know it.
        digest_only: no file was at hand, so that the sentence can only be about the digest.
    """
    print_sentence(out, sentence_of(verdict, name, digest_only=digest_only), verdict.status)
    if verdict.before is not None and verdict.answer is not None:
        out.line(f"{_INDENT}before {shown_time(verdict.before)} UTC? {ANSWERS[verdict.answer]}")
    print_rows(out, list(_rows(verdict)))
    for warning in verdict.warnings:
        print_below(out, f"note: {warning}")


def print_sentence(out: Output, sentence: str, status: Status) -> None:
    """Print a sentence with its word: beside it, or below where the terminal is narrow."""
    text, sign = without_signs(sentence), word(status)
    room = min(_SENTENCE_COLUMNS, out.columns() - _LONGEST_WORD_COLUMNS)
    if width(text) + 2 + width(sign.text) <= out.columns():
        out.line(padded(text, room), sign)
    else:
        first, *rest = _wrapped(text, out.columns() - len(_INDENT))
        out.line(first)
        for line in rest:
            out.line(_INDENT, line)
        out.line(_INDENT, sign)


def print_below(out: Output, text: str) -> None:
    """Print a sentence below a ladder, broken at spaces where the terminal is narrow."""
    for line in _wrapped(without_signs(text), out.columns() - len(_INDENT)):
        out.line(_INDENT, line)


Row = tuple[str, str, Cell, Cell]
"""What it is, its bound, the word, and whom to believe."""


def print_rows(out: Output, rows: list[Row]) -> None:
    """Print rows in columns, the text of each below it where the terminal is too narrow."""
    columns = max([_LABEL_COLUMNS, *(len(label) + 2 for label, *_ in rows)])
    for label, bound, sign, text in rows:
        head = (_INDENT, padded(label, columns), padded(bound, _BOUND_COLUMNS))
        plain = text.text if isinstance(text, Painted) else text
        used = len(_INDENT) + columns + _BOUND_COLUMNS + _WORD_COLUMNS
        if used + width(plain) <= out.columns():
            out.line(*head, padded(sign, _WORD_COLUMNS), text)
            continue
        lines = _wrapped(plain, out.columns() - len(_INDENT) - columns)
        if bound or sign:
            out.line(*head, sign)
        else:
            out.line(_INDENT, padded(label, columns), _like(text, lines.pop(0)))
        for line in lines:
            out.line(" " * (len(_INDENT) + columns), _like(text, line))


def _wrapped(text: str, columns: int) -> list[str]:
    """Break a text at spaces; a word that is longer than a line stands alone."""
    lines = [""]
    for part in text.split():
        longer = f"{lines[-1]} {part}" if lines[-1] else part
        if lines[-1] and width(longer) > columns:
            lines.append(part)
        else:
            lines[-1] = longer
    return lines


def _like(cell: Cell, text: str) -> Cell:
    return Painted(text, cell.colour) if isinstance(cell, Painted) else text


def sentence_of(verdict: Verdict, name: str, *, digest_only: bool = False) -> str:
    """Return the one sentence of a verdict."""
    what = f"{name}: its digest {short(verdict.digest)}" if digest_only else name
    if verdict.headline is not None and verdict.status is Status.VERIFIED:
        return f"{what} existed before {shown_time(verdict.headline.existed_before)} UTC"
    if verdict.status is Status.FAILED:
        return f"{name}: {shortened(verdict.reason)}"
    if verdict.status is Status.PENDING:
        return f"{name}: nothing is verified yet, nothing is false"
    return f"{name}: {shortened(verdict.reason)}"


def _rows(verdict: Verdict) -> Iterator[Row]:
    for row in verdict.rows:
        yield _label(row), _bound(row), word(row.status), _text(row)
    if verdict.record is None or not verdict.record.beacons:
        yield "not before", "–", "", dim("nothing here shows an earliest time")
    if verdict.record is not None:
        yield from _record_rows(verdict.record)
    if verdict.log.code != "log.none":
        yield "log", "–", word(verdict.log.status), verdict.log.reason
    test = ", class test: shows nothing to anybody else" if verdict.policy_class == "test" else ""
    digest = short(verdict.policy_sha256)
    yield "policy", "", "", dim(f"{verdict.policy_name} (SHA-256 {digest}){test}")


def _record_rows(judgement: RecordJudgement) -> Iterator[Row]:
    beacons = sorted(
        judgement.beacons, key=lambda row: row.not_before.timestamp() if row.not_before else 0
    )
    for beacon in reversed(beacons):
        yield "not before", *_beacon_cells(beacon)
    for finding in judgement.findings:
        yield _FINDINGS[finding.step], "–", word(finding.word), _finding_text(finding)
    record = judgement.record
    claimed = shown_time(record.claimed_time)
    yield "claimed", claimed, "", dim("what its clock said, not checked")
    if record.withheld:
        hidden = len(record.sd_jwt.hidden_digests)
        withheld = f"{record.withheld} of {hidden} fields"
        yield "withheld", withheld, "", dim("nothing of them is shown here")


def _beacon_cells(row: BeaconVerdict) -> tuple[str, Cell, Cell]:
    bound = "–" if row.not_before is None else shown_time(row.not_before)
    return bound, word(row.status), shortened(without_signs(row.reason))


def _finding_text(finding: Finding) -> str:
    return shortened(without_signs(finding.reason))


def shortened(text: str) -> str:
    """Return a sentence with each digest in its short form; the whole stands in ``--json``."""
    return _DIGEST.sub(lambda match: f"{match[0][:8]}…", text)


def _label(row: AttestationVerdict) -> str:
    if row.family == "evm" and not isinstance(row.attestation, ExpectedAttestation):
        return row.judgement.by or "evm"
    family = family_word(row.family)
    return _LABELS.get(family, family)


def _bound(row: AttestationVerdict) -> str:
    return "–" if row.attested_time is None else f"before {shown_time(row.attested_time)}"


def _text(row: AttestationVerdict) -> str:
    judgement, attestation = row.judgement, row.attestation
    if row.status is Status.VERIFIED:
        covers = isinstance(attestation, Rfc3161Attestation) and attestation.covers == "checkpoint"
        return without_signs(
            judgement.trust
            + ("; over the signed checkpoint" if covers else "")
            + ("; honest to the day" if judgement.precision == "day" else "")
        )
    if isinstance(attestation, ExpectedAttestation):
        return expected_words(attestation)
    if row.status is Status.PENDING and isinstance(attestation, OpenTimestampsAttestation):
        return promised_words(attestation.calendar or judgement.reason.partition(";")[0])
    return without_signs(judgement.reason)
