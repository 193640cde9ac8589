"""Sort what came back for a proof: what is false, and what verifies by itself.

Used by ``upgrade`` on evidence that a service, which may lie, has just sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from anchor.errors import FormatError, VerificationError, VestigeError
from anchor.formats.tsp import parse_token
from anchor.formats.tsp_chain import verify_token
from anchor.formats.x509_revocation import verify_revocation
from anchor.proof.policy import Policy
from anchor.proof.proof import Attestation, Inclusion, Proof, Rfc3161Attestation
from anchor.verify.inclusion import CheckpointReader, reach_root
from anchor.verify.judge import Judge
from anchor.verify.verdict import Status


class Soundness:
    """Judges answers under one policy.

    Args:
        policy: what is believed.
        judge: judges under that policy.
    """

    def __init__(self, policy: Policy, judge: Judge) -> None:
        self._reader = CheckpointReader(policy)
        self._judge = judge

    def sound(self, proof: Proof) -> tuple[Proof, tuple[str, ...]]:
        """Return the proof without what is false, and what that was.

        Raises:
            VerificationError: no inclusion is true.
        """
        dropped: list[str] = []
        inclusions = self._true_inclusions(proof, dropped)
        if not inclusions:
            raise VerificationError(
                f"no inclusion in the answer is true: {'; '.join(dropped)}",
                code="verify.answer",
            )
        verdict = self._judge.verify_proof(replace(proof, inclusions=inclusions))
        failed = {row.attestation for row in verdict.rows if row.status is Status.FAILED}
        dropped += [
            f"{row.attestation.kind}: {row.judgement.reason}"
            for row in verdict.rows
            if row.status is Status.FAILED
        ]
        kept = []
        for attestation in proof.attestations:
            if attestation in failed:
                continue
            trouble = _revocation_trouble(attestation)
            if trouble is None:
                kept.append(attestation)
            else:
                dropped.append(f"rfc3161: {trouble}")
        return replace(proof, inclusions=inclusions, attestations=tuple(kept)), tuple(dropped)

    def confirmer(self, proof: Proof) -> Callable[[Attestation], bool]:
        """Return what says whether an attestation, with the inclusions of a proof, verifies."""

        def confirmed(attestation: Attestation) -> bool:
            verdict = self._judge.verify_proof(replace(proof, attestations=(attestation,)))
            return all(row.status is Status.VERIFIED for row in verdict.rows)

        return confirmed

    def _true_inclusions(self, proof: Proof, dropped: list[str]) -> tuple[Inclusion, ...]:
        inclusions = []
        for inclusion in proof.inclusions:
            try:
                reach_root(proof.digest, inclusion, self._reader)
            except VestigeError as error:
                dropped.append(f"inclusion in the tree of size {inclusion.tree_size}: {error}")
            else:
                inclusions.append(inclusion)
        return tuple(inclusions)


def _revocation_trouble(attestation: Attestation) -> str | None:
    """Return what is wrong with a token's revocation data, also under a root that nobody trusts.

    The judge reads them once it trusts the root. Whoever trusts it one day must not find then that
    a service has put something beside the token which makes all of it false.
    """
    if not isinstance(attestation, Rfc3161Attestation):
        return None
    if not (attestation.ocsp or attestation.crls):
        return None
    try:
        token = parse_token(attestation.token)
        verified = verify_token(
            token,
            digest=token.imprint,
            roots=(*attestation.certificates, *token.certificates),
            extra_certificates=attestation.certificates,
        )
        verify_revocation(
            verified.chain, ocsp=attestation.ocsp, crls=(*attestation.crls, *token.crls)
        )
    except (FormatError, VerificationError) as error:
        return error.message
    return None
