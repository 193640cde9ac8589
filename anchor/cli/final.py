"""``vestige final``: record the finished work, and which parts of it people made."""

from __future__ import annotations

import argparse
from pathlib import Path

from anchor.cli._fields import clean_text, parse_reference
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_recording, record_draft
from anchor.vault.file_drafts import keep_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``final``."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="the work")
    parser.add_argument(
        "--from", dest="parents", metavar="N", nargs="+", default=[],
        help="the way to it (default: where the file was recorded before)",
    )  # fmt: skip
    parser.add_argument("--human", metavar="TEXT", help="which parts people made")
    parser.add_argument("--generated", metavar="TEXT", help="which parts a generator made")
    add_recording(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Record it."""
    with Desk(args, out) as desk:
        kept = [keep_file(desk.vault, path) for path in args.files]
        way = [parse_reference(text) for text in args.parents]
        if not way:
            way = [place for file in kept for place in desk.vault.where(file.kept.sha256)[:1]]
        fields = {
            "derivation": way,
            "parents": way,
            "human": clean_text(args.human),
            "generated": clean_text(args.generated),
        }
        files = tuple(file.attachment("final") for file in kept)
        return desk.record([record_draft(args, "final", fields, files=files)])
