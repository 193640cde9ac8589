"""Begin a project: its vault, its keys, its first record.

Genesis names the creator's key and commits to a recovery key by its thumbprint. The recovery key is
made here, handed to the caller once, and not kept: whoever steals the machine does not get it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anchor.errors import StoreConflictError
from anchor.records.record import Record
from anchor.vault.draft import Draft
from anchor.vault.instance import known_projects
from anchor.vault.key_store import KeyStore
from anchor.vault.recorder import Recorder
from anchor.vault.signer import Signer
from anchor.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Begun:
    """A project that was begun.

    Attributes:
        genesis: its first record.
        signer: the creator's key.
        key_is_new: it was made for this.
        recovery: thumbprint of the recovery key that genesis commits to.
    """

    genesis: Record
    signer: Signer
    key_is_new: bool
    recovery: bytes


def begin_project(
    vault: Vault,
    store: KeyStore,
    *,
    fields: Mapping[str, Any],
    recovery: bytes | Callable[[], bytes],
    make_recorder: Callable[[Vault, Signer], Recorder] = Recorder,
    state: Path | None = None,
) -> Begun:
    """Write the genesis record of a vault that :meth:`Vault.init` gave.

    Args:
        vault: without records.
        store: the creator's newest key is taken; the first one is made.
        fields: of genesis, but for the keys: ``title`` at least.
        recovery: thumbprint of the recovery key that was handed over; or what hands it over and
            returns that, called when the signing key is there, so that nobody keeps a recovery key
            of a project that was given up at the passphrase.
        make_recorder: makes the recorder, with its beacons.
        state: the person's state folder.

    Raises:
        ConfigError, UsageError, StoreUnavailableError: no key can be made or opened.
        StoreConflictError: the recovery key is the signing key.
    """
    newest = store.newest()
    signer = store.make() if newest is None else store.signer(newest.thumbprint)
    thumbprint = recovery if isinstance(recovery, bytes) else recovery()
    if signer.thumbprint == thumbprint:
        raise StoreConflictError(
            "the recovery key can not be the signing key too", code="keys.recovery"
        )
    index = len([project for project in known_projects(state) if project != vault.project.id])
    draft = Draft(
        "genesis",
        {
            "project_index": index,
            **fields,
            "public_key": signer.public_key.hex(),
            "recovery": thumbprint.hex(),
        },
    )
    genesis = make_recorder(vault, signer).append(draft)
    store.remember_recovery(thumbprint)
    return Begun(genesis, signer, newest is None, thumbprint)
