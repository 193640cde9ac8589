"""RLP, tries and EVM evidence under arbitrary and mutated bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from anchor.backends.evm.ordered_trie import ordered_trie_proof
from anchor.errors import AttestationError, FormatError
from anchor.formats.evm import (
    EvmHeader,
    parse_evm_header,
    parse_evm_receipt,
    parse_evm_transaction,
    verify_account_proof,
    verify_registry_proof,
    verify_transaction_proof,
)
from anchor.formats.evm.transaction import index_key
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import rlp_decode, rlp_encode
from anchor.formats.trie import verify_trie_proof
from tests.attacks.forged_evm import forge_state, header_rlp

values = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=20))
ROOT = bytes(range(32))
ADDRESS = bytes(range(20))


def decode(data: bytes) -> Any:
    return rlp_decode(data, max_bytes=1 << 20)


@given(values)
def test_rlp_both_ways(value: Any) -> None:
    assert decode(rlp_encode(value)) == value


@given(st.binary(max_size=200))
def test_what_decodes_is_written_back_the_same(data: bytes) -> None:
    try:
        value = decode(data)
    except FormatError:
        return
    assert rlp_encode(value) == data


@given(values, st.data())
def test_a_value_has_one_encoding(value: Any, data: st.DataObject) -> None:
    """No other bytes near an encoding decode to the same value."""
    encoded = bytearray(rlp_encode(value))
    position = data.draw(st.integers(0, len(encoded) - 1))
    change = data.draw(st.sampled_from(["flip", "insert", "delete"]))
    if change == "flip":
        encoded[position] ^= data.draw(st.integers(1, 255))
    elif change == "insert":
        encoded.insert(position, data.draw(st.integers(0, 255)))
    else:
        del encoded[position]
    assume(bytes(encoded) != rlp_encode(value))
    with contextlib.suppress(FormatError):
        assert decode(bytes(encoded)) != value


PARSERS: list[Callable[[bytes], object]] = [
    parse_evm_header,
    parse_evm_transaction,
    parse_evm_receipt,
]
structured = st.one_of(
    st.binary(max_size=300),
    values.map(rlp_encode),
    st.builds(lambda kind, value: bytes((kind,)) + rlp_encode(value), st.integers(0, 255), values),
)


@pytest.mark.parametrize("parse", PARSERS)
@given(data=structured)
def test_parsers_raise_format_errors_and_nothing_else(
    parse: Callable[[bytes], object], data: bytes
) -> None:
    with contextlib.suppress(FormatError):
        parse(data)


@given(
    st.lists(structured, max_size=5),
    st.binary(max_size=32),
    st.binary(min_size=32, max_size=32),
    st.booleans(),
)
def test_trie_proofs_raise_two_kinds_of_error(
    nodes: list[bytes], key: bytes, root: bytes, starts_right: bool
) -> None:
    if starts_right and nodes:
        root = keccak256(nodes[0])
    with contextlib.suppress(FormatError, AttestationError):
        verify_trie_proof(root, key, nodes)


@settings(max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=120), min_size=1, max_size=140), st.data())
def test_ordered_tries_prove_each_item_and_nothing_changed(
    items: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(items) - 1))
    proof = ordered_trie_proof(items, index)
    assert verify_trie_proof(proof.root_hash, index_key(index), proof.nodes) == items[index]
    nodes = list(proof.nodes)
    number = data.draw(st.integers(0, len(nodes) - 1))
    change = data.draw(st.sampled_from(["flip", "drop", "cut", "pad", "repeat"]))
    if change == "flip":
        position = data.draw(st.integers(0, len(nodes[number]) - 1))
        changed = bytearray(nodes[number])
        changed[position] ^= data.draw(st.integers(1, 255))
        nodes[number] = bytes(changed)
    elif change == "drop":
        del nodes[number]
    elif change == "cut":
        nodes[number] = nodes[number][:-1]
    elif change == "pad":
        nodes[number] += b"\0"
    else:
        nodes.insert(number, nodes[number])
    with pytest.raises((FormatError, AttestationError)):
        verify_trie_proof(proof.root_hash, index_key(index), nodes)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_header_is_another_block(position: int, flip: int) -> None:
    raw = bytearray(header_rlp())
    raw[position % len(raw)] ^= flip
    original = parse_evm_header(header_rlp())
    try:
        changed = parse_evm_header(bytes(raw))
    except FormatError:
        return
    assert changed.block_hash != original.block_hash


def _verify_state(header: EvmHeader, account_proof: list[bytes], storage_proof: list[bytes]) -> int:
    account = verify_account_proof(header, ADDRESS, account_proof)
    return verify_registry_proof(account, 0, ROOT, storage_proof).time


@given(st.integers(0, 2**64 - 1), st.integers(1, 255), st.booleans())
def test_a_changed_state_proof_never_verifies(position: int, flip: int, storage: bool) -> None:
    forged = forge_state(ROOT, ADDRESS, bytes(32))
    header = parse_evm_header(forged.header)
    proofs = {False: bytearray(forged.account_proof[0]), True: bytearray(forged.storage_proof[0])}
    proofs[storage][position % len(proofs[storage])] ^= flip
    with pytest.raises((FormatError, AttestationError)):
        _verify_state(header, [bytes(proofs[False])], [bytes(proofs[True])])


@given(st.integers(0, 2**64 - 1), st.lists(structured, max_size=3))
def test_no_arbitrary_nodes_are_a_transaction(index: int, nodes: list[bytes]) -> None:
    with pytest.raises((FormatError, AttestationError)):
        verify_transaction_proof(parse_evm_header(header_rlp()), index, nodes)
