"""``vestige init``: make a vault in a folder and begin its project."""

from __future__ import annotations

import argparse
import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from anchor.backends.address import holds_secret
from anchor.cli._fields import clean_text
from anchor.cli._output import Output, short
from anchor.cli._vault import Desk, add_sending, key_store
from anchor.errors import NotFoundError, UsageError
from anchor.vault.durable import want_folder_of
from anchor.vault.genesis import begin_project
from anchor.vault.key_store import KeyStore
from anchor.vault.layout import Layout, find_layout
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
    """Make the vault and the keys, hand over the recovery key, write genesis; leave no half."""
    if args.server and holds_secret(args.server):
        raise UsageError(
            "the vault remembers its service, and this address holds a password",
            code="usage.server",
            hint="leave --server out and set VESTIGE_SERVER where you record",
        )
    store = key_store()
    layout = Layout(args.vault)
    _warn_of_outer(args.vault, out)
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
    known = store.recovery()
    with Desk(args, out) as desk:
        with _told_if_worthless(recovery, out) as hand_over:
            begun = begin_project(
                desk.vault, store, fields=fields, recovery=hand_over, make_recorder=desk.recorder
            )
        out.note(f"vault in {desk.vault.layout.root}")
        made = "made" if begun.key_is_new else "the one you have"
        out.note(f"signing key {short(begun.signer.thumbprint)} ({made})")
        if recovery.is_new and known is not None:
            out.note(
                f"a NEW recovery key {short(begun.recovery)}: keep it offline; it holds for this "
                f"project and those begun from now on, "
                f"{short(known)} still holds for your other projects"
            )
        else:
            same = " (that of your last project)" if begun.recovery == known else ""
            out.note(f"recovery key {short(begun.recovery)}{same}: keep it offline")
        return desk.report([begun.genesis])


def _warn_of_outer(folder: Path, out: Output) -> None:
    with contextlib.suppress(NotFoundError):
        outer = find_layout(folder.resolve().parent)
        out.warn(
            f"{outer.work} above has a vault already, this one is inside it",
            "commands given in this folder and below are for the inner vault alone",
        )


@dataclass(frozen=True, slots=True)
class _Recovery:
    """How the recovery key is handed over, once the signing key is there; a new one or one known.

    Whatever can be found wrong beforehand was, so that no key is made for nothing.
    """

    hand_over: Callable[[], bytes]
    is_new: bool


def _recovery(args: argparse.Namespace, store: KeyStore, vault: Vault, out: Output) -> _Recovery:
    if args.recovery is not None:
        return _in_file(args.recovery, vault, out)
    known = store.recovery()
    if known is not None:
        return _Recovery(lambda: known, is_new=False)
    if out.as_json or not out.is_terminal(out.stdout):
        raise UsageError(
            "a recovery key has to be handed over, and there is no terminal to show it on",
            code="keys.recovery",
            hint="--recovery FILE writes it to a file, best on a medium of its own",
        )

    def show() -> bytes:
        signer = Signer.generate()
        out.line("Write this down and keep it offline; it is shown once and kept nowhere:")
        out.line("")
        out.line(f"  {recovery_text(signer)}")
        out.line("")
        return signer.thumbprint

    return _Recovery(show, is_new=True)


@contextlib.contextmanager
def _told_if_worthless(recovery: _Recovery, out: Output) -> Iterator[Callable[[], bytes]]:
    """Give what hands over the key; a new one that no project came to commit to is told of."""
    handed: list[bytes] = []

    def hand_over() -> bytes:
        handed.append(recovery.hand_over())
        return handed[0]

    try:
        yield hand_over
    except BaseException:
        if handed and recovery.is_new:
            out.warn(
                f"no project was begun: the recovery key {short(handed[0])} stands for nothing yet",
                "throw away what you wrote down; a file with it can be named again with --recovery",
            )
        raise


def _in_file(path: Path, vault: Vault, out: Output) -> _Recovery:
    if path.exists():
        thumbprint = load_recovery(path).thumbprint
        return _Recovery(lambda: thumbprint, is_new=False)
    if path.resolve().is_relative_to(vault.layout.root):
        raise UsageError("the recovery key does not go into the vault", code="keys.recovery")
    want_folder_of(path)

    def write() -> bytes:
        signer = Signer.generate()
        store_recovery(path, signer)
        out.warn(
            f"{path} holds the recovery key: move it off this machine",
            "whoever has it can take the signing key away from you",
        )
        return signer.thumbprint

    return _Recovery(write, is_new=True)
