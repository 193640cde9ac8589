"""``vestige add``: record files: images from a generator, or what ``--as`` says."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Final

from anchor.capture import CapturePool
from anchor.cli import _exit_status
from anchor.cli._fields import clean_text, parse_reference
from anchor.cli._output import Output
from anchor.cli._progress import Progress
from anchor.cli._vault import Desk, add_recording, now, record_draft
from anchor.cli.program import error_to_json
from anchor.client.file_selection import select_files
from anchor.errors import UsageError, VestigeError
from anchor.records.fields import MODES
from anchor.vault.draft import Draft
from anchor.vault.file_drafts import LATE_AFTER, KeptFile, generation_draft, keep_file

_KINDS: Final = ("generation", "sketch", "reference", "recording", "tool_export", "import")
_ROLES: Final = {"generation": "output", "tool_export": "export"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``add``."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="files, folders (all that is in them) or patterns"
    )
    parser.add_argument(
        "--as",
        dest="kind",
        choices=_KINDS,
        help="what they are (default: an image is a generation; what is older than a day an "
        "import, which is always marked late)",
    )
    parser.add_argument(
        "--again", action="store_true", help="record a content that was recorded before once more"
    )
    parser.add_argument(
        "--together", action="store_true", help="one record for all: the outputs of one run"
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="how they were captured, as the records say it (default: manual, an import: import); "
        "for programs that record by this command, such as a plugin at the moment of saving",
    )
    parser.add_argument(
        "--client", metavar="NAME/VERSION", help="the program that captured them (default: this)"
    )
    parser.add_argument(
        "--from", dest="parents", metavar="N", nargs="+", default=[], help="what they came from"
    )
    add_recording(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Keep each file, read what it says of itself, record it; one failure stops no other."""
    args.parents = [parse_reference(text) for text in args.parents]
    selected = list(select_files(args.files))
    failures: list[VestigeError] = []
    with Desk(args, out) as desk, CapturePool() as pool:
        if desk.vault.read_only_reason is not None:
            raise desk.vault.read_only_reason
        drafts = []
        with Progress(out, "reading", len(selected)) as progress:
            for path, error in selected:
                try:
                    if error is not None:
                        raise error
                    file = keep_file(desk.vault, path)
                    known = [] if args.again else desk.vault.where(file.kept.sha256)
                    if known:
                        out.note(f"{file.name} was recorded before, as {known[0]}")
                    else:
                        drafts.append(_draft(args, desk, pool, file))
                except VestigeError as failure:
                    failures.append(failure)
                    out.error(failure)
                progress.step()
        if not drafts:
            status = _exit_status.worst_status(map(_exit_status.exit_status_of, failures))
            out.object({"records": [], "errors": list(map(error_to_json, failures)),
                        "exit_status": status})  # fmt: skip
            return status
        status = desk.record(_joined(args, drafts) if args.together else drafts)
    statuses = [status, *map(_exit_status.exit_status_of, failures)]
    return _exit_status.worst_status(statuses)


def _draft(args: argparse.Namespace, desk: Desk, pool: CapturePool, file: KeptFile) -> Draft:
    kind = args.kind or _guessed(file)
    fields = {"parents": args.parents or None}
    if kind == "generation":
        mode = args.mode or "manual"
        made = generation_draft(desk.vault, file, pool, now=now(), mode=mode)
        own = record_draft(args, kind, fields).fields
        fields = {**made.fields, **own}
        return replace(made, fields=fields, role=args.role, client=_client(args))
    lag = file.lag(now())
    return record_draft(
        args,
        kind,
        fields,
        files=(file.attachment(_ROLES.get(kind, kind)),),
        mode=args.mode or ("import" if kind == "import" else "manual"),
        client=_client(args),
        lag_s=int(lag.total_seconds()),
        late=lag > LATE_AFTER,
    )


def _client(args: argparse.Namespace) -> str | None:
    return clean_text(args.client) or None


def _guessed(file: KeptFile) -> str:
    if file.lag(now()) > LATE_AFTER:
        return "import"
    if file.is_image:
        return "generation"
    raise UsageError(
        f"{file.name}: it can not be told what this is",
        code="usage.kind",
        hint=f"say it with --as: {', '.join(_KINDS)}",
    )


def _joined(args: argparse.Namespace, drafts: list[Draft]) -> list[Draft]:
    """Return one record of all files, with what the first one says of the run."""
    kinds = {draft.kind for draft in drafts}
    if len(kinds) > 1:
        raise UsageError("--together wants files of one kind", hint="say it with --as")
    first = drafts[0]
    fields = dict(first.fields)
    if first.kind == "generation":
        fields["outputs"] = len(drafts)
    return [
        Draft(
            first.kind,
            fields,
            tuple(item for draft in drafts for item in draft.files),
            args.role,
            first.mode,
            first.client,
            lag_s=max(draft.lag_s or 0 for draft in drafts),
            tier=first.tier,
            late=any(draft.late for draft in drafts),
        )
    ]
