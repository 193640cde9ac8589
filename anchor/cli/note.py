"""``vestige note`` and ``vestige idea``: record a remark, or what was thought."""

from __future__ import annotations

import argparse
from pathlib import Path

from anchor.cli._fields import parse_reference, read_text
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_recording, record_draft


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``note`` and of ``idea``."""
    parser.add_argument("text", metavar="TEXT", nargs="*", help="the words; - reads them")
    parser.add_argument("--file", metavar="FILE", type=Path, help="read the words from here")
    parser.add_argument(
        "--on", metavar="N", action="append", default=[],
        help="a record that it is about (may be repeated)",
    )  # fmt: skip
    add_recording(parser, note=False)


def run(args: argparse.Namespace, out: Output) -> int:
    """Record it."""
    said = read_text(args.text, args.file, args.verb)
    parents = [parse_reference(text) for text in args.on]
    with Desk(args, out) as desk:
        fields = {"text": said.text, "parents": parents}
        return desk.record([record_draft(args, args.verb, fields, files=said.files)])
