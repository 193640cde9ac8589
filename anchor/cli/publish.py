"""``vestige publish``: record where the work was first shown."""

from __future__ import annotations

import argparse
from pathlib import Path

from anchor.cli._arguments import parse_time
from anchor.cli._fields import clean_text, parse_reference
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_recording, record_draft
from anchor.formats.encoding import utc_text
from anchor.vault.draft import Attachment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``publish``."""
    parser.add_argument("where", metavar="WHERE", help="address or place")
    parser.add_argument(
        "files", metavar="FILE", nargs="*", type=Path, help="captures of it: the page, a photograph"
    )
    parser.add_argument("--platform", metavar="NAME", help="whose place it is")
    parser.add_argument("--at", metavar="TIME", help="when, as the platform says (UTC or zoned)")
    parser.add_argument("--archive", metavar="ADDRESS", help="of an archived copy")
    parser.add_argument(
        "--from", dest="parents", metavar="N", nargs="+", default=[],
        help="what was shown (default: the newest final)",
    )  # fmt: skip
    add_recording(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Record it."""
    with Desk(args, out) as desk:
        shown = [parse_reference(text) for text in args.parents]
        newest = desk.vault.index.last_of_kind("final")
        if not shown and newest is not None:
            shown = [str(newest)]
        fields = {
            "where": clean_text(args.where),
            "platform": clean_text(args.platform),
            "published_at": None if args.at is None else utc_text(parse_time(args.at)),
            "archived_at": clean_text(args.archive),
            "parents": shown,
        }
        files = tuple(Attachment("capture", path) for path in args.files)
        return desk.record([record_draft(args, "publication", fields, files=files)])
