from __future__ import annotations

import hashlib

import pytest

from anchor.errors import AttestationError, LimitExceededError
from anchor.formats.ots.attestation import BitcoinAttestation, PendingAttestation
from anchor.formats.ots.codec import serialize_tree
from anchor.formats.ots.op import Append, Prepend, Ripemd160, Sha1, Sha256
from anchor.formats.ots.timestamp import Timestamp

ALICE = PendingAttestation("https://alice.example")
BOB = PendingAttestation("https://bob.example")


def test_child_message_is_what_the_operation_gives() -> None:
    tree = Timestamp(b"m")
    node = tree.add(Append(b"x")).add(Sha256())
    assert node.message == hashlib.sha256(b"mx").digest()


def test_adding_the_same_operation_gives_the_same_node() -> None:
    tree = Timestamp(b"m")
    assert tree.add(Sha256()) is tree.add(Sha256())
    assert len(tree.branches) == 1


def test_operation_that_cannot_be_applied_leaves_no_branch() -> None:
    tree = Timestamp(bytes(4096))
    with pytest.raises(LimitExceededError):
        tree.add(Append(b"x"))
    assert tree.branches == ()


def test_merge_joins_equal_operations_and_loses_nothing() -> None:
    ours, theirs = Timestamp(b"m"), Timestamp(b"m")
    ours.add(Append(b"x")).add(Sha256()).attest(ALICE)
    theirs.add(Append(b"x")).add(Sha256()).attest(BOB)
    theirs.add(Append(b"x")).add(Sha1()).attest(BitcoinAttestation(7))
    theirs.attest(BitcoinAttestation(9))
    before = serialize_tree(theirs)

    ours.merge(theirs)

    assert serialize_tree(theirs) == before
    found = [
        (tuple(str(op) for op in path.ops), path.attestation, path.uses_sha1, path.depth)
        for path in ours.paths()
    ]
    assert found == [
        ((), BitcoinAttestation(9), False, 0),
        (("append 78", "sha1"), BitcoinAttestation(7), True, 2),
        (("append 78", "sha256"), ALICE, False, 2),
        (("append 78", "sha256"), BOB, False, 2),
    ]


def test_merged_tree_shares_no_node_with_the_other() -> None:
    ours, theirs = Timestamp(b"m"), Timestamp(b"m")
    theirs.add(Sha256()).attest(BOB)
    ours.merge(theirs)
    ours.add(Sha256()).attest(ALICE)
    assert [path.attestation for path in theirs.paths()] == [BOB]


def test_merging_twice_or_with_itself_changes_nothing() -> None:
    tree, other = Timestamp(b"m"), Timestamp(b"m")
    tree.add(Sha256()).attest(ALICE)
    other.add(Prepend(b"p")).attest(BOB)
    tree.merge(other)
    once = serialize_tree(tree)
    tree.merge(other)
    tree.merge(tree)
    assert serialize_tree(tree) == once


def test_trees_over_different_messages_do_not_merge() -> None:
    with pytest.raises(AttestationError) as caught:
        Timestamp(b"m").merge(Timestamp(b"n"))
    assert caught.value.code == "ots.merge"


def test_shown_for_debugging() -> None:
    tree = Timestamp(b"m")
    tree.add(Sha256())
    tree.attest(ALICE)
    assert repr(tree) == "<Timestamp of 6d: 1 attestations, 1 operations>"


def test_path_message_and_depth() -> None:
    tree = Timestamp(b"m")
    tree.add(Append(b"x")).add(Sha256()).add(Ripemd160()).attest(ALICE)
    (path,) = tree.paths()
    message = b"m"
    for op in path.ops:
        message = op.apply(message)
    assert path.message == message
    assert path.depth == tree.depth == 3
    assert not path.uses_sha1


def test_ten_thousand_levels_need_no_stack() -> None:
    tree = node = Timestamp(b"m")
    for level in range(10_000):
        node = node.add(Sha256() if level % 2 else Append(b"x"))
    node.attest(ALICE)
    copy = Timestamp(b"m")
    copy.merge(tree)
    assert copy.depth == tree.depth == 10_000
    (path,) = copy.paths()
    assert path.message == node.message
    with pytest.raises(LimitExceededError) as caught:
        serialize_tree(tree)
    assert caught.value.code == "ots.too_deep"
