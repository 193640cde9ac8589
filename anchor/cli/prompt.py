"""``vestige prompt``: record an instruction, with its difference from the one before."""

from __future__ import annotations

import argparse
from pathlib import Path

from anchor.cli._fields import clean_text, parse_reference, read_text
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_recording, record_draft
from anchor.vault.prompt_fields import prompt_fields


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``prompt``."""
    parser.add_argument("text", metavar="TEXT", nargs="*", help="the instruction; - reads it")
    parser.add_argument("--file", metavar="FILE", type=Path, help="read the instruction from here")
    parser.add_argument("--negative", metavar="TEXT", help="what is not wanted")
    parser.add_argument("--purpose", metavar="TEXT", help="why it was changed")
    parser.add_argument("--language", metavar="TAG", help="such as en or zh-Hans")
    parser.add_argument(
        "--previous", metavar="N", help="the prompt before (default: the newest one)"
    )
    add_recording(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Record it."""
    said = read_text(args.text, args.file, "prompt")
    with Desk(args, out) as desk:
        previous = None if args.previous is None else parse_reference(args.previous)
        fields = {
            **prompt_fields(desk.vault, said.text, previous),
            "negative": clean_text(args.negative),
            "purpose": clean_text(args.purpose),
            "language": clean_text(args.language),
        }
        return desk.record([record_draft(args, "prompt", fields, files=said.files)])
