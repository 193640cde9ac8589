"""The creator's keys on this machine: which there are, and where each private one is.

``$XDG_DATA_HOME/vestige/keys``, 0700: for each key ``THUMBPRINT.json`` (public), and, where it is
not in the keyring of the system, ``THUMBPRINT.pem`` under a passphrase, 0600. Keys are made here
and never leave; ``recovery.json`` holds thumbprints of recovery keys, which are kept elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from anchor.client.local_file import load_bytes, write_atomically
from anchor.errors import ConfigError, FormatError, NotFoundError, StoreUnavailableError
from anchor.formats.encoding import parse_hex, parse_json, utc_text
from anchor.proof.fields import Fields
from anchor.records.keys import key_thumbprint
from anchor.vault.durable import discard, make_folder, translated, write_scratch
from anchor.vault.signer import Signer
from anchor.vault.system_keyring import SystemKeyring

_MAX_BYTES: Final = 64 << 10
_RECOVERY: Final = "recovery.json"

Place = Literal["auto", "keyring", "file"]
AskPassphrase = Callable[[Literal["new", "known"]], bytes]
"""Returns the passphrase; told whether it is for a new key, so that a person is asked twice."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key of this machine: thumbprint and public key (32 bytes each), where it is, since when."""

    thumbprint: bytes
    public_key: bytes
    place: str
    made: str


def keys_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where keys lie: ``$XDG_DATA_HOME/vestige/keys``, else in the home."""
    base = environ.get("XDG_DATA_HOME") or ""
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return root / "vestige" / "keys"


def no_passphrase(_which: str) -> bytes:
    """Say that nobody can be asked."""
    raise ConfigError(
        "the key is under a passphrase, and there is nobody to ask for it",
        code="keys.no_passphrase",
        hint="VESTIGE_PASSPHRASE_FILE names a file that holds it",
    )


class KeyStore:
    """The keys of one person.

    Args:
        folder: default: :func:`keys_folder`.
        ask: for the passphrase of keys in files.
        place: where new keys go; ``auto`` is the keyring where one can be used, else a file.
        keyring: finds the keyring of the system.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        ask: AskPassphrase = no_passphrase,
        place: Place = "auto",
        keyring: Callable[[], SystemKeyring | None] = SystemKeyring.usable,
    ) -> None:
        self._folder = folder or keys_folder()
        self._ask = ask
        self._place = place
        self._keyring = keyring

    # -- keys --------------------------------------------------------------------------------------

    def stored(self) -> list[StoredKey]:
        """Return what keys there are, oldest first; one whose file is damaged is left out."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            if path.name != _RECOVERY:
                try:
                    found.append(_load_key(path))
                except (FormatError, NotFoundError):
                    continue
        return sorted(found, key=lambda key: (key.made, key.thumbprint))

    def newest(self) -> StoredKey | None:
        """Return the key that new projects use, or None."""
        keys = self.stored()
        return keys[-1] if keys else None

    def make(self) -> Signer:
        """Make a key and store it; durable on return.

        Raises:
            ConfigError: no keyring can be used though one is wanted, or nobody can be asked for a
                passphrase.
            UsageError: the passphrase is too short.
            StoreUnavailableError: it can not be stored.
        """
        signer = Signer.generate()
        make_folder(self._folder, mode=0o700)
        place = self._store(signer)
        made = utc_text(datetime.now(UTC))
        value = {
            "version": 1, "public_key": signer.public_key.hex(), "place": place, "made": made,
        }  # fmt: skip
        write_atomically(self._path(signer.thumbprint, "json"), _json(value))
        return signer

    def signer(self, thumbprint: bytes) -> Signer:
        """Return a key that signs.

        Raises:
            NotFoundError: it is not on this machine (``keys.missing``).
            UsageError: the passphrase does not open it.
            ConfigError: nobody can be asked for the passphrase, or there is no keyring.
        """
        try:
            key = _load_key(self._path(thumbprint, "json"))
        except NotFoundError as error:
            raise NotFoundError(
                f"the key {thumbprint.hex()[:8]}… is not on this machine",
                code="keys.missing",
                hint="vestige keys rotate --recovery FILE puts a new key in its place",
            ) from error
        if key.place == "keyring":
            return self._required_keyring().load(thumbprint)
        path = self._path(thumbprint, "pem")
        from anchor.vault.encrypted_key import decrypt_key  # noqa: PLC0415 - slow to load

        data = load_bytes(path, max_bytes=_MAX_BYTES, what="key")
        signer = Signer(decrypt_key(data, self._ask("known")))
        if signer.thumbprint != thumbprint:
            raise FormatError(f"{path} holds another key", code="keys.format")
        return signer

    def has(self, thumbprint: bytes) -> bool:
        """Return whether a key is on this machine."""
        return self._path(thumbprint, "json").is_file()

    # -- recovery ----------------------------------------------------------------------------------

    def remember_recovery(self, thumbprint: bytes) -> None:
        """Remember the public thumbprint of a recovery key, for the next project."""
        make_folder(self._folder, mode=0o700)
        value = {"version": 1, "recovery": thumbprint.hex()}
        write_atomically(self._folder / _RECOVERY, _json(value))

    def recovery(self) -> bytes | None:
        """Return the thumbprint of the recovery key made last, or None."""
        path = self._folder / _RECOVERY
        try:
            data = load_bytes(path, max_bytes=_MAX_BYTES, what="recovery thumbprint")
        except NotFoundError:
            return None
        fields = Fields(parse_json(data, max_bytes=_MAX_BYTES, what=str(path)), str(path))
        fields.integer("version", minimum=1, maximum=1)
        return fields.hex("recovery", 32)

    # -- the parts ---------------------------------------------------------------------------------

    def _store(self, signer: Signer) -> str:
        keyring = None if self._place == "file" else self._keyring()
        if keyring is not None:
            try:
                keyring.store(signer)
            except StoreUnavailableError:
                if self._place == "keyring":
                    raise
            else:
                return "keyring"
        elif self._place == "keyring":
            self._required_keyring()
        from anchor.vault.encrypted_key import encrypt_key  # noqa: PLC0415 - slow to load

        data = encrypt_key(signer.private_key, self._ask("new"))
        path = self._path(signer.thumbprint, "pem")
        with translated(path):
            scratch = write_scratch(self._folder, data, mode=0o600)
            try:
                scratch.replace(path)
            finally:
                discard(scratch)
        return "file"

    def _required_keyring(self) -> SystemKeyring:
        keyring = self._keyring()
        if keyring is None:
            raise ConfigError(
                "this system has no keyring that can be used",
                code="keys.keyring",
                hint="install the recorder extra, or keep keys in files: VESTIGE_KEYS=file",
            )
        return keyring

    def _path(self, thumbprint: bytes, suffix: str) -> Path:
        return self._folder / f"{thumbprint.hex()}.{suffix}"


def _load_key(path: Path) -> StoredKey:
    data = load_bytes(path, max_bytes=_MAX_BYTES, what="key")
    fields = Fields(parse_json(data, max_bytes=_MAX_BYTES, what=str(path)), str(path))
    fields.integer("version", minimum=1, maximum=1)
    public_key = fields.hex("public_key", 32)
    place = fields.choice("place", ("keyring", "file"))
    made = fields.text("made")
    fields.done()
    thumbprint = key_thumbprint(public_key)
    if parse_hex(path.stem, n_bytes=32, what=str(path)) != thumbprint:
        raise FormatError(f"{path} is about another key", code="keys.format")
    return StoredKey(thumbprint, public_key, place, made)


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"
