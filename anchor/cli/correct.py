"""``vestige correct``: say that an earlier record was wrong. The record itself stays."""

from __future__ import annotations

import argparse

from anchor.cli._fields import clean_text, parse_reference
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_recording, record_draft


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``correct``."""
    parser.add_argument("target", metavar="N", help="the record that was wrong")
    parser.add_argument("reason", metavar="TEXT", nargs="+", help="what was wrong, what is right")
    add_recording(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Record it."""
    target = parse_reference(args.target)
    fields = {"target": target, "reason": clean_text(" ".join(args.reason))}
    with Desk(args, out) as desk:
        return desk.record([record_draft(args, "correction", fields)])
