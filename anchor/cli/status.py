"""``vestige status``: how the vault stands: records, queue, proofs, key."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from anchor.cli import _exit_status
from anchor.cli._arguments import add_policy
from anchor.cli._out_of_reach import out_of_reach_in, warn_out_of_reach
from anchor.cli._output import Output, dim, padded, short, shown_time, word
from anchor.cli._vault import add_vault, counted, key_store, now, policy_source, vault_server
from anchor.formats.encoding import parse_utc, utc_text
from anchor.vault.proof_states import refresh_states, scan_proofs
from anchor.vault.vault import Vault

if TYPE_CHECKING:
    from anchor.vault.index import ProofState

_LABEL_COLUMNS: Final = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``status``."""
    add_vault(parser)
    parser.set_defaults(server=None)
    add_policy(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Say how it stands."""
    with Vault.open(args.vault) as vault:
        scanned = scan_proofs(vault)
        states = refresh_states(vault, policy_source(args.policy), now(), scanned=scanned)
        value = _value(args, vault, states, scanned.queued(vault.size))
        _print(out, vault, value)
        out.object(value)
    return _exit_status.OK


def _value(
    args: argparse.Namespace, vault: Vault, states: Mapping[int, ProofState], queued: list[int]
) -> dict[str, Any]:
    newest = vault.index.entries(newest_first=True, limit=1)
    words = Counter(state.status for state in states.values())
    reason = vault.read_only_reason
    return {
        "project": vault.project.id,
        "folder": str(vault.layout.work),
        "server": vault_server(args, vault),
        "records": vault.size,
        "kinds": vault.index.counts(),
        "newest": newest[0].claimed_time if newest else None,
        "closed": vault.index.last_of_kind("close") is not None,
        "queued": len(queued),
        "oldest_queued": _claimed(vault, queued),
        "proofs": dict(sorted(words.items())),
        "out_of_reach": out_of_reach_in(vault, states),
        "open_proofs": sum(not state.complete for state in states.values()),
        "missing_records": vault.size - len(vault.layout.record_numbers()),
        "keys": _keys(vault),
        "beacons": _beacons(),
        "read_only": None if reason is None else reason.message,
        "exit_status": _exit_status.OK,
    }


def _print(out: Output, vault: Vault, value: Mapping[str, Any]) -> None:
    closed = ", closed" if value["closed"] else ""
    newest = value["newest"]
    last = "" if newest is None else f", the newest at {shown_time(parse_utc(newest))} UTC"
    out.line(f"{vault.layout.work}: {counted(value['records'], 'record')}{closed}{last}")
    rows: list[tuple[str, Any, str]] = [
        ("proofs", word(status), f"{count:,}") for status, count in value["proofs"].items()
    ]
    if value["queued"]:
        since = shown_time(parse_utc(value["oldest_queued"]))
        rows.append(("queue", word("pending"), f"{value['queued']:,} not sent, since {since} UTC"))
    rows += [("key", "", text) for text in _key_lines(value["keys"])]
    rows += [("not before", "", text) for text in value["beacons"]]
    rows.append(("service", "", value["server"]))
    for label, sign, text in rows:
        out.line("  ", padded(label, _LABEL_COLUMNS), padded(sign, 15) if sign else "", text)
    out.line("  ", padded(dim("project"), _LABEL_COLUMNS), dim(value["project"]))
    if value["missing_records"] > 0:
        out.warn(
            f"{counted(value['missing_records'], 'record file')} missing",
            "vestige rebuild says which",
        )
    warn_out_of_reach(out, value["out_of_reach"])
    if value["read_only"] is not None:
        out.warn(value["read_only"], "vestige adopt makes it go on here")


def _claimed(vault: Vault, queued: list[int]) -> str | None:
    entry = vault.index.entry(queued[0]) if queued else None
    return None if entry is None else entry.claimed_time


def _keys(vault: Vault) -> list[dict[str, Any]]:
    store = key_store()
    in_force = vault.project_keys().in_force()
    return [
        {"thumbprint": key.thumbprint.hex(), "role": key.role, "here": store.has(key.thumbprint)}
        for key in in_force
    ]


def _key_lines(keys: list[dict[str, Any]]) -> list[str]:
    if not keys:
        return ["none may sign: vestige keys rotate puts a new one in place"]
    return [
        f"{short(bytes.fromhex(key['thumbprint']))} as {key['role']}"
        + ("" if key["here"] else ", not on this machine")
        for key in keys
    ]


def _beacons() -> list[str]:
    """Return what is remembered of beacons, with their age; nobody is asked."""
    import time

    from anchor.vault.beacon_cache import BeaconCache

    texts = []
    for item in BeaconCache(None, time.time).recent():
        text = f"{item.beacon.source} {item.beacon.number}"
        if item.unix_time is not None:
            text += f", of {utc_text(datetime.fromtimestamp(item.unix_time, UTC))}"
        texts.append(text)
    return texts
