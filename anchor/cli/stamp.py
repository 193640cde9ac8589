"""``vestige stamp``: put the digests of files into the log and write their proofs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy, add_server, load_policy, now, server_url
from anchor.cli._output import Output
from anchor.cli._progress import Progress
from anchor.cli.program import error_to_json
from anchor.client.call import parse_digest
from anchor.client.evidence import PROOF_SUFFIX
from anchor.client.file_selection import select_files
from anchor.client.known_logs import KnownLogs
from anchor.client.service_client import ServiceClient
from anchor.client.stamping import Stampable, Stamped, Stamper, load_present
from anchor.client.state_folder import state_folder
from anchor.client.waiting import wait_until
from anchor.errors import IncompleteProofError, UsageError, VestigeError
from anchor.proof.policy import Policy

# More files than this get one line together.
_LINES: Final = 40
_DEFAULT_WAIT_S: Final = 600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``stamp``."""
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="files, folders (all that is in them) or patterns"
    )
    parser.add_argument(
        "--digest",
        metavar="HEX",
        action="append",
        default=[],
        help="submit this SHA-256 as it is; writes HEX.proof here (may be repeated)",
    )
    parser.add_argument(
        "--bare",
        action="store_true",
        help="submit files' own digests: whoever has a file can then look it up in the log",
    )
    parser.add_argument(
        "--ots", action="store_true", help="write FILE.ots too, once a calendar has attested"
    )
    parser.add_argument(
        "--wait",
        choices=("pending", "anchored", "final"),
        help="wait until the proofs are so far, then fetch what was added",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=_DEFAULT_WAIT_S,
        help=f"how long --wait waits (default: {_DEFAULT_WAIT_S})",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace a proof that is of another content"
    )
    add_server(parser)
    add_policy(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Stamp everything named; one failure does not stop the rest."""
    if not args.files and not args.digest:
        raise UsageError("nothing to stamp", hint="vestige stamp FILE, or --digest HEX")
    if args.bare:
        out.warn("--bare: whoever has a file can look it up in the log")
    policy = load_policy(args.policy)
    logs = KnownLogs(state_folder(), policy)
    with ServiceClient(server_url(args)) as service:
        stamper = Stamper(service, logs, bare=args.bare, force=args.force)
        results = _stamp(args, stamper, out)
        waited = _wait(args, service, results, out) if args.wait else None
        if args.wait or args.ots:
            results = list(_finish(args, service, policy, logs, results))
    return _report(results, waited, out)


def _stamp(args: argparse.Namespace, stamper: Stamper, out: Output) -> list[Stamped]:
    selected = list(select_files(args.files))
    with Progress(out, "stamping", len(selected)) as progress:
        results = list(stamper.stamp_files(selected, done=progress.step))
    waiting = []
    for text in args.digest:
        digest = parse_digest(text)
        proof_path = Path(digest.hex() + PROOF_SUFFIX)
        present = load_present(proof_path, digest, force=args.force)
        if present is not None:
            results.append(Stamped(None, proof_path, present, kept=True))
        else:
            waiting.append(Stampable(None, proof_path, digest, None))
    if waiting:
        results += stamper.submit(waiting)
    return results


def _wait(
    args: argparse.Namespace, service: ServiceClient, results: list[Stamped], out: Output
) -> VestigeError | None:
    """Wait for the digest that stands last in the log; return why it is not so far."""
    proofs = [result.proof for result in results if result.proof is not None]
    if not proofs:
        return None
    last = max(proofs, key=lambda proof: proof.inclusions[0].leaf_index)
    try:
        wait_until(
            service,
            last.digest,
            args.wait,
            timeout_s=args.timeout,
            told=lambda state: out.note(f"the proofs are {state}"),
        )
    except IncompleteProofError as error:
        return error
    return None


def _finish(
    args: argparse.Namespace,
    service: ServiceClient,
    policy: Policy,
    logs: KnownLogs,
    results: list[Stamped],
) -> Iterator[Stamped]:
    """Fetch what was added to each proof, and write its ``.ots``."""
    from anchor.client.upgrading import Upgraded, Upgrader

    upgrader = Upgrader(policy, now=now(), service=service, logs=logs)
    good = [result for result in results if result.proof is not None]
    found = dict(upgrader.upgrade_many([result.proof_path for result in good]))
    for result in results:
        outcome = found.get(result.proof_path) if result.proof is not None else None
        if isinstance(outcome, Upgraded):
            yield _with_ots(replace(result, proof=outcome.proof), wanted=args.ots)
        else:
            yield replace(result, error=outcome or result.error)


def _with_ots(result: Stamped, *, wanted: bool) -> Stamped:
    from anchor.client.ots_file import write_ots_beside

    if wanted and result.proof is not None:
        try:
            write_ots_beside(result.proof_path, result.proof)
        except VestigeError as error:
            return replace(result, error=error)
    return result


def _report(results: list[Stamped], waited: VestigeError | None, out: Output) -> int:
    errors = [result.error for result in results if result.error is not None]
    good = [result for result in results if result.proof is not None]
    for result in good if len(good) <= _LINES else []:
        out.line(_line(result))
    if len(good) > _LINES:
        kept = sum(result.kept for result in good)
        out.line(f"{len(good) - kept:,} stamped, {kept:,} were stamped before")
    for result in results:
        if isinstance(result.error, IncompleteProofError):
            out.note(f"{result.proof_path}: {result.error.message}; {result.error.hint}")
        elif result.error is not None:
            out.error(result.error)
    if waited is not None:
        out.error(waited)
    statuses = [_exit_status.exit_status_of(error) for error in errors]
    if waited is not None:
        statuses.append(_exit_status.exit_status_of(waited))
    status = _exit_status.worst_status(statuses)
    out.object({"files": [_to_json(result) for result in results], "exit_status": status})
    return status


def _line(result: Stamped) -> str:
    index = result.proof.inclusions[0].leaf_index if result.proof else 0
    what = "was stamped before, kept" if result.kept else f"entry {index:,} of the log"
    return f"{result.proof_path}  {what}"


def _to_json(result: Stamped) -> dict[str, Any]:
    proof = result.proof
    return {
        "file": None if result.path is None else str(result.path),
        "proof": str(result.proof_path),
        "digest": None if proof is None else proof.digest.hex(),
        "leaf_index": None if proof is None else proof.inclusions[0].leaf_index,
        "kept": result.kept,
        "created": result.created,
        "error": None if result.error is None else error_to_json(result.error),
    }
