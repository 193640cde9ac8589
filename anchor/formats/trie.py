"""Merkle-Patricia trie proofs: what a key leads to under a root hash, from the nodes on its way.

Specification: Ethereum Yellow Paper, appendix D (node forms, hex-prefix encoding), and EIP-1186 for
what a proof is: the encoded nodes from the root down.

Rules: each node given must be the one that the step before names by its Keccak-256 digest, in that
order, and all of them must be used; a node shorter than 32 bytes sits inside its parent and is not
given. The root node is always hashed. Only the key chooses the way: nothing in the proof can send
it elsewhere. Keys are used as they are; hashing an address or slot first is the caller's part.

The writer's side lives with the adapter (``anchor/backends/evm/ordered_trie.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchor import limits
from anchor.errors import AttestationError, FormatError, LimitExceededError, NonCanonicalError
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import (
    RlpValue,
    parse_rlp_bytes,
    parse_rlp_list,
    rlp_decode,
    rlp_encode,
)

_DIGEST_BYTES: Final = 32
_BRANCH_ITEMS: Final = 17
_EMPTY_NODE: Final = b"\x80"

EMPTY_TRIE_ROOT: Final = keccak256(_EMPTY_NODE)


@dataclass(frozen=True, slots=True)
class _Step:
    """Which node comes next (its digest, or itself where embedded) and the nibbles left."""

    reference: RlpValue
    nibbles: list[int]


def verify_trie_proof(root_hash: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    """Return the value under ``key``, or None where the proof shows that there is none.

    Args:
        root_hash: 32 bytes.
        key: the path, two nibbles a byte, high one first.
        nodes: encoded nodes, root first; at most ``limits.MAX_TRIE_NODES``. The empty trie is
            shown by no node at all or by its one empty node.

    Raises:
        FormatError: a node is not a trie node, or a limit is crossed.
        AttestationError: a node is not the one named, one is missing, or one is not needed.
    """
    if len(nodes) > limits.MAX_TRIE_NODES:
        raise LimitExceededError(
            f"trie proof of {len(nodes)} nodes, at most {limits.MAX_TRIE_NODES} wanted",
            code="format.trie.nodes",
        )
    if root_hash == EMPTY_TRIE_ROOT and list(nodes) in ([], [_EMPTY_NODE]):
        return None
    nibbles = [nibble for byte in key for nibble in (byte >> 4, byte & 15)]
    unread = list(reversed(nodes))
    step: _Step | bytes | None = _Step(root_hash, nibbles)
    while isinstance(step, _Step):
        if isinstance(step.reference, bytes):
            node = _open_node(unread, step.reference)
        else:
            node = step.reference
        step = _follow(node, step.nibbles)
    if unread:
        raise AttestationError(
            f"trie proof has {len(nodes)} nodes, {len(nodes) - len(unread)} needed",
            code="verify.trie.unused_node",
        )
    return step


def _open_node(unread: list[bytes], digest: bytes) -> list[RlpValue]:
    """Take the next node, whose digest must be the one named, and return its items."""
    if not unread:
        raise AttestationError(
            f"trie proof ends where node {digest.hex()} is wanted", code="verify.trie.missing_node"
        )
    encoded = unread.pop()
    value = rlp_decode(encoded, max_bytes=limits.MAX_TRIE_NODE_BYTES)
    found = keccak256(encoded)
    if found != digest:
        raise AttestationError(
            f"trie node hashes to {found.hex()}, {digest.hex()} wanted",
            code="verify.trie.wrong_node",
        )
    return parse_rlp_list(value, "trie node")


def _follow(node: list[RlpValue], nibbles: list[int]) -> _Step | bytes | None:
    """Return the next step, or the value at the end of the way, or None where the way ends."""
    if len(node) == _BRANCH_ITEMS:
        if not nibbles:
            return parse_rlp_bytes(node[-1], "value of a trie branch") or None
        child = node[nibbles[0]]
        return None if child == b"" else _Step(_parse_reference(child), nibbles[1:])
    if len(node) != 2:
        raise FormatError(
            f"trie node of {len(node)} items, 2 or {_BRANCH_ITEMS} wanted", code="format.trie.node"
        )
    is_leaf, part = _parse_path(node[0])
    if is_leaf:
        value = parse_rlp_bytes(node[1], "value of a trie leaf")
        if not value:
            raise FormatError("trie leaf without a value", code="format.trie.node")
        return value if nibbles == part else None
    child = _parse_reference(node[1])
    if nibbles[: len(part)] != part:
        return None
    return _Step(child, nibbles[len(part) :])


def _parse_path(value: RlpValue) -> tuple[bool, list[int]]:
    """Return whether a hex-prefixed path is a leaf's, and its nibbles."""
    packed = parse_rlp_bytes(value, "path of a trie node")
    nibbles = [nibble for byte in packed for nibble in (byte >> 4, byte & 15)]
    if not nibbles or nibbles[0] > 3 or (not nibbles[0] & 1 and nibbles[1]):
        raise NonCanonicalError(
            f"path {packed[:8].hex()} of a trie node has no valid flags", code="format.trie.path"
        )
    is_leaf = bool(nibbles[0] & 2)
    part = nibbles[1:] if nibbles[0] & 1 else nibbles[2:]
    if not is_leaf and not part:
        raise NonCanonicalError("trie extension with an empty path", code="format.trie.path")
    return is_leaf, part


def _parse_reference(value: RlpValue) -> RlpValue:
    """Return what names a child: a digest, or the child itself where it is shorter than one."""
    if isinstance(value, bytes):
        return parse_rlp_bytes(value, "reference to a trie node", n_bytes=_DIGEST_BYTES)
    if len(rlp_encode(value)) >= _DIGEST_BYTES:
        raise NonCanonicalError(
            "trie node of 32 bytes or more inside its parent", code="format.trie.embedded"
        )
    return value
