"""RFC 6962 trees against the reference roots and the recursive definitions of the RFC."""

from __future__ import annotations

from hashlib import sha256

import pytest

from anchor import limits
from anchor.errors import ConsistencyError, FormatError, InclusionError
from anchor.formats.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_path,
    inclusion_path,
    inclusion_steps,
    leaf_hash,
    leaf_hashes,
    node_hash,
    root_from_inclusion,
    root_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

# The reference tree of Certificate Transparency: eight entries and the roots of sizes 0 to 8.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = leaf_hashes(ENTRIES)
MANY = leaf_hashes(number.to_bytes(4, "big") for number in range(70))


# -- the definitions of RFC 6962 section 2.1, word for word ----------------------------------------


def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def mth(leaves):
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m, leaves, whole):
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def reader(leaves):
    """Serve complete subtrees only, as tiles would."""

    def read_hash(level, index):
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "the tree has no such complete subtree"
        return mth(part)

    return read_hash


# -- hashing ---------------------------------------------------------------------------------------


def test_leaves_and_nodes_are_told_apart():
    assert leaf_hash(b"x") == sha256(b"\x00x").digest()
    assert node_hash(b"l" * 32, b"r" * 32) == sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()
    assert leaf_hashes([b"", b"x"]) == [leaf_hash(b""), leaf_hash(b"x")]


@pytest.mark.parametrize("size", range(9))
def test_reference_roots(size):
    wanted = bytes.fromhex(ROOTS[size])
    assert root_hash(LEAVES[:size]) == wanted
    assert tree_root(size, reader(LEAVES)) == wanted
    edge = CompactRange()
    edge.append_many(LEAVES[:size])
    assert edge.root_hash() == wanted


def test_the_empty_root_is_the_hash_of_nothing():
    assert bytes.fromhex(ROOTS[0]) == EMPTY_ROOT == root_hash([]) == CompactRange().root_hash()


def test_roots_follow_the_definition():
    for size in range(len(MANY) + 1):
        assert root_hash(MANY[:size]) == tree_root(size, reader(MANY)) == mth(MANY[:size])


# -- inclusion -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33, 64, 70])
def test_every_inclusion_path_is_the_definitions_and_verifies(size):
    root = mth(MANY[:size])
    for index in range(size):
        hashes = inclusion_path(index, size, reader(MANY[:size]))
        assert hashes == path(index, MANY[:size])
        verify_inclusion(MANY[index], index, size, hashes, root)
        assert root_from_inclusion(MANY[index], index, size, hashes) == root


def test_steps_name_the_side_of_the_sibling():
    """Leaf 4 of 7: right sibling leaf 5, then leaf 6 carried up, then the left half."""
    hashes = path(4, LEAVES[:7])
    steps = inclusion_steps(4, 7, hashes)
    assert [side for side, _ in steps] == ["right", "right", "left"]
    assert [sibling for _, sibling in steps] == hashes
    assert inclusion_steps(6, 7, path(6, LEAVES[:7])) == [
        ("left", mth(LEAVES[4:6])),
        ("left", mth(LEAVES[:4])),
    ]
    assert inclusion_steps(0, 1, []) == []


def test_walking_the_steps_gives_the_root():
    for index in range(7):
        current = LEAVES[index]
        for side, sibling in inclusion_steps(index, 7, path(index, LEAVES[:7])):
            pair = (sibling, current) if side == "left" else (current, sibling)
            current = node_hash(*pair)
        assert current.hex() == ROOTS[7]


def test_a_changed_inclusion_proof_does_not_verify():
    size = 21
    root = mth(MANY[:size])
    for index in range(size):
        good = path(index, MANY[:size])
        changed = [good[:-1], good[1:], [*good, root], [bytes(32), *good], good[::-1], []]
        changed += [[*good[:i], good[i][:-1] + b"\x00", *good[i + 1 :]] for i in range(len(good))]
        for hashes in changed:
            if hashes == good:
                continue
            with pytest.raises(InclusionError):
                verify_inclusion(MANY[index], index, size, hashes, root)


def test_every_flipped_bit_of_an_inclusion_is_seen():
    good, root = path(5, MANY[:13]), mth(MANY[:13])
    for place in range(len(good)):
        for bit in range(256):
            flipped = int.from_bytes(good[place], "big") ^ 1 << bit
            hashes = [*good[:place], flipped.to_bytes(32, "big"), *good[place + 1 :]]
            with pytest.raises(InclusionError) as caught:
                verify_inclusion(MANY[5], 5, 13, hashes, root)
            assert caught.value.code == "verify.inclusion.root_mismatch"


def test_the_wrong_leaf_index_or_root_does_not_verify():
    good, root = path(5, MANY[:13]), mth(MANY[:13])
    verify_inclusion(MANY[5], 5, 13, good, root)
    for leaf, index, wanted in (
        (MANY[6], 5, root),
        (MANY[5], 4, root),
        (MANY[5], 6, root),
        (MANY[5], 5, mth(MANY[:14])),
        (MANY[5], 5, bytes(32)),
    ):
        with pytest.raises(InclusionError):
            verify_inclusion(leaf, index, 13, good, wanted)


def test_an_inner_node_is_no_leaf():
    """Without the prefixes the hash over two leaves would pass for an entry's."""
    entry = LEAVES[0] + LEAVES[1]
    with pytest.raises(InclusionError):
        verify_inclusion(leaf_hash(entry), 0, 4, path(0, LEAVES[:8])[1:], mth(LEAVES[:8]))


@pytest.mark.parametrize(
    ("index", "size"),
    [(0, 0), (1, 1), (8, 8), (9, 8), (-1, 8), (0, -1), (0, limits.MAX_TREE_SIZE + 1)],
)
def test_an_index_outside_the_tree_is_refused(index, size):
    with pytest.raises(InclusionError, match="is not in a tree of size") as caught:
        inclusion_steps(index, size, [])
    assert caught.value.code == "verify.inclusion.index"
    if size <= limits.MAX_TREE_SIZE:
        with pytest.raises(InclusionError):
            inclusion_path(index, size, reader(LEAVES))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_hashes_of_another_length_are_refused(length):
    for leaf, hashes in ((bytes(length), [bytes(32)]), (bytes(32), [bytes(length)])):
        with pytest.raises(InclusionError, match=f"hash of {length} bytes"):
            root_from_inclusion(leaf, 0, 2, hashes)


def test_a_proof_of_too_many_hashes_is_refused_first():
    with pytest.raises(InclusionError, match="at most 63"):
        inclusion_steps(0, 2, [b""] * 64)


def test_the_greatest_tree_has_a_proof():
    size = limits.MAX_TREE_SIZE
    assert len(inclusion_steps(size - 1, size, [bytes(32)] * 52)) == 52
    assert len(inclusion_steps(0, size, [bytes(32)] * 53)) == 53


def test_exactly_one_length_fits_an_index_and_size():
    for size in range(1, 20):
        for index in range(size):
            wanted = len(path(index, MANY[:size]))
            assert len(inclusion_steps(index, size, [bytes(32)] * wanted)) == wanted
            for length in {*range(8), 62, 63} - {wanted}:
                with pytest.raises(InclusionError) as caught:
                    inclusion_steps(index, size, [bytes(32)] * length)
                assert caught.value.code == "verify.inclusion.length"


def test_a_path_may_verify_under_another_size():
    """Leaf 6 of 7 as leaf 3 of 4: only a signed checkpoint ties a root to its size."""
    hashes, root = path(6, LEAVES[:7]), mth(LEAVES[:7])
    verify_inclusion(LEAVES[6], 6, 7, hashes, root)
    verify_inclusion(LEAVES[6], 3, 4, hashes, root)


# -- consistency -----------------------------------------------------------------------------------


@pytest.mark.parametrize("new", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 32, 33, 64, 65, 70])
def test_every_consistency_path_is_the_definitions_and_verifies(new):
    for old in range(1, new + 1):
        hashes = consistency_path(old, new, reader(MANY[:new]))
        assert hashes == subproof(old, MANY[:new], True)
        verify_consistency(old, new, mth(MANY[:old]), mth(MANY[:new]), hashes)


def test_a_changed_consistency_proof_does_not_verify():
    for new in (8, 13, 16, 21):
        for old in range(1, new + 1):
            old_root, new_root = mth(MANY[:old]), mth(MANY[:new])
            good = subproof(old, MANY[:new], True)
            changed = [good[:-1], good[1:], [*good, new_root], [old_root, *good], good[::-1], []]
            changed += [
                [*good[:i], bytes([good[i][0] ^ 1]) + good[i][1:], *good[i + 1 :]]
                for i in range(len(good))
            ]
            for hashes in changed:
                if hashes == good:
                    continue
                with pytest.raises(ConsistencyError):
                    verify_consistency(old, new, old_root, new_root, hashes)


def test_wrong_roots_are_not_consistent():
    for old, new in ((6, 13), (8, 13), (8, 16), (13, 13), (1, 2)):
        old_root, new_root = mth(MANY[:old]), mth(MANY[:new])
        good = subproof(old, MANY[:new], True)
        for one, two in (
            (bytes(32), new_root),
            (old_root, bytes(32)),
            (mth(MANY[: old + 1]), new_root),
            (old_root, mth(MANY[: new + 1])),
        ):
            with pytest.raises(ConsistencyError) as caught:
                verify_consistency(old, new, one, two, good)
            assert caught.value.code == "verify.consistency.root_mismatch"
        if old != new:
            with pytest.raises(ConsistencyError):
                verify_consistency(old, new, new_root, old_root, good)


def test_a_rewritten_history_is_not_consistent():
    rewritten = [*MANY[:3], bytes(32), *MANY[4:13]]
    for old in range(4, 13):
        honest = subproof(old, rewritten, True)
        verify_consistency(old, 13, mth(rewritten[:old]), mth(rewritten), honest)
        with pytest.raises(ConsistencyError):
            verify_consistency(old, 13, mth(MANY[:old]), mth(rewritten), honest)


def test_equal_sizes_want_equal_roots_and_no_hashes():
    for size in (1, 2, 3, 8):
        root = mth(MANY[:size])
        verify_consistency(size, size, root, root, [])
        for hashes, other in (([root], root), ([], bytes(32)), ([bytes(32)], bytes(32))):
            with pytest.raises(ConsistencyError):
                verify_consistency(size, size, root, other, hashes)


def test_a_proof_that_goes_on_past_the_root_is_refused():
    """The roots that the longer path leads to are claimed with it: only the length tells."""
    for old, new in ((4, 7), (3, 7), (6, 7), (1, 2)):
        more = bytes(range(32))
        hashes = [*subproof(old, MANY[:new], True), more]
        roots = node_hash(more, mth(MANY[:old])), node_hash(more, mth(MANY[:new]))
        with pytest.raises(ConsistencyError) as caught:
            verify_consistency(old, new, *roots, hashes)
        assert caught.value.code == "verify.consistency.length"


def test_exactly_one_length_fits_two_sizes():
    """A proof of another length says so, and is not called false."""
    for new in range(1, 34):
        for old in range(1, new + 1):
            right = len(subproof(old, MANY[:new], True))
            for length in range(right + 3):
                code = "root_mismatch" if length == right else "length"
                with pytest.raises(ConsistencyError) as caught:
                    verify_consistency(old, new, bytes(32), b"\1" * 32, [b"\2" * 32] * length)
                assert caught.value.code == f"verify.consistency.{code}", (old, new, length)


def test_the_greatest_size_is_consistent_with_itself():
    size = limits.MAX_TREE_SIZE
    verify_consistency(size, size, bytes(32), bytes(32), [])


@pytest.mark.parametrize(
    ("old", "new"), [(0, 0), (0, 1), (0, 8), (-1, 8), (8, 7), (1, limits.MAX_TREE_SIZE + 1)]
)
def test_an_old_size_of_zero_or_over_the_new_one_is_an_error(old, new):
    with pytest.raises(ConsistencyError) as caught:
        verify_consistency(old, new, EMPTY_ROOT, EMPTY_ROOT, [])
    assert caught.value.code == "verify.consistency.size"
    if new <= 8:
        with pytest.raises(ConsistencyError):
            consistency_path(old, new, reader(LEAVES))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_roots_and_hashes_of_another_length_are_refused(length):
    odd, fit = bytes(length), bytes(32)
    for arguments in ((odd, fit, [fit]), (fit, odd, [fit]), (fit, fit, [odd])):
        with pytest.raises(ConsistencyError, match=f"hash of {length} bytes"):
            verify_consistency(1, 2, *arguments)


# -- the right edge --------------------------------------------------------------------------------


def test_appending_singly_and_in_bulk_agree_at_every_size():
    single = CompactRange()
    for size, leaf in enumerate(MANY):
        assert (single.size, single.root_hash()) == (size, mth(MANY[:size]))
        for cut in (0, size // 3, size // 2, size):
            bulk = CompactRange()
            bulk.append_many(MANY[:cut])
            bulk.append_many(MANY[cut:size])
            assert bulk.hashes == single.hashes
        single.append(leaf)


def test_the_edge_can_be_put_down_and_taken_up():
    for size in range(40):
        edge = CompactRange()
        edge.append_many(MANY[:size])
        restored = CompactRange.from_hashes(edge.size, edge.hashes)
        assert len(edge.hashes) == size.bit_count()
        assert restored.root_hash() == edge.root_hash()
        restored.append_many(MANY[size:50])
        assert restored.root_hash() == mth(MANY[:50])
        assert edge.size == size
        assert edge.root_hash() == mth(MANY[:size])


def test_a_copy_is_independent():
    edge = CompactRange()
    edge.append_many(MANY[:5])
    trial = edge.copy()
    trial.append_many(MANY[5:9])
    assert (edge.size, edge.root_hash()) == (5, mth(MANY[:5]))
    assert (trial.size, trial.root_hash()) == (9, mth(MANY[:9]))


def test_a_bulk_append_returns_what_it_completed():
    for before in (0, 1, 2, 3, 5, 8, 13):
        for after in range(before, 40):
            edge = CompactRange()
            edge.append_many(MANY[:before])
            completed = edge.append_many(MANY[before:after])
            for level in range(7):
                first, past = before >> level, after >> level
                wanted = [mth(MANY[i << level : (i + 1) << level]) for i in range(first, past)]
                assert (completed[level] if level < len(completed) else []) == wanted
            assert all(completed)


def test_what_does_not_describe_an_edge_is_refused():
    hashes = [bytes(32)] * 3
    CompactRange.from_hashes(7, hashes)
    for size, wrong in (
        (8, hashes),
        (3, hashes),
        (0, [bytes(32)]),
        (1, []),
        (-1, [bytes(32)]),
        (7, [*hashes[:2], bytes(31)]),
        (limits.MAX_TREE_SIZE + 1, [bytes(32)]),
    ):
        with pytest.raises(FormatError):
            CompactRange.from_hashes(size, wrong)
