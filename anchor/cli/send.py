"""``vestige send``: send what is queued, and fetch what was added to proofs since."""

from __future__ import annotations

import argparse
import time

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy, add_server, load_policy
from anchor.cli._out_of_reach import out_of_reach_in, warn_out_of_reach
from anchor.cli._output import Output
from anchor.cli._progress import Progress
from anchor.cli._vault import add_vault, counted, now, vault_server
from anchor.cli.program import error_to_json
from anchor.client.known_logs import KnownLogs
from anchor.client.service_client import ServiceClient
from anchor.client.state_folder import state_folder
from anchor.vault.sender import Sender
from anchor.vault.service_memory import ServiceMemory
from anchor.vault.vault import Vault


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``send``."""
    add_vault(parser)
    add_server(parser)
    add_policy(parser)
    parser.add_argument(
        "--no-upgrade", action="store_true", help="only send; do not ask for what was added"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Send the queue, then upgrade; one failure stops no other."""
    policy = load_policy(args.policy)
    with Vault.open(args.vault) as vault, _service(args, vault) as service:
        sender = Sender(vault, service, policy, KnownLogs(state_folder(), policy), now)
        with Progress(out, "sending", None) as progress:
            sent = sender.send(step=lambda _n: progress.step())
        ServiceMemory(time.time).answered(service.place)
        grown: tuple[int, ...] = ()
        failures = sent.failures
        if not args.no_upgrade:
            with Progress(out, "upgrading", None) as progress:
                upgraded = sender.upgrade(step=lambda _n: progress.step())
            grown, failures = upgraded.upgraded, (*failures, *upgraded.failures)
        lost = out_of_reach_in(vault, vault.index.proofs())
    for seq, error in failures:
        out.error(f"record {seq}: {error.message}", error.hint)
    say_more = "says" if len(grown) == 1 else "say"
    out.line(
        f"{counted(len(sent.sent), 'record')} sent, {sent.queued:,} queued; "
        f"{counted(len(grown), 'proof')} {say_more} more now"
    )
    warn_out_of_reach(out, lost)
    status = _exit_status.worst_status(_exit_status.exit_status_of(e) for _, e in failures)
    out.object({
        "sent": list(sent.sent),
        "queued": sent.queued,
        "upgraded": list(grown),
        "out_of_reach": lost,
        "errors": [{"seq": seq, **error_to_json(error)} for seq, error in failures],
        "exit_status": status,
    })  # fmt: skip
    return status


def _service(args: argparse.Namespace, vault: Vault) -> ServiceClient:
    return ServiceClient(vault_server(args, vault), attempts=2)
