"""``vestige inspect``: every step of a proof, so that a person can redo it.

What is printed is what was recomputed from the proof, not what it claims; each hash step comes with
the command of a stock tool. ``--extract`` writes the parts as files for ``openssl`` and others.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy, load_policy, now
from anchor.cli._output import Output, dim, word
from anchor.cli._peer_words import expected_words, family_word, peer_words, without_signs
from anchor.cli._redo import with_commands
from anchor.client.evidence import Evidence, load_evidence
from anchor.errors import UsageError
from anchor.proof.codec import proof_to_json
from anchor.proof.proof import ExpectedAttestation, Proof
from anchor.verify.judge import Judge
from anchor.verify.report import verdict_to_json
from anchor.verify.verdict import Status, Step, Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``inspect``."""
    parser.add_argument("path", metavar="PROOF", help="a proof, an .ots file, or a file beside one")
    parser.add_argument("--file", metavar="FILE", type=Path, help="the file that the proof is of")
    parser.add_argument(
        "--extract",
        metavar="DIR",
        type=Path,
        help="write tokens, certificates, headers and checkpoints into this new folder",
    )
    add_policy(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Print the steps; the exit status says only whether the proof could be read."""
    policy = load_policy(args.policy)
    evidence = load_evidence(args.path, file=args.file)
    judge = Judge(policy, now=now())
    content = evidence.content
    value: dict[str, Any] = {"path": args.path}
    if isinstance(content, Proof):
        verdict = judge.verify_proof(content, file_digest=evidence.file_digest, steps=True)
        value["proof"] = proof_to_json(content)
    else:
        verdict = judge.verify_ots(content, file_digest=evidence.file_digest)
    _print(out, evidence, verdict)
    if args.extract is not None:
        if not isinstance(content, Proof):
            raise UsageError("--extract takes a proof apart, not an .ots file")
        value["extracted"] = _extract(out, content, policy, args.extract)
    out.object({**value, **verdict_to_json(verdict, steps=True)})
    return _exit_status.OK


def _print(out: Output, evidence: Evidence, verdict: Verdict) -> None:
    out.line(str(evidence.path or evidence.name))
    out.line(f"  digest  {verdict.digest.hex()}")
    content = evidence.content
    if isinstance(content, Proof):
        if content.opening is not None and evidence.file_digest is None:
            out.line(
                f"  opening {content.opening.hex()}: SHA-256(SHA-256(file) ‖ opening) = digest"
            )
        if content.opening is None:
            out.line("  opening none: the digest is the file's own")
    if verdict.file_status is Status.FAILED:
        out.line("  file    ", word(Status.FAILED), "  it does not lead to this digest")
    _print_steps(out, verdict.steps, None)
    for number, row in enumerate(verdict.rows, 1):
        root_hash = getattr(row.attestation, "root_hash", None)
        out.line("")
        by = peer_words(row.judgement.by or row.attestation.kind)
        out.line(f"row {number}  {family_word(row.family)}, {by}  ", word(row.status))
        if isinstance(row.attestation, ExpectedAttestation):
            out.line(f"  {expected_words(row.attestation)}")
        out.line(f"  {without_signs(row.judgement.reason)}")
        if root_hash is not None:
            out.line(f"  for root hash {root_hash.hex()}")
        _print_steps(out, row.judgement.steps, root_hash)


def _print_steps(out: Output, steps: tuple[Step, ...], start: bytes | None) -> None:
    for step in steps:
        out.line("")
        out.line(f"step {step.number}  {step.title}")
        for line, command in with_commands(step.lines, start):
            out.line(f"  {without_signs(line)}")
            if command is not None:
                out.line("    ", dim(command))


def _extract(out: Output, proof: Proof, policy: Any, folder: Path) -> list[str]:
    from anchor.client.extract import extract_parts

    parts = extract_parts(proof, policy, folder)
    out.line("")
    out.line(f"written to {folder}:")
    for part in parts:
        out.line(f"  {part.name}")
        if part.command:
            out.line("    ", dim(part.command))
    return [part.name for part in parts]
