"""Asking the policy's sources about the blocks that evidence names, and nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from anchor.backends.drand_signature import DrandSignatures
from anchor.client.online_facts import OnlineFacts
from anchor.errors import BackendUnavailableError
from anchor.formats.drand import DrandRound
from anchor.formats.ots.codec import DetachedTimestamp, parse_tree
from anchor.formats.ots.op import Sha256
from anchor.proof.proof import OpenTimestampsAttestation
from anchor.records.record import Beacon
from anchor.verify import ProvenRecord, judge_records
from anchor.verify.judge import Judge
from anchor.verify.known import KnownFacts
from anchor.verify.verdict import Status
from tests import recorder
from tests.evidence import NOW, Case, parse_evm_header, whole_case
from tests.parts.drand import QUICKNET_1000, QUICKNET_ENTRY, beacon_of


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
        self.raw = {header.number: header.raw for header in headers}
        self.asked: list[int] = []
        self.shown: list[int] = []

    def fetch_block_hash(self, number: int) -> bytes:
        self.asked.append(number)
        if number not in self.hashes:
            raise BackendUnavailableError(f"no block {number}")
        return self.hashes[number]

    def fetch_raw_header(self, number: int, block_hash: bytes) -> bytes:
        self.shown.append(number)
        if self.hashes.get(number) != block_hash:
            raise BackendUnavailableError(f"no such block {number}")
        return self.raw[number]


class DrandRelay:
    name = "a relay"

    def __init__(self, *rounds: DrandRound) -> None:
        self.rounds = {found.number: found for found in rounds}
        self.asked: list[int | None] = []

    def fetch_round(self, number: int | None) -> DrandRound:
        self.asked.append(number)
        if number not in self.rounds:
            raise BackendUnavailableError(f"no round {number}")
        return self.rounds[number]


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


# -- records ---------------------------------------------------------------------------------------


def records_facts(case: Case, bitcoin=None, evm=None, relay=None):
    """Return facts under a policy that pins nothing, and that policy's other entries."""
    entries = {
        "bitcoin": {"network": "regtest"},
        "chains": [
            {**case.entries["chains"][0], "class": "l1", "headline": False, "pinned": []},
        ],
        "drand": [QUICKNET_ENTRY],
    }
    policy = recorder.policy(**entries)
    facts = OnlineFacts(policy, bitcoin=bitcoin, evm=lambda _: evm, drand=lambda _: relay)
    return facts, entries


def with_beacons(*beacons: Beacon) -> list[ProvenRecord]:
    project = recorder.Project()
    project.genesis()
    for _ in range(2):
        project.note(not_before=beacons)
    return recorder.proven(project.records)


def beacons_of(case: Case) -> tuple[Beacon, Beacon, Beacon]:
    """Return a beacon of each source, of blocks that the fakes below know."""
    header = case.bitcoin.headers[1]
    number, block_hash = next(iter(EvmSource(case).hashes.items()))
    chain_id = case.entries["chains"][0]["chain_id"]
    return (
        Beacon("bitcoin", 1, header.block_hash[::-1]),
        Beacon("evm", number, block_hash, chain_id=chain_id),
        beacon_of(QUICKNET_1000, signature=False),
    )


def judged_online(case: Case, items, **sources):
    facts, entries = records_facts(case, **sources)
    known, failures = facts.about_records(items, KnownFacts(drand_verifier=DrandSignatures()))
    whole = judge_records(items, recorder.judge(now=NOW, known=known, **entries))
    return whole.verdicts[-1], failures


def test_beacons_of_records_are_verified_with_the_policys_sources(case):
    items = with_beacons(*beacons_of(case))
    evm, relay = EvmSource(case), DrandRelay(QUICKNET_1000)
    verdict, failures = judged_online(
        case, items, bitcoin=BitcoinSource(case), evm=evm, relay=relay
    )
    assert failures == []
    rows = {row.beacon.source: row for row in verdict.record.beacons}
    assert {name: row.status for name, row in rows.items()} == dict.fromkeys(rows, "verified")
    mined = datetime.fromtimestamp(case.bitcoin.headers[1].time, UTC)
    assert rows["bitcoin"].not_before == mined - timedelta(hours=2)
    assert rows["bitcoin"].reason == "Bitcoin block 1, minus 2 hours"
    made = parse_evm_header(evm.raw[rows["evm"].beacon.number]).time
    assert rows["evm"].not_before == datetime.fromtimestamp(made - 12, UTC)
    assert "signed by the key that the policy names" in rows["drand"].trust
    assert relay.asked == [1000]
    assert len(evm.shown) == 1


def test_headers_are_only_asked_for_where_a_beacon_names_the_block(case):
    evm = EvmSource(case)
    online(case, None, evm)[0].about(case.proof, KnownFacts())
    assert evm.shown == []
    _, named, _ = beacons_of(case)
    other = replace(named, value=bytes(32))
    verdict, failures = judged_online(case, with_beacons(other), evm=evm)
    assert (evm.shown, failures) == ([], [])
    assert verdict.record.beacons[0].code == "beacon.not_on_chain"
    assert verdict.status is Status.FAILED


def test_silent_relay_is_told_of_and_confirms_nothing(case):
    beacon = beacon_of(QUICKNET_1000, signature=False)
    verdict, failures = judged_online(case, with_beacons(beacon), relay=DrandRelay())
    assert [failure.message for failure in failures] == ["no round 1000"]
    assert verdict.record.beacons[0].code == "beacon.unconfirmed"
    assert verdict.status is Status.VERIFIED


def test_relay_without_the_extra_is_believed_for_the_value(case):
    facts, entries = records_facts(case, relay=DrandRelay(QUICKNET_1000))
    items = with_beacons(beacon_of(QUICKNET_1000, signature=False))
    known, _ = facts.about_records(items, KnownFacts())
    whole = judge_records(items, recorder.judge(now=NOW, known=known, **entries))
    assert "confirmed by a relay" in whole.verdicts[-1].record.beacons[0].trust


def test_beacons_cannot_make_us_ask_without_end(case):
    beacons = [Beacon("drand", number, bytes(32)) for number in range(1, 9)]
    project = recorder.Project()
    project.genesis()
    for start in range(0, 5000, 8):
        named = [replace(b, number=start + b.number) for b in beacons]
        project.note(not_before=named)
    items = [ProvenRecord(record) for record in project.records]
    relay = DrandRelay()
    facts, _ = records_facts(case, relay=relay)
    _, failures = facts.about_records(items, KnownFacts())
    assert len(relay.asked) == 4096
    assert "5000 blocks are named" in failures[-1].message


def test_policy_with_sources_makes_them_and_asks_nobody_yet():
    entry = {**QUICKNET_ENTRY, "sources": ["https://relay.example"], "agree": 1}
    facts = OnlineFacts(recorder.policy(drand=[entry]))
    assert facts.about_records(with_beacons(), KnownFacts()) == (KnownFacts(), [])
