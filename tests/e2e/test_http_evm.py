"""``vestige serve`` with an EVM node: a registry deployed once, rounds anchored, a proof judged."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from anchor.backends.evm.keys import parse_private_key
from anchor.proof.codec import parse_proof
from anchor.proof.policy import parse_policy
from anchor.verify import ConfirmedBlock, Judge, KnownFacts
from tests.e2e.http_service import HTTP, digest, process
from tests.parts.anvil import running_anvil

pytestmark = pytest.mark.anvil

KEY = "5f" * 32


@pytest.fixture
def anvil(require):
    with running_anvil(require) as node:
        node.fund(parse_private_key(KEY).address, 10**20)
        yield node


def flags(anvil):
    return (
        f"--evm-rpc-url={anvil.url}",
        "--evm-interval-s=1",
        "--evm-min-gap-s=0",
        "--evm-poll-s=0.1",
        "--evm-confirmations=3",
        "--evm-contract=deploy",
    )


def backend_of(url):
    backends = HTTP.get(f"{url}/v1/status").json()["anchoring"]["backends"]
    (found,) = [b for b in backends if b["family"] == "evm"]
    return found


def wait_final(url, anvil, tree_size):
    for _ in range(300):
        final = backend_of(url)["last_final"]
        if final is not None and final["tree_size"] >= tree_size:
            return
        anvil.mine(10)
        time.sleep(0.1)
    raise AssertionError(backend_of(url))


def test_a_digest_is_anchored_and_the_registry_is_remembered(anvil, tmp_path):
    with process(tmp_path, *flags(anvil), VESTIGE_EVM_PRIVATE_KEY=KEY) as running:
        HTTP.post(f"{running.url}/v1/digests", json={"digests": [digest(1).hex()]})
        wait_final(running.url, anvil, 1)
        contract = backend_of(running.url)["health"]["detail"]["contract"]
        standing = HTTP.get(f"{running.url}/v1/digests/{digest(1).hex()}").json()
        (anchor,) = standing["anchors"]
        assert (anchor["backend"], anchor["phase"]) == ("evm:31337", "final")
        assert len(anchor["transaction_hash"]) == 64
        assert standing["state"] == "final"
        beacon = HTTP.get(f"{running.url}/v1/beacon").json()["beacons"]["evm:31337"]
        assert len(beacon["block_hash"]) == 64
        proof = parse_proof(HTTP.get(f"{running.url}/v1/digests/{digest(1).hex()}/proof").content)
        assert running.stop() == 0
    assert KEY not in (tmp_path / "serve.log").read_text()
    assert_verified(proof, anvil, contract)

    # Started again without `deploy`, and without the chain's id: both are remembered.
    later = [flag for flag in flags(anvil) if "contract" not in flag]
    with process(tmp_path, *later, VESTIGE_EVM_PRIVATE_KEY=KEY) as running:
        assert backend_of(running.url)["health"]["detail"]["contract"] == contract
        HTTP.post(f"{running.url}/v1/digests", json={"digests": [digest(2).hex()]})
        wait_final(running.url, anvil, 2)


def assert_verified(proof, anvil, contract):
    """Judge the proof offline, with the blocks that the node says are on its chain."""
    from anchor.formats.evm import parse_evm_header

    (row,) = [a for a in proof.attestations if a.kind == "evm"]
    assert row.contract.hex() == contract
    known = {}
    for part in (row.transaction, row.receipt, row.storage):
        if part is not None:
            header = parse_evm_header(part.header)
            block = anvil.rpc("eth_getBlockByNumber", hex(header.number), False)
            assert block["hash"] == "0x" + header.block_hash.hex()
            known[(31337, header.number)] = ConfirmedBlock(header.block_hash, "the test's node")
    policy = {
        "version": 1,
        "name": "evm test",
        "class": "test",
        "chains": [{"chain_id": 31337, "name": "anvil", "class": "test", "headline": True}],
    }
    judge = Judge(
        parse_policy(json.dumps(policy).encode()),
        now=datetime.now(UTC),
        known=KnownFacts(evm=known),
    )
    verdict = judge.verify_proof(proof)
    assert verdict.status == "verified", verdict.reason


def test_a_node_that_is_away_is_an_alarm_and_stops_nothing(anvil, tmp_path):
    with process(tmp_path, *flags(anvil), VESTIGE_EVM_PRIVATE_KEY=KEY) as running:
        HTTP.post(f"{running.url}/v1/digests", json={"digests": [digest(1).hex()]})
        wait_final(running.url, anvil, 1)
        anvil.stop()
        HTTP.post(f"{running.url}/v1/digests", json={"digests": [digest(2).hex()]})
        for _ in range(300):
            found = backend_of(running.url)
            if found["last_error"]:
                break
            time.sleep(0.05)
        assert found["last_error"]
        assert anvil.url not in json.dumps(found)
        assert HTTP.get(f"{running.url}/readyz").status_code == 200
        assert running.stop() == 0
