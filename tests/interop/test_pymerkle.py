"""Our trees against pymerkle, an independent RFC 6962 implementation: equal bytes everywhere.

pymerkle writes consistency proofs in its own shape, so the shape of RFC 6962 is built here from
pymerkle's subtree roots, and pymerkle's own proofs are verified against our roots.
"""

from __future__ import annotations

import hashlib

import pytest

from anchor.formats.merkle import (
    CompactRange,
    consistency_path,
    inclusion_path,
    leaf_hashes,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

pymerkle = pytest.importorskip("pymerkle", reason="pymerkle is in the dev dependencies")

SIZE = 67
ENTRIES = [hashlib.sha256(bytes([number])).digest() for number in range(SIZE)]
LEAVES = leaf_hashes(ENTRIES)


@pytest.fixture(scope="module")
def theirs():
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for entry in ENTRIES:
        tree.append_entry(entry)
    return tree


@pytest.fixture(scope="module")
def read_hash():
    completed = CompactRange().append_many(LEAVES)
    return lambda level, index: completed[level][index]


def test_leaves_are_equal(theirs):
    assert [theirs.get_leaf(number + 1) for number in range(SIZE)] == LEAVES


def test_roots_are_equal(theirs, read_hash):
    for size in range(1, SIZE + 1):
        assert tree_root(size, read_hash) == theirs.get_root(size)


def test_inclusion_proofs_are_equal(theirs, read_hash):
    for size in range(1, SIZE + 1):
        for index in range(size):
            leaf, *path = theirs.prove_inclusion(index + 1, size).path
            assert leaf == LEAVES[index]
            assert path == inclusion_path(index, size, read_hash)
            verify_inclusion(leaf, index, size, path, theirs.get_root(size))


def test_consistency_proofs_are_equal(theirs, read_hash):
    def subproof(old, first, past, whole):
        """RFC 6962 section 2.1.2 over the range [first, past) of pymerkle's tree."""
        if old == past - first:
            return [] if whole else [theirs._get_root(first, past)]
        split = 1 << (past - first - 1).bit_length() - 1
        middle = first + split
        if old <= split:
            return [*subproof(old, first, middle, whole), theirs._get_root(middle, past)]
        return [*subproof(old - split, middle, past, False), theirs._get_root(first, middle)]

    for new in range(1, SIZE + 1):
        for old in range(1, new + 1):
            path = subproof(old, 0, new, True)
            assert path == consistency_path(old, new, read_hash)
            verify_consistency(old, new, theirs.get_root(old), theirs.get_root(new), path)


def test_their_consistency_proofs_verify_against_our_roots(theirs, read_hash):
    for new in range(1, SIZE + 1):
        for old in range(1, new + 1):
            pymerkle.verify_consistency(
                tree_root(old, read_hash),
                tree_root(new, read_hash),
                theirs.prove_consistency(old, new),
                prior_size=old,
                later_size=new,
            )
