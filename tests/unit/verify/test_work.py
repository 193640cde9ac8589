"""Step W: no proof takes long, whoever wrote it, and bloat takes nothing from genuine evidence."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from anchor import limits
from anchor.errors import LimitExceededError
from anchor.formats.keccak import keccak256
from anchor.formats.note import NoteSignature, parse_note
from anchor.formats.ots.attestation import PendingAttestation, serialize_attestation
from anchor.formats.ots.codec import serialize_tree
from anchor.formats.ots.op import Append, Hexlify, Keccak256, Ripemd160, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.formats.rlp import rlp_encode
from anchor.proof.codec import ProofReader, attestation_to_json, parse_proof, serialize_proof
from anchor.proof.proof import (
    Attestation,
    EvmAttestation,
    IndexedTrieProof,
    OpenTimestampsAttestation,
    Proof,
    Rfc3161Attestation,
    WitnessAttestation,
)
from anchor.verify import Judge, Verdict
from anchor.verify.work import OVER_BUDGET, RowCost, affordable, size_units
from tests import evidence
from tests.evidence import NOW, whole_case

CASE = whole_case()
ROOT = CASE.log.root(7)
GENUINE = CASE.proof.attestations


def judged(*rows: Attestation, now: Any = NOW) -> Verdict:
    proof = replace(CASE.proof, attestations=rows)
    return Judge(CASE.policy, now=now).verify_proof(proof, file_digest=CASE.file_digest)


def codes(verdict: Verdict) -> Counter[str]:
    return Counter(row.judgement.code for row in verdict.rows)


def bomb(number: int, digest: Any = Keccak256, times: int = 15) -> OpenTimestampsAttestation:
    """Return a tree of 200 bytes that asks for many digests of 4,096 bytes in plain Python."""
    ops = [Append(b"%d" % number), Sha256()]
    for n in range(times):
        if n and digest is Ripemd160:
            ops.append(Append(b"x" * 12))  # to 32 bytes again
        ops += [*[Hexlify()] * 7, digest()]
    tree = b"".join(op.serialize() for op in ops)
    end = b"\0" + serialize_attestation(PendingAttestation("https://a.example"))
    return OpenTimestampsAttestation(ROOT, "https://a.example", tree + end)


# -- which rows are judged -------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [Keccak256, Ripemd160])
def test_many_small_trees_of_slow_digests_take_nothing_from_the_rest(digest: Any) -> None:
    verdict = judged(*(bomb(n, digest) for n in range(250)), *GENUINE)
    assert codes(verdict)["limit.work"] == 250
    assert verdict.status == "verified"
    assert verdict.headline == judged(*GENUINE).headline


def test_a_few_are_judged() -> None:
    assert codes(judged(*(bomb(n) for n in range(3)))) == {"bitcoin.pending": 3}


def test_neither_order_nor_earlier_judgement_plays_a_part() -> None:
    rows = [*(bomb(n, times=1 + n % 5) for n in range(60)), *GENUINE]
    wanted = codes(judged(*rows))
    assert 0 < wanted["limit.work"] < 60
    judge = Judge(CASE.policy, now=NOW)
    for seed in range(4):
        random.Random(seed).shuffle(rows)
        verdict = judge.verify_proof(replace(CASE.proof, attestations=tuple(rows)))
        assert codes(verdict) == wanted


def test_rows_of_one_cost_are_judged_all_or_none() -> None:
    cost = RowCost(bomb(0)).total
    fit = limits.MAX_WORK_UNITS // cost
    assert affordable([RowCost(bomb(0)) for _ in range(fit)]) == [True] * fit
    assert affordable([RowCost(bomb(0)) for _ in range(fit + 1)]) == [False] * (fit + 1)


def test_rows_for_no_root_of_the_proof_cost_nothing() -> None:
    strange = [replace(bomb(n), root_hash=bytes(32)) for n in range(100)]
    verdict = judged(*strange, bomb(0))
    assert codes(verdict) == {"attestation.root_unreached": 100, "bitcoin.pending": 1}


def test_the_row_says_what_it_lacks_and_could_still_show_anything() -> None:
    proof = replace(CASE.proof, attestations=tuple(bomb(n) for n in range(250)))
    verdict = Judge(CASE.policy, now=NOW).verify_proof(proof, before=NOW - timedelta(days=9))
    assert (verdict.answer, verdict.exit_status) == ("unknown", 4)
    assert "600,000 units of work" in OVER_BUDGET.reason


# -- each kind has its price -----------------------------------------------------------------------


def transaction_of(size: int) -> EvmAttestation:
    leaf = rlp_encode([b"\x20\x80", b"\x7e" + ROOT + bytes(size)])
    fields = [bytes(32), bytes(32), bytes(20), bytes(32), keccak256(leaf), bytes(32), bytes(256)]
    fields += [b"", b"\x01", b"\x01", b"\x01", b"\x01", b"", bytes(32), bytes(8)]
    proof = IndexedTrieProof(rlp_encode(fields), 0, (leaf,))
    return EvmAttestation(ROOT, 5, bytes(20), transaction=proof)


def test_a_huge_transaction_is_not_hashed() -> None:
    assert codes(judged(transaction_of(1000))) == {"evm.chain_unknown": 1}
    node = bytes(300_000)
    huge = replace(transaction_of(0), transaction=IndexedTrieProof(b"", 0, (node,)))
    assert codes(judged(huge)) == {"limit.work": 1}


def test_a_trees_bytes_have_a_price_before_it_is_walked() -> None:
    tree = Timestamp(ROOT)
    for n in range(6000):
        tree.add(Append(b"%d" % n)).attest(PendingAttestation("https://a.example"))
    wide = OpenTimestampsAttestation(ROOT, "", serialize_tree(tree))
    assert size_units(wide) == 4 * len(wide.tree)
    assert codes(judged(wide, *GENUINE))["limit.work"] == 1


@pytest.mark.parametrize(
    ("pieces", "units"),
    [
        ({}, 2_000 + 33),
        ({"certificates": (bytes(40),) * 2}, 2_000 + 600 + 60),
        ({"ocsp": (bytes(40),)}, 2_000 + 1_000 + 46),
        ({"crls": (bytes(640),)}, 2_000 + 500 + 33 + 10),
    ],
)
def test_a_token_pays_for_its_pieces(pieces: dict[str, Any], units: int) -> None:
    assert size_units(Rfc3161Attestation(ROOT, "root", bytes(100), **pieces)) == units


def test_a_cosignature_pays_for_each_line() -> None:
    note = parse_note(CASE.log.checkpoint(7))
    more = note.adding(*(NoteSignature(f"w{n}", b"abcd", bytes(72)) for n in range(9)))
    row = WitnessAttestation(ROOT, "w", more.serialize())
    assert size_units(row) == 200 * (1 + 10)


def test_genuine_evidence_is_far_from_the_limit() -> None:
    assert sum(RowCost(row).total for row in GENUINE) < limits.MAX_WORK_UNITS // 10


# -- tokens that lean on one another ---------------------------------------------------------------


def test_a_long_chain_of_renewals_is_settled_in_any_order() -> None:
    """Each token's certificates ended; each is in the tree that the next stamps."""
    log = evidence.Log(CASE.log.signer, list(CASE.log.digests[:7]))
    authority = evidence.Authority("Renewed")
    rows, ways, size = [], [log.inclusion(6, 7)], 7
    for _ in range(40):
        row = authority.attestation(log.root(size))
        log.add(evidence.digest_of(f"other {size}"), _digest(row))
        rows.append(replace(row, inclusions=(log.inclusion(size + 1, size + 2),)))
        size += 2
        ways.append(log.inclusion(6, size))
    bitcoin = evidence.Bitcoin()
    last = bitcoin.attestation(log.root(size))
    policy = evidence.policy(
        authorities=[authority.policy()],
        bitcoin=bitcoin.policy(6),
        headline_families=["rfc3161"],
    )
    later = NOW + timedelta(days=4000)
    for order in (rows, rows[::-1]):
        proof = Proof(CASE.proof.digest, None, tuple(ways), (*order, last))
        verdict = Judge(policy, now=later).verify_proof(proof)
        assert codes(verdict) == {"tsp.verified": 40, "bitcoin.verified": 1}


def _digest(row: Rfc3161Attestation) -> bytes:
    import hashlib

    return hashlib.sha256(row.token).digest()


def test_a_renewal_that_may_not_set_the_headline_gives_way_to_one_that_may() -> None:
    """Which of two rows a token leans on decides whether it sets the headline."""
    log = evidence.Log(CASE.log.signer, list(CASE.log.digests[:7]))
    authority, related = evidence.Authority("Renewed"), evidence.Authority("No headline")
    row = authority.attestation(log.root(7))
    log.add(_digest(row))
    row = replace(row, inclusions=(log.inclusion(7, 8),))
    plain, bitcoin = related.attestation(log.root(8)), evidence.Bitcoin()
    mined = bitcoin.attestation(log.root(8))
    policy = evidence.policy(
        authorities=[authority.policy(), related.policy(headline=False)],
        bitcoin=bitcoin.policy(6),
        headline_families=["rfc3161"],
    )
    ways = (log.inclusion(6, 7), log.inclusion(6, 8))
    outcomes = set()
    for order in ((row, plain, mined), (mined, plain, row), (plain, row, mined)):
        proof = Proof(CASE.proof.digest, None, ways, order)
        verdict = Judge(policy, now=NOW + timedelta(days=30)).verify_proof(proof)
        outcomes.add((verdict.status, verdict.headline and verdict.headline.existed_before))
    assert len(outcomes) == 1


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", [b"[],", b'{"":0},', b'"a",', b"12,", b'",",', b'"\\\\\\"",'])
def test_a_file_of_millions_of_values_is_refused_before_it_is_read(item: bytes) -> None:
    many = item * (8_000_000 // len(item))
    data = b'{"version":1,"attestations":[{"kind":"x","a":[' + many + b"0]}]}"
    with pytest.raises(LimitExceededError) as caught:
        parse_proof(data)
    assert caught.value.code == "format.json.values"


def test_commas_in_strings_are_no_values() -> None:
    note = CASE.log.checkpoint(7).replace("\n\n", "\n" + "," * 60_000 + "\n\n", 1)
    ways = tuple(replace(CASE.log.inclusion(6, 7), checkpoint=note) for _ in range(3))
    proof = replace(CASE.proof, inclusions=ways)
    assert parse_proof(serialize_proof(proof)) == proof


def test_a_reader_keeps_no_more_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REMEMBERED_BYTES", 20_000)
    reader = ProofReader()
    for n in range(50):
        row = replace(bomb(n), tree=bytes(5_000))
        proof = Proof(CASE.proof.digest, None, (CASE.log.inclusion(6, 7),), (row,))
        assert reader.parse(serialize_proof(proof)) == proof
        assert sum(map(len, reader._known)) <= 20_000
    assert attestation_to_json(row)["kind"] == "opentimestamps"


def test_one_judge_in_many_threads_says_the_same() -> None:
    """What the last proof had is remembered, and must be the right proof's."""
    judge, proofs = Judge(CASE.policy, now=NOW), []
    for count in range(1, len(GENUINE) + 1):
        proofs.append(replace(CASE.proof, attestations=GENUINE[:count]))

    def run(proof: Proof) -> int:
        return sum(len(judge.verify_proof(proof).rows) for _ in range(200))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(run, proofs * 2))
    assert found == [200 * len(proof.attestations) for proof in proofs * 2]
