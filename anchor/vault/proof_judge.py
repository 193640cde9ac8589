"""Judges the proofs of one vault; apart from ``proof_states.py``, as the kernel takes time to load.

Only the time of a record's digest is judged here, as of any proof; whose the record is and what
place it has is for :mod:`anchor.vault.check` and ``vestige verify``.
"""

from __future__ import annotations

from datetime import datetime

from anchor import limits
from anchor.client.local_file import load_bytes
from anchor.errors import FormatError, NotFoundError, VerificationError
from anchor.formats.encoding import utc_text
from anchor.proof.codec import parse_proof
from anchor.proof.policy import Policy
from anchor.vault.index import ProofState
from anchor.vault.vault import Vault
from anchor.verify.judge import Judge
from anchor.verify.verdict import Status


class ProofJudge:
    """Judges under one policy at one time (aware UTC)."""

    def __init__(self, vault: Vault, policy: Policy, now: datetime) -> None:
        self._vault = vault
        self._judge = Judge(policy, now=now)

    def state(self, seq: int, version: tuple[int, int]) -> ProofState:
        """Return what a record's proof shows.

        Args:
            seq: of the record.
            version: time and size of the proof's file, to be remembered with the outcome.
        """
        path = self._vault.layout.proof(seq)
        try:
            proof = parse_proof(load_bytes(path, max_bytes=limits.MAX_PROOF_BYTES, what="proof"))
            digest = self._vault.read(seq).digest
        except (FormatError, NotFoundError, VerificationError) as error:
            return _false(seq, version, error.message)
        if proof.digest != digest:
            return _false(seq, version, "the proof is of another digest than the record's")
        verdict = self._judge.verify_proof(proof, file_digest=digest)
        head = verdict.headline
        statuses = {row.status for row in verdict.rows}
        return ProofState(
            seq,
            *version,
            verdict.status.value,
            verdict.reason,
            None if head is None else utc_text(head.existed_before),
            bool(statuses) and Status.PENDING not in statuses,
        )


def _false(seq: int, version: tuple[int, int], reason: str) -> ProofState:
    return ProofState(seq, *version, Status.FAILED.value, reason, None, complete=True)
