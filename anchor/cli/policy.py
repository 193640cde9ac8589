"""``vestige policy``: what does a verifier trust?"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anchor.cli import _exit_status
from anchor.cli._arguments import load_policy
from anchor.cli._output import Output, padded
from anchor.errors import UsageError

if TYPE_CHECKING:
    from anchor.proof.policy import Policy, TrustedChain


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``policy``."""
    parser.add_argument(
        "action",
        choices=("show", "check", "default"),
        help="show: what it trusts; check: whether a file is a policy; "
        "default: print the policy of this release, byte for byte",
    )
    parser.add_argument(
        "file", metavar="FILE", nargs="?", type=Path, help="a policy (default: the one in force)"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Show, check or print a policy."""
    if args.action == "default":
        return _print_default(args, out)
    if args.action == "check" and args.file is None:
        raise UsageError("policy check wants the FILE to check", hint="vestige policy check FILE")
    policy = load_policy(args.file)
    rows = list(_rows(policy))
    for label, text in rows if args.action == "show" else rows[:3]:
        out.line("  ", padded(label, 12), text)
    out.object(_to_json(policy))
    return _exit_status.OK


def _print_default(args: argparse.Namespace, out: Output) -> int:
    from anchor.policies import load_default_policy_bytes

    if args.file is not None:
        raise UsageError("policy default takes no FILE")
    out.raw(load_default_policy_bytes())
    return _exit_status.OK


def _rows(policy: Policy) -> Iterator[tuple[str, str]]:
    yield "name", policy.name
    yield "class", policy.policy_class
    yield "SHA-256", policy.sha256.hex()
    headline = ", ".join(sorted(policy.headline_families)) or "no family"
    yield "headline", f"{headline}; {policy.families_wanted} of them wanted"
    for log in policy.logs:
        sizes = f"sizes {log.first_size} to {'any' if log.last_size is None else log.last_size}"
        yield "log", f"{log.origin}  key {log.key.key_id.hex()}  {sizes}"
    for authority in policy.authorities:
        roots = ", ".join(hashlib.sha256(root).hexdigest() for root in authority.roots)
        qualified = ", qualified" if authority.qualified else ""
        yield "RFC 3161", f"{authority.name}{qualified}  root {roots}"
    for chain in policy.chains:
        yield "EVM", _chain_text(chain)
    bitcoin = policy.bitcoin
    last = f", the last at block {bitcoin.checkpoints[-1].height}" if bitcoin.checkpoints else ""
    yield "bitcoin", f"{bitcoin.network}  checkpoints: {len(bitcoin.checkpoints)}{last}"
    if bitcoin.sources:
        yield "", f"online: {bitcoin.agree} of {', '.join(bitcoin.sources)}"
    for witness in policy.witnesses:
        yield "witness", f"{witness.name}{', related to the operator' if witness.related else ''}"
    for calendar in policy.calendars:
        yield "calendar", calendar


def _chain_text(chain: TrustedChain) -> str:
    contracts = ", ".join(f"0x{contract.address.hex()}" for contract in chain.contracts)
    online = f"; online: {chain.agree} of {', '.join(chain.sources)}" if chain.sources else ""
    return (
        f"{chain.name} ({chain.chain_id}, {chain.chain_class})  "
        f"blocks pinned: {len(chain.pinned)}, contracts: {contracts or 'none'}{online}"
    )


def _to_json(policy: Policy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "class": policy.policy_class,
        "sha256": policy.sha256.hex(),
        "families_wanted": policy.families_wanted,
        "headline_families": sorted(policy.headline_families),
        "logs": [{"origin": log.origin, "key": log.key.text} for log in policy.logs],
        "authorities": [
            {
                "name": authority.name,
                "roots_sha256": [hashlib.sha256(root).hexdigest() for root in authority.roots],
                "qualified": authority.qualified,
                "headline": authority.headline,
            }
            for authority in policy.authorities
        ],
        "chains": [
            {
                "chain_id": chain.chain_id,
                "name": chain.name,
                "class": chain.chain_class,
                "pinned": len(chain.pinned),
                "contracts": [f"0x{contract.address.hex()}" for contract in chain.contracts],
                "sources": list(chain.sources),
            }
            for chain in policy.chains
        ],
        "bitcoin": {
            "network": policy.bitcoin.network,
            "checkpoints": [checkpoint.height for checkpoint in policy.bitcoin.checkpoints],
            "sources": list(policy.bitcoin.sources),
        },
        "witnesses": [
            {"name": witness.name, "related": witness.related} for witness in policy.witnesses
        ],
        "calendars": list(policy.calendars),
    }
