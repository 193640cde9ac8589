"""Step 8: a witness's cosignature.

A cosignature says: at this time I had seen this checkpoint, consistent with all I had signed
before. Its time is a bound if the policy knows the witness; one that the operator has a hand in
never sets the headline.

Specification: ``docs/spec/verification.md``, step 8; C2SP tlog-cosignature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from anchor.errors import AttestationError
from anchor.formats.checkpoint import parse_checkpoint, verify_cosignature
from anchor.formats.note import SignedNote, parse_note
from anchor.proof.policy import Policy, TrustedWitness
from anchor.proof.proof import WitnessAttestation
from anchor.verify.verdict import Judgement, Status, Step


def judge_witness(attestation: WitnessAttestation, policy: Policy, now: datetime) -> Judgement:
    """Judge one cosignature.

    Raises:
        AttestationError: the checkpoint holds another root.
        SignatureError: the cosignature is false.
        FormatError: the checkpoint cannot be read.
    """
    note = parse_note(attestation.checkpoint)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.root_hash != attestation.root_hash:
        raise AttestationError(
            "the cosigned checkpoint holds another root hash", code="witness.root_mismatch"
        )
    witness = _signer(note, [w for w in policy.witnesses if w.name == attestation.witness])
    if witness is None:
        return Judgement(
            Status.NOT_CHECKED,
            "the policy does not know this witness",
            "witness.unknown",
            by=attestation.witness,
        )
    cosigned_at = verify_cosignature(note, witness.key)
    lines = (f"cosignature/v1, time {cosigned_at}", f"size {checkpoint.tree_size}")
    step = Step("8.1", f"cosignature of {witness.name}", lines)
    return replace(_judge_time(cosigned_at, witness, now), by=witness.name, steps=(step,))


def _judge_time(cosigned_at: int, witness: TrustedWitness, now: datetime) -> Judgement:
    """Judge what time a genuine cosignature gives."""
    if cosigned_at == 0:
        return Judgement(Status.NOT_CHECKED, "the cosignature states no time", "witness.no_time")
    if cosigned_at > now.timestamp():
        return Judgement(
            Status.NOT_CHECKED, "the cosignature states a time in the future", "witness.no_time"
        )
    related = ", which is related to the log's operator" if witness.related else ""
    return Judgement(
        Status.VERIFIED,
        "cosigned the checkpoint",
        "witness.verified",
        attested_time=datetime.fromtimestamp(cosigned_at, UTC),
        trust=f"believe the clock and key of witness {witness.name}{related}",
        headline=not witness.related,
    )


def _signer(note: SignedNote, named: Sequence[TrustedWitness]) -> TrustedWitness | None:
    """Return the witness whose key stands on the note; all are tried, whatever their order.

    A note with none of the keys is looked at with the first, which says what is missing.
    """
    there = [witness for witness in named if note.signatures_by(witness.key)]
    return min(there or named, key=lambda witness: witness.key.text, default=None)
