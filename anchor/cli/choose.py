"""``vestige select``: record a choice, what was not chosen, and why."""

from __future__ import annotations

import argparse
from typing import Any

from anchor.cli._fields import clean_text, parse_reference, want_records
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_recording, record_draft
from anchor.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``select``."""
    parser.add_argument("chosen", metavar="N", nargs="+", help="what was chosen")
    parser.add_argument(
        "--from", dest="candidates", metavar="N", nargs="+", required=True,
        help="what there was to choose from",
    )  # fmt: skip
    parser.add_argument("--why", metavar="TEXT", help="the reason")
    parser.add_argument(
        "--criterion", metavar="TEXT", action="append", default=[], help="what was looked at"
    )
    add_recording(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Record it."""
    chosen = _unique(args.chosen)
    candidates = _unique(args.candidates)
    with Desk(args, out) as desk:
        want_records([*chosen, *candidates], desk.vault.size)
        fields = _fields(args, chosen, candidates)
        return desk.record([record_draft(args, "selection", fields)])


def _fields(args: argparse.Namespace, chosen: list[str], candidates: list[str]) -> dict[str, Any]:
    strange = [reference for reference in chosen if reference not in candidates]
    if strange:
        raise UsageError(
            f"{strange[0]} was chosen and is not among those that --from names",
            code="usage.selection",
        )
    return {
        "chosen": chosen,
        "rejected": [reference for reference in candidates if reference not in chosen],
        "why": clean_text(args.why),
        "criteria": [clean_text(text) for text in args.criterion],
        "parents": chosen,
    }


def _unique(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(parse_reference(text) for text in texts))
