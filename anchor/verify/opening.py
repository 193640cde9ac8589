"""Step 1: from a file's digest, by the proof's opening, to the log's entry.

Specification: ``docs/spec/verification.md``, step 1.
"""

from __future__ import annotations

import hashlib

from anchor.proof.proof import Proof
from anchor.verify.verdict import Status, Step


def judge_opening(proof: Proof, file_digest: bytes | None) -> Status:
    """Return whether the file's digest leads to the log's entry; not checked without a file."""
    if file_digest is None:
        return Status.NOT_CHECKED
    digest = file_digest
    if proof.opening is not None:
        digest = hashlib.sha256(file_digest + proof.opening).digest()
    return Status.VERIFIED if digest == proof.digest else Status.FAILED


def opening_steps(proof: Proof, file_digest: bytes | None) -> tuple[Step, ...]:
    """Return the same as lines to redo; none without a file."""
    if file_digest is None:
        return ()
    lines = [f"SHA-256(file) = {file_digest.hex()}   (sha256sum FILE)"]
    if proof.opening is not None:
        digest = hashlib.sha256(file_digest + proof.opening).hexdigest()
        lines.append(f"SHA-256({file_digest.hex()} ‖ {proof.opening.hex()}) = {digest}")
    lines.append(f"entry of the log: {proof.digest.hex()}")
    return (Step("1", "from the file to the digest", tuple(lines)),)
