"""Merging two proof files keeps the evidence of both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anchor.errors import DigestMismatchError
from anchor.proof.merge import merge_proofs
from anchor.proof.proof import ExpectedAttestation, Inclusion, Proof
from tests.evidence import digest_of, evm_attestation, pending_attestation, whole_case

CASE = whole_case()
ROOT = CASE.log.root(7)


def proof(*attestations: object, inclusions: tuple[Inclusion, ...] | None = None) -> Proof:
    return replace(
        CASE.proof, attestations=attestations, inclusions=inclusions or CASE.proof.inclusions
    )


def test_merging_with_itself_changes_nothing() -> None:
    assert merge_proofs(CASE.proof, CASE.proof) == CASE.proof


def test_evidence_of_both_is_there_in_the_older_ones_order() -> None:
    older, newer = proof(*CASE.proof.attestations[:2]), proof(*CASE.proof.attestations[1:])
    assert merge_proofs(older, newer).attestations == CASE.proof.attestations
    assert set(merge_proofs(newer, older).attestations) == set(CASE.proof.attestations)


def test_a_finished_calendar_answer_joins_the_pending_one() -> None:
    finished = CASE.proof.attestations[3]
    merged = merge_proofs(proof(pending_attestation(ROOT)), proof(finished))
    assert len(merged.attestations) == 1
    assert merged.attestations[0].headers == finished.headers
    again = merge_proofs(merged, proof(pending_attestation(ROOT)))
    assert again == merged


def test_a_pending_transaction_is_replaced_by_its_proofs() -> None:
    whole = evm_attestation(ROOT)
    bare = replace(whole, transaction=None, receipt=None, storage=None)
    assert merge_proofs(proof(bare), proof(whole)).attestations == (whole,)
    assert merge_proofs(proof(whole), proof(bare)).attestations == (whole,)


def test_a_replaced_transaction_does_not_mix_with_the_old_ones_proofs() -> None:
    whole = evm_attestation(ROOT)
    replaced = replace(
        whole, transaction=None, receipt=None, storage=None, transaction_hash=digest_of("old")
    )
    merged = merge_proofs(proof(replaced), proof(whole)).attestations[0]
    assert merged.transaction_hash == whole.transaction_hash
    assert merged.transaction == whole.transaction


def test_expected_rows_are_the_newer_ones() -> None:
    old, new = ExpectedAttestation("evm", "evm:1", None, "old"), ExpectedAttestation("evm", "evm:1")
    assert merge_proofs(proof(old), proof(new)).attestations == (new,)
    assert merge_proofs(proof(old), proof()).attestations == ()


def test_two_checkpoints_of_one_size_are_both_kept() -> None:
    first = CASE.proof.inclusions[0]
    other = replace(first, checkpoint=CASE.log.checkpoint(7, digest_of("another root")))
    merged = merge_proofs(proof(inclusions=(first,)), proof(inclusions=(other,)))
    assert merged.inclusions == (first, other)


def test_an_inclusion_without_checkpoint_gives_way_to_the_signed_one() -> None:
    first = CASE.proof.inclusions[0]
    bare = replace(first, checkpoint=None)
    assert merge_proofs(proof(inclusions=(bare,)), proof(inclusions=(first,))).inclusions == (
        first,
    )


def test_another_digest_is_refused() -> None:
    with pytest.raises(DigestMismatchError):
        merge_proofs(CASE.proof, replace(CASE.proof, digest=digest_of("other")))
