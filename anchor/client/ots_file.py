"""Make the ``.ots`` file of a proof, for stock OpenTimestamps clients.

A proof may hold calendars' trees over several roots; each is exported along its own inclusion, and
the trees are joined operation by operation.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from anchor.client.evidence import OTS_SUFFIX
from anchor.client.local_file import file_digest, write_atomically
from anchor.errors import DigestMismatchError, IncompleteProofError
from anchor.formats.merkle import inclusion_steps, root_from_inclusion
from anchor.formats.merkle import leaf_hash as leaf_hash_of
from anchor.formats.ots.codec import (
    DetachedTimestamp,
    parse_detached,
    parse_tree,
    serialize_detached,
)
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.ots_export import export_ots
from anchor.proof.proof import Inclusion, OpenTimestampsAttestation, Proof


def write_ots_beside(proof_path: Path, proof: Proof) -> Path:
    """Write ``NAME.ots`` beside ``NAME.proof``; return its path.

    The file begins with the SHA-256 of ``NAME``, which must lie beside it unless the log's entry is
    that very digest.

    Raises:
        DigestMismatchError: what lies there is not what the proof is of.
        NotFoundError, StoreError: there is no such file, or one of the two files fails.
        IncompleteProofError: no calendar has attested yet.
    """
    original = proof_path.with_suffix("")
    digest = proof.digest
    if proof.opening is not None or original.is_file():
        digest = file_digest(original)
    opening = proof.opening
    opened = digest if opening is None else hashlib.sha256(digest + opening).digest()
    if opened != proof.digest:
        raise DigestMismatchError(f"{original} is not the file that {proof_path} is of")
    path = proof_path.with_suffix(OTS_SUFFIX)
    write_atomically(path, ots_of_proof(proof, digest))
    return path


def ots_of_proof(proof: Proof, file_digest: bytes) -> bytes:
    """Return the ``.ots`` file.

    Args:
        proof: whose calendars' attestations are written.
        file_digest: SHA-256 of the file that the proof is of.

    Raises:
        IncompleteProofError: no calendar has attested to any root yet.
        LimitExceededError: the path is longer than any reader of the format follows.
        InclusionError, FormatError, AttestationError: the proof is not sound.
    """
    trees: dict[bytes, list[Timestamp]] = {}
    for attestation in proof.attestations:
        if isinstance(attestation, OpenTimestampsAttestation):
            tree = parse_tree(attestation.tree, attestation.root_hash)
            trees.setdefault(attestation.root_hash, []).append(tree)
    whole: DetachedTimestamp | None = None
    for inclusion in proof.inclusions:
        found = trees.pop(_root_hash(proof.digest, inclusion), None)
        if found is None:
            continue
        steps = inclusion_steps(inclusion.leaf_index, inclusion.tree_size, inclusion.hashes)
        part = parse_detached(export_ots(file_digest, proof.opening, steps, found))
        if whole is None:
            whole = part
        else:
            whole.tree.merge(part.tree)
    if whole is None:
        raise IncompleteProofError(
            "no calendar has attested to this proof yet",
            code="ots.no_attestation",
            hint="vestige upgrade --ots writes the file when one has",
        )
    return serialize_detached(whole)


def _root_hash(digest: bytes, inclusion: Inclusion) -> bytes:
    return root_from_inclusion(
        leaf_hash_of(digest), inclusion.leaf_index, inclusion.tree_size, inclusion.hashes
    )
