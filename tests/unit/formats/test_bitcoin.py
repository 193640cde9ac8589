from __future__ import annotations

import struct

import pytest

from anchor.errors import (
    AttestationError,
    FormatError,
    NonCanonicalError,
    TrailingDataError,
    TruncatedError,
)
from anchor.formats.bitcoin import (
    bits_from_target,
    display_hex,
    parse_display_hex,
    parse_header,
    target_from_bits,
    verify_header_chain,
    verify_header_work,
)

# The first three headers of the Bitcoin chain: public facts.
GENESIS = bytes.fromhex(
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac7"
    "2c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)
BLOCK_1 = bytes.fromhex(
    "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe"
    "680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299"
)
BLOCK_2 = bytes.fromhex(
    "010000004860eb18bf1b1620e37e9490fc8a427514416fd75159ab86688e9a8300000000d5fdcc541e25de1c7a5a"
    "ddedf24858b8bb665c9f36ef744ee42c316022c90f9bb0bc6649ffff001d08d2bd61"
)
GENESIS_HASH = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
GENESIS_ROOT = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"


def test_genesis() -> None:
    header = parse_header(GENESIS)
    assert display_hex(header.block_hash) == GENESIS_HASH
    assert display_hex(header.merkle_root) == GENESIS_ROOT
    assert (header.version, header.time, header.bits, header.nonce) == (
        1,
        1231006505,
        0x1D00FFFF,
        2083236893,
    )
    assert header.previous_hash == bytes(32)
    assert header.raw == GENESIS
    assert header.target == 0xFFFF << 208
    assert header.work == 0x1_0001_0001  # Bitcoin Core's chainwork of the genesis block
    verify_header_work(header)


def test_first_three_blocks_are_a_chain() -> None:
    headers = [parse_header(raw) for raw in (GENESIS, BLOCK_1, BLOCK_2)]
    assert verify_header_chain(headers) == 3 * 0x1_0001_0001
    assert verify_header_chain(headers[1:]) == 2 * 0x1_0001_0001


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2), (0, 0), (2, 1, 0)])
def test_wrong_order_is_no_chain(order: tuple[int, ...]) -> None:
    headers = [parse_header((GENESIS, BLOCK_1, BLOCK_2)[i]) for i in order]
    with pytest.raises(AttestationError) as caught:
        verify_header_chain(headers)
    assert caught.value.code == "bitcoin.linkage"


def test_empty_chain() -> None:
    with pytest.raises(FormatError):
        verify_header_chain([])


def test_every_bit_flip_loses_the_work() -> None:
    for position in range(80):
        if 72 <= position < 76:  # the target itself
            continue
        bent = bytearray(BLOCK_1)
        bent[position] ^= 1
        with pytest.raises(AttestationError) as caught:
            verify_header_work(parse_header(bytes(bent)))
        assert caught.value.code == "bitcoin.work"


def test_work_is_checked_of_every_header_of_a_chain() -> None:
    unmined = BLOCK_2[:76] + bytes(4)
    with pytest.raises(AttestationError) as caught:
        verify_header_chain([parse_header(BLOCK_1), parse_header(unmined)])
    assert caught.value.code == "bitcoin.work"


def test_length() -> None:
    for end in (0, 1, 79):
        with pytest.raises(TruncatedError):
            parse_header(GENESIS[:end])
    with pytest.raises(TrailingDataError):
        parse_header(GENESIS + b"\x00")


@pytest.mark.parametrize(
    ("bits", "target"),
    [
        # size, mantissa and shift at both ends, and targets of real blocks
        (0x01120000, 0x12),
        (0x02008000, 0x80),
        (0x05009234, 0x92340000),
        (0x04123456, 0x12345600),
        (0x1D00FFFF, 0xFFFF << 208),
        (0x1B0404CB, 0x0404CB << 192),
        (0x207FFFFF, 0x7FFFFF << 232),
        (0x170331DB, 0x0331DB << 160),
    ],
)
def test_compact_targets(bits: int, target: int) -> None:
    assert target_from_bits(bits) == target
    assert bits_from_target(target) == bits


@pytest.mark.parametrize(
    "bits",
    [0x00000000, 0x00123456, 0x01003456, 0x02000056, 0x03000000, 0x04000000, 0x20000000],
)
def test_zero_targets(bits: int) -> None:
    with pytest.raises(FormatError, match="zero"):
        target_from_bits(bits)


@pytest.mark.parametrize("bits", [0x01FEDCBA, 0x04923456, 0x1D80FFFF, 0x03800001])
def test_negative_targets(bits: int) -> None:
    with pytest.raises(FormatError, match="negative"):
        target_from_bits(bits)


@pytest.mark.parametrize("bits", [0xFF123456, 0x23000001, 0x22000100, 0x21010000, 0xFF7FFFFF])
def test_overflowing_targets(bits: int) -> None:
    with pytest.raises(FormatError, match="overflow"):
        target_from_bits(bits)


@pytest.mark.parametrize("bits", [0x01123456, 0x02123456, 0x03000001, 0x1E0000FF, 0x20000001])
def test_targets_that_are_written_otherwise(bits: int) -> None:
    with pytest.raises(NonCanonicalError):
        target_from_bits(bits)


def test_a_header_with_a_bad_target_is_not_read() -> None:
    for bits in (0, 0x1D80FFFF, 0xFF123456, 0x1E0000FF):
        raw = GENESIS[:72] + struct.pack("<I", bits) + GENESIS[76:]
        with pytest.raises(FormatError) as caught:
            parse_header(raw)
        assert caught.value.code == "bitcoin.bits"


def test_display_order() -> None:
    assert display_hex(parse_display_hex(GENESIS_HASH)) == GENESIS_HASH
    assert parse_display_hex(GENESIS_HASH)[:4] == bytes.fromhex("6fe28c0a")
    for bad in (GENESIS_HASH.upper(), GENESIS_HASH[:-1], GENESIS_HASH + "00", "0x" + GENESIS_HASH):
        with pytest.raises(FormatError):
            parse_display_hex(bad)
