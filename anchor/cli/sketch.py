"""``vestige sketch``: record a draft made by hand."""

from __future__ import annotations

import argparse
from pathlib import Path

from anchor.cli._fields import clean_text, parse_reference
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_recording, record_draft
from anchor.vault.draft import Attachment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``sketch``."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="the sketch, its layers, photographs"
    )
    parser.add_argument("--medium", metavar="TEXT", help="paper, tablet, …")
    parser.add_argument("--device", metavar="TEXT", help="what it was drawn with")
    parser.add_argument(
        "--from", dest="parents", metavar="N", nargs="+", default=[], help="what it came from"
    )
    add_recording(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Record it."""
    files = tuple(Attachment("sketch", path) for path in args.files)
    fields = {
        "medium": clean_text(args.medium),
        "device": clean_text(args.device),
        "parents": [parse_reference(text) for text in args.parents],
    }
    with Desk(args, out) as desk:
        return desk.record([record_draft(args, "sketch", fields, files=files)])
