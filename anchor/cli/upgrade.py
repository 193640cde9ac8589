"""``vestige upgrade``: fetch the evidence that was added to proofs since.

The address asked comes from ``--server`` or the settings, never from a proof.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy, add_server, load_policy, now, server_url
from anchor.cli._output import Output, padded, word
from anchor.cli._progress import Progress
from anchor.cli.program import error_to_json
from anchor.client.evidence import PROOF_SUFFIX
from anchor.client.known_logs import KnownLogs
from anchor.client.local_file import beside
from anchor.client.ots_file import write_ots_beside
from anchor.client.service_client import ServiceClient
from anchor.client.state_folder import state_folder
from anchor.client.upgrading import Upgraded, Upgrader
from anchor.errors import UsageError, VestigeError
from anchor.verify.verdict import Status


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
    statuses: list[int] = []
    results: list[dict[str, Any]] = []
    with ServiceClient(server_url(args), attempts=2) as service:
        logs = KnownLogs(state_folder(), policy)
        upgrader = Upgrader(policy, now=now(), service=service, logs=logs)
        with Progress(out, "upgrading", len(paths)) as progress:
            for path in paths:
                status, result = _upgrade(upgrader, path, out, ots=args.ots)
                statuses.append(status)
                results.append({**result, "exit_status": status})
                progress.step()
    status = _exit_status.worst_status(statuses)
    failed = sum(item["error"] is not None for item in results)
    if len(results) > 1:
        changed = sum(item["changed"] for item in results)
        out.line(f"{len(results):,} proofs: {changed:,} say more now, {failed:,} failed")
    out.object({"proofs": results, "exit_status": status})
    return status


def _upgrade(
    upgrader: Upgrader, path: Path, out: Output, *, ots: bool
) -> tuple[int, dict[str, Any]]:
    result: dict[str, Any] = {"path": str(path), "changed": False, "error": None}
    try:
        upgraded = upgrader.upgrade(path)
        if ots:
            write_ots_beside(path, upgraded.proof)
    except VestigeError as error:
        out.error(error)
        status = _exit_status.exit_status_of(error)
        return status, {**result, "error": error_to_json(error)}
    for reason in upgraded.dropped:
        out.warn(f"{path}: left out what is false: {reason}")
    out.line(padded(f"{path}  {_words(upgraded)}", 72), word(upgraded.verdict.status))
    failed = upgraded.verdict.status is Status.FAILED
    return _exit_status.FAILED if failed or upgraded.dropped else _exit_status.OK, {
        **result,
        "changed": upgraded.changed,
        "gained": [attestation.kind for attestation in upgraded.gained],
        "dropped": list(upgraded.dropped),
        "complete": upgraded.complete,
        "status": upgraded.verdict.status.value,
    }


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
