from __future__ import annotations

import hashlib

import pytest

from anchor.errors import (
    FormatError,
    LimitExceededError,
    TrailingDataError,
    TruncatedError,
    UnsupportedVersionError,
)
from anchor.formats.ots.attestation import (
    BitcoinAttestation,
    PendingAttestation,
    UnknownAttestation,
)
from anchor.formats.ots.codec import (
    MAGIC,
    DetachedTimestamp,
    parse_detached,
    parse_tree,
    serialize_detached,
    serialize_tree,
)
from anchor.formats.ots.op import Append, Keccak256, Prepend, Sha1, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.limits import MAX_OTS_BYTES, MAX_OTS_OPERATIONS

DIGEST = hashlib.sha256(b"file").digest()
PENDING = bytes.fromhex("0083dfe30d2ef90c8e0403") + b"a.b"
BLOCK_7 = bytes.fromhex("000588960d73d719010107")
BLOCK_9 = bytes.fromhex("000588960d73d719010109")


def detached(tree: bytes, digest: bytes = DIGEST, file_op: bytes = b"\x08") -> bytes:
    return MAGIC + b"\x01" + file_op + digest + tree


def found(tree: Timestamp) -> list[tuple[list[str], object]]:
    return [([str(op) for op in path.ops], path.attestation) for path in tree.paths()]


def test_one_attestation() -> None:
    tree = parse_tree(PENDING, b"m")
    assert tree.attestations == (PendingAttestation("a.b"),)
    assert serialize_tree(tree) == PENDING


def test_every_item_but_the_last_is_marked() -> None:
    tree = Timestamp(b"m")
    tree.attest(PendingAttestation("a.b"))
    tree.attest(BitcoinAttestation(7))
    tree.add(Sha256()).attest(BitcoinAttestation(9))
    tree.add(Append(b"x")).attest(BitcoinAttestation(9))
    written = b"\xff" + BLOCK_7 + b"\xff" + PENDING
    written += b"\xff\x08" + BLOCK_9 + b"\xf0\x01x" + BLOCK_9
    assert serialize_tree(tree) == written
    assert found(parse_tree(written, b"m")) == found(tree)


def test_same_operation_twice_is_joined_and_said_to_be_foreign() -> None:
    twice = b"\xff\x08" + BLOCK_7 + b"\x08" + BLOCK_9
    stamp = parse_detached(detached(twice))
    assert found(stamp.tree) == [
        (["sha256"], BitcoinAttestation(7)),
        (["sha256"], BitcoinAttestation(9)),
    ]
    assert not stamp.canonical
    joined = serialize_detached(stamp)
    assert joined == detached(b"\x08\xff" + BLOCK_7 + BLOCK_9)
    assert parse_detached(joined).canonical


@pytest.mark.parametrize(
    "tree",
    [
        b"\xff" + PENDING + BLOCK_7,  # tags out of order
        b"\xff\x08" + BLOCK_7 + BLOCK_9,  # an operation before an attestation
        b"\xff\xf0\x01x" + BLOCK_7 + b"\x08" + BLOCK_7,  # operations out of order
        b"\xff" + BLOCK_7 + BLOCK_7,  # the same attestation twice
        b"\xf0\x81\x00x" + BLOCK_7,  # a length with a needless zero group
    ],
)
def test_other_spellings_are_read_and_said_to_be_foreign(tree: bytes) -> None:
    stamp = parse_detached(detached(tree))
    assert not stamp.canonical
    again = parse_detached(serialize_detached(stamp))
    assert again.canonical
    assert found(again.tree) == found(stamp.tree)


def test_unknown_attestation_is_kept_byte_for_byte() -> None:
    opaque = b"\x00" + bytes(range(8)) + b"\x03\xff\x00\xff"
    stamp = parse_detached(detached(opaque))
    assert stamp.tree.attestations == (UnknownAttestation(bytes(range(8)), b"\xff\x00\xff"),)
    assert serialize_detached(stamp) == detached(opaque)


@pytest.mark.parametrize("tag", [0x01, 0x04, 0x09, 0x66, 0xEF, 0xF4, 0xFE])
def test_unknown_operation(tag: int) -> None:
    with pytest.raises(FormatError, match=f"0x{tag:02x}") as caught:
        parse_tree(bytes([tag]) + PENDING, b"m")
    assert caught.value.code == "ots.unknown_op"


def test_marker_twice_is_no_item() -> None:
    with pytest.raises(FormatError, match="0xff"):
        parse_tree(b"\xff\xff" + PENDING + PENDING, b"m")


def test_255_nested_operations_and_no_more() -> None:
    deepest = b"\x08" * 255 + BLOCK_7
    assert parse_tree(deepest, b"m").depth == 255
    assert serialize_tree(parse_tree(deepest, b"m")) == deepest
    for too_deep in (b"\x08" * 256 + BLOCK_7, b"\x08" * 10_000 + BLOCK_7, b"\x08" * 10_000):
        with pytest.raises(LimitExceededError) as caught:
            parse_tree(too_deep, b"m")
        assert caught.value.code == "ots.too_deep"
        with pytest.raises(LimitExceededError):
            parse_detached(detached(too_deep))


def test_depth_is_counted_on_every_branch() -> None:
    wide = b"".join(b"\xff\xf0\x01" + bytes([n]) + b"\x08" * 254 + BLOCK_7 for n in range(20))
    assert parse_tree(wide + BLOCK_7, b"m").depth == 255
    with pytest.raises(LimitExceededError):
        parse_tree(wide + b"\xf1\x01a" + b"\x08" * 255 + BLOCK_7, b"m")


def test_writer_refuses_256_nested_operations() -> None:
    tree = node = Timestamp(b"m")
    for _ in range(256):
        node = node.add(Sha256())
    node.attest(BitcoinAttestation(1))
    with pytest.raises(LimitExceededError) as caught:
        serialize_tree(tree)
    assert caught.value.code == "ots.too_deep"
    assert "256" in caught.value.message


def test_writer_refuses_a_node_that_leads_nowhere() -> None:
    tree = Timestamp(b"m")
    tree.attest(BitcoinAttestation(1))
    tree.add(Sha256())
    with pytest.raises(FormatError) as caught:
        serialize_tree(tree)
    assert caught.value.code == "ots.empty"


def test_number_of_operations_is_bounded() -> None:
    one = b"\xff\xf0\x02%s" + BLOCK_7
    many = b"".join(one.replace(b"%s", n.to_bytes(2, "big")) for n in range(MAX_OTS_OPERATIONS + 1))
    with pytest.raises(LimitExceededError) as caught:
        parse_tree(many + BLOCK_7, b"m")
    assert caught.value.code == "ots.operations"


def test_work_is_bounded_and_refused_early() -> None:
    # Ten bytes an item, each of which makes a message of 4 KiB.
    grown = b"\xf0\xf8\x1f" + bytes(4088)
    items = b"".join(b"\xff\xf0\x02" + n.to_bytes(2, "big") + BLOCK_7 for n in range(4_000))
    with pytest.raises(LimitExceededError) as caught:
        parse_tree(grown + items + BLOCK_7, b"m")
    assert caught.value.code == "ots.work"


@pytest.mark.parametrize("slow_op", [b"\x03", b"\x67"])
def test_slow_digests_have_a_smaller_budget(slow_op: bytes) -> None:
    grown = b"\xf0\xf0\x1f" + bytes(4080)
    items = b"".join(b"\xff\xf0\x01" + bytes([n]) + slow_op + BLOCK_7 for n in range(17))
    with pytest.raises(LimitExceededError) as caught:
        parse_tree(grown + items + BLOCK_7, b"m")
    assert caught.value.code == "ots.work"
    few = b"".join(b"\xff\xf0\x01" + bytes([n]) + slow_op + BLOCK_7 for n in range(15))
    assert len(list(parse_tree(grown + few + BLOCK_7, b"m").paths())) == 16


def test_message_limits() -> None:
    with pytest.raises(LimitExceededError):
        parse_tree(PENDING, b"")
    with pytest.raises(LimitExceededError):
        parse_tree(PENDING, bytes(4097))
    with pytest.raises(LimitExceededError):
        parse_tree(b"\xf0\x01x" + PENDING, bytes(4096))
    with pytest.raises(LimitExceededError):
        parse_tree(b"\xf0\x00" + PENDING, b"m")


def test_every_truncation_is_refused() -> None:
    whole = detached(b"\xff" + PENDING + b"\xf0\x03abc\x08" + BLOCK_7)
    assert parse_detached(whole).canonical
    for end in range(len(whole)):
        with pytest.raises(FormatError):
            parse_detached(whole[:end])


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(TrailingDataError):
        parse_detached(detached(PENDING) + b"\x00")
    with pytest.raises(TrailingDataError):
        parse_tree(PENDING + b"\xff", b"m")


def test_endless_number() -> None:
    with pytest.raises(LimitExceededError):
        parse_tree(b"\xf0" + b"\x80" * 50, b"m")
    with pytest.raises(LimitExceededError):
        parse_tree(bytes.fromhex("000588960d73d71901") + b"\x0a" + b"\xff" * 9 + b"\x7f", b"m")
    with pytest.raises(TruncatedError):
        parse_tree(b"\xf0" + b"\x80" * 5, b"m")


def test_size_limit() -> None:
    with pytest.raises(LimitExceededError):
        parse_detached(bytes(MAX_OTS_BYTES + 1))
    with pytest.raises(LimitExceededError):
        parse_tree(bytes(MAX_OTS_BYTES + 1), b"m")


def test_magic_and_version() -> None:
    whole = detached(PENDING)
    for position in range(len(MAGIC)):
        bent = bytearray(whole)
        bent[position] ^= 1
        with pytest.raises(FormatError) as caught:
            parse_detached(bytes(bent))
        assert caught.value.code == "ots.magic"
    with pytest.raises(UnsupportedVersionError, match="version 2"):
        parse_detached(MAGIC + b"\x02" + whole[len(MAGIC) + 1 :])


@pytest.mark.parametrize("file_op", [0x67, 0xF0, 0xF3, 0x00, 0x05])
def test_file_operation(file_op: int) -> None:
    with pytest.raises(FormatError):
        parse_detached(detached(PENDING, file_op=bytes([file_op])))


def test_sha1_file_has_a_digest_of_twenty_bytes() -> None:
    stamp = parse_detached(detached(PENDING, digest=bytes(20), file_op=b"\x02"))
    assert stamp.file_op == Sha1()
    assert stamp.file_digest == stamp.tree.message == bytes(20)


def test_writer_refuses_a_file_that_contradicts_itself() -> None:
    tree = Timestamp(DIGEST)
    tree.attest(BitcoinAttestation(1))
    with pytest.raises(FormatError, match="not about"):
        serialize_detached(DetachedTimestamp(Sha256(), bytes(32), tree))
    with pytest.raises(FormatError):
        serialize_detached(DetachedTimestamp(Sha1(), DIGEST, tree))
    with pytest.raises(FormatError):
        serialize_detached(DetachedTimestamp(Keccak256(), DIGEST, tree))
    with pytest.raises(FormatError):
        serialize_detached(DetachedTimestamp(Prepend(b"x"), DIGEST, tree))
