"""``vestige adopt``: make a copy of a vault go on here, and say so in a record."""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

from anchor.cli._fields import clean_text
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_sending, add_vault, key_store
from anchor.records.fields import ROLES
from anchor.vault.key_records import adopt
from anchor.vault.recovery_key import load_recovery


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``adopt``."""
    parser.add_argument(
        "--reason", metavar="TEXT", default="the vault goes on in this copy", help="why"
    )
    parser.add_argument("--name", metavar="TEXT", help="of the copy (default: of this machine)")
    parser.add_argument(
        "--recovery",
        metavar="FILE",
        type=Path,
        help="the recovery key: take a new signing key here, as the other copy may go on too",
    )
    parser.add_argument(
        "--role", choices=ROLES, default="author",
        help="of who goes on: a co-author's key was bound to the project (default: author)",
    )  # fmt: skip
    add_vault(parser)
    add_sending(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Write the records that say so."""
    recovery = None if args.recovery is None else load_recovery(args.recovery)
    with Desk(args, out) as desk:
        made = adopt(
            desk.vault,
            key_store(),
            clean_text(args.reason) or "",
            instance=clean_text(args.name) or platform.node() or None,
            recovery=recovery,
            role=args.role,
            make_recorder=desk.recorder,
        )
        if recovery is None and args.role == "author":
            out.warn(
                "records are signed with the key that the other copy has too",
                "if that copy goes on as well, records of one number count as false: stop using it",
            )
        return desk.report(made)
