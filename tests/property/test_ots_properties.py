"""Whatever bytes come, the OpenTimestamps and Bitcoin readers raise FormatError or nothing."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import FormatError
from anchor.formats.bitcoin import bits_from_target, parse_header, target_from_bits
from anchor.formats.ots.attestation import (
    UnknownAttestation,
    read_attestation,
    serialize_attestation,
)
from anchor.formats.ots.codec import (
    MAGIC,
    DetachedTimestamp,
    parse_detached,
    parse_tree,
    serialize_detached,
    serialize_tree,
)
from anchor.formats.ots.op import Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.formats.ots.wire import Reader, varuint
from tests.strategies.ots import attestations, trees

BLOCK_7 = bytes.fromhex("000588960d73d719010107")
PIECES = [b"\xff", b"\x00", b"\x08", b"\x02", b"\xf0\x01x", b"\xf3", BLOCK_7]


def facts(tree: Timestamp) -> set:
    return {(path.ops, path.message, path.attestation) for path in tree.paths()}


@given(st.binary(max_size=200), st.binary(max_size=80))
def test_any_bytes_as_a_tree(data: bytes, message: bytes) -> None:
    with contextlib.suppress(FormatError):
        parse_tree(data, message)


@given(st.binary(max_size=200))
def test_any_bytes_as_a_file(data: bytes) -> None:
    for candidate in (data, MAGIC + data, MAGIC + b"\x01\x08" + bytes(32) + data):
        with contextlib.suppress(FormatError):
            parse_detached(candidate)


@given(st.lists(st.sampled_from(PIECES), max_size=400))
def test_runs_of_valid_pieces(pieces: list[bytes]) -> None:
    with contextlib.suppress(FormatError):
        tree = parse_tree(b"".join(pieces), b"m")
        assert facts(parse_tree(serialize_tree(tree), b"m")) == facts(tree)


@given(st.binary(max_size=64))
def test_any_bytes_as_an_attestation(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        read_attestation(Reader(data))


@given(trees())
def test_tree_round_trip(tree: Timestamp) -> None:
    written = serialize_tree(tree)
    again = parse_tree(written, tree.message)
    assert facts(again) == facts(tree)
    assert serialize_tree(again) == written


@given(st.data())
def test_file_round_trip(data: st.DataObject) -> None:
    digest = data.draw(st.binary(min_size=32, max_size=32))
    tree = data.draw(trees(message=digest))
    written = serialize_detached(DetachedTimestamp(Sha256(), digest, tree))
    stamp = parse_detached(written)
    assert stamp.canonical
    assert (stamp.file_op, stamp.file_digest) == (Sha256(), digest)
    assert facts(stamp.tree) == facts(tree)


@given(trees(max_nodes=6), st.data())
def test_one_changed_byte_never_reads_as_the_same_tree(
    tree: Timestamp, data: st.DataObject
) -> None:
    written = bytearray(serialize_tree(tree))
    position = data.draw(st.integers(0, len(written) - 1))
    written[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(FormatError):
        changed = parse_tree(bytes(written), tree.message)
        if serialize_tree(changed) == written:
            assert facts(changed) != facts(tree)


@given(st.data())
def test_merge_is_the_union_in_either_order(data: st.DataObject) -> None:
    message = data.draw(st.binary(min_size=1, max_size=40))
    one, two = data.draw(trees(message=message)), data.draw(trees(message=message))
    both, other_way = Timestamp(message), Timestamp(message)
    for tree in (one, two):
        both.merge(tree)
    for tree in (two, one):
        other_way.merge(tree)
    assert facts(both) == facts(one) | facts(two)
    assert serialize_tree(both) == serialize_tree(other_way)


@given(attestations())
def test_attestation_round_trip(attestation) -> None:
    assert read_attestation(Reader(serialize_attestation(attestation))) == attestation


@given(st.binary(min_size=8, max_size=8), st.binary(max_size=50))
def test_unknown_attestations_take_any_payload(tag: bytes, payload: bytes) -> None:
    with contextlib.suppress(FormatError):
        attestation = UnknownAttestation(tag, payload)
        assert read_attestation(Reader(serialize_attestation(attestation))) == attestation


@given(st.integers(0, 2**63 - 1))
def test_numbers(value: int) -> None:
    reader = Reader(varuint(value))
    assert reader.varuint("n") == value
    reader.finish("n")
    assert len(varuint(value)) == max(1, -(-value.bit_length() // 7))


@pytest.mark.parametrize("value", [-1, 2**63])
def test_numbers_out_of_range(value: int) -> None:
    with pytest.raises(FormatError):
        varuint(value)


@given(st.binary(max_size=120))
def test_any_bytes_as_a_header(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        parse_header(data)


@given(st.binary(min_size=80, max_size=80))
def test_any_eighty_bytes_as_a_header(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        header = parse_header(data)
        assert 0 < header.target < 2**256
        assert header.work >= 1
        assert header.raw == data
        assert header.block_hash == hashlib.sha256(hashlib.sha256(data).digest()).digest()


@given(st.integers(0, 2**32 - 1))
def test_compact_target_is_read_in_one_form_only(bits: int) -> None:
    with contextlib.suppress(FormatError):
        assert bits_from_target(target_from_bits(bits)) == bits


@given(st.integers(1, 2**256 - 1))
def test_every_target_has_a_compact_form(target: int) -> None:
    rounded = target_from_bits(bits_from_target(target))
    assert rounded <= target
    assert target - rounded < max(1, target >> 15)
