"""``vestige keys``: the keys that sign, on this machine and in this project."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from anchor.cli import _exit_status
from anchor.cli._arguments import parse_time
from anchor.cli._fields import clean_text
from anchor.cli._output import Output, dim, padded
from anchor.cli._vault import (
    Desk,
    add_recording,
    add_sending,
    add_vault,
    key_store,
    record_draft,
)
from anchor.cli.program import common_arguments
from anchor.errors import NotFoundError, UsageError
from anchor.formats.encoding import base64url, utc_text
from anchor.records.fields import ROLES
from anchor.vault.file_drafts import keep_file
from anchor.vault.key_records import revoke_key, rotate_key
from anchor.vault.key_store import StoredKey
from anchor.vault.project_keys import ProjectKey
from anchor.vault.public_key import parse_public_key
from anchor.vault.recovery_key import load_recovery, store_recovery
from anchor.vault.signer import Signer
from anchor.vault.vault import Vault

_Key = TypeVar("_Key", bound=ProjectKey | StoredKey)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``keys``."""
    verbs = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    child = _action(verbs, "list", "show which keys there are")
    add_vault(child)
    child = _action(verbs, "rotate", "put a new signing key in the place of the one in use")
    _add_recovery(child)
    child.add_argument(
        "--new-recovery", metavar="FILE", type=Path, help="make a new recovery key too, into FILE"
    )
    child = _action(verbs, "revoke", "end a key")
    child.add_argument("key", metavar="KEY", help="its thumbprint, or how it begins")
    _add_recovery(child)
    child = _action(verbs, "new", "make a signing key, for a person who joins a project")
    child.add_argument("--format", choices=("jwk", "pem", "hex"), default="hex")
    child = _action(verbs, "bind", "let another person's key sign in this project, in a role")
    child.add_argument(
        "public_key", metavar="KEY", help="the public key: hex, or a file with hex, JWK or PEM"
    )
    child.add_argument(
        "--as", dest="key_role", choices=ROLES, default="co-author",
        help="the role that it may sign in; an author's key signs in any (default: co-author)",
    )  # fmt: skip
    child.add_argument("--name", metavar="TEXT", help="whose key it is")
    child.add_argument("--method", metavar="TEXT", help="how you know that")
    child.add_argument("--level", metavar="TEXT", help="how well you know it")
    child.add_argument(
        "--evidence",
        metavar="FILE",
        type=Path,
        help="of that; kept with the record, which names its SHA-256",
    )
    child.add_argument("--until", metavar="TIME", help="how long it is meant to be used")
    add_recording(child)
    child = _action(verbs, "export-public", "print a public key")
    child.add_argument("key", metavar="KEY", nargs="?", help="default: the one in use")
    child.add_argument("--format", choices=("jwk", "pem", "hex"), default="jwk")
    add_vault(child)


def _action(verbs: Any, name: str, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=summary, description=summary, parents=[common_arguments()]
    )
    return parser


def _add_recovery(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recovery", metavar="FILE", type=Path, required=True, help="the recovery key"
    )
    parser.add_argument(
        "--compromised-at",
        metavar="TIME",
        help="since when the old key is not to be believed (UTC or zoned)",
    )
    parser.add_argument("--reason", metavar="TEXT", help="why")
    add_vault(parser)
    add_sending(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Do what was asked for."""
    actions = {
        "list": _list, "new": _new, "bind": _bind, "rotate": _rotate, "revoke": _revoke,
        "export-public": _export,
    }  # fmt: skip
    return actions[args.action](args, out)


def _list(args: argparse.Namespace, out: Output) -> int:
    stored = {key.thumbprint: key for key in key_store().stored()}
    named = {key.thumbprint: key for key in _project_keys(args.vault)}
    values = []
    for thumbprint in {**named, **stored}:
        value = _to_json(stored.get(thumbprint), named.get(thumbprint))
        values.append(value)
        where = value["place"] or "not on this machine"
        out.line(padded(value["thumbprint"], 66), padded(where, 21), dim(value["project"]))
    if not values:
        out.note("there are no keys yet: vestige init makes the first one")
    out.object({"keys": values, "exit_status": _exit_status.OK})
    return _exit_status.OK


def _to_json(stored: StoredKey | None, named: ProjectKey | None) -> dict[str, Any]:
    key = stored or named
    if key is None:
        raise NotFoundError("there is no such key", code="keys.unknown")
    project = "not in this project"
    if named is not None:
        ended = named.ended_by
        project = f"{named.role}, named by record {named.named_by}"
        project += "" if ended is None else f", ended by record {ended}"
    return {
        "thumbprint": key.thumbprint.hex(),
        "public_key": key.public_key.hex(),
        "place": None if stored is None else stored.place,
        "made": None if stored is None else stored.made,
        "in_force": named is not None and named.ended_by is None,
        "project": project,
    }


def _rotate(args: argparse.Namespace, out: Output) -> int:
    recovery = load_recovery(args.recovery)
    new_recovery = None
    with Desk(args, out) as desk:
        if desk.vault.read_only_reason is not None:
            raise desk.vault.read_only_reason
        if args.new_recovery is not None:
            made = Signer.generate()
            store_recovery(args.new_recovery, made)
            new_recovery = made.thumbprint
        record, signer = rotate_key(
            desk.vault,
            key_store(),
            recovery,
            new_recovery=new_recovery,
            compromised_at=None if args.compromised_at is None else parse_time(args.compromised_at),
            reason=clean_text(args.reason),
            make_recorder=desk.recorder,
        )
        out.note(f"the signing key of this project is now {signer.thumbprint.hex()}")
        return desk.report([record])


def _revoke(args: argparse.Namespace, out: Output) -> int:
    recovery = load_recovery(args.recovery)
    with Desk(args, out) as desk:
        key = _one(args.key, desk.vault.project_keys().all())
        record = revoke_key(
            desk.vault,
            recovery,
            key.thumbprint,
            compromised_at=None if args.compromised_at is None else parse_time(args.compromised_at),
            reason=clean_text(args.reason),
            make_recorder=desk.recorder,
        )
        return desk.report([record])


def _export(args: argparse.Namespace, out: Output) -> int:
    named = [key for key in _project_keys(args.vault) if key.ended_by is None]
    known: list[ProjectKey | StoredKey] = [*named, *key_store().stored()]
    if not known:
        raise NotFoundError("there are no keys yet", code="keys.unknown")
    public_key = (known[0] if args.key is None else _one(args.key, known)).public_key
    return _print_key(public_key, args.format, out)


def _print_key(public_key: bytes, form: str, out: Output) -> int:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64url(public_key)}
    if form == "pem":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(public_key)
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        for line in pem.splitlines():
            out.line(line)
    elif form == "hex":
        out.line(public_key.hex())
    else:
        out.line(json.dumps(jwk))
    out.object({"public_key": public_key.hex(), "jwk": jwk, "exit_status": _exit_status.OK})
    return _exit_status.OK


def _new(args: argparse.Namespace, out: Output) -> int:
    return _print_key(key_store().make().public_key, args.format, out)


def _bind(args: argparse.Namespace, out: Output) -> int:
    public_key = parse_public_key(args.public_key)
    fields = {
        "public_key": public_key.hex(),
        "key_role": args.key_role,
        "name": clean_text(args.name),
        "method": clean_text(args.method),
        "level": clean_text(args.level),
        "valid_until": None if args.until is None else utc_text(parse_time(args.until)),
    }
    with Desk(args, out) as desk:
        if public_key in {key.public_key for key in desk.vault.project_keys().all()}:
            raise UsageError("this project names that key already", code="keys.bound")
        kept = [] if args.evidence is None else [keep_file(desk.vault, args.evidence)]
        fields["evidence_sha256"] = kept[0].kept.sha256.hex() if kept else None
        files = tuple(file.attachment("evidence") for file in kept)
        return desk.record([record_draft(args, "key_bind", fields, files=files)])


def _project_keys(folder: Path) -> list[ProjectKey]:
    try:
        with Vault.open(folder) as vault:
            return vault.project_keys().all()
    except NotFoundError:
        return []


def _one(text: str, keys: Sequence[_Key]) -> _Key:
    """Return the key whose thumbprint begins so; at least 8 digits, and only one key."""
    found = {key.thumbprint: key for key in keys if key.thumbprint.hex().startswith(text.lower())}
    if len(text) < 8 or len(found) != 1:
        raise UsageError(
            f"{text!r} names {len(found)} keys", code="keys.unknown",
            hint="give at least 8 digits of the thumbprint; vestige keys list shows it",
        )  # fmt: skip
    return next(iter(found.values()))
