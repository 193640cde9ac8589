"""The cost of a tree is found without applying it, and is what applying it would have taken."""

from __future__ import annotations

import random

import pytest

from anchor.errors import FormatError
from anchor.formats.ots.attestation import PendingAttestation
from anchor.formats.ots.codec import parse_tree, serialize_tree
from anchor.formats.ots.cost import slow_digest_units
from anchor.formats.ots.op import (
    Append,
    Hexlify,
    Keccak256,
    Op,
    Prepend,
    Reverse,
    Ripemd160,
    Sha1,
    Sha256,
)
from anchor.formats.ots.timestamp import Timestamp
from anchor.limits import UNITS_PER_KECCAK_BLOCK, UNITS_PER_RIPEMD160_BLOCK

OPS: tuple[Op, ...] = (
    Append(b"a"),
    Append(b"b" * 90),
    Prepend(b"c" * 200),
    Reverse(),
    Hexlify(),
    Sha1(),
    Sha256(),
    Ripemd160(),
    Keccak256(),
)
END = PendingAttestation("https://a.example")


def line(*ops: Op) -> bytes:
    tree = Timestamp(bytes(32))
    node = tree
    for op in ops:
        node = node.add(op)
    node.attest(END)
    return serialize_tree(tree)


def taken(data: bytes) -> int:
    """Return the units by the messages that the tree really has."""
    units = 0
    for _, node in parse_tree(data, bytes(32)).walk():
        length = len(node.message)
        for op, _ in node.branches:
            if isinstance(op, Keccak256):
                units += UNITS_PER_KECCAK_BLOCK * (length // 136 + 1)
            if isinstance(op, Ripemd160):
                units += UNITS_PER_RIPEMD160_BLOCK * ((length + 8) // 64 + 1)
    return units


@pytest.mark.parametrize("seed", range(40))
def test_it_is_what_the_messages_of_the_tree_take(seed: int) -> None:
    choose = random.Random(seed)
    tree = Timestamp(bytes(32))
    nodes = [tree]
    for _ in range(60):
        node = choose.choice(nodes)
        op = choose.choice(OPS)
        if len(node.message) * 2 + len(op.argument) <= 4096:
            nodes.append(node.add(op))
    for node in nodes:
        node.attest(END)
    data = serialize_tree(tree)
    assert slow_digest_units(data, 32) == taken(data)


def test_a_block_is_paid_for_each_136_or_64_bytes() -> None:
    assert slow_digest_units(line(Sha256()), 32) == 0
    assert slow_digest_units(line(Keccak256()), 32) == UNITS_PER_KECCAK_BLOCK
    hexlified = (Hexlify(),) * 7
    assert slow_digest_units(line(*hexlified, Keccak256()), 32) == 31 * UNITS_PER_KECCAK_BLOCK
    assert slow_digest_units(line(*hexlified, Ripemd160()), 32) == 65 * UNITS_PER_RIPEMD160_BLOCK


@pytest.mark.parametrize(
    "broken",
    [
        line(Keccak256(), Sha256())[:-1],
        line(Keccak256(), Sha256())[:2],
        line(Keccak256()) + b"\0",
        b"\x67\x99",
        b"\x67" * 300,
        b"\x67" + b"\xf3" * 20,
        b"",
    ],
)
def test_what_cannot_be_read_costs_what_comes_before(broken: bytes) -> None:
    units = slow_digest_units(broken, 32)
    first = UNITS_PER_KECCAK_BLOCK if broken else 0
    assert units == (255 * first if broken.startswith(b"\x67\x67") else first)
    with pytest.raises(FormatError):
        parse_tree(broken, bytes(32))
