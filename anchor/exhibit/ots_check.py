"""Step E6: do the ``.ots`` files say what the proofs beside them say?

A stock client may be used on them alone, so they must not lead anywhere else.

Specification: ``docs/spec/exhibit.md``, step E6.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TypeAlias

from anchor.errors import FormatError
from anchor.exhibit.agreement import Agreement
from anchor.exhibit.contents import Contents
from anchor.exhibit.layout import ots_path
from anchor.exhibit.verdict import ExhibitFinding
from anchor.formats.ots.attestation import Attestation
from anchor.formats.ots.codec import parse_detached, parse_tree
from anchor.formats.ots.op import Sha256
from anchor.proof.proof import OpenTimestampsAttestation, Proof

_Ends: TypeAlias = set[tuple[bytes, Attestation]]


def check_ots(
    contents: Contents, agreement: Agreement, unpaid: Container[bytes]
) -> Iterator[ExhibitFinding]:
    """Yield a finding for each ``.ots`` file that its record and proof do not bear out.

    Those of records whose digests are ``unpaid`` are not looked at: the record is not checked.
    """
    known: dict[OpenTimestampsAttestation, _Ends] = {}
    for record in agreement.records:
        path = ots_path(record.seq)
        data, proof = contents.texts.get(path), agreement.proofs.get(record.seq)
        if data is None or proof is None or record.digest in unpaid:
            continue
        try:
            why = _fault(data, record.digest, proof, known)
        except FormatError as error:
            why = error.message
        if why is not None:
            yield ExhibitFinding("E6", "failed", "exhibit.ots", path, why)


def _fault(
    data: bytes, digest: bytes, proof: Proof, known: dict[OpenTimestampsAttestation, _Ends]
) -> str | None:
    detached = parse_detached(data)
    if (detached.file_op, detached.tree.message) != (Sha256(), digest):
        return "it is of another digest than the record's"
    found = {(path.message, path.attestation) for path in detached.tree.paths()}
    if not found <= _proven(proof, known):
        return "it leads to something that the proof does not hold"
    return None


def _proven(proof: Proof, known: dict[OpenTimestampsAttestation, _Ends]) -> _Ends:
    """Return where the proof's own trees lead; proofs of one round share theirs."""
    found: _Ends = set()
    for attestation in proof.attestations:
        if isinstance(attestation, OpenTimestampsAttestation):
            if attestation not in known:
                tree = parse_tree(attestation.tree, attestation.root_hash)
                known[attestation] = {(path.message, path.attestation) for path in tree.paths()}
            found |= known[attestation]
    return found
