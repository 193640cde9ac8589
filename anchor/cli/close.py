"""``vestige close``: end the project, so that it is shown to be complete."""

from __future__ import annotations

import argparse

from anchor.cli._fields import clean_text
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_recording, record_draft
from anchor.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``close``."""
    parser.add_argument("--statement", metavar="TEXT", help="in your own words")
    parser.add_argument("--yes", action="store_true", help="do it: nothing can be added later")
    add_recording(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Record it."""
    if not args.yes:
        raise UsageError(
            "closing ends the project for good: nothing can be recorded in it afterwards",
            code="usage.confirm",
            hint="add --yes if that is what you want",
        )
    with Desk(args, out) as desk:
        fields = {"statement": clean_text(args.statement)}
        return desk.record([record_draft(args, "close", fields)])
