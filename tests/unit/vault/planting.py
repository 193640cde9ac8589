"""Records that whoever may write into a vault's folder plants there, without a key."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from anchor.records.record import Actor, Capture, Record, build_record
from anchor.vault import Vault
from anchor.vault.signer import Signer
from anchor.vault.tip import Tip
from tests.unit.vault.conftest import START

STRANGER = Signer.generate()
PLANTED: dict[str, dict[str, Any]] = {
    "note": {"text": "I copied it all from somebody else"},
    "key_bind": {"public_key": STRANGER.public_key.hex(), "key_role": "author"},
    "close": {},
    "key_revoke": {
        "recovery_key": STRANGER.public_key.hex(),
        "revoked_key": STRANGER.thumbprint.hex(),
    },
}


def tip_of(vault: Vault) -> Tip:
    """Return the end of the chain that the files are."""
    tip = Tip.empty(vault.project.id)
    for seq in vault.files.numbers():
        tip.append(vault.read(seq))
    return tip


def forged_record(vault: Vault, kind: str, *, key: bytes | None = None) -> Record:
    """Return a record for the next place, signed by a key that nobody named.

    Args:
        vault: whose next record it would be.
        kind: of :data:`PLANTED`.
        key: the thumbprint that it claims; None claims the creator's.
    """
    return build_record(
        tip_of(vault).place,
        kind,
        actor=Actor(vault.read(0).actor.key if key is None else key, "author"),
        claimed_time=START,
        capture=Capture("manual", "vestige/0.1.0"),
        fields=PLANTED[kind],
        new_salt=lambda: secrets.token_bytes(16),
        sign=STRANGER.sign,
    )


def plant(vault: Vault, record: Record) -> Path:
    """Write a record's file."""
    path = vault.layout.record(record.seq)
    path.write_text(record.sd_jwt.serialize())
    return path
