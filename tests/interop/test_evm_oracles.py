"""Keccak, RLP and tries against PyPI eth-hash, rlp and trie, both ways."""

from __future__ import annotations

import random

import pytest
import rlp
from eth_utils import keccak as eth_keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from anchor.backends.evm.deployment import deploy_registry
from anchor.backends.evm.in_process_node import InProcessNode
from anchor.backends.evm.keys import EvmKey
from anchor.backends.evm.ordered_trie import ordered_trie_proof, ordered_trie_root
from anchor.backends.evm.settings import EvmAnchorSettings
from anchor.errors import FormatError
from anchor.formats.evm.transaction import index_key
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import rlp_decode, rlp_encode
from anchor.formats.trie import verify_trie_proof
from tests.parts.evm_backend import Anchorer, round_of

values = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=20))


@given(st.binary(max_size=600))
def test_keccak_agrees(data: bytes) -> None:
    assert keccak256(data) == eth_keccak(data)


@given(values)
def test_rlp_writes_the_same_bytes(value: object) -> None:
    assert rlp_encode(value) == rlp.encode(value)  # type: ignore[arg-type]


@given(st.one_of(st.binary(max_size=120), values.map(rlp.encode)))
def test_rlp_accepts_the_same_bytes(data: bytes) -> None:
    try:
        ours: object = rlp_decode(data, max_bytes=1 << 16)
    except FormatError:
        ours = FormatError
    try:
        theirs: object = rlp.decode(data, strict=True)
    except rlp.exceptions.DecodingError:
        theirs = FormatError
    assert ours == theirs


def _proof(trie: HexaryTrie, key: bytes) -> list[bytes]:
    """Return PyPI trie's proof as EIP-1186 gives it: nodes inside their parent left out."""
    nodes = [rlp.encode(node) for node in trie.get_proof(key)]
    return [node for i, node in enumerate(nodes) if i == 0 or len(node) >= 32]


@settings(max_examples=50)
@given(
    st.dictionaries(st.binary(min_size=1, max_size=6), st.binary(min_size=1, max_size=60)),
    st.lists(st.binary(min_size=1, max_size=6), max_size=5),
)
def test_tries_of_any_shape_are_read_alike(
    entries: dict[bytes, bytes], strangers: list[bytes]
) -> None:
    """Keys that are prefixes of one another too: values in branches, deep extensions."""
    trie = HexaryTrie({})
    for key, value in entries.items():
        trie[key] = value
    for key in [*list(entries)[:10], *strangers]:
        ours = verify_trie_proof(trie.root_hash, key, _proof(trie, key))
        assert ours == entries.get(key)


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 127, 128, 129, 255, 256, 257])
def test_ordered_tries_have_the_same_root_and_proofs(count: int) -> None:
    rng = random.Random(count)
    items = [
        rng.randbytes(rng.choice([1, 5, 28, 29, 30, 31, 32, 33, 110, 500])) for _ in range(count)
    ]
    trie = HexaryTrie({})
    for index, item in enumerate(items):
        trie[index_key(index)] = item
    assert ordered_trie_root(items) == trie.root_hash
    for index in rng.sample(range(count), min(count, 12)):
        proof = ordered_trie_proof(items, index)
        assert list(proof.nodes) == _proof(trie, index_key(index))
        nodes = [rlp.decode(node) for node in proof.nodes]
        found = HexaryTrie.get_from_proof(trie.root_hash, index_key(index), nodes)
        assert found == items[index]


def test_a_state_of_a_thousand_accounts_is_proven_both_ways() -> None:
    rng = random.Random(7)
    trie = HexaryTrie({})
    accounts = {rng.randbytes(20): rng.randbytes(70) for _ in range(1000)}
    for address, value in accounts.items():
        trie[eth_keccak(address)] = value
    for address in rng.sample(sorted(accounts), 25):
        key = keccak256(address)
        assert verify_trie_proof(trie.root_hash, key, _proof(trie, key)) == accounts[address]
    for _ in range(25):
        key = keccak256(rng.randbytes(20))
        assert verify_trie_proof(trie.root_hash, key, _proof(trie, key)) is None


def test_the_evidence_of_a_round_is_evidence_to_the_other_libraries() -> None:
    """Headers hash, and each proof leads where it says, by PyPI rlp and trie alone."""
    node = InProcessNode()
    key = EvmKey(node.funded_key())
    contract = deploy_registry(node, key).address
    settings = EvmAnchorSettings(chain_id=node.fetch_chain_id(), contract=contract)
    root_hash = bytes(range(100, 132))
    [attestation] = Anchorer(node, key, settings).run(round_of(root_hash)).attestations

    def opened(part: str) -> tuple[list[bytes], bytes]:
        raw = bytes.fromhex(attestation[part]["header"])
        return rlp.decode(raw), eth_keccak(raw)

    def proven(trie_root: bytes, key: bytes, nodes: list[str]) -> bytes:
        decoded = [rlp.decode(bytes.fromhex(node)) for node in nodes]
        return bytes(HexaryTrie.get_from_proof(trie_root, key, decoded))

    newest = node.fetch_header("latest")
    assert newest is not None
    header, block_hash = opened("transaction")
    assert block_hash == newest.block_hash
    index = rlp.encode(attestation["transaction"]["index"])
    transaction = proven(header[4], index, attestation["transaction"]["proof"])
    assert eth_keccak(transaction).hex() == attestation["transaction_hash"]
    assert root_hash in transaction
    header, _ = opened("receipt")
    receipt = proven(header[5], index, attestation["receipt"]["proof"])
    status, _, _, [[address, [topic, anchored_root], _]] = rlp.decode(receipt[1:])
    assert (status, address, anchored_root) == (b"\x01", contract, root_hash)
    assert topic == eth_keccak(text="Anchored(bytes32,uint64,address)")
    header, _ = opened("storage")
    state = attestation["storage"]
    account = rlp.decode(proven(header[3], eth_keccak(contract), state["account_proof"]))
    slot = eth_keccak(bytes(32) + root_hash)
    word = rlp.decode(proven(account[2], eth_keccak(slot), state["storage_proof"]))
    block_number, unix_time = divmod(int.from_bytes(word, "big"), 1 << 64)
    assert (unix_time, block_number) == (newest.time, newest.number)
