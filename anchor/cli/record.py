"""``vestige record``: make a record of a kind that has no verb of its own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from anchor.cli._fields import parse_reference, parse_settings
from anchor.cli._output import Output
from anchor.cli._vault import Desk, add_recording, now, record_draft
from anchor.config.load import nearest
from anchor.errors import UsageError
from anchor.records.kinds import KINDS
from anchor.vault.file_drafts import LATE_AFTER, keep_file

# Kinds made by verbs of their own are taken too, except those that keys, copies and the start and
# end of a project depend on: their verbs do more than write a record.
_OTHERS: Final = ("genesis", "key_bind", "key_rotate", "key_revoke", "branch", "close")
_KINDS: Final = tuple(name for name in KINDS if name not in _OTHERS)
#: The field that ``--on`` fills, where it is not ``parents`` alone.
_ON: Final = {
    "candidate_set": "candidates",
    "composite": "sources",
    "correction": "target",
    "metadata": "of",
    "reproduction_test": "of",
    "selection": "chosen",
}
#: What people call what a kind is for.
_CALLED: Final = {
    "alternative": "candidate_set",
    "alternatives": "candidate_set",
    "arrangement": "composite",
    "collage": "composite",
    "contract": "rights",
    "licence": "rights",
    "license": "rights",
    "rerun": "reproduction_test",
}
_FILE_ROLES: Final = {
    "composite": "output",
    "generation": "output",
    "reproduction_test": "output",
    "candidate_set": "grid",
    "custody": "document",
    "rights": "document",
    "tool_export": "export",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``record``."""
    parser.add_argument(
        "kind", metavar="KIND", type=_kind, choices=_KINDS, help="what docs/spec/record.md calls it"
    )
    parser.add_argument(
        "--on", metavar="N", nargs="+", default=[],
        help="the records or files that it is about: candidates, sources, what was run again, …",
    )  # fmt: skip
    parser.add_argument(
        "--file", dest="files", metavar="FILE", type=Path, nargs="+", default=[],
        help="files that belong to it",
    )  # fmt: skip
    parser.add_argument(
        "--file-role", metavar="ROLE", help="what the files are in it: output, mask, document, …"
    )
    add_recording(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Record it."""
    kind = args.kind
    fields = _about(kind, [parse_reference(text) for text in args.on])
    role = args.file_role or _FILE_ROLES.get(kind, kind)
    given = {*fields, *parse_settings(kind, args.set)}
    missing = [row.name for row in KINDS[kind].fields if row.required and row.name not in given]
    if missing:
        on = f"--on N gives its {_ON[kind]}; " if _ON.get(kind) in missing else ""
        raise UsageError(
            f"a record of kind {kind} wants {', '.join(missing)}",
            code="usage.field",
            hint=f"{on}--set NAME=VALUE gives any field",
        )
    with Desk(args, out) as desk:
        kept = [keep_file(desk.vault, path) for path in args.files]
        lags = [file.lag(now()) for file in kept]
        draft = record_draft(
            args,
            kind,
            fields,
            files=tuple(file.attachment(role) for file in kept),
            mode="import" if kind == "import" else "manual",
            lag_s=int(max(lags).total_seconds()) if lags else None,
            late=any(lag > LATE_AFTER for lag in lags),
        )
        return desk.record([draft])


def _kind(text: str) -> str:
    """Return the kind; one that there is not is answered with the nearest."""
    if text in _KINDS:
        return text
    near = _CALLED.get(text.lower()) or nearest(text, _KINDS)
    if text in _OTHERS:
        said, near = "has a verb of its own", None
    else:
        said = "there is no such kind of record"
    raise UsageError(
        f"record {text[:80]!r}: {said}",
        hint=f"the nearest is {near}; see vestige record --help" if near else "see vestige --help",
    )


def _about(kind: str, references: list[str]) -> dict[str, Any]:
    """Return the fields that say what the record is about."""
    name = _ON.get(kind)
    if name is None or not references:
        return {"parents": references} if references else {}
    if KINDS[kind].types[name] == "ref":
        if len(references) > 1:
            raise UsageError(f"a record of kind {kind} is about one record, --on takes one number")
        return {name: references[0], "parents": references}
    return {name: references, "parents": references}
