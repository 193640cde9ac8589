"""Build the ``.ots`` file that stock OpenTimestamps clients read, out of a proof's parts.

The tree starts at the file's own SHA-256, takes the opening to the log's digest, the RFC 6962 path
to a round's root hash (leaf: prepend 0x00, SHA-256; node: the sibling before or behind, 0x01 before
both, SHA-256), and joins there the trees that calendars gave for that root, operation by operation.

Rules: nested operations are counted before anything is written; past 255 no reader opens the file,
so that is an error and never a shorter file. Our own part stays under 110, which leaves a calendar
its usual 96 and more. A calendar's path through Keccak-256 is left out, since two of the four
public readers abort on the whole file; it stays in the proof file.

What this deliberately does not do: check the attestations. It writes what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

from anchor.errors import (
    AttestationError,
    FormatError,
    IncompleteProofError,
    LimitExceededError,
)
from anchor.formats.merkle import Side
from anchor.formats.ots.codec import DetachedTimestamp, serialize_detached
from anchor.formats.ots.op import Append, Keccak256, Op, Prepend, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.limits import DIGEST_BYTES, MAX_OPENING_BYTES, MAX_OTS_OWN_OPERATIONS


def export_ots(
    file_digest: bytes,
    opening: bytes | None,
    steps: Sequence[tuple[Side, bytes]],
    trees: Sequence[Timestamp],
) -> bytes:
    """Return the ``.ots`` file for ``file_digest``.

    Args:
        file_digest: SHA-256 of the file, 32 bytes.
        opening: what is appended to it before the SHA-256 that gives the log's digest; None where
            the file's own digest is in the log.
        steps: the sibling hashes of the inclusion proof with the side on which each stands, the
            leaf's first, as ``merkle.inclusion_steps`` gives them.
        trees: calendars' trees over the root hash that the steps lead to.

    Raises:
        LimitExceededError: our part has more than 110 operations (``ots.own_operations``), or the
            whole more than 255 nested ones (``ots.too_deep``).
        AttestationError: a tree is over another root hash (``ots.root_mismatch``).
        IncompleteProofError: no tree holds an attestation that can be written.
        FormatError: a digest, opening or sibling of the wrong length.
    """
    _check_length("file digest", file_digest, DIGEST_BYTES, DIGEST_BYTES)
    own_ops = _opening_ops(opening) + _inclusion_ops(steps)
    if len(own_ops) > MAX_OTS_OWN_OPERATIONS:
        raise LimitExceededError(
            f"{len(own_ops)} operations from the file to the root hash, "
            f"{MAX_OTS_OWN_OPERATIONS} allowed",
            code="ots.own_operations",
        )
    whole = Timestamp(file_digest)
    root = _follow(whole, own_ops)
    for tree in trees:
        _join(root, tree)
    if not root.attestations and not root.branches:
        raise IncompleteProofError(
            "no calendar has attested to this root hash yet",
            code="ots.no_attestation",
            hint="ask again later, or keep the proof file, which grows by itself",
        )
    return serialize_detached(DetachedTimestamp(Sha256(), file_digest, whole))


def _opening_ops(opening: bytes | None) -> list[Op]:
    """Return the operations from the file's digest to the log's digest."""
    if opening is None:
        return []
    _check_length("opening", opening, 0, MAX_OPENING_BYTES)
    return [Append(opening), Sha256()] if opening else [Sha256()]


def _inclusion_ops(steps: Sequence[tuple[Side, bytes]]) -> list[Op]:
    """Return the operations from the log's digest to the root hash (RFC 6962 section 2.1)."""
    ops: list[Op] = [Prepend(b"\x00"), Sha256()]
    for side, sibling in steps:
        _check_length("sibling hash", sibling, DIGEST_BYTES, DIGEST_BYTES)
        if side == "left":
            ops.append(Prepend(b"\x01" + sibling))
        else:
            ops += [Prepend(b"\x01"), Append(sibling)]
        ops.append(Sha256())
    return ops


def _join(root: Timestamp, tree: Timestamp) -> None:
    """Add every path of ``tree`` that all readers know the operations of."""
    if tree.message != root.message:
        raise AttestationError(
            f"a calendar's tree is over {tree.message.hex()}, the proof leads to "
            f"{root.message.hex()}",
            code="ots.root_mismatch",
        )
    for path in tree.paths():
        if not any(isinstance(op, Keccak256) for op in path.ops):
            _follow(root, path.ops).attest(path.attestation)


def _follow(node: Timestamp, ops: Sequence[Op]) -> Timestamp:
    for op in ops:
        node = node.add(op)
    return node


def _check_length(what: str, data: bytes, least: int, most: int) -> None:
    if not least <= len(data) <= most:
        raise FormatError(f"{what}: {len(data)} bytes, {least} to {most} wanted")
