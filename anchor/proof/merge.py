"""Merge what two proof files of one digest know, and lose no evidence.

Used by ``upgrade``: the old file's evidence is kept, fuller evidence for the same thing joins it
(:mod:`anchor.proof.fold`). The caller has judged the newer proof and dropped what fails
(``verification.md``, the sum). ``expected`` rows are no evidence and are taken from the newer proof
alone.

A growing log shows a new checkpoint at every look. Of the inclusions those are kept that an
attestation needs, the newest checkpoint of each log, and two of one size that contradict each
other. A checkpoint is only given up for a newer one after the caller has verified that both belong
to one history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from anchor.errors import DigestMismatchError, FormatError, VerificationError
from anchor.formats.checkpoint import Checkpoint, parse_checkpoint
from anchor.formats.merkle import leaf_hash, root_from_inclusion
from anchor.formats.note import parse_note
from anchor.proof.fold import Confirmed, fold
from anchor.proof.proof import (
    Attestation,
    EvmAttestation,
    ExpectedAttestation,
    Inclusion,
    OpenTimestampsAttestation,
    Proof,
    Rfc3161Attestation,
    WitnessAttestation,
)

# Of one root, differing in their signatures alone.
_MAX_CHECKPOINTS_OF_A_ROOT: Final = 4


@dataclass(frozen=True, slots=True)
class Merged:
    """A proof with the evidence of two.

    Attributes:
        proof: the whole.
        left_out: what of the newer one it does not hold, in words.
    """

    proof: Proof
    left_out: tuple[str, ...]


def merge_proofs(older: Proof, newer: Proof) -> Proof:
    """Return a proof with the evidence of both; the order of the older one is kept.

    Raises:
        DigestMismatchError: the proofs are about different digests or openings.
        FormatError: an OpenTimestamps tree in one of them cannot be read.
    """
    return merge_judged(older, newer, confirmed=lambda _: False, consistent=()).proof


def merge_judged(
    older: Proof, newer: Proof, *, confirmed: Confirmed, consistent: Collection[str]
) -> Merged:
    """Merge with a reader's judgement; errors as :func:`merge_proofs`.

    Args:
        older: what there is.
        newer: what came, without what is false.
        confirmed: whether an attestation, taken alone, verifies under the reader's policy.
        consistent: checkpoints (notes, verbatim) whose logs were shown to have one history.
    """
    _check_same(older, newer)
    merged: dict[object, Attestation] = {}
    left_out: list[str] = []
    for attestation in (*older.attestations, *newer.attestations):
        if isinstance(attestation, ExpectedAttestation):
            continue
        key = _identity(attestation)
        if key in merged:
            folded = fold(merged[key], attestation, confirmed)
            merged[key] = _with_paths(folded.attestation, merged[key], attestation)
            left_out += folded.left_out
        else:
            merged[key] = attestation
    kept = [_needed_paths(a, merged.values()) for a in merged.values()]
    expected = [a for a in newer.attestations if isinstance(a, ExpectedAttestation)]
    inclusions = _kept_inclusions(
        leaf_hash(older.digest),
        _union_inclusions(older.inclusions, newer.inclusions),
        _roots(kept),
        consistent,
    )
    opening = older.opening if older.opening is not None else newer.opening
    proof = Proof(older.digest, opening, inclusions, (*kept, *expected))
    return Merged(proof, tuple(dict.fromkeys(left_out)))


def _check_same(older: Proof, newer: Proof) -> None:
    if older.digest != newer.digest:
        raise DigestMismatchError(
            f"the proofs are of different digests: {older.digest.hex()} and {newer.digest.hex()}"
        )
    openings = {older.opening, newer.opening} - {None}
    if len(openings) > 1:
        raise DigestMismatchError("the proofs lead to one digest by two different openings")


def _identity(attestation: Attestation) -> object:
    """Return what makes two attestations the same piece of evidence."""
    match attestation:
        case Rfc3161Attestation():
            return ("rfc3161", attestation.token, attestation.covers)
        case EvmAttestation():
            return ("evm", attestation.root_hash, attestation.chain_id, attestation.contract)
        case OpenTimestampsAttestation():
            return ("opentimestamps", attestation.root_hash, attestation.calendar)
        case WitnessAttestation():
            return ("witness", attestation.root_hash, attestation.witness)
        case _:
            return attestation


def _roots(attestations: Iterable[Attestation]) -> set[bytes]:
    roots = (getattr(attestation, "root_hash", None) for attestation in attestations)
    return {root for root in roots if root is not None}


# -- inclusions ------------------------------------------------------------------------------------


def _with_paths(whole: Attestation, first: Attestation, second: Attestation) -> Attestation:
    """Give a folded token the paths of both into later rounds."""
    if not isinstance(whole, Rfc3161Attestation):
        return whole
    paths = [getattr(attestation, "inclusions", ()) for attestation in (first, second)]
    return replace(whole, inclusions=_union_inclusions(*paths))


def _needed_paths(attestation: Attestation, others: Iterable[Attestation]) -> Attestation:
    """Leave a token the paths to those rounds that the other evidence is about."""
    if not isinstance(attestation, Rfc3161Attestation) or not attestation.inclusions:
        return attestation
    needed = _roots(other for other in others if other is not attestation)
    start = leaf_hash(hashlib.sha256(attestation.token).digest())
    paths = [i for i in attestation.inclusions if _root(start, i) in needed]
    return replace(attestation, inclusions=tuple(paths))


def _union_inclusions(
    older: Sequence[Inclusion], newer: Sequence[Inclusion]
) -> tuple[Inclusion, ...]:
    """Return both, each once; one without a checkpoint gives way to the same one with it."""
    merged = list(dict.fromkeys((*older, *newer)))
    signed = {(i.leaf_index, i.tree_size, i.hashes) for i in merged if i.checkpoint is not None}
    return tuple(
        i
        for i in merged
        if i.checkpoint is not None or (i.leaf_index, i.tree_size, i.hashes) not in signed
    )


def _kept_inclusions(
    leaf: bytes, inclusions: Sequence[Inclusion], needed: set[bytes], consistent: Collection[str]
) -> tuple[Inclusion, ...]:
    """Return those that carry evidence, in their order; at least one."""
    read = [
        (inclusion, _root(leaf, inclusion), checkpoint_in(inclusion.checkpoint))
        for inclusion in inclusions
    ]
    newest: dict[str, int] = {}
    seen: dict[tuple[str, int], set[bytes]] = {}
    for inclusion, _, checkpoint in read:
        if checkpoint is not None:
            place = (checkpoint.origin, checkpoint.tree_size)
            seen.setdefault(place, set()).add(checkpoint.root_hash)
            if inclusion.checkpoint in consistent:
                size = max(newest.get(checkpoint.origin, 0), checkpoint.tree_size)
                newest[checkpoint.origin] = size
    kept: list[Inclusion] = []
    notes: dict[bytes | None, int] = {}
    for inclusion, root, checkpoint in read:
        if root is not None and root in needed:
            notes[root] = notes.get(root, 0) + 1
            if notes[root] <= _MAX_CHECKPOINTS_OF_A_ROOT:
                kept.append(inclusion)
        elif checkpoint is not None:
            place = (checkpoint.origin, checkpoint.tree_size)
            outdated = checkpoint.tree_size < newest.get(checkpoint.origin, 0)
            if inclusion.checkpoint not in consistent or not outdated or len(seen[place]) > 1:
                kept.append(inclusion)
    return tuple(kept) or tuple(inclusions[-1:])


def _root(leaf: bytes, inclusion: Inclusion) -> bytes | None:
    try:
        return root_from_inclusion(
            leaf, inclusion.leaf_index, inclusion.tree_size, inclusion.hashes
        )
    except VerificationError:
        return None


@lru_cache(maxsize=64)
def checkpoint_in(note: str | None) -> Checkpoint | None:
    """Return what a signed note says, unverified; None if there is none or it is no checkpoint."""
    if note is None:
        return None
    try:
        return parse_checkpoint(parse_note(note).text)
    except FormatError:
        return None
