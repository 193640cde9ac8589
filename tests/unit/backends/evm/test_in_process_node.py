"""The chain in this process."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from anchor.backends.evm.deployment import deploy_registry
from anchor.backends.evm.in_process_node import InProcessNode
from anchor.backends.evm.keys import EvmKey
from anchor.backends.evm.registry_contract import (
    anchor_call_data,
    check_registry,
    fetch_record,
    registry_artifact,
)
from anchor.errors import BackendRejectedError, BackendUnavailableError
from anchor.formats.evm import verify_account_proof, verify_storage_proof
from anchor.formats.keccak import keccak256

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def node() -> InProcessNode:
    return InProcessNode(unix_time=lambda: 4_000_000_000.0)


def test_blocks_follow_the_clock_and_always_their_parent(node: InProcessNode) -> None:
    node.mine(3)
    headers = [node.fetch_header(number) for number in range(1, 4)]
    times = [header.time for header in headers if header is not None]
    assert times == [4_000_000_000, 4_000_000_001, 4_000_000_002]
    for parent, header in itertools.pairwise(headers):
        assert header is not None
        assert parent is not None
        assert header.parent_hash == parent.block_hash


def test_blocks_that_are_not_there(node: InProcessNode) -> None:
    assert node.fetch_header(10_000) is None
    assert node.fetch_header(-1) is None
    assert node.fetch_place(bytes(32)) is None
    assert node.fetch_log_transactions(bytes(20), (), 10_000) == []


def test_the_registry_is_deployed_and_answers(node: InProcessNode) -> None:
    key = EvmKey(node.funded_key())
    deployment = deploy_registry(node, key)
    assert keccak256(node.fetch_code(deployment.address)) == registry_artifact().code_hash
    place = node.fetch_place(deployment.transaction_hash)
    assert place is not None
    assert place.block_number == deployment.block_number
    assert fetch_record(node, deployment.address, bytes(32)) is None
    # Each one is another contract.
    assert deploy_registry(node, key).address != deployment.address


def test_what_is_no_registry(node: InProcessNode) -> None:
    with pytest.raises(BackendUnavailableError):
        check_registry(node, bytes(20))
    with pytest.raises(BackendRejectedError):
        node.estimate_gas(
            EvmKey(node.funded_key()).address,
            deploy_registry(node, EvmKey(node.funded_key())).address,
            anchor_call_data(bytes(32), 1)[:-1],
        )


def test_state_is_proven_for_accounts_slots_and_their_absence(node: InProcessNode) -> None:
    address = deploy_registry(node, EvmKey(node.funded_key())).address
    header = node.fetch_header("latest")
    assert header is not None
    proof = node.fetch_state_proof(header, address, bytes(32))
    account = verify_account_proof(header, address, proof.account_nodes)
    assert verify_storage_proof(account, bytes(32), proof.storage_nodes) == 0


def test_the_recursion_limit_stays_as_it_was() -> None:
    """Checked in a process of its own: here another import may have raised it already."""
    program = (
        "import sys; limit = sys.getrecursionlimit()\n"
        "from anchor.backends.evm.in_process_node import InProcessNode\n"
        "InProcessNode().mine(1)\n"
        "assert sys.getrecursionlimit() == limit, sys.getrecursionlimit()"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
