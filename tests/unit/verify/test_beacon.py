"""Beacons: what gives a lower bound, what is not checked, and what is false."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anchor.backends.drand_signature import DrandSignatures
from anchor.formats.bitcoin import display_hex
from anchor.formats.drand import QUICKNET
from anchor.formats.evm import parse_evm_header
from anchor.proof.policy import Policy
from anchor.proof.proof import HeaderRun
from anchor.records.record import Beacon
from anchor.verify import BeaconVerdict, ConfirmedBlock, HeaderArchive, KnownFacts
from anchor.verify.beacon import judge_beacon
from tests import evidence
from tests.attacks import forged_evm
from tests.evidence import Bitcoin
from tests.parts.drand import (
    DEFAULT_72785,
    DEFAULT_ENTRY,
    DEFAULT_HASH,
    QUICKNET_1000,
    QUICKNET_ENTRY,
    Network,
    beacon_of,
)

HEIGHT = 2
CHAIN = Bitcoin()
for _ in range(12):
    CHAIN.mine()
HEADER = CHAIN.headers[HEIGHT]
RUN = HeaderRun(HEIGHT, tuple(header.raw for header in CHAIN.headers[HEIGHT : HEIGHT + 7]))
BLOCK = Beacon("bitcoin", HEIGHT, bytes.fromhex(display_hex(HEADER.block_hash)))
MINED = datetime.fromtimestamp(HEADER.time, UTC)
NETWORKS = [QUICKNET_ENTRY, DEFAULT_ENTRY]
CHECKPOINTS = evidence.policy(bitcoin=CHAIN.policy(HEIGHT))


def judge(beacon: Beacon, policy: Policy | None = None, **known: Any) -> BeaconVerdict:
    return judge_beacon(beacon, policy or evidence.policy(drand=NETWORKS), KnownFacts(**known))


def outcome(verdict: BeaconVerdict) -> tuple[str, str, datetime | None]:
    return verdict.status.value, verdict.code, verdict.not_before


VERIFIED = ("verified", "beacon.verified", MINED - timedelta(hours=2))
UNCONFIRMED = ("not_checked", "beacon.unconfirmed", None)
MISSING = ("not_checked", "beacon.header_missing", None)
FALSE = ("failed", "beacon.not_on_chain", None)


# -- Bitcoin ---------------------------------------------------------------------------------------


def test_bitcoin_is_the_headers_time_less_two_hours() -> None:
    verdict = judge(BLOCK, CHECKPOINTS, headers={HEIGHT: RUN})
    assert outcome(verdict) == VERIFIED
    assert "checkpoint of the policy" in verdict.trust
    assert "test network" in verdict.trust


def test_bitcoin_confirmed_by_a_source() -> None:
    known = {HEIGHT: ConfirmedBlock(HEADER.block_hash, "two nodes")}
    assert outcome(judge(BLOCK, headers={HEIGHT: RUN}, bitcoin=known)) == VERIFIED


def test_bitcoin_by_a_checkpoint_among_the_successors() -> None:
    policy = evidence.policy(bitcoin=CHAIN.policy(HEIGHT + 6))
    assert outcome(judge(BLOCK, policy, headers={HEIGHT: RUN})) == VERIFIED


def test_bitcoin_from_a_header_archive() -> None:
    archive = HeaderArchive(0, b"".join(header.raw for header in CHAIN.headers))
    policy = evidence.policy(bitcoin=CHAIN.policy(0))
    assert outcome(judge(BLOCK, policy, archive=archive)) == VERIFIED
    other = Beacon("bitcoin", HEIGHT + 1, BLOCK.value)
    assert outcome(judge(other, policy, archive=archive)) == FALSE


def test_bitcoin_header_alone_is_not_believed() -> None:
    assert outcome(judge(BLOCK, headers={HEIGHT: RUN})) == UNCONFIRMED


def test_bitcoin_hash_alone_has_no_time() -> None:
    assert outcome(judge(BLOCK, CHECKPOINTS)) == MISSING
    assert outcome(judge(BLOCK)) == UNCONFIRMED


def test_bitcoin_block_that_is_not_on_the_chain() -> None:
    forged = Bitcoin(start_time=CHAIN.start_time + 10**6)
    for _ in range(3):
        forged.mine(b"\x01" * 32)
    header = forged.headers[HEIGHT]
    beacon = Beacon("bitcoin", HEIGHT, header.block_hash[::-1])
    run = HeaderRun(HEIGHT, (header.raw,))
    assert outcome(judge(beacon, CHECKPOINTS, headers={HEIGHT: run})) == FALSE
    assert outcome(judge(beacon, CHECKPOINTS, headers={HEIGHT: RUN})) == FALSE
    assert outcome(judge(beacon, CHECKPOINTS)) == FALSE
    assert outcome(judge(beacon, headers={HEIGHT: run})) == UNCONFIRMED


def test_bitcoin_hash_in_the_internal_order_is_another_block() -> None:
    reversed_ = Beacon("bitcoin", HEIGHT, HEADER.block_hash)
    assert outcome(judge(reversed_, CHECKPOINTS, headers={HEIGHT: RUN})) == FALSE


@pytest.mark.parametrize("run", [(b"",), (b"\0" * 80,), (RUN.headers[1],)])
def test_bitcoin_headers_that_do_not_belong_do_not_count(run: tuple[bytes, ...]) -> None:
    supplied = {HEIGHT: HeaderRun(HEIGHT, run)}
    assert outcome(judge(BLOCK, CHECKPOINTS, headers=supplied)) == MISSING


def test_bitcoin_successors_that_do_not_follow_do_not_count() -> None:
    supplied = {HEIGHT: HeaderRun(HEIGHT, (RUN.headers[0], RUN.headers[2]))}
    assert outcome(judge(BLOCK, CHECKPOINTS, headers=supplied)) == MISSING


# -- EVM -------------------------------------------------------------------------------------------

TIME = 1_760_000_000
RAW = forged_evm.header_rlp(number=77, time=TIME)
EVM = Beacon("evm", 77, parse_evm_header(RAW).block_hash, chain_id=1)
HEADERS = {(1, 77): RAW}


def chain(chain_class: str = "l1", **changes: Any) -> Policy:
    pinned = [{"number": 77, "hash": EVM.value.hex()}]
    entry = {"chain_id": 1, "name": "Example", "class": chain_class, "pinned": pinned, **changes}
    return evidence.policy(chains=[entry])


def test_evm_l1_is_the_headers_time_less_twelve_seconds() -> None:
    for policy in (chain(), chain(tolerance_s=900)):
        verdict = judge(EVM, policy, evm_headers=HEADERS)
        when = datetime.fromtimestamp(TIME - 12, UTC)
        assert outcome(verdict) == ("verified", "beacon.verified", when)
        assert "pinned by the policy" in verdict.trust
        assert "test" not in verdict.trust


def test_evm_confirmed_by_a_source() -> None:
    known = {(1, 77): ConfirmedBlock(EVM.value, "two nodes")}
    assert judge(EVM, chain(pinned=[]), evm=known, evm_headers=HEADERS).status == "verified"


def test_evm_header_alone_is_not_believed() -> None:
    assert outcome(judge(EVM, chain(pinned=[]), evm_headers=HEADERS)) == UNCONFIRMED


@pytest.mark.parametrize(
    "raw", [None, b"", b"\xc0", forged_evm.header_rlp(number=77, time=TIME + 1)]
)
def test_evm_hash_alone_has_no_time(raw: bytes | None) -> None:
    headers = {} if raw is None else {(1, 77): raw}
    assert outcome(judge(EVM, chain(), evm_headers=headers)) == MISSING


def test_evm_block_that_is_not_canonical() -> None:
    other = Beacon("evm", 77, bytes(32), chain_id=1)
    assert outcome(judge(other, chain(), evm_headers=HEADERS)) == FALSE


def test_evm_block_of_another_height() -> None:
    moved = Beacon("evm", 78, EVM.value, chain_id=1)
    pinned = [{"number": 78, "hash": EVM.value.hex()}]
    policy = chain(pinned=pinned)
    assert outcome(judge(moved, policy, evm_headers={(1, 78): RAW})) == MISSING


def test_evm_chain_that_the_policy_does_not_know() -> None:
    other = Beacon("evm", 77, EVM.value, chain_id=2)
    assert judge(other, chain()).code == "beacon.chain_unknown"


def test_a_sequencer_gives_no_beacon() -> None:
    policy = chain("l2", sequencer="Example Labs")
    verdict = judge(EVM, policy, evm_headers=HEADERS)
    assert outcome(verdict) == ("not_checked", "beacon.sequencer", None)
    assert "Example Labs" in verdict.reason


def test_a_test_chain_says_so() -> None:
    verdict = judge(EVM, chain("test", tolerance_s=5), evm_headers=HEADERS)
    assert verdict.not_before == datetime.fromtimestamp(TIME - 5, UTC)
    assert "test network" in verdict.trust


def test_evm_time_in_no_year_is_false() -> None:
    raw = forged_evm.header_rlp(number=77, time=2**63)
    value = parse_evm_header(raw).block_hash
    policy = chain(pinned=[{"number": 77, "hash": value.hex()}])
    beacon = Beacon("evm", 77, value, chain_id=1)
    assert judge(beacon, policy, evm_headers={(1, 77): raw}).status == "failed"


# -- drand -----------------------------------------------------------------------------------------

ROUND = Beacon("drand", 1000, b"\x0d" * 32)
AT_1000 = datetime(2023, 8, 23, 15, 59, 24, tzinfo=UTC)
SIGNED = ("verified", "beacon.verified", AT_1000)
BLS = DrandSignatures()


def confirmed(number: int, value: bytes, chain_hash: bytes = QUICKNET) -> dict[str, Any]:
    return {"drand": {(chain_hash, number): ConfirmedBlock(value, "two relays")}}


def test_drand_is_the_time_of_the_round() -> None:
    for number, when in [(1, datetime(2023, 8, 23, 15, 9, 27, tzinfo=UTC)), (1000, AT_1000)]:
        verdict = judge(Beacon("drand", number, ROUND.value), **confirmed(number, ROUND.value))
        assert outcome(verdict) == ("verified", "beacon.verified", when)
        assert verdict.reason == f"drand quicknet round {number}"
        assert "confirmed by two relays" in verdict.trust


def test_drand_value_of_another_round() -> None:
    assert outcome(judge(ROUND, **confirmed(1000, bytes(32)))) == FALSE


@pytest.mark.parametrize("number", [0, 2**53 - 1])
def test_drand_round_that_never_was(number: int) -> None:
    beacon = Beacon("drand", number, ROUND.value)
    assert outcome(judge(beacon, **confirmed(number, ROUND.value))) == UNCONFIRMED


def test_drand_that_nobody_confirmed() -> None:
    assert outcome(judge(ROUND)) == UNCONFIRMED
    assert outcome(judge(ROUND, drand_verifier=BLS)) == UNCONFIRMED


def test_drand_signature_in_the_record_needs_nobody_online() -> None:
    verdict = judge(beacon_of(QUICKNET_1000, named=False), drand_verifier=BLS)
    assert outcome(verdict) == SIGNED
    assert "signed by the key that the policy names" in verdict.trust
    assert outcome(judge(beacon_of(QUICKNET_1000), drand_verifier=BLS)) == SIGNED


def test_drand_chained_round_carries_the_signature_before() -> None:
    when = datetime(2020, 8, 16, 21, 49, 30, tzinfo=UTC)
    beacon = beacon_of(DEFAULT_72785, DEFAULT_HASH)
    verdict = judge(beacon, drand_verifier=BLS)
    assert outcome(verdict) == ("verified", "beacon.verified", when)
    assert verdict.reason == "drand default round 72785"
    alone = replace(beacon, previous_signature=None)
    unchecked = ("not_checked", "beacon.signature_unchecked", None)
    assert outcome(judge(alone, drand_verifier=BLS)) == unchecked
    false = replace(beacon, previous_signature=beacon.signature)
    assert judge(false, drand_verifier=BLS).code == "beacon.signature"


def test_drand_signature_is_not_checked_without_the_extra() -> None:
    verdict = judge(beacon_of(QUICKNET_1000))
    assert outcome(verdict) == ("not_checked", "beacon.signature_unchecked", None)
    assert "vestige[drand]" in verdict.reason
    by_sources = judge(beacon_of(QUICKNET_1000), **confirmed(1000, QUICKNET_1000.randomness))
    assert outcome(by_sources) == SIGNED
    assert "confirmed by" in by_sources.trust


def test_drand_value_that_is_not_the_hash_of_its_signature_is_false() -> None:
    beacon = replace(beacon_of(QUICKNET_1000), value=bytes(32))
    assert outcome(judge(beacon)) == ("failed", "beacon.randomness", None)


def test_drand_signature_of_another_round_or_network_is_false() -> None:
    signature = ("failed", "beacon.signature", None)
    moved = replace(beacon_of(QUICKNET_1000), number=1001)
    assert outcome(judge(moved, drand_verifier=BLS)) == signature
    theirs = beacon_of(Network("theirs").sign(1000))
    assert outcome(judge(theirs, drand_verifier=BLS)) == signature
    # Relays that agree can not make a false signature true.
    assert outcome(judge(theirs, drand_verifier=BLS, **confirmed(1000, theirs.value))) == signature


def test_drand_signature_supplied_from_outside() -> None:
    beacon = beacon_of(QUICKNET_1000, signature=False)
    rounds = {(QUICKNET, 1000): QUICKNET_1000}
    assert outcome(judge(beacon, drand_rounds=rounds, drand_verifier=BLS)) == SIGNED
    assert outcome(judge(beacon, drand_rounds=rounds)) == UNCONFIRMED
    assert outcome(judge(ROUND, drand_rounds=rounds, drand_verifier=BLS)) == FALSE
    forged = {(QUICKNET, 1000): Network("theirs").sign(1000)}
    assert outcome(judge(beacon, drand_rounds=forged, drand_verifier=BLS)) == UNCONFIRMED


def test_drand_network_that_the_policy_does_not_know() -> None:
    network = Network("ours")
    beacon = beacon_of(network.sign(5), network.chain_hash)
    assert judge(beacon, drand_verifier=BLS).code == "beacon.chain_unknown"
    known = evidence.policy(drand=[network.entry(period_s=10)])
    verdict = judge(beacon, known, drand_verifier=BLS)
    assert verdict.not_before == datetime.fromtimestamp(network.genesis + 40, UTC)
    assert judge(ROUND, evidence.policy()).code == "beacon.chain_unknown"
