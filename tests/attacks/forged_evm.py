"""Forges evidence of an EVM chain: a header of 2020, an account and a slot, from nothing.

Since the Merge a header costs nothing to write. The one made here names a state root over a trie
with a single account, whose storage has a single slot, which says that the registry had the root
hash in 2020. Every proof in it is genuine; only the header is no chain's. Whoever judges it must
answer ``not_checked``, unless the policy pins that very block.

Run as a program it prints the attestation: ``python -m tests.attacks.forged_evm ROOT_HASH_HEX``.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

from anchor.formats.evm import registry_slot
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import rlp_encode, rlp_integer
from anchor.formats.trie import EMPTY_TRIE_ROOT

FORGED_TIME = 1_577_836_800  # 2020-01-01T00:00:00Z
FORGED_BLOCK = 9_193_266


def leaf_node(path: bytes, value: bytes) -> bytes:
    """Return the only node of a trie that holds one value under a key of whole bytes."""
    return rlp_encode([b"\x20" + path, value])


def header_rlp(
    *,
    number: int = FORGED_BLOCK,
    time: int = FORGED_TIME,
    state_root: bytes = EMPTY_TRIE_ROOT,
    transactions_root: bytes = EMPTY_TRIE_ROOT,
    receipts_root: bytes = EMPTY_TRIE_ROOT,
    extra_fields: tuple[Any, ...] = (),
) -> bytes:
    """Return a header with the fifteen fields that every reader wants, and nothing true in it."""
    return rlp_encode(
        [
            bytes(32),
            bytes(32),
            bytes(20),
            state_root,
            transactions_root,
            receipts_root,
            bytes(256),
            b"",
            rlp_integer(number),
            rlp_integer(30_000_000),
            b"",
            rlp_integer(time),
            b"",
            bytes(32),
            bytes(8),
            *extra_fields,
        ]
    )


@dataclass(frozen=True)
class ForgedState:
    """The header and the two proofs, as bytes."""

    header: bytes
    account_proof: list[bytes]
    storage_proof: list[bytes]


def forge_state(
    root_hash: bytes,
    address: bytes,
    code_hash: bytes,
    *,
    map_slot: int = 0,
    time: int = FORGED_TIME,
    block_number: int = FORGED_BLOCK,
) -> ForgedState:
    """Return a state in which the registry at ``address`` had ``root_hash`` at ``time``."""
    slot_path = keccak256(registry_slot(map_slot, root_hash))
    storage = leaf_node(slot_path, rlp_encode(rlp_integer(time | block_number << 64)))
    account = rlp_encode([b"\x01", b"", keccak256(storage), code_hash])
    state = leaf_node(keccak256(address), account)
    header = header_rlp(number=block_number, time=time, state_root=keccak256(state))
    return ForgedState(header, [state], [storage])


def forge_attestation(
    root_hash: bytes,
    *,
    chain_id: int = 1,
    contract: bytes = bytes.fromhex("c0ffee") * 6 + b"\0\0",
    code_hash: bytes = bytes(32),
    map_slot: int = 0,
) -> dict[str, Any]:
    """Return a whole ``evm`` attestation: forged transaction, receipt and storage proofs.

    Args:
        root_hash: what it claims to have been there in 2020.
        chain_id: the chain that it claims to come from.
        contract: 20 bytes; a policy's true registry makes the claim as strong as it gets.
        code_hash: 32 bytes; the policy's true code hash, for the same reason.
        map_slot: the policy's.
    """
    transaction = rlp_encode(
        [b"", b"\x01", b"\x01", contract, b"", b"\0\0\0\0" + root_hash, b"\x25", b"\x01", b"\x01"]
    )
    log = [contract, [keccak256(b"Anchored(bytes32,uint64,address)"), root_hash], bytes(64)]
    receipt = rlp_encode([b"\x01", b"\x52\x08", bytes(256), [log]])
    # The only item of a block: key 0x80 is the path, behind the leaf's flag.
    transaction_leaf = leaf_node(b"\x80", transaction)
    receipt_leaf = leaf_node(b"\x80", receipt)
    state = forge_state(root_hash, contract, code_hash, map_slot=map_slot)
    block = header_rlp(
        transactions_root=keccak256(transaction_leaf), receipts_root=keccak256(receipt_leaf)
    )
    return {
        "kind": "evm",
        "root_hash": root_hash.hex(),
        "chain_id": chain_id,
        "contract": contract.hex(),
        "transaction_hash": keccak256(transaction).hex(),
        "transaction": {"header": block.hex(), "index": 0, "proof": [transaction_leaf.hex()]},
        "receipt": {"header": block.hex(), "index": 0, "proof": [receipt_leaf.hex()]},
        "storage": {
            "header": state.header.hex(),
            "account_proof": [node.hex() for node in state.account_proof],
            "storage_proof": [node.hex() for node in state.storage_proof],
        },
    }


if __name__ == "__main__":
    print(json.dumps(forge_attestation(bytes.fromhex(sys.argv[1])), indent=1))
