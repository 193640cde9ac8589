"""The trie of a block's transactions or receipts, built to take one proof out of it.

Specification: Ethereum Yellow Paper, appendix D, and section 4.3 for what goes in: the i-th item
under the key RLP(i). The reader's side is ``anchor/formats/trie.py``; this is the writer's, and
serves blocks (hundreds of items), not states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from anchor.formats.evm.transaction import index_key
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import RlpInput, rlp_encode
from anchor.formats.trie import EMPTY_TRIE_ROOT

_Nibbles: TypeAlias = tuple[int, ...]
_Entries: TypeAlias = Sequence[tuple[_Nibbles, bytes]]

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class TrieProof:
    """A root hash, and the encoded nodes from the root down to one item."""

    root_hash: bytes
    nodes: tuple[bytes, ...]


def ordered_trie_proof(items: Sequence[bytes], index: int) -> TrieProof:
    """Return the root hash of the trie of ``items`` and the proof of the one at ``index``.

    Raises:
        IndexError: there is no such item (a bug of the caller).
    """
    if not 0 <= index < len(items):
        raise IndexError(f"item {index} of {len(items)}")
    return _build_proof(items, index)


def ordered_trie_root(items: Sequence[bytes]) -> bytes:
    """Return the root hash of the trie of ``items``, which may be none."""
    return _build_proof(items, 0).root_hash if items else EMPTY_TRIE_ROOT


def _build_proof(items: Sequence[bytes], index: int) -> TrieProof:
    entries = sorted((_nibbles(index_key(i)), item) for i, item in enumerate(items))
    nodes: list[bytes] = []
    _build(entries, 0, _nibbles(index_key(index)), nodes)
    nodes.reverse()
    return TrieProof(keccak256(nodes[0]), tuple(nodes))


def _build(entries: _Entries, depth: int, wanted: _Nibbles | None, nodes: list[bytes]) -> RlpInput:
    """Return what a parent holds of the node over ``entries``: its digest, or itself if short.

    ``entries`` are sorted and agree on their first ``depth`` nibbles. Where ``wanted`` passes
    through the node, it is appended to ``nodes`` (deepest first) unless its parent holds it whole.
    """
    first, last = entries[0][0], entries[-1][0]
    node: list[RlpInput]
    if len(entries) == 1:
        node = [_pack_path(first[depth:], is_leaf=True), entries[0][1]]
    else:
        fork = depth
        while first[fork] == last[fork]:
            fork += 1
        if fork > depth:
            child = _build(entries, fork, wanted, nodes)
            node = [_pack_path(first[depth:fork], is_leaf=False), child]
        else:
            node = _branch(entries, depth, wanted, nodes)
    encoded = rlp_encode(node)
    is_short = len(encoded) < _DIGEST_BYTES and depth > 0
    if wanted is not None and not is_short:
        nodes.append(encoded)
    return node if is_short else keccak256(encoded)


def _branch(
    entries: _Entries, depth: int, wanted: _Nibbles | None, nodes: list[bytes]
) -> list[RlpInput]:
    node: list[RlpInput] = [b""] * 17
    for nibble in range(16):
        below = [entry for entry in entries if entry[0][depth] == nibble]
        if below:
            on_way = wanted if wanted is not None and wanted[depth] == nibble else None
            node[nibble] = _build(below, depth + 1, on_way, nodes)
    return node


def _nibbles(key: bytes) -> _Nibbles:
    return tuple(nibble for byte in key for nibble in (byte >> 4, byte & 15))


def _pack_path(nibbles: _Nibbles, *, is_leaf: bool) -> bytes:
    """Return a path in hex-prefix encoding (appendix C)."""
    flag = 2 if is_leaf else 0
    whole = (flag + 1, *nibbles) if len(nibbles) % 2 else (flag, 0, *nibbles)
    return bytes(whole[i] << 4 | whole[i + 1] for i in range(0, len(whole), 2))
