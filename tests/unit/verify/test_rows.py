"""What the judge of rows keeps between proofs is bounded, and changes no verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anchor.proof.proof import Attestation
from anchor.verify import rows
from anchor.verify.inclusion import ReachedRoot
from anchor.verify.known import KnownFacts
from anchor.verify.rows import RowJudge
from anchor.verify.verdict import AttestationVerdict
from anchor.verify.work import evidence_bytes
from tests.evidence import NOW, pending_attestation, whole_case

CASE = whole_case()
ROOT = CASE.log.root(7)
REACHED = [ReachedRoot(CASE.log.inclusion(6, 7), ROOT, None, None)]


def numbered(number: int) -> Attestation:
    """Return a promise that differs from the others in its calendar."""
    return replace(pending_attestation(ROOT), calendar=f"https://{number:04}.example")


def row_judge() -> RowJudge:
    return RowJudge(CASE.policy, now=NOW, known=KnownFacts())


def afresh(attestation: Attestation) -> list[AttestationVerdict]:
    return row_judge().judge([attestation], REACHED)


def test_no_more_rows_are_kept_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_REMEMBERED", 5)
    judge = row_judge()
    for number in [*range(12), *range(12)]:
        assert judge.judge([numbered(number)], REACHED) == afresh(numbered(number))
        assert 1 <= len(judge._remembered) <= 5


def test_no_more_bytes_are_kept_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 3 * evidence_bytes(numbered(0))
    monkeypatch.setattr(rows, "MAX_REMEMBERED_BYTES", most)
    judge = row_judge()
    for number in range(12):
        assert judge.judge([numbered(number)], REACHED) == afresh(numbered(number))
        assert 0 < sum(map(evidence_bytes, judge._remembered)) <= most


def test_a_remembered_row_says_what_it_said() -> None:
    judge, proof = row_judge(), CASE.proof
    first = judge.judge(proof.attestations, REACHED)
    assert judge.judge(proof.attestations, REACHED) == first
    assert [row.attestation for row in first] == list(proof.attestations)
    assert judge.judge(proof.attestations[::-1], REACHED) == first[::-1]


def test_what_is_remembered_joins_no_root_that_was_not_reached() -> None:
    judge = row_judge()
    assert judge.judge([numbered(0)], REACHED)[0].status == "pending"
    elsewhere = [replace(REACHED[0], root_hash=bytes(32))]
    row = judge.judge([numbered(0)], elsewhere)[0]
    assert (row.status, row.judgement.code) == ("failed", "attestation.root_unreached")
