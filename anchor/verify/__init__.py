"""Judgement: a proof, a policy and known facts go in, a verdict comes out. No I/O."""

from anchor.verify.judge import Judge, verify_proof
from anchor.verify.known import ConfirmedBlock, HeaderArchive, KnownFacts
from anchor.verify.verdict import (
    Answer,
    AttestationVerdict,
    Headline,
    Judgement,
    LogVerdict,
    Status,
    Step,
    Verdict,
)

__all__ = [
    "Answer",
    "AttestationVerdict",
    "ConfirmedBlock",
    "HeaderArchive",
    "Headline",
    "Judge",
    "Judgement",
    "KnownFacts",
    "LogVerdict",
    "Status",
    "Step",
    "Verdict",
    "verify_proof",
]
