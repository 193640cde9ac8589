"""Asking the policy's sources about the blocks that evidence names, and nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anchor.client.online_facts import OnlineFacts
from anchor.errors import BackendUnavailableError
from anchor.formats.ots.codec import DetachedTimestamp, parse_tree
from anchor.formats.ots.op import Sha256
from anchor.proof.proof import OpenTimestampsAttestation
from anchor.verify.judge import Judge
from anchor.verify.known import KnownFacts
from anchor.verify.verdict import Status
from tests.evidence import NOW, Case, parse_evm_header, whole_case


class BitcoinSource:
    name = "the case's chain"

    def __init__(self, case: Case) -> None:
        self.headers = case.bitcoin.headers
        self.asked: list[tuple[int, int]] = []
        self.silent = False

    def fetch_tip_height(self) -> int:
        return len(self.headers) - 1

    def fetch_headers(self, first_height: int, count: int) -> list[bytes]:
        self.asked.append((first_height, count))
        if self.silent or first_height + count > len(self.headers):
            raise BackendUnavailableError("no such block")
        return [header.raw for header in self.headers[first_height : first_height + count]]


class EvmSource:
    name = "a node"

    def __init__(self, case: Case) -> None:
        (evm,) = (a for a in case.proof.attestations if a.kind == "evm")
        headers = [parse_evm_header(p.header) for p in (evm.transaction, evm.storage)]
        self.hashes = {header.number: header.block_hash for header in headers}
        self.asked: list[int] = []

    def fetch_block_hash(self, number: int) -> bytes:
        self.asked.append(number)
        if number not in self.hashes:
            raise BackendUnavailableError(f"no block {number}")
        return self.hashes[number]


@pytest.fixture
def case():
    return whole_case()


def online(case: Case, bitcoin=None, evm=None):
    """Return facts under a policy that pins nothing and has no checkpoint."""
    policy = case.policy_with(
        bitcoin={"network": "regtest"},
        chains=[{**case.entries["chains"][0], "pinned": []}],
    )
    facts = OnlineFacts(policy, bitcoin=bitcoin, evm=lambda _: evm)
    return facts, policy


def test_confirmed_blocks_turn_not_checked_into_verified(case):
    facts, policy = online(case, BitcoinSource(case), EvmSource(case))
    offline = Judge(policy, now=NOW).verify_proof(case.proof)
    known, failures = facts.about(case.proof, KnownFacts())
    verdict = Judge(policy, now=NOW, known=known).verify_proof(case.proof)
    assert failures == []
    families = {row.family for row in offline.rows if row.status is Status.NOT_CHECKED}
    assert families == {"bitcoin", "evm"}
    assert {row.status for row in verdict.rows} == {Status.VERIFIED}
    trust = " ".join(row.judgement.trust for row in verdict.rows)
    assert "confirmed by a node" in trust
    assert "confirmed by the case's chain" in trust


def test_each_block_is_asked_for_once_however_many_proofs_name_it(case):
    bitcoin, evm = BitcoinSource(case), EvmSource(case)
    facts, _ = online(case, bitcoin, evm)
    for _ in range(3):
        facts.about(case.proof, KnownFacts())
    assert bitcoin.asked == [(0, 7)]
    assert sorted(evm.asked) == sorted(evm.hashes)


def test_block_near_the_tip_is_confirmed_with_the_headers_there_are(case):
    case.bitcoin.headers[:] = case.bitcoin.headers[:3]
    bitcoin = BitcoinSource(case)
    known, failures = online(case, bitcoin)[0].about(case.proof, KnownFacts())
    assert (bitcoin.asked, failures) == ([(0, 3)], [])
    assert len(known.headers[0].headers) == 3


def test_silent_sources_are_told_of_each_time_and_confirm_nothing(case):
    bitcoin, evm = BitcoinSource(case), EvmSource(case)
    bitcoin.silent = True
    evm.hashes = {}
    facts, _ = online(case, bitcoin, evm)
    for _ in range(2):
        known, failures = facts.about(case.proof, KnownFacts())
        assert len(failures) == 3
        assert (known.bitcoin, known.evm, known.headers) == ({}, {}, {})


def test_source_that_says_another_block_is_canonical_fails_the_row(case):
    evm = EvmSource(case)
    evm.hashes = dict.fromkeys(evm.hashes, bytes(32))
    facts, policy = online(case, None, evm)
    known, _ = facts.about(case.proof, KnownFacts())
    verdict = Judge(policy, now=NOW, known=known).verify_proof(case.proof)
    assert verdict.status is Status.FAILED


def test_ots_file_without_headers_gets_them_from_the_source(case):
    (attestation,) = (a for a in case.proof.attestations if a.kind == "opentimestamps")
    tree = parse_tree(attestation.tree, attestation.root_hash)
    detached = DetachedTimestamp(Sha256(), attestation.root_hash, tree)
    facts, policy = online(case, BitcoinSource(case))
    known, _ = facts.about(detached, KnownFacts())
    verdict = Judge(policy, now=NOW, known=known).verify_ots(detached)
    assert verdict.status is Status.VERIFIED


def test_policy_without_sources_asks_nobody(case):
    facts = OnlineFacts(case.policy)
    assert facts.about(case.proof, KnownFacts()) == (KnownFacts(), [])


def test_evidence_cannot_make_us_ask_for_blocks_without_end(case):
    (attestation,) = (a for a in case.proof.attestations if a.kind == "opentimestamps")
    tree = parse_tree(attestation.tree, attestation.root_hash)
    (path,) = tree.paths()
    node = tree
    for op in path.ops:
        node = node.add(op)
    for height in range(1000):
        node.attest(replace(path.attestation, height=height))
    detached = DetachedTimestamp(Sha256(), attestation.root_hash, tree)
    bitcoin = BitcoinSource(case)
    online(case, bitcoin)[0].about(detached, KnownFacts())
    assert len(bitcoin.asked) <= 64


def test_tree_that_cannot_be_read_is_left_to_the_judge(case):
    root = case.proof.attestations[0].root_hash
    broken = OpenTimestampsAttestation(root, "x", b"\xff\xff")
    proof = replace(case.proof, attestations=(broken,))
    assert online(case, BitcoinSource(case))[0].about(proof, KnownFacts())[1] == []
