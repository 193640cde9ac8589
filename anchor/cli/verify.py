"""``vestige verify``: what does a proof show?

Offline unless ``--online`` is given; then the sources of the policy are asked, and nobody else.
"""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy, load_policy, now, parse_time
from anchor.cli._ladder import print_verdict
from anchor.cli._output import Output
from anchor.cli._progress import Progress
from anchor.cli.program import error_to_json
from anchor.client.evidence import Evidence, load_evidence
from anchor.errors import UsageError, VestigeError
from anchor.proof.codec import ProofReader
from anchor.proof.proof import Proof
from anchor.verify.judge import Judge
from anchor.verify.known import KnownFacts
from anchor.verify.report import all_steps, verdict_to_json
from anchor.verify.verdict import Status, Verdict

if TYPE_CHECKING:
    from anchor.client.online_facts import OnlineFacts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``verify``."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="a proof, an .ots file, or a file that has one beside it; - is standard input",
    )
    parser.add_argument(
        "--before", metavar="TIME", help="ask whether it existed before this time (UTC or zoned)"
    )
    add_policy(parser)
    parser.add_argument(
        "--file", metavar="FILE", type=Path, help="the file that the proof is of, if not beside it"
    )
    parser.add_argument(
        "--online", action="store_true", help="ask the policy's sources about blocks"
    )
    parser.add_argument(
        "--headers", metavar="FILE", type=Path, help="Bitcoin headers, 80 bytes each, consecutive"
    )
    parser.add_argument(
        "--headers-from",
        metavar="HEIGHT",
        type=int,
        default=None,
        help="height of the first header in --headers (default: as the file says, else 0)",
    )
    parser.add_argument("--steps", action="store_true", help="print every step that was taken")


def run(args: argparse.Namespace, out: Output) -> int:
    """Judge each path; return the worst status by precedence."""
    if args.file is not None and len(args.paths) > 1:
        raise UsageError("--file names the file of one proof", hint="name one PATH with it")
    before = None if args.before is None else parse_time(args.before)
    verifier = _Verifier(args, before)
    results = []
    with Progress(out, "verifying", len(args.paths)) as progress:
        for path in args.paths:
            results.append(verifier.result(path, out))
            progress.step()
    status = _exit_status.worst_status(result["exit_status"] for result in results)
    out.object(results[0] if len(results) == 1 else {"verdicts": results, "exit_status": status})
    return status


class _Verifier:
    """Judges paths under one policy, at one time, with one set of facts."""

    def __init__(self, args: argparse.Namespace, before: datetime | None) -> None:
        self._args = args
        self._before = before
        self._policy = load_policy(args.policy)
        archive = None
        if args.headers is not None:
            from anchor.client.header_archive import load_header_archive

            archive = load_header_archive(args.headers, args.headers_from)
        elif args.headers_from is not None:
            raise UsageError("--headers-from says where --headers starts", hint="add --headers")
        self._online: OnlineFacts | None = None
        if args.online:
            from anchor.client.online_facts import OnlineFacts

            self._online = OnlineFacts(self._policy)
        self._facts = KnownFacts(archive=archive)
        self._reader = ProofReader()
        self._judge = Judge(self._policy, now=now(), known=self._facts)

    def result(self, path: str, out: Output) -> dict[str, Any]:
        """Judge one path, print what was found, return its JSON object."""
        try:
            evidence = load_evidence(path, file=self._args.file, reader=self._reader)
            verdict, silent = self._verdict(evidence)
        except VestigeError as error:
            status = _exit_status.exit_status_of(error)
            out.error(error)
            return {"path": path, "error": error_to_json(error), "exit_status": status}
        for failure in silent:
            out.warn(failure.message, failure.hint)
        print_verdict(out, verdict, evidence.name, digest_only=evidence.file_path is None)
        if self._args.steps:
            print_steps(out, verdict)
        status = verdict.exit_status
        if silent and status == _exit_status.NOT_CHECKED:
            status = _exit_status.UNREADABLE
        value = verdict_to_json(verdict, steps=self._args.steps)
        return {"path": path, **value, "exit_status": status}

    def _verdict(self, evidence: Evidence) -> tuple[Verdict, list[VestigeError]]:
        judge = self._judge
        silent: list[VestigeError] = []
        if self._online is not None:
            known, silent = self._online.about(evidence.content, self._facts)
            judge = Judge(self._policy, now=self._judge.now, known=known)
        return self._judged(judge, evidence), silent

    def _judged(self, judge: Judge, evidence: Evidence) -> Verdict:
        content, digest = evidence.content, evidence.file_digest
        if isinstance(content, Proof):
            return judge.verify_proof(
                content, file_digest=digest, before=self._before, steps=self._args.steps
            )
        return judge.verify_ots(content, file_digest=digest, before=self._before)


def print_steps(out: Output, verdict: Verdict) -> None:
    """Print every step with its lines."""
    for step in all_steps(verdict):
        out.line("")
        out.line(f"step {step.number}  {step.title}")
        for line in step.lines:
            out.line(f"  {line}")
    if verdict.status is Status.FAILED:
        out.line("")
        out.line(f"it failed: {verdict.reason}")
