"""``vestige upgrade``: fetch the evidence that was added to proofs since.

The address asked comes from ``--server`` or the settings, never from a proof.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy, add_server, load_policy, now, server_url
from anchor.cli._out_of_reach import out_of_reach, warn_out_of_reach
from anchor.cli._output import Output, about, padded, word
from anchor.cli._peer_words import without_signs
from anchor.cli._progress import Progress
from anchor.cli.program import error_to_json
from anchor.client.evidence import PROOF_SUFFIX
from anchor.client.known_logs import KnownLogs
from anchor.client.local_file import beside
from anchor.client.ots_file import write_ots_beside
from anchor.client.service_client import ServiceClient
from anchor.client.state_folder import state_folder
from anchor.client.upgrading import Upgraded, Upgrader
from anchor.errors import IncompleteProofError, UsageError, VestigeError
from anchor.verify.verdict import Status

# More proofs than this get one line together.
_LINES: Final = 40
# No failure: there is nothing yet that an .ots file could hold.
_AWAITED: Final = {"code": "ots.no_attestation"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``upgrade``."""
    parser.add_argument(
        "proofs",
        metavar="PROOF",
        nargs="+",
        help="proofs, files that have one beside them, or folders with proofs in them",
    )
    parser.add_argument("--ots", action="store_true", help="write the .ots file beside it too")
    add_server(parser)
    add_policy(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Upgrade each proof; one failure does not stop the rest."""
    policy = load_policy(args.policy)
    paths = _proof_paths(args.proofs)
    each = len(paths) <= _LINES
    statuses: list[int] = []
    results: list[dict[str, Any]] = []
    lost: dict[str, str] = {}
    with ServiceClient(server_url(args), attempts=2) as service:
        logs = KnownLogs(state_folder(), policy)
        upgrader = Upgrader(policy, now=now(), service=service, logs=logs)
        with Progress(out, "upgrading", len(paths)) as progress:
            for path, found in upgrader.upgrade_many(paths):
                status, result = _report(path, found, out, ots=args.ots, each=each)
                statuses.append(status)
                if isinstance(found, Upgraded):
                    lost |= out_of_reach([found.proof])
                results.append({**result, "exit_status": status})
                progress.step()
    status = _exit_status.worst_status(statuses)
    warn_out_of_reach(out, lost)
    failed = sum((item["error"] or _AWAITED)["code"] != _AWAITED["code"] for item in results)
    if len(results) > 1:
        changed = sum(item["changed"] for item in results)
        out.line(f"{len(results):,} proofs: {changed:,} say more now, {failed:,} failed")
    out.object({"proofs": results, "out_of_reach": lost, "exit_status": status})
    return status


def _report(
    path: Path, found: Upgraded | VestigeError, out: Output, *, ots: bool, each: bool
) -> tuple[int, dict[str, Any]]:
    """Say what became of one proof, trouble in any case; write its ``.ots`` if that is wanted."""
    result: dict[str, Any] = {"path": str(path), "changed": False, "error": None}
    if isinstance(found, VestigeError):
        out.error(about(path, found))
        return _exit_status.exit_status_of(found), {**result, "error": error_to_json(found)}
    for reason in found.dropped:
        out.warn(f"{path}: left out what is false: {without_signs(reason)}")
    for reason in found.left_out:
        out.warn(f"{path}: kept what was there, left out {without_signs(reason)}")
    if each:
        out.line(padded(f"{path}  {_words(found)}", 72), word(found.verdict.status))
    failed = found.verdict.status is Status.FAILED
    status = _exit_status.FAILED if failed or found.dropped else _exit_status.OK
    result |= {
        "changed": found.changed,
        "gained": [attestation.kind for attestation in found.gained],
        "dropped": list(found.dropped),
        "left_out": list(found.left_out),
        "complete": found.complete,
        "status": found.verdict.status.value,
    }
    if ots:
        try:
            write_ots_beside(path, found.proof)
        except VestigeError as error:
            _tell_of_ots(out, path, error)
            result["error"] = error_to_json(error)
            status = _exit_status.worst_status([status, _exit_status.exit_status_of(error)])
    return status, result


def _tell_of_ots(out: Output, path: Path, error: VestigeError) -> None:
    """Say why there is no ``.ots`` file; that no calendar has attested yet is no error."""
    if isinstance(error, IncompleteProofError):
        out.note(f"{path}: {error.message}; {error.hint}")
    else:
        out.error(about(path, error))


def _words(upgraded: Upgraded) -> str:
    gained = ", ".join(dict.fromkeys(attestation.kind for attestation in upgraded.gained))
    pending = sum(row.status is Status.PENDING for row in upgraded.verdict.rows)
    left = f"{pending} pending" if pending else "complete" if upgraded.complete else "no evidence"
    return f"gained {gained}; {left}" if gained else f"nothing new; {left}"


def _proof_paths(names: list[str]) -> list[Path]:
    paths: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted(path.rglob(f"*{PROOF_SUFFIX}"))
            if not found:
                raise UsageError(f"{path}: there are no proofs in this folder")
            paths.update(dict.fromkeys(found))
        elif path.suffix != PROOF_SUFFIX and beside(path, PROOF_SUFFIX).is_file():
            paths[beside(path, PROOF_SUFFIX)] = None
        else:
            paths[path] = None
    return list(paths)
