"""``vestige init``: make a vault in a folder and begin its project."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from anchor.backends.address import holds_secret
from anchor.cli._fields import clean_text
from anchor.cli._output import Output, short
from anchor.cli._vault import Desk, add_sending, key_store
from anchor.errors import UsageError
from anchor.vault.genesis import begin_project
from anchor.vault.key_store import KeyStore
from anchor.vault.layout import Layout
from anchor.vault.recovery_key import load_recovery, recovery_text, store_recovery
from anchor.vault.signer import Signer
from anchor.vault.vault import Vault


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``init``."""
    parser.add_argument(
        "vault", metavar="DIR", nargs="?", type=Path, default=Path(), help="default: this folder"
    )
    parser.add_argument("--title", metavar="TEXT", help="of the project (default: the folder)")
    parser.add_argument("--work", metavar="TEXT", help="the work that is intended")
    parser.add_argument("--author", metavar="TEXT", help="who you are, in your own words")
    parser.add_argument(
        "--tool", metavar="NAME", action="append", default=[], help="a tool you expect to use"
    )
    parser.add_argument(
        "--recovery",
        metavar="FILE",
        type=Path,
        help="write the recovery key to this new file, or take the one that is in it",
    )
    add_sending(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Make the vault, hand over the recovery key, write genesis; leave nothing half-made."""
    if args.server and holds_secret(args.server):
        raise UsageError(
            "the vault remembers its service, and this address holds a password",
            code="usage.server",
            hint="leave --server out and set VESTIGE_SERVER where you record",
        )
    store = key_store()
    layout = Layout(args.vault)
    made_here = not layout.root.exists()
    vault: Vault | None = None
    try:
        vault = Vault.init(args.vault, server=args.server)
        return _begin(args, store, vault, out)
    except BaseException:
        if made_here and layout.root.is_dir() and not layout.record_numbers():
            if vault is not None:
                vault.instance.forget()
            shutil.rmtree(layout.root, ignore_errors=True)
        raise


def _begin(args: argparse.Namespace, store: KeyStore, vault: Vault, out: Output) -> int:
    with vault:
        recovery = _recovery(args, store, vault, out)
        fields = {
            "title": clean_text(args.title or vault.layout.work.name) or "untitled",
            "work": clean_text(args.work),
            "author": clean_text(args.author),
            "tools": [clean_text(tool) for tool in args.tool] or None,
        }
    with Desk(args, out) as desk:
        begun = begin_project(
            desk.vault, store, fields=fields, recovery=recovery, make_recorder=desk.recorder
        )
        out.note(f"vault in {desk.vault.layout.root}")
        made = "made" if begun.key_is_new else "the one you have"
        out.note(f"signing key {short(begun.signer.thumbprint)} ({made})")
        out.note(f"recovery key {short(recovery)}: keep it offline")
        return desk.report([begun.genesis])


def _recovery(args: argparse.Namespace, store: KeyStore, vault: Vault, out: Output) -> bytes:
    """Return the thumbprint of the recovery key; a new one is handed over here, once."""
    if args.recovery is not None:
        return _from_file(args.recovery, vault, out)
    known = store.recovery()
    if known is not None:
        return known
    if out.as_json or not out.is_terminal(out.stdout):
        raise UsageError(
            "a recovery key has to be handed over, and there is no terminal to show it on",
            code="keys.recovery",
            hint="--recovery FILE writes it to a file, best on a medium of its own",
        )
    signer = Signer.generate()
    out.line("Write this down and keep it offline; it is shown once and kept nowhere:")
    out.line("")
    out.line(f"  {recovery_text(signer)}")
    out.line("")
    return signer.thumbprint


def _from_file(path: Path, vault: Vault, out: Output) -> bytes:
    if path.exists():
        return load_recovery(path).thumbprint
    if path.resolve().is_relative_to(vault.layout.root):
        raise UsageError("the recovery key does not go into the vault", code="keys.recovery")
    signer = Signer.generate()
    store_recovery(path, signer)
    out.warn(
        f"{path} holds the recovery key: move it off this machine",
        "whoever has it can take the signing key away from you",
    )
    return signer.thumbprint
