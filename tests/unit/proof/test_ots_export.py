from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import (
    AttestationError,
    FormatError,
    IncompleteProofError,
    LimitExceededError,
)
from anchor.formats.merkle import inclusion_steps, leaf_hash, node_hash, root_hash
from anchor.formats.ots.attestation import BitcoinAttestation, PendingAttestation
from anchor.formats.ots.codec import parse_detached
from anchor.formats.ots.op import Append, Keccak256, Prepend, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.ots_export import export_ots

FILE_DIGEST = hashlib.sha256(b"cat").digest()
NONCE = bytes(range(16))
ALICE = PendingAttestation("https://alice.example")
BOB = PendingAttestation("https://bob.example")


def root_of(file_digest: bytes, opening: bytes | None, steps) -> bytes:
    digest = file_digest if opening is None else hashlib.sha256(file_digest + opening).digest()
    node = leaf_hash(digest)
    for side, sibling in steps:
        node = node_hash(sibling, node) if side == "left" else node_hash(node, sibling)
    return node


def pending_tree(root: bytes, attestation=ALICE, *, nested: int = 3) -> Timestamp:
    tree = node = Timestamp(root)
    for level in range(nested):
        node = node.add(Sha256() if level % 2 else Append(attestation.uri.encode()))
    node.attest(attestation)
    return tree


def siblings(n: int, side: str = "right"):
    return [(side, hashlib.sha256(bytes([i])).digest()) for i in range(n)]


def test_bytes_of_a_small_file_written_out() -> None:
    sibling = bytes(range(32))
    steps = [("right", sibling), ("left", sibling)]
    tree = Timestamp(root_of(FILE_DIGEST, NONCE, steps))
    tree.attest(BitcoinAttestation(7))
    data = export_ots(FILE_DIGEST, NONCE, steps, [tree])
    assert data.hex() == (
        "004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e89294"
        "01" + "08" + FILE_DIGEST.hex() + "f010" + NONCE.hex() + "08"
        "f10100" + "08"
        "f10101" + "f020" + sibling.hex() + "08"
        "f12101" + sibling.hex() + "08"
        "000588960d73d719010107"
    )


@pytest.mark.parametrize(
    ("opening", "first"),
    [(None, ["prepend 00"]), (b"", ["sha256", "prepend 00"]), (b"n", ["append 6e", "sha256"])],
)
def test_opening(opening, first: list[str]) -> None:
    tree = pending_tree(root_of(FILE_DIGEST, opening, []))
    (path,) = parse_detached(export_ots(FILE_DIGEST, opening, [], [tree])).tree.paths()
    assert [str(op) for op in path.ops][: len(first)] == first


@given(st.integers(1, 40), st.data())
def test_every_leaf_of_small_trees(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    digests = [hashlib.sha256(bytes([i])).digest() for i in range(size)]
    leaves = [leaf_hash(digest) for digest in digests]
    root = root_hash(leaves)
    hashes = _path(index, leaves)
    steps = inclusion_steps(index, size, hashes)
    stamp = parse_detached(export_ots(digests[index], None, steps, [pending_tree(root, nested=0)]))
    (path,) = stamp.tree.paths()
    assert (stamp.file_digest, path.message) == (digests[index], root)
    assert stamp.canonical


def _path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return [*_path(index, leaves[:split]), root_hash(leaves[split:])]
    return [*_path(index - split, leaves[split:]), root_hash(leaves[:split])]


def test_trees_of_several_calendars_are_joined() -> None:
    root = root_of(FILE_DIGEST, NONCE, siblings(3))
    shared_one, shared_two = Timestamp(root), Timestamp(root)
    shared_one.add(Append(b"x")).add(Sha256()).attest(ALICE)
    shared_two.add(Append(b"x")).add(Sha256()).attest(BitcoinAttestation(5))
    data = export_ots(
        FILE_DIGEST, NONCE, siblings(3), [shared_one, pending_tree(root, BOB), shared_two]
    )
    stamp = parse_detached(data)
    assert [path.attestation for path in stamp.tree.paths()].count(ALICE) == 1
    assert {path.attestation for path in stamp.tree.paths()} == {ALICE, BOB, BitcoinAttestation(5)}
    assert data.count(b"\xf0\x01x\x08") == 1
    assert stamp.canonical


def test_trees_that_were_given_stay_as_they_are() -> None:
    root = root_of(FILE_DIGEST, None, [])
    one, two = pending_tree(root, ALICE), pending_tree(root, BOB)
    export_ots(FILE_DIGEST, None, [], [one, two])
    assert [path.attestation for path in one.paths()] == [ALICE]
    assert [path.attestation for path in two.paths()] == [BOB]


def test_a_path_through_keccak_is_left_out() -> None:
    root = root_of(FILE_DIGEST, None, [])
    tree = pending_tree(root)
    tree.add(Prepend(b"rlp")).add(Keccak256()).attest(BitcoinAttestation(9))
    stamp = parse_detached(export_ots(FILE_DIGEST, None, [], [tree]))
    assert [path.attestation for path in stamp.tree.paths()] == [ALICE]


def test_nothing_but_keccak_is_no_file() -> None:
    tree = Timestamp(root_of(FILE_DIGEST, None, []))
    tree.add(Keccak256()).attest(ALICE)
    with pytest.raises(IncompleteProofError):
        export_ots(FILE_DIGEST, None, [], [tree])


def test_no_calendar_yet() -> None:
    with pytest.raises(IncompleteProofError) as caught:
        export_ots(FILE_DIGEST, NONCE, siblings(2), [])
    assert caught.value.code == "ots.no_attestation"


def test_a_tree_over_another_root() -> None:
    tree = pending_tree(root_of(FILE_DIGEST, None, []))
    with pytest.raises(AttestationError) as caught:
        export_ots(FILE_DIGEST, NONCE, [], [tree])
    assert caught.value.code == "ots.root_mismatch"


@pytest.mark.parametrize(("side", "most"), [("right", 35), ("left", 53)])
def test_own_part(side: str, most: int) -> None:
    root = root_of(FILE_DIGEST, NONCE, siblings(most, side))
    whole = parse_detached(
        export_ots(FILE_DIGEST, NONCE, siblings(most, side), [pending_tree(root, nested=0)])
    )
    assert whole.tree.depth <= 110
    root = root_of(FILE_DIGEST, NONCE, siblings(most + 1, side))
    with pytest.raises(LimitExceededError) as caught:
        export_ots(FILE_DIGEST, NONCE, siblings(most + 1, side), [pending_tree(root, nested=0)])
    assert caught.value.code == "ots.own_operations"


def test_255_nested_operations_and_no_more() -> None:
    steps = siblings(20)
    root = root_of(FILE_DIGEST, NONCE, steps)
    own = 4 + 3 * 20
    data = export_ots(FILE_DIGEST, NONCE, steps, [pending_tree(root, nested=255 - own)])
    assert parse_detached(data).tree.depth == 255
    with pytest.raises(LimitExceededError) as caught:
        export_ots(
            FILE_DIGEST,
            NONCE,
            steps,
            [pending_tree(root), pending_tree(root, BOB, nested=256 - own)],
        )
    assert caught.value.code == "ots.too_deep"


def test_lengths() -> None:
    tree = pending_tree(root_of(FILE_DIGEST, None, []))
    for digest in (b"", FILE_DIGEST[:-1], FILE_DIGEST + b"\x00"):
        with pytest.raises(FormatError, match="file digest"):
            export_ots(digest, None, [], [tree])
    with pytest.raises(FormatError, match="opening"):
        export_ots(FILE_DIGEST, bytes(65), [], [tree])
    with pytest.raises(FormatError, match="sibling"):
        export_ots(FILE_DIGEST, None, [("left", bytes(31))], [tree])
