"""The records that change which key signs, and the one by which a copy goes on.

``key_rotate`` and ``key_revoke`` are signed by the recovery key, which is read for the moment from
where its owner keeps it. ``branch`` says that a copy of the vault goes on here. A copy on a machine
that does not have the signing key, or whose original may go on as well, takes a new key first: two
records of one number by one key would count as false, by two keys they only show two histories.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from anchor.errors import NotFoundError, StoreConflictError, UsageError
from anchor.formats.encoding import utc_text
from anchor.records.record import Record
from anchor.vault.draft import Draft
from anchor.vault.key_store import KeyStore
from anchor.vault.project_keys import ProjectKey
from anchor.vault.recorder import Recorder
from anchor.vault.signer import Signer
from anchor.vault.vault import Vault

MakeRecorder = Callable[[Vault, Signer], Recorder]


def signing_key(vault: Vault, store: KeyStore, role: str = "author") -> Signer:
    """Return the newest key that may sign in this project and is on this machine.

    Raises:
        NotFoundError: none of them is here (``keys.missing``).
        StoreConflictError: none is in force (``keys.not_in_force``).
        UsageError, ConfigError, StoreUnavailableError: it can not be opened.
    """
    in_force = vault.project_keys().in_force(role)
    if not in_force:
        raise StoreConflictError(
            f"no key may sign in this project as {role}",
            code="keys.not_in_force",
            hint="vestige keys rotate --recovery FILE puts a new one in place",
        )
    for key in in_force:
        if store.has(key.thumbprint):
            return store.signer(key.thumbprint)
    return store.signer(in_force[0].thumbprint)


def committed_recovery(vault: Vault) -> bytes:
    """Return the thumbprint of the recovery key that the project commits to now."""
    rotated = vault.index.last_of_kind("key_rotate")
    return bytes.fromhex(vault.read(rotated or 0).fields["recovery"])


def rotate_key(
    vault: Vault,
    store: KeyStore,
    recovery: Signer,
    *,
    new_recovery: bytes | None = None,
    compromised_at: datetime | None = None,
    reason: str | None = None,
    make_recorder: MakeRecorder = Recorder,
    adopting: bool = False,
) -> tuple[Record, Signer]:
    """Put a new key in the place of the one in force; return the record and the new key.

    Args:
        vault: whose project.
        store: where the new key goes. Its newest key is taken if this project never named it.
        recovery: the recovery key.
        new_recovery: thumbprint of the recovery key from now on; None keeps it.
        compromised_at: since when the old key is not to be believed.
        reason: in words.
        make_recorder: makes the recorder.
        adopting: see :meth:`Vault.writing`.

    Raises:
        UsageError: it is not the recovery key of this project (``keys.recovery``).
        StoreConflictError: no key is in force, or the vault takes no records.
    """
    replaced = _author_key(vault)
    _want_recovery(vault, recovery)
    named = {key.thumbprint for key in vault.project_keys().all()}
    newest = store.newest()
    if newest is not None and newest.thumbprint not in {*named, recovery.thumbprint}:
        signer = store.signer(newest.thumbprint)
    else:
        signer = store.make()
    fields = {
        "recovery_key": recovery.public_key.hex(),
        "public_key": signer.public_key.hex(),
        "replaced_key": replaced.thumbprint.hex(),
        "recovery": (new_recovery or recovery.thumbprint).hex(),
        "compromised_at": _time(compromised_at),
        "reason": reason,
    }
    record = make_recorder(vault, recovery).append(Draft("key_rotate", fields), adopting=adopting)
    store.remember_recovery(new_recovery or recovery.thumbprint)
    return record, signer


def revoke_key(
    vault: Vault,
    recovery: Signer,
    thumbprint: bytes,
    *,
    compromised_at: datetime | None = None,
    reason: str | None = None,
    make_recorder: MakeRecorder = Recorder,
) -> Record:
    """End a key. Errors as :func:`rotate_key`; NotFoundError if the project does not name it."""
    _want_recovery(vault, recovery)
    if thumbprint not in {key.thumbprint for key in vault.project_keys().all()}:
        raise NotFoundError(
            f"no record of this project names the key {thumbprint.hex()[:8]}…", code="keys.unknown"
        )
    fields = {
        "recovery_key": recovery.public_key.hex(),
        "revoked_key": thumbprint.hex(),
        "compromised_at": _time(compromised_at),
        "reason": reason,
    }
    return make_recorder(vault, recovery).append(Draft("key_revoke", fields))


def adopt(
    vault: Vault,
    store: KeyStore,
    reason: str,
    *,
    instance: str | None = None,
    recovery: Signer | None = None,
    role: str = "author",
    make_recorder: MakeRecorder = Recorder,
) -> list[Record]:
    """Make a copy of a vault go on here; return the records that say so.

    Args:
        vault: the copy.
        store: the keys of this machine.
        reason: in words.
        instance: what the copy is called.
        recovery: the recovery key, to take a new signing key first; None signs with the old one.
        role: of who goes on; another one than ``author`` signs with a key that was bound to it.
        make_recorder: makes the recorder.

    Raises:
        StoreConflictError: the vault is not a copy (``vault.not_a_copy``).
        NotFoundError: the signing key is not on this machine, and ``recovery`` is None.
    """
    if vault.read_only_reason is None:
        raise StoreConflictError(
            f"{vault.layout.work} is no copy: it takes records as it is", code="vault.not_a_copy"
        )
    made = []
    if recovery is None:
        signer = signing_key(vault, store, role)
    else:
        record, signer = rotate_key(
            vault, store, recovery, reason=reason, make_recorder=make_recorder, adopting=True
        )
        made.append(record)
    draft = Draft("branch", {"reason": reason, "instance": instance}, role=role)
    made.append(make_recorder(vault, signer).append(draft, adopting=True))
    return made


def _author_key(vault: Vault) -> ProjectKey:
    """Return the author's key that is in force; a revoked one is replaced too if there is none."""
    keys = vault.project_keys()
    authors = [key for key in keys.in_force("author") if key.role == "author"]
    if authors:
        return authors[0]
    ended = [key for key in keys.all() if key.role == "author"]
    if not ended:
        raise StoreConflictError("the project names no key", code="keys.not_in_force")
    return ended[-1]


def _want_recovery(vault: Vault, recovery: Signer) -> None:
    committed = committed_recovery(vault)
    if recovery.thumbprint != committed:
        raise UsageError(
            f"this is not the recovery key of the project: it is {recovery.thumbprint.hex()[:8]}…, "
            f"the project commits to {committed.hex()[:8]}…",
            code="keys.recovery",
        )


def _time(time: datetime | None) -> str | None:
    return None if time is None else utc_text(time)
