"""``vestige rebuild``: read all records again, make the index anew, say what is wrong."""

from __future__ import annotations

import argparse

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy
from anchor.cli._output import Output, padded, word
from anchor.cli._progress import Progress
from anchor.cli._vault import add_vault, counted, now, policy_source
from anchor.vault.check import check_vault
from anchor.vault.proof_states import refresh_states
from anchor.vault.vault import Vault


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``rebuild``."""
    add_vault(parser)
    parser.add_argument(
        "--originals", action="store_true", help="read every original whole, not only its size"
    )
    add_policy(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Rebuild and check."""
    with Vault.open(args.vault, fresh_index=True) as vault:
        with Progress(out, "checking", None) as progress:
            report = check_vault(vault, originals=args.originals, step=progress.step)
        with Progress(out, "judging", None) as progress:
            vault.index.forget_proofs()
            states = refresh_states(vault, policy_source(args.policy), now(), step=progress.step)
    false = [state for state in states.values() if state.status == "failed"]
    pending = sum(state.status == "pending" for state in states.values())
    looked = "read" if report.read_whole else "there"
    sentence = (
        f"{counted(report.records, 'record')} in one chain, "
        f"{counted(report.originals, 'original')} {looked}, {counted(len(states), 'proof')}"
        + (f", {pending:,} of them pending" if pending else "")
    )
    wrong = bool(report.problems or false)
    out.line(padded(sentence, 72), word("failed") if wrong else "whole")
    for problem in report.problems:
        out.error(f"record {problem.seq}: {problem.reason}")
    for state in false:
        out.error(f"the proof of record {state.seq}: {state.reason}")
    status = _exit_status.FAILED if wrong else _exit_status.OK
    out.object({
        "records": report.records,
        "originals": report.originals,
        "read_whole": report.read_whole,
        "complete_up_to": report.complete_up_to,
        "closed": report.closed,
        "proofs": len(states),
        "problems": [
            *({"seq": p.seq, "code": p.code, "reason": p.reason} for p in report.problems),
            *({"seq": s.seq, "code": "proof", "reason": s.reason} for s in false),
        ],
        "exit_status": status,
    })  # fmt: skip
    return status
