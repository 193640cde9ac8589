"""Merge what two proof files of one digest know, and lose nothing.

Used by ``upgrade``: the old file's evidence is kept, fuller evidence for the same thing replaces
what it contains. The caller has judged the newer proof and dropped what fails (``verification.md``,
the sum). ``expected`` rows are no evidence and are taken from the newer proof alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from anchor.errors import DigestMismatchError
from anchor.formats.ots.codec import parse_tree, serialize_tree
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

T = TypeVar("T")


def merge_proofs(older: Proof, newer: Proof) -> Proof:
    """Return a proof with the evidence of both; the order of the older one is kept.

    Raises:
        DigestMismatchError: the proofs are about different digests or openings.
        FormatError: an OpenTimestamps tree in one of them cannot be read.
    """
    if older.digest != newer.digest:
        raise DigestMismatchError(
            f"the proofs are of different digests: {older.digest.hex()} and {newer.digest.hex()}"
        )
    merged: dict[object, Attestation] = {}
    for attestation in (*older.attestations, *newer.attestations):
        if isinstance(attestation, ExpectedAttestation):
            continue
        key = _identity(attestation)
        present = merged.get(key)
        merged[key] = attestation if present is None else _fuller(present, attestation)
    expected = tuple(a for a in newer.attestations if isinstance(a, ExpectedAttestation))
    return Proof(
        digest=older.digest,
        opening=older.opening if older.opening is not None else newer.opening,
        inclusions=_merge_inclusions(older.inclusions, newer.inclusions),
        attestations=(*merged.values(), *expected),
    )


def _merge_inclusions(
    older: tuple[Inclusion, ...], newer: tuple[Inclusion, ...]
) -> tuple[Inclusion, ...]:
    """Keep every checkpoint ever seen: two of one size with different roots are evidence."""
    merged = list(dict.fromkeys((*older, *newer)))
    signed = {(i.leaf_index, i.tree_size, i.hashes) for i in merged if i.checkpoint is not None}
    return tuple(
        i
        for i in merged
        if i.checkpoint is not None or (i.leaf_index, i.tree_size, i.hashes) not in signed
    )


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


def _fuller(present: Attestation, other: Attestation) -> Attestation:
    if isinstance(present, Rfc3161Attestation) and isinstance(other, Rfc3161Attestation):
        return replace(
            present,
            certificates=_union(present.certificates, other.certificates),
            ocsp=_union(present.ocsp, other.ocsp),
            crls=_union(present.crls, other.crls),
            inclusions=_merge_inclusions(present.inclusions, other.inclusions),
        )
    if isinstance(present, EvmAttestation) and isinstance(other, EvmAttestation):
        changed = other.transaction_hash not in (None, present.transaction_hash)
        base = other if changed and other.transaction is not None else present
        rest = present if base is other else other
        return replace(
            base,
            transaction_hash=base.transaction_hash or rest.transaction_hash,
            transaction=base.transaction or (None if changed else rest.transaction),
            receipt=base.receipt or (None if changed else rest.receipt),
            storage=base.storage or rest.storage,
        )
    if isinstance(present, OpenTimestampsAttestation) and isinstance(
        other, OpenTimestampsAttestation
    ):
        tree = parse_tree(present.tree, present.root_hash)
        tree.merge(parse_tree(other.tree, other.root_hash))
        runs = {run.height: run for run in present.headers}
        for run in other.headers:
            known = runs.get(run.height)
            if known is None or len(run.headers) > len(known.headers):
                runs[run.height] = run
        return replace(
            present, tree=serialize_tree(tree), headers=tuple(runs[h] for h in sorted(runs))
        )
    return present


def _union(first: tuple[T, ...], second: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*first, *second)))
