"""``vestige show``: one record, whole: its fields, files, beacons, and what its proof shows."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy
from anchor.cli._fields import parse_reference, want_records
from anchor.cli._output import Cell, Output, Painted, dim, padded, shown_time, word
from anchor.cli._vault import add_vault, entry_to_json, now, policy_source
from anchor.cli.log import state_to_json
from anchor.records.record import Record
from anchor.vault.entry import entry_of
from anchor.vault.proof_states import refresh_states
from anchor.vault.vault import Vault

_LABEL_COLUMNS: Final = 14
_SENTENCE_COLUMNS: Final = 72
_MODES: Final = {
    "live_plugin": "by a plug-in as it was made",
    "watch_folder": "from a watched folder",
    "manual": "by a command",
    "import": "afterwards, from a file that was there",
}
_TIERS: Final = {
    "T0": "what its maker states",
    "T1": "what was found in the file, which anybody can edit",
    "T2": "what the generator signed",
    "T3": "a platform's own record",
    "T4": "what a plug-in saw",
}
_CLOCKS: Final = {
    "system": "that of the machine",
    "ntp": "that of the machine, set over the network",
    "stepped_back": "that of the machine, which was set back",
    "none": "none",
}
_ADDED: Final = "32"
_REMOVED: Final = "31;9"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``show``."""
    parser.add_argument("record", metavar="N", help="the record")
    add_vault(parser)
    add_policy(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Show it."""
    seq = int(parse_reference(args.record).partition(".")[0])
    with Vault.open(args.vault) as vault:
        want_records([args.record.removeprefix("#")], vault.size)
        record = vault.read(seq)
        states = refresh_states(vault, policy_source(args.policy), now())
        state = states.get(seq)
        title = f"record {seq}  {record.kind.name}  {shown_time(record.claimed_time)} UTC"
        status = "pending" if state is None else state.status
        out.line(padded(title, _SENTENCE_COLUMNS), word(status))
        for label, *cells in _rows(record, vault):
            out.line("  ", padded(dim(label), _LABEL_COLUMNS), *cells)
        if state is None:
            said = "not sent yet"
        elif state.existed_before is None:
            said = state.reason
        else:
            said = f"existed before {state.existed_before}"
        out.line("  ", padded(dim("proof"), _LABEL_COLUMNS), said)
        out.object({
            **entry_to_json(entry_of(record)),
            "path": str(vault.layout.record(seq)),
            "open": record.sd_jwt.open_fields,
            "fields": record.fields,
            "proof": {"path": str(vault.layout.proof(seq)), **state_to_json(state)},
            "exit_status": _exit_status.OK,
        })  # fmt: skip
    return _exit_status.OK


def _rows(record: Record, vault: Vault) -> Iterator[tuple[Any, ...]]:
    fields = record.fields
    if "difference" in fields:
        yield "difference", *_difference(fields["difference"])
    for name, value in fields.items():
        if name != "difference":
            lines = _lines(value)
            yield name, lines[0]
            for line in lines[1:]:
                yield "", line
    for number, entry in sorted(record.files.items()):
        name = entry.get("name", "")
        yield f"file {number}", f"{entry['role']}  {name}  {entry['size']:,} bytes"
        yield "", dim(str(vault.objects.path(bytes.fromhex(entry["sha256"]))))
    payload = record.sd_jwt.payload
    late = ", late" if payload["late"] else ""
    yield "captured", f"{_MODES[record.capture.mode]}, with {record.capture.client}{late}"
    yield "rests on", f"{_TIERS[payload['tier']]} ({payload['tier']})"
    yield "clock", _CLOCKS.get(payload["clock_source"], payload["clock_source"])
    for beacon in record.not_before:
        yield "not before", f"{beacon.source} {beacon.number}"
    yield "digest", record.digest.hex()
    yield "key", f"{record.actor.key.hex()} as {record.actor.role}"
    yield "parsed from", str(vault.layout.record(record.seq))


def _difference(parts: list[list[str]]) -> Iterator[Cell]:
    """Yield the words of a prompt, those taken out and put in marked."""
    marks = {"-": ("[-", "-]", _REMOVED), "+": ("{+", "+}", _ADDED)}
    for sign, text in parts:
        if sign in marks:
            before, after, colour = marks[sign]
            yield Painted(f"{before}{text}{after}", colour)
        else:
            yield text


def _lines(value: Any) -> list[str]:
    if isinstance(value, list):
        return [_text(item) for item in value] or [""]
    if isinstance(value, dict):
        return [f"{name}: {_text(item)}" for name, item in value.items()] or [""]
    return str(value).split("\n")


def _text(item: Any) -> str:
    """Return a part of a field in one line: ``checkpoint: a.safetensors``, ``role: x, name: y``."""
    if isinstance(item, list):
        return ": ".join(map(_text, item))
    if isinstance(item, dict):
        return ", ".join(f"{name}: {_text(part)}" for name, part in item.items())
    return str(item)
