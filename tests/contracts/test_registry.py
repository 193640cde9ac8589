"""What the registry promises: first one wins, nothing changes it, nobody can be shut out."""

from __future__ import annotations

import random
from typing import Any

import pytest
from web3.exceptions import Web3Exception

from anchor.formats.evm import (
    parse_evm_header,
    registry_slot,
    verify_account_proof,
    verify_registry_proof,
)
from anchor.formats.keccak import keccak256
from tests.attacks.forged_evm import header_rlp
from tests.contracts.conftest import Registry

RNG = random.Random(6962)
# Gas that the README states, as upper bounds: a compiler or code change that costs more shows here.
FIRST_GAS = 46_100
REPEAT_GAS = 24_200
DEPLOY_GAS = 120_000


def fresh() -> bytes:
    return RNG.randbytes(32)


def test_the_first_anchoring_records_time_and_block(registry: Registry) -> None:
    root = fresh()
    assert registry.anchored(root) == (0, 0)
    receipt = registry.anchor(root, 12_345)
    block = registry.web3.eth.get_block(receipt["blockNumber"])
    assert receipt["status"] == 1
    assert registry.anchored(root) == (block["timestamp"], block["number"])


def test_the_event_says_root_size_and_sender(registry: Registry) -> None:
    root = fresh()
    [event] = registry.events(registry.anchor(root, 987, sender=1))
    sender = registry.web3.eth.accounts[1]
    assert event["args"] == {"root": root, "tree_size": 987, "sender": sender}
    topic = keccak256(b"Anchored(bytes32,uint64,address)")
    [log] = registry.web3.eth.get_logs(
        {"address": registry.contract.address, "topics": [topic, root], "fromBlock": 0}
    )
    assert log["transactionHash"] == event["transactionHash"]


@pytest.mark.parametrize("sender", [0, 1])
def test_a_repeat_changes_nothing_says_nothing_and_succeeds(
    registry: Registry, sender: int
) -> None:
    root = fresh()
    registry.anchor(root, 5)
    first = registry.anchored(root)
    slot = registry.slot(registry_slot(registry.artifact["map_slot"], root))
    for tree_size in (5, 6, 0, 2**64 - 1):
        receipt = registry.anchor(root, tree_size, sender=sender)
        assert receipt["status"] == 1
        assert receipt["logs"] == []
    assert registry.anchored(root) == first
    assert registry.slot(registry_slot(registry.artifact["map_slot"], root)) == slot


def test_anchor_returns_the_first_time_to_whoever_calls_it(registry: Registry) -> None:
    root = fresh()
    registry.anchor(root)
    first = registry.anchored(root)[0]
    for _ in range(3):
        registry.anchor(fresh())
    assert registry.contract.functions.anchor(root, 1).call() == first


@pytest.mark.anvil
def test_two_in_one_block_both_succeed_and_one_is_recorded(anvil_registry: Registry) -> None:
    registry, anvil = anvil_registry, anvil_registry.anvil
    assert anvil is not None
    root = fresh()
    anvil.rpc("evm_setAutomine", False)
    try:
        digests = [
            registry.contract.functions.anchor(root, size).transact(
                {"from": registry.web3.eth.accounts[size], "gas": 100_000}
            )
            for size in (1, 2)
        ]
        anvil.mine()
    finally:
        anvil.rpc("evm_setAutomine", True)
    receipts = [registry.web3.eth.wait_for_transaction_receipt(digest) for digest in digests]
    assert receipts[0]["blockNumber"] == receipts[1]["blockNumber"]
    assert [receipt["status"] for receipt in receipts] == [1, 1]
    assert sum(len(receipt["logs"]) for receipt in receipts) == 1


@pytest.mark.parametrize("root", [bytes(32), b"\xff" * 32, bytes(31) + b"\x01"])
def test_no_root_is_special(registry: Registry, root: bytes) -> None:
    assert registry.anchored(root) == (0, 0)
    receipt = registry.anchor(root, 3)
    assert registry.anchored(root)[1] == receipt["blockNumber"]
    assert len(receipt["logs"]) == 1
    assert registry.anchor(root, 4)["logs"] == []


@pytest.mark.parametrize("tree_size", [0, 1, 2**53, 2**64 - 1])
def test_every_tree_size_fits(registry: Registry, tree_size: int) -> None:
    [event] = registry.events(registry.anchor(fresh(), tree_size))
    assert event["args"]["tree_size"] == tree_size


def test_many_roots_keep_to_their_own_slots(registry: Registry) -> None:
    roots = [fresh() for _ in range(40)]
    blocks = {root: registry.anchor(root)["blockNumber"] for root in roots}
    for root in roots:
        assert registry.anchored(root)[1] == blocks[root]
        near = bytearray(root)
        near[RNG.randrange(32)] ^= 1 << RNG.randrange(8)
        assert registry.anchored(bytes(near)) == (0, 0)


def test_storage_is_one_slot_a_root_in_the_layout_of_the_specification(registry: Registry) -> None:
    root = fresh()
    map_slot = registry.artifact["map_slot"]
    position = registry_slot(map_slot, root)
    assert registry.slot(position) == 0
    registry.anchor(root)
    time, block = registry.anchored(root)
    assert registry.slot(position) == time | block << 64
    # The next slot, the map's own and the lock's stay empty.
    after = (int.from_bytes(position, "big") + 1).to_bytes(32, "big")
    for other in (after, map_slot.to_bytes(32, "big"), bytes(32)):
        assert registry.slot(other) == 0
    # Solidity's order, key first, is not the one.
    assert registry.slot(keccak256(root + map_slot.to_bytes(32, "big"))) == 0


@pytest.mark.anvil
def test_a_storage_proof_from_a_node_says_what_the_contract_says(anvil_registry: Registry) -> None:
    registry, anvil = anvil_registry, anvil_registry.anvil
    assert anvil is not None
    root = fresh()
    registry.anchor(root)
    map_slot = registry.artifact["map_slot"]
    slot = registry_slot(map_slot, root)
    proof = anvil.rpc("eth_getProof", registry.contract.address, ["0x" + slot.hex()], "latest")
    state_root = bytes.fromhex(anvil.rpc("eth_getBlockByNumber", "latest", False)["stateRoot"][2:])
    header = parse_evm_header(header_rlp(state_root=state_root))
    nodes = [bytes.fromhex(node[2:]) for node in proof["accountProof"]]
    account = verify_account_proof(header, bytes.fromhex(registry.contract.address[2:]), nodes)
    assert account.code_hash.hex() == registry.artifact["runtime_code_hash"]
    nodes = [bytes.fromhex(node[2:]) for node in proof["storageProof"][0]["proof"]]
    record = verify_registry_proof(account, map_slot, root, nodes)
    assert (record.time, record.block_number) == registry.anchored(root)


def test_gas_stays_under_what_the_readme_says(registry: Registry) -> None:
    # Bytes other than zero cost most in call data.
    root = b"\xaa" * 28 + RNG.randbytes(4)
    first = registry.anchor(root, 2**64 - 1)["gasUsed"]
    repeat = registry.anchor(root, 2**64 - 1)["gasUsed"]
    assert 22_000 < first <= FIRST_GAS
    assert 21_000 < repeat <= REPEAT_GAS


def test_the_code_on_the_chain_is_the_artifact(registry: Registry) -> None:
    code = bytes(registry.web3.eth.get_code(registry.contract.address))
    assert code.hex() == registry.artifact["runtime_bytecode"]
    assert keccak256(code).hex() == registry.artifact["runtime_code_hash"]


def send(registry: Registry, data: bytes, value: int = 0) -> Any:
    digest = registry.web3.eth.send_transaction(
        {
            "from": registry.web3.eth.accounts[0],
            "to": registry.contract.address,
            "data": data,
            "value": value,
            "gas": 200_000,
        }
    )
    return registry.web3.eth.wait_for_transaction_receipt(digest)


REFUSED = {
    "funds and nothing else": (b"", 1),
    "nothing": (b"", 0),
    "an unknown function": (b"\xde\xad\xbe\xef" + bytes(64), 0),
    "half a selector": (b"\xdb\x2c", 0),
    "a selector alone": (keccak256(b"anchor(bytes32,uint64)")[:4], 0),
    "a root and no size": (keccak256(b"anchor(bytes32,uint64)")[:4] + bytes(32), 0),
    "a size of 2**64": (
        keccak256(b"anchor(bytes32,uint64)")[:4] + bytes([7] * 32) + (1 << 64).to_bytes(32, "big"),
        0,
    ),
    "an anchor with funds": (
        keccak256(b"anchor(bytes32,uint64)")[:4] + bytes([7] * 32) + bytes(32),
        1,
    ),
    "a question with funds": (keccak256(b"anchored(bytes32)")[:4] + bytes([7] * 32), 1),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_takes_no_funds_and_has_no_other_way_in(registry: Registry, what: str) -> None:
    data, value = REFUSED[what]
    try:
        receipt = send(registry, data, value)
    except Web3Exception:
        receipt = None  # refused when estimated or executed at once
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "eth_tester":
            raise
        receipt = None
    assert receipt is None or receipt["status"] == 0
    assert registry.web3.eth.get_balance(registry.contract.address) == 0
    assert registry.anchored(bytes([7] * 32)) == (0, 0)


def test_it_has_two_functions_and_one_event(artifact: dict[str, Any]) -> None:
    assert [(item["type"], item["name"]) for item in artifact["abi"]] == [
        ("event", "Anchored"),
        ("function", "anchor"),
        ("function", "anchored"),
    ]


def test_the_code_has_no_way_to_call_out_or_to_end(artifact: dict[str, Any]) -> None:
    """Walk the opcodes: no CALL of any kind, no CREATE, no SELFDESTRUCT; one SSTORE."""
    code = bytes.fromhex(artifact["runtime_bytecode"])
    opcodes = []
    position = 0
    while position < len(code):
        opcode = code[position]
        opcodes.append(opcode)
        position += 1 + (opcode - 0x5F if 0x60 <= opcode <= 0x7F else 0)
    assert not {0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFA, 0xFF} & set(opcodes)
    assert opcodes.count(0x55) == 1
    # No opcode that came after the Merge: it runs on every EVM chain.
    assert not {0x5C, 0x5D, 0x5E, 0x5F} & set(opcodes)


def test_deployment_costs_what_the_readme_says(registry: Registry) -> None:
    factory = registry.web3.eth.contract(
        abi=registry.artifact["abi"], bytecode=registry.artifact["bytecode"]
    )
    digest = factory.constructor().transact({"from": registry.web3.eth.accounts[0], "gas": 500_000})
    receipt = registry.web3.eth.wait_for_transaction_receipt(digest)
    assert receipt["gasUsed"] <= DEPLOY_GAS
