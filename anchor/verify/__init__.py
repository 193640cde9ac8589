"""Judgement: a proof, a policy and known facts go in, a verdict comes out. No I/O."""

from anchor.verify.judge import Judge, verify_proof
from anchor.verify.known import ConfirmedBlock, HeaderArchive, KnownFacts
from anchor.verify.records import ProvenRecord, RecordsVerdict, judge_records
from anchor.verify.verdict import (
    Answer,
    AttestationVerdict,
    BeaconVerdict,
    Headline,
    Judgement,
    LogVerdict,
    RecordJudgement,
    Status,
    Step,
    Verdict,
)

__all__ = [
    "Answer",
    "AttestationVerdict",
    "BeaconVerdict",
    "ConfirmedBlock",
    "HeaderArchive",
    "Headline",
    "Judge",
    "Judgement",
    "KnownFacts",
    "LogVerdict",
    "ProvenRecord",
    "RecordJudgement",
    "RecordsVerdict",
    "Status",
    "Step",
    "Verdict",
    "judge_records",
    "verify_proof",
]
