"""``vestige edit``: record a change by hand, or of a region by a generator."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from anchor.cli._fields import clean_text, parse_reference
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_recording, record_draft
from anchor.vault.draft import Attachment
from anchor.vault.file_drafts import keep_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``edit``."""
    parser.add_argument(
        "before", metavar="BEFORE", help="what was edited: a record (3, 3.1) or a file"
    )
    parser.add_argument("after", metavar="AFTER", type=Path, help="what it became: a file")
    parser.add_argument("--app", metavar="NAME", help="program and version")
    parser.add_argument(
        "--did", metavar="TEXT", action="append", default=[], help="what was done (may be repeated)"
    )
    parser.add_argument("--minutes", metavar="N", type=int, help="of work")
    parser.add_argument("--mask", metavar="FILE", type=Path, help="the region that was changed")
    parser.add_argument(
        "--box", metavar=("LEFT", "TOP", "WIDTH", "HEIGHT"), nargs=4, help="the same, in pixels"
    )
    parser.add_argument("--element", metavar="TEXT", help="what stands in the region")
    parser.add_argument("--prompt", metavar="TEXT", help="the instruction for the region")
    add_recording(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Record it: a region edit where a region is named, else a manual one."""
    with Desk(args, out) as desk:
        before, files = _before(args.before, desk)
        files = [*files, Attachment("after", args.after)]
        if args.mask is not None:
            files.append(Attachment("mask", args.mask))
        region = any((args.mask, args.box, args.element, args.prompt))
        kind = "region_edit" if region else "manual_edit"
        fields: dict[str, Any] = {"before": before, "parents": [before] if before else None}
        if region:
            fields |= {
                "box": args.box,
                "element": clean_text(args.element),
                "positive": clean_text(args.prompt),
                "settings": [["app", clean_text(args.app) or ""]] if args.app else None,
            }
        else:
            fields |= {
                "app": clean_text(args.app),
                "operations": [clean_text(text) for text in args.did],
                "minutes": args.minutes,
            }
        return desk.record([record_draft(args, kind, fields, files=tuple(files))])


def _before(text: str, desk: Desk) -> tuple[str | None, list[Attachment]]:
    """Return the reference of what was edited; a file never recorded becomes part of it."""
    path = Path(text)
    if not path.exists():
        return parse_reference(text), []
    kept = keep_file(desk.vault, path)
    known = desk.vault.where(kept.kept.sha256)
    if known:
        return known[0], []
    return None, [kept.attachment("before")]
