"""Properties of RFC 6962 trees: every honest proof verifies, every bent one is refused."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from anchor import limits
from anchor.errors import ConsistencyError, InclusionError
from anchor.formats.merkle import (
    CompactRange,
    consistency_path,
    inclusion_path,
    inclusion_steps,
    leaf_hashes,
    root_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = leaf_hashes(number.to_bytes(4, "big") for number in range(600))
COMPLETED = CompactRange().append_many(LEAVES)

hash32 = st.binary(min_size=32, max_size=32)
sizes = st.integers(1, len(LEAVES))


def read_hash(level, index):
    return COMPLETED[level][index]


@given(st.lists(st.integers(0, 70), max_size=8))
def test_the_edge_does_not_depend_on_how_it_was_appended(steps):
    edge = CompactRange()
    for step in steps:
        edge.append_many(LEAVES[edge.size : edge.size + step])
    leaves = LEAVES[: edge.size]
    assert edge.root_hash() == root_hash(leaves) == tree_root(edge.size, read_hash)
    single = CompactRange()
    for leaf in leaves:
        single.append(leaf)
    assert single.hashes == edge.hashes
    assert CompactRange.from_hashes(edge.size, edge.hashes).root_hash() == edge.root_hash()


@given(sizes, st.data())
def test_inclusion_proofs_verify_and_bind(size, data):
    index = data.draw(st.integers(0, size - 1))
    hashes = inclusion_path(index, size, read_hash)
    root = tree_root(size, read_hash)
    verify_inclusion(LEAVES[index], index, size, hashes, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index)) if size > 1 else 1
    with pytest.raises(InclusionError):
        verify_inclusion(LEAVES[index], other, size, hashes, root)
    with pytest.raises(InclusionError):
        verify_inclusion(LEAVES[(index + 1) % 600], index, size, hashes, root)
    bent = data.draw(st.permutations(hashes))
    bent = bent[: data.draw(st.integers(0, len(bent)))] if bent == hashes else bent
    if bent != hashes:
        with pytest.raises(InclusionError):
            verify_inclusion(LEAVES[index], index, size, bent, root)


@given(st.integers(0, limits.MAX_TREE_SIZE - 1), st.data())
def test_steps_follow_the_bits_of_the_index(index, data):
    size = data.draw(st.integers(index + 1, limits.MAX_TREE_SIZE))
    hashes = inclusion_path(index, size, lambda level, _: bytes([level]) * 32)
    steps = inclusion_steps(index, size, hashes)
    assert [sibling for _, sibling in steps] == hashes
    # A left sibling for each bit set; on levels without a sibling the bit is not set.
    assert sum(side == "left" for side, _ in steps) == index.bit_count()


@given(st.integers(-1, 2**54), st.integers(-1, 2**54), st.lists(hash32, max_size=70), hash32)
def test_made_up_inclusion_proofs_are_refused(index, size, hashes, leaf):
    with pytest.raises(InclusionError):
        verify_inclusion(leaf, index, size, hashes, bytes(32))


@given(st.integers(0, limits.MAX_TREE_SIZE - 1), st.data())
def test_exactly_one_length_fits_an_index_and_size(index, data):
    size = data.draw(st.integers(index + 1, limits.MAX_TREE_SIZE))
    fitting = []
    for length in range(limits.MAX_PATH_HASHES + 1):
        try:
            inclusion_steps(index, size, [bytes(32)] * length)
            fitting.append(length)
        except InclusionError:
            pass
    assert len(fitting) == 1


@given(sizes, sizes, st.data())
def test_consistency_proofs_verify_and_bind(one, two, data):
    old, new = sorted((one, two))
    roots = tree_root(old, read_hash), tree_root(new, read_hash)
    hashes = consistency_path(old, new, read_hash)
    verify_consistency(old, new, *roots, hashes)
    bit = data.draw(st.integers(0, 255))
    flip = lambda item: (int.from_bytes(item, "big") ^ 1 << bit).to_bytes(32, "big")  # noqa: E731
    with pytest.raises(ConsistencyError):
        verify_consistency(old, new, flip(roots[0]), roots[1], hashes)
    with pytest.raises(ConsistencyError):
        verify_consistency(old, new, roots[0], flip(roots[1]), hashes)
    with pytest.raises(ConsistencyError):
        verify_consistency(old, new, *roots, [*hashes, roots[1]])
    if hashes:
        place = data.draw(st.integers(0, len(hashes) - 1))
        bent = [flip(item) if i == place else item for i, item in enumerate(hashes)]
        for wrong in (bent, hashes[:-1], hashes[1:]):
            with pytest.raises(ConsistencyError):
                verify_consistency(old, new, *roots, wrong)


@given(st.integers(0, 2**54), st.integers(0, 2**54), hash32, hash32, st.lists(hash32, max_size=70))
def test_made_up_consistency_proofs_are_refused(old, new, old_root, new_root, hashes):
    assume(old_root != new_root)
    with pytest.raises(ConsistencyError):
        verify_consistency(old, new, old_root, new_root, hashes)
