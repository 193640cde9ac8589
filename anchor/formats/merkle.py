"""Compute and verify RFC 6962 Merkle trees over SHA-256.

Sources: RFC 6962 section 2.1 (hashing, proofs), RFC 9162 sections 2.1.3.2 and 2.1.4.2 (verifying).

Rules of this module:

* A leaf hash and a node hash differ in their first byte, so that no inner node passes for a leaf.
* Every proof has exactly one right length for its index and sizes; hashes left over are an error.
* An old size of 0 is an error in consistency: everything is consistent with the empty tree, so such
  a proof shows nothing, and a caller who has no old tree must say so itself.
* Indices are zero-based; sizes count leaves, at most ``limits.MAX_TREE_SIZE``.

Provers read the tree through ``read_hash(level, index)``, which returns the hash of the complete
subtree of ``2**level`` leaves that starts at leaf ``index * 2**level``; where it comes from (tiles,
flat files, memory) is not known here.

A proof binds its path to a root; that a size belongs to the root only a signed checkpoint tells:
the same hashes may verify for several pairs of index and size (leaf 6 of 7 as leaf 3 of 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final, Literal

from anchor import limits
from anchor.errors import ConsistencyError, FormatError, InclusionError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()

ReadHash = Callable[[int, int], bytes]
Side = Literal["left", "right"]


# -- hashing ---------------------------------------------------------------------------------------


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Return the leaf hash of each entry, in order; for bulk."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def _parents(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes one level up; an odd last hash has no parent yet and is left out."""
    pairs = iter(hashes)
    return [
        sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)
    ]


def root_hash(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root hash over leaf hashes in order; of none, SHA-256 of nothing."""
    level = list(leaf_hashes)
    while len(level) > 1:
        # RFC 6962's split at the greatest power of two carries an odd last hash up unchanged.
        level = _parents(level) + (level[-1:] if len(level) % 2 else [])
    return level[0] if level else EMPTY_ROOT


def _fold(subtrees: Sequence[bytes]) -> bytes:
    """Join complete subtrees, greatest and leftmost first, into one root."""
    root = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        root = node_hash(left, root)
    return root


# -- verification ----------------------------------------------------------------------------------


def _require_hashes(
    hashes: Sequence[bytes], error: type[InclusionError | ConsistencyError]
) -> None:
    if len(hashes) > limits.MAX_PATH_HASHES:
        raise error(f"proof of {len(hashes)} hashes, wanted at most {limits.MAX_PATH_HASHES}")
    for item in hashes:
        if len(item) != HASH_BYTES:
            raise error(f"proof holds a hash of {len(item)} bytes, wanted {HASH_BYTES}")


def _require_index(leaf_index: int, tree_size: int) -> None:
    if not 0 <= leaf_index < tree_size <= limits.MAX_TREE_SIZE:
        raise InclusionError(
            f"leaf index {leaf_index} is not in a tree of size {tree_size}",
            code="verify.inclusion.index",
        )


def _require_sizes(old_size: int, new_size: int) -> None:
    if not 0 < old_size <= new_size <= limits.MAX_TREE_SIZE:
        raise ConsistencyError(
            f"no consistency proof leads from tree size {old_size} to {new_size}",
            code="verify.consistency.size",
        )


def inclusion_steps(
    leaf_index: int, tree_size: int, hashes: Sequence[bytes]
) -> list[tuple[Side, bytes]]:
    """Return the side on which each sibling stands, with the sibling, leaf's sibling first.

    With ``("left", h)`` the next hash is ``node_hash(h, current)``, with ``("right", h)`` it is
    ``node_hash(current, h)``; the last one is the root (RFC 9162 section 2.1.3.2).

    Raises:
        InclusionError: the index is not in the tree, or the number or a length of the hashes is not
            what index and size want.
    """
    _require_index(leaf_index, tree_size)
    _require_hashes(hashes, InclusionError)
    steps: list[tuple[Side, bytes]] = []
    # Each turn goes up one level: ``index`` is the node above our leaf there, ``last`` the level's
    # last node (the RFC's fn and sn). In a tree of 5 leaves, leaf 4 has no sibling for two levels:
    #
    #             root              last = 0: nothing is left to join
    #          ┌────┴────┐
    #          0         1          last = 1: leaf 4 again; the sibling is on its left
    #       ┌──┴──┐      │
    #       0     1      2          last = 2: carried up
    #      ┌┴┐   ┌┴┐     │
    #      0 1   2 3     4          last = 4: carried up
    index, last = leaf_index, tree_size - 1
    for sibling in hashes:
        if last == 0:
            break
        if index & 1 or index == last:
            steps.append(("left", sibling))
            while not index & 1 and index:
                # The last node of an odd level has no sibling, and the proof has no hash for it.
                index, last = index >> 1, last >> 1
        else:
            steps.append(("right", sibling))
        index, last = index >> 1, last >> 1
    if last or len(steps) != len(hashes):
        raise InclusionError(
            f"inclusion proof of {len(hashes)} hashes is not of the length that leaf index "
            f"{leaf_index} in tree size {tree_size} wants",
            code="verify.inclusion.length",
        )
    return steps


def root_from_inclusion(
    leaf_hash: bytes, leaf_index: int, tree_size: int, hashes: Sequence[bytes]
) -> bytes:
    """Return the root hash that an inclusion proof leads to.

    Raises:
        InclusionError: as :func:`inclusion_steps`, or the leaf hash is not 32 bytes.
    """
    _require_hashes((leaf_hash,), InclusionError)
    current = leaf_hash
    for side, sibling in inclusion_steps(leaf_index, tree_size, hashes):
        pair = sibling + current if side == "left" else current + sibling
        current = sha256(b"\x01" + pair).digest()  # node_hash, without the call
    return current


def verify_inclusion(
    leaf_hash: bytes, leaf_index: int, tree_size: int, hashes: Sequence[bytes], root_hash: bytes
) -> None:
    """Verify that the leaf stands at that index in the tree of that size and root.

    Raises:
        InclusionError: it does not, or the proof is not of the right shape.
    """
    computed = root_from_inclusion(leaf_hash, leaf_index, tree_size, hashes)
    if computed != root_hash:
        raise InclusionError(
            f"inclusion proof leads to root {computed.hex()}, wanted {root_hash.hex()}",
            code="verify.inclusion.root_mismatch",
        )


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, hashes: Sequence[bytes]
) -> None:
    """Verify that the old tree is a prefix of the new one (RFC 9162 section 2.1.4.2).

    Raises:
        ConsistencyError: it is not, the old size is 0 or greater than the new one, or the proof is
            not of the right shape. For equal sizes the proof is empty and the roots are equal.
    """
    _require_sizes(old_size, new_size)
    if old_size != new_size:  # of equal sizes the roots are compared, and nothing is computed
        _require_hashes((old_root, new_root), ConsistencyError)
    _require_hashes(hashes, ConsistencyError)
    roots = _roots_from_consistency(old_size, new_size, old_root, hashes)
    if roots is None:
        raise ConsistencyError(
            f"consistency proof of {len(hashes)} hashes is not of the length that tree sizes "
            f"{old_size} and {new_size} want",
            code="verify.consistency.length",
        )
    if roots != (old_root, new_root):
        raise ConsistencyError(
            f"the tree of size {old_size} and root {old_root.hex()} is not shown to be a prefix "
            f"of the tree of size {new_size} and root {new_root.hex()}",
            code="verify.consistency.root_mismatch",
        )


def _roots_from_consistency(
    old_size: int, new_size: int, old_root: bytes, hashes: Sequence[bytes]
) -> tuple[bytes, bytes] | None:
    """Return the old and the new root that a proof leads to, or None if its length is wrong."""
    if old_size == new_size:
        return None if hashes else (old_root, old_root)
    # ``index`` is the old tree's last node on a level, ``last`` the new tree's (the RFC's fn, sn).
    index, last = old_size - 1, new_size - 1
    # Up to the greatest complete subtree that ends the old tree: in both trees it is the same.
    while index & 1:
        index, last = index >> 1, last >> 1
    # Where the old tree is one complete subtree, the prover leaves its root out.
    path = list(hashes) if index else [old_root, *hashes]
    if not path:
        return None
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if index & 1 or index == last:
            # On the left stands what both trees have.
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            # On the right stands what only the new tree has.
            new = node_hash(new, sibling)
        index, last = index >> 1, last >> 1
    return None if last else (old, new)


# -- proving ---------------------------------------------------------------------------------------


def _range_root(first: int, count: int, read_hash: ReadHash) -> bytes:
    """Return the hash over ``count`` leaves from ``first``, a multiple of the power of two above.

    Reads one complete subtree for each bit set in ``count``.
    """
    subtrees = []
    for level in reversed(range(count.bit_length())):
        if count >> level & 1:
            subtrees.append(read_hash(level, first >> level))
            first += 1 << level
    return _fold(subtrees)


def _split(size: int) -> int:
    """Return the greatest power of two below ``size`` (RFC 6962's k)."""
    return 1 << (size - 1).bit_length() - 1


def tree_root(tree_size: int, read_hash: ReadHash) -> bytes:
    """Return the root hash of the first ``tree_size`` leaves; for 0, of the empty tree."""
    return _range_root(0, tree_size, read_hash) if tree_size else EMPTY_ROOT


def inclusion_path(leaf_index: int, tree_size: int, read_hash: ReadHash) -> list[bytes]:
    """Return the inclusion proof of one leaf, leaf's sibling first (RFC 6962 section 2.1.1).

    Raises:
        InclusionError: the index is not in a tree of that size.
    """
    _require_index(leaf_index, tree_size)
    path = []
    first, size = 0, tree_size
    while size > 1:
        split = _split(size)
        if leaf_index < first + split:
            path.append(_range_root(first + split, size - split, read_hash))
            size = split
        else:
            path.append(_range_root(first, split, read_hash))
            first, size = first + split, size - split
    return path[::-1]


def consistency_path(old_size: int, new_size: int, read_hash: ReadHash) -> list[bytes]:
    """Return the consistency proof between two sizes (RFC 6962 section 2.1.2); empty if equal.

    Raises:
        ConsistencyError: the old size is 0 or greater than the new one.
    """
    _require_sizes(old_size, new_size)
    path = []
    first, size = 0, new_size
    while first + size != old_size:
        split = _split(size)
        if old_size <= first + split:
            path.append(_range_root(first + split, size - split, read_hash))
            size = split
        else:
            path.append(_range_root(first, split, read_hash))
            first, size = first + split, size - split
    if first:
        # The old tree is not the left edge itself, so the verifier needs its last part named.
        path.append(_range_root(first, size, read_hash))
    return path[::-1]


# -- appending -------------------------------------------------------------------------------------


class CompactRange:
    """The right edge of a growing tree: all that is needed to append and to know the root.

    Holds one hash for each bit set in ``size``, at most 53. Not safe for several threads at once.
    """

    def __init__(self) -> None:
        self._size = 0
        # At level k, the complete subtree of 2**k leaves that waits for its right sibling; it is
        # there exactly where bit k of the size is set.
        self._waiting: list[bytes | None] = []

    @classmethod
    def from_hashes(cls, size: int, hashes: Sequence[bytes]) -> CompactRange:
        """Restore what ``size`` and ``hashes`` said before.

        Raises:
            FormatError: the number of hashes, or the length of one, does not fit the size.
        """
        if not 0 <= size <= limits.MAX_TREE_SIZE or len(hashes) != size.bit_count():
            raise FormatError(f"{len(hashes)} hashes do not describe a tree of size {size}")
        if any(len(item) != HASH_BYTES for item in hashes):
            raise FormatError(f"the right edge holds a hash that is not {HASH_BYTES} bytes")
        edge = cls()
        edge._size = size
        source = iter(reversed(hashes))
        edge._waiting = [
            next(source) if size >> level & 1 else None for level in range(size.bit_length())
        ]
        return edge

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    @property
    def hashes(self) -> list[bytes]:
        """The complete subtrees that make up the tree, greatest and leftmost first."""
        return [item for item in reversed(self._waiting) if item is not None]

    def copy(self) -> CompactRange:
        """Return an independent copy, to append to without commitment."""
        return CompactRange.from_hashes(self._size, self.hashes)

    def append(self, leaf_hash: bytes) -> None:
        """Append one leaf hash of 32 bytes."""
        self.append_many((leaf_hash,))

    def append_many(self, leaf_hashes: Iterable[bytes]) -> list[list[bytes]]:
        """Append leaf hashes in order, level by level, which is several times faster than singly.

        Returns:
            For each level k, the hashes of the complete subtrees of 2**k leaves that the append
            completed, in order; with n as the size before, the first has index ``n >> k`` (as in
            ``read_hash``). Level 0 is the leaf hashes; there is no empty level at the end.
        """
        completed: list[list[bytes]] = []
        new = list(leaf_hashes)
        added = len(new)
        while new:
            level = len(completed)
            completed.append(new)
            if level == len(self._waiting):
                self._waiting.append(None)
            left = self._waiting[level]
            run = new if left is None else [left, *new]
            self._waiting[level] = run[-1] if len(run) % 2 else None
            new = _parents(run)
        self._size += added
        return completed

    def root_hash(self) -> bytes:
        """Return the root hash of the tree as it is now."""
        return _fold(self.hashes) if self._size else EMPTY_ROOT
