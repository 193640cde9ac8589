"""Arguments that several verbs take, and how their words become values."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from anchor.errors import UsageError

if TYPE_CHECKING:
    from anchor.proof.policy import Policy

_POLICY: Final = "VESTIGE_POLICY"
_SERVER: Final = "VESTIGE_SERVER"
_DEFAULT_SERVER: Final = "http://127.0.0.1:8460"


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Add ``--policy``."""
    parser.add_argument(
        "--policy",
        metavar="FILE",
        type=Path,
        help=f"trust what this policy names (default: {_POLICY}, else the policy of this release)",
    )


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add ``--server``."""
    parser.add_argument(
        "--server",
        metavar="URL",
        help=f"the service to ask (default: {_SERVER}, else {_DEFAULT_SERVER})",
    )


def server_url(args: argparse.Namespace) -> str:
    """Return the address of the service: the flag, the environment, this machine."""
    from anchor.backends.address import holds_secret
    from anchor.cli._output import Output

    if args.server and holds_secret(args.server):
        Output().warn(
            "a password in --server can be seen by everybody on this machine",
            f"set {_SERVER} instead",
        )
    return args.server or os.environ.get(_SERVER) or _DEFAULT_SERVER


def load_policy(path: Path | None) -> Policy:
    """Return the policy that the person named, or the one that ships with this release."""
    from anchor.client.local_file import load_bytes
    from anchor.limits import MAX_POLICY_BYTES
    from anchor.policies import load_default_policy
    from anchor.proof.policy import parse_policy

    named = path or os.environ.get(_POLICY)
    if named is None:
        return load_default_policy()
    return parse_policy(load_bytes(Path(named), max_bytes=MAX_POLICY_BYTES, what="policy"))


def parse_time(text: str) -> datetime:
    """Read a time with its zone, or a date, which stands for its first moment in UTC.

    Raises:
        UsageError: neither; a time without a zone would be a guess.
    """
    hint = "write it as 2026-11-23, 2026-11-23T10:02:08Z or 2026-11-23T18:02:08+08:00"
    words = text.strip().removesuffix(" UTC").rstrip()
    zoned = words + "Z" if words != text.strip() else words
    try:
        time = datetime.fromisoformat(zoned)
    except ValueError:
        raise UsageError(f"{text!r} is no time", code="usage.time", hint=hint) from None
    if time.tzinfo is None:
        if len(zoned) > len("2026-11-23"):
            raise UsageError(f"{text!r} has no time zone", code="usage.time", hint=hint)
        time = time.replace(tzinfo=UTC)
    return time.astimezone(UTC)


def now() -> datetime:
    """Return the time, aware UTC."""
    return datetime.now(UTC)
