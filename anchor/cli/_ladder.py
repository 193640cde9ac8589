"""A verdict as people read it: the sentence, and below it one row for each attestation.

The columns are those of the sample in ``docs/guides/commands.md``; a long label widens the first.
Times are UTC upper bounds with the tolerance applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from anchor.cli._output import Cell, Output, dim, padded, short, shown_time, word
from anchor.cli._peer_words import expected_words, family_word, promised_words, without_signs
from anchor.proof.proof import (
    ExpectedAttestation,
    OpenTimestampsAttestation,
    Rfc3161Attestation,
)
from anchor.verify.verdict import Answer, AttestationVerdict, Status, Verdict

_INDENT: Final = "  "
_LABEL_COLUMNS: Final = 12
_BOUND_COLUMNS: Final = 29
_WORD_COLUMNS: Final = 15
_SENTENCE_COLUMNS: Final = 72
_LABELS: Final = {"rfc3161": "RFC 3161", "bitcoin": "bitcoin", "witness": "witness"}
_ANSWERS: Final = {
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
    sentence = without_signs(_sentence(verdict, name, digest_only=digest_only))
    out.line(padded(sentence, _SENTENCE_COLUMNS), word(verdict.status))
    if verdict.before is not None and verdict.answer is not None:
        out.line(f"{_INDENT}before {shown_time(verdict.before)} UTC? {_ANSWERS[verdict.answer]}")
    rows = list(_rows(verdict))
    columns = max([_LABEL_COLUMNS, *(len(label) + 2 for label, *_ in rows)])
    for label, bound, sign, text in rows:
        out.line(
            _INDENT,
            padded(label, columns),
            padded(bound, _BOUND_COLUMNS),
            padded(sign, _WORD_COLUMNS),
            text,
        )
    for warning in verdict.warnings:
        out.line(f"{_INDENT}note: {without_signs(warning)}")


def _sentence(verdict: Verdict, name: str, *, digest_only: bool) -> str:
    what = f"{name}: its digest {short(verdict.digest)}" if digest_only else name
    if verdict.headline is not None:
        return f"{what} existed before {shown_time(verdict.headline.existed_before)} UTC"
    if verdict.status is Status.FAILED:
        return f"{name}: {verdict.reason}"
    if verdict.status is Status.PENDING:
        return f"{name}: nothing is verified yet, nothing is false"
    return f"{name}: {verdict.reason}"


def _rows(verdict: Verdict) -> Iterator[tuple[str, str, Cell, Cell]]:
    for row in verdict.rows:
        yield _label(row), _bound(row), word(row.status), _text(row)
    yield "not before", "–", "", dim("nothing here shows an earliest time")
    if verdict.log.code != "log.none":
        yield "log", "–", word(verdict.log.status), verdict.log.reason
    test = ", class test: shows nothing to anybody else" if verdict.policy_class == "test" else ""
    digest = short(verdict.policy_sha256)
    yield "policy", "", "", dim(f"{verdict.policy_name} (SHA-256 {digest}){test}")


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
