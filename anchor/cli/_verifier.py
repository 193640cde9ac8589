"""What every path given to ``vestige verify`` is judged with: policy, time, facts, where to print.

What kinds of paths there are is told in :mod:`anchor.cli.verify`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anchor.cli import _exit_status
from anchor.cli._arguments import load_policy, now, parse_time
from anchor.cli._output import Output, about
from anchor.cli.program import error_to_json
from anchor.errors import UsageError, VestigeError
from anchor.proof.codec import ProofReader
from anchor.verify.judge import Judge
from anchor.verify.known import KnownFacts
from anchor.verify.report import all_steps
from anchor.verify.verdict import Status, Verdict

if TYPE_CHECKING:
    from anchor.client.online_facts import OnlineFacts

_Ask = Callable[["OnlineFacts", KnownFacts], tuple[KnownFacts, list[VestigeError]]]
Result = dict[str, Any]
"""What ``--json`` says of one path; ``exit_status`` is always there."""


class Verifier:
    """One policy, one time and one set of facts for all the paths of a call.

    Attributes:
        args: as typed.
        out: where verdicts are printed.
        reader: reads proofs; one for all of them is quicker.
        before: the time asked about, or None.
    """

    def __init__(self, args: argparse.Namespace, out: Output) -> None:
        self.args = args
        self.out = out
        self.reader = ProofReader()
        self.before = None if args.before is None else parse_time(args.before)
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
        self._now = now()

    def judge(self, ask: _Ask, *, drand: bool = False) -> tuple[Judge, list[VestigeError]]:
        """Return a judge who knows what ``ask`` found out online, and what went wrong in asking.

        Args:
            ask: asks for what the evidence names.
            drand: signatures of drand rounds are to be checked.
        """
        known, silent = self._facts, list[VestigeError]()
        if self._online is not None:
            known, silent = ask(self._online, self._facts)
        for failure in silent:
            self.out.warn(failure.message, failure.hint)
        if drand:
            from anchor.backends.drand_signature import load_drand_signatures

            known = replace(known, drand_verifier=load_drand_signatures())
        return Judge(self._policy, now=self._now, known=known), silent

    def failed(self, path: str | None, error: VestigeError) -> Result:
        """Print an error; return its JSON object."""
        self.out.error(error if path is None else about(Path(path), error))
        status = _exit_status.exit_status_of(error)
        return {"path": path, "error": error_to_json(error), "exit_status": status}


def status_of(exit_status: int, silent: list[VestigeError]) -> int:
    """Return the exit status of a verdict that sources would have been needed for and were not."""
    if silent and exit_status == _exit_status.NOT_CHECKED:
        return _exit_status.UNREADABLE
    return exit_status


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
