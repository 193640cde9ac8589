"""Trie proofs: every node form, exclusion, and each way in which a proof can be wrong."""

from __future__ import annotations

import pytest

from anchor import limits
from anchor.backends.evm.ordered_trie import ordered_trie_proof, ordered_trie_root
from anchor.errors import (
    AttestationError,
    FormatError,
    LimitExceededError,
    NonCanonicalError,
)
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import rlp_encode, rlp_integer
from anchor.formats.trie import EMPTY_TRIE_ROOT, verify_trie_proof

ITEMS = [b"item %d " % i * (1 + i % 9) for i in range(300)]


def key(index: int) -> bytes:
    return rlp_encode(rlp_integer(index))


def root_of(node: object) -> tuple[bytes, bytes]:
    encoded = rlp_encode(node)  # type: ignore[arg-type]
    return keccak256(encoded), encoded


@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 127, 128, 129, 256, 300])
def test_every_item_of_a_block_is_found_and_the_next_is_shown_absent(count: int) -> None:
    items = ITEMS[:count]
    for index in {0, 1, count // 2, count - 1, 127, 128} & set(range(count)):
        proof = ordered_trie_proof(items, index)
        assert proof.root_hash == ordered_trie_root(items)
        assert verify_trie_proof(proof.root_hash, key(index), proof.nodes) == items[index]


@pytest.mark.parametrize("index", [0, 5, 127, 128, 299])
def test_each_bit_flipped_in_a_proof_is_noticed(index: int) -> None:
    proof = ordered_trie_proof(ITEMS, index)
    for number, node in enumerate(proof.nodes):
        for bit in range(0, 8 * len(node), 19):
            changed = bytearray(node)
            changed[bit // 8] ^= 1 << bit % 8
            nodes = [*proof.nodes[:number], bytes(changed), *proof.nodes[number + 1 :]]
            with pytest.raises((AttestationError, FormatError)):
                verify_trie_proof(proof.root_hash, key(index), nodes)


def test_missing_extra_repeated_and_swapped_nodes() -> None:
    proof = ordered_trie_proof(ITEMS, 200)
    nodes = list(proof.nodes)
    assert len(nodes) >= 3
    wrong = {
        "none": [],
        "without the root": nodes[1:],
        "without the leaf": nodes[:-1],
        "without the middle": [nodes[0], *nodes[2:]],
        "with one more": [*nodes, nodes[-1]],
        "with a stranger behind": [*nodes, b"\xc2\x20\x01"],
        "with the root twice": [nodes[0], *nodes],
        "turned round": nodes[::-1],
    }
    for what, changed in wrong.items():
        with pytest.raises(AttestationError):
            print(what, verify_trie_proof(proof.root_hash, key(200), changed))


def test_a_proof_of_one_key_does_not_serve_another() -> None:
    proof = ordered_trie_proof(ITEMS, 200)
    for other in (0, 1, 127, 128, 202, 203, 299):
        with pytest.raises(AttestationError):
            verify_trie_proof(proof.root_hash, key(other), proof.nodes)
    # 199 is so short that it stands beside 200 in the same node: shown too, and as itself.
    assert verify_trie_proof(proof.root_hash, key(199), proof.nodes) == ITEMS[199]


def test_the_empty_trie_shows_absence_with_no_node_or_its_one() -> None:
    assert ordered_trie_root([]) == EMPTY_TRIE_ROOT == keccak256(b"\x80")
    assert verify_trie_proof(EMPTY_TRIE_ROOT, b"\x01", []) is None
    assert verify_trie_proof(EMPTY_TRIE_ROOT, b"\x01", [b"\x80"]) is None
    for nodes in ([b"\x80", b"\x80"], [b""], [b"\xc0"]):
        with pytest.raises((AttestationError, FormatError)):
            verify_trie_proof(EMPTY_TRIE_ROOT, b"\x01", nodes)


def test_absence_at_a_leaf_an_extension_and_a_branch() -> None:
    leaf_root, leaf = root_of([b"\x20\xab\xcd", b"value"])
    assert verify_trie_proof(leaf_root, b"\xab\xcd", [leaf]) == b"value"
    for absent in (b"\xab\xce", b"\xab", b"\xab\xcd\x00", b""):
        assert verify_trie_proof(leaf_root, absent, [leaf]) is None

    branch: list[object] = [b""] * 17
    branch[1] = [b"\x20", b"one"]
    branch[2] = [b"\x32", b"two"]
    inner_root, inner = root_of(branch)
    root, extension = root_of([b"\x1a", inner_root])
    assert verify_trie_proof(root, b"\xa1", [extension, inner]) == b"one"
    assert verify_trie_proof(root, b"\xb1", [extension]) is None
    assert verify_trie_proof(root, b"\xa3", [extension, inner]) is None
    assert verify_trie_proof(root, b"\xa2", [extension, inner]) is None
    # Absence that needs one node is not shown by two.
    with pytest.raises(AttestationError):
        verify_trie_proof(root, b"\xb1", [extension, inner])


def test_the_value_of_a_branch_is_that_of_the_key_that_ends_there() -> None:
    branch: list[object] = [b""] * 16 + [b"here"]
    branch[1] = [b"\x20", b"below"]
    inner_root, inner = root_of(branch)
    root, extension = root_of([b"\x00\xab", inner_root])
    assert verify_trie_proof(root, b"\xab", [extension, inner]) == b"here"
    branch[16] = b""
    inner_root, inner = root_of(branch)
    root, extension = root_of([b"\x00\xab", inner_root])
    assert verify_trie_proof(root, b"\xab", [extension, inner]) is None


def test_short_nodes_sit_in_their_parent_and_nowhere_else() -> None:
    child = [b"\x3b", b"v"]
    branch: list[object] = [b""] * 17
    branch[10] = child
    root, node = root_of(branch)
    assert verify_trie_proof(root, b"\xab", [node]) == b"v"
    # Given once more as a node of its own: not needed, so refused.
    with pytest.raises(AttestationError):
        verify_trie_proof(root, b"\xab", [node, rlp_encode(child)])  # type: ignore[arg-type]
    # A node of 32 bytes or more may not sit inside.
    branch[10] = [b"\x3b", bytes(32)]
    root, node = root_of(branch)
    with pytest.raises(NonCanonicalError):
        verify_trie_proof(root, b"\xab", [node])
    # And one that is named by digest is hashed even though it is short.
    branch[10] = keccak256(rlp_encode(child))  # type: ignore[arg-type]
    root, node = root_of(branch)
    assert verify_trie_proof(root, b"\xab", [node, rlp_encode(child)]) == b"v"  # type: ignore[arg-type]


MALFORMED = {
    "three items": [b"\x20", b"v", b"w"],
    "sixteen items": [b""] * 16,
    "eighteen items": [b""] * 18,
    "no items": [],
    "a byte string": b"\x20v",
    "a path without flags": [b"", b"v"],
    "a flag of 4": [b"\x40\xab", b"v"],
    "a padding nibble": [b"\x2f\xab", b"v"],
    "an extension of nothing": [b"\x00", bytes(32)],
    "an extension to 31 bytes": [b"\x00\xab", bytes(31)],
    "an extension to nothing": [b"\x00\xab", b""],
    "a leaf with a list": [b"\x20\xab", [b"v"]],
    "a leaf without a value": [b"\x20\xab", b""],
    "a path that is a list": [[b"\x20"], b"v"],
    "a branch with a child of 33 bytes": [bytes(33)] * 17,
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_node_is_a_format_error(what: str) -> None:
    root, node = root_of(MALFORMED[what])
    with pytest.raises(FormatError):
        verify_trie_proof(root, b"\xab", [node])


def test_limits_on_nodes() -> None:
    with pytest.raises(LimitExceededError):
        verify_trie_proof(bytes(32), b"", [b"\xc0"] * (limits.MAX_TRIE_NODES + 1))
    with pytest.raises(LimitExceededError):
        verify_trie_proof(bytes(32), b"", [bytes(limits.MAX_TRIE_NODE_BYTES + 1)])


def test_nodes_within_nodes_end_where_a_digest_would_be_shorter() -> None:
    node: list[object] = [b"\x20", b"value"]
    for _ in range(10):
        node = [b"\x11", node]
    root, encoded = root_of(node)
    assert verify_trie_proof(root, b"\x11" * 5, [encoded]) == b"value"
    assert verify_trie_proof(root, b"\x11" * 6, [encoded]) is None
    for _ in range(4):
        node = [b"\x11", node]
    root, encoded = root_of(node)
    with pytest.raises(NonCanonicalError):
        verify_trie_proof(root, b"\x11" * 7, [encoded])
