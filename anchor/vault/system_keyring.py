"""The keyring of the system (PyPI ``keyring``), where one can be used that keeps secrets."""

from __future__ import annotations

from typing import Final, Protocol

from anchor.errors import FormatError, NotFoundError, StoreUnavailableError
from anchor.vault.signer import Signer

_SERVICE: Final = "vestige"
_PREFIX: Final = "ed25519:"


class KeyringBackend(Protocol):
    """What is used of a backend of ``keyring``."""

    def get_password(self, service: str, username: str) -> str | None:
        """Return a secret, or None."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store a secret."""


class SystemKeyring:
    """Keys in the keyring, by thumbprint."""

    def __init__(self, backend: KeyringBackend) -> None:
        self._backend = backend

    @classmethod
    def usable(cls) -> SystemKeyring | None:
        """Return the keyring, or None where there is none, or none that keeps secrets."""
        try:
            import keyring  # noqa: PLC0415 - it looks for backends when imported

            backend = keyring.get_keyring()
            # 1 and more: made for this system. Below: no keyring, or one that writes plain text.
            return cls(backend) if backend.priority >= 1 else None
        except Exception:  # noqa: BLE001 - whatever a backend of the desktop raises, it is no use
            return None

    def store(self, signer: Signer) -> None:
        """Store a key and read it back.

        Raises:
            StoreUnavailableError: the keyring is locked, or does not keep it.
        """
        name, secret = signer.thumbprint.hex(), _PREFIX + signer.seed.hex()
        try:
            self._backend.set_password(_SERVICE, name, secret)
            kept = self._backend.get_password(_SERVICE, name)
        except Exception as error:  # noqa: BLE001 - backends raise what their desktop raises
            raise _unavailable(error) from None  # the cause may hold the secret
        if kept != secret:
            raise StoreUnavailableError(
                "the keyring of the system did not keep the key", code="keys.keyring"
            )

    def load(self, thumbprint: bytes) -> Signer:
        """Return a key.

        Raises:
            NotFoundError: it is not there.
            StoreUnavailableError: the keyring is locked.
            FormatError: something else stands there.
        """
        try:
            secret = self._backend.get_password(_SERVICE, thumbprint.hex())
        except Exception as error:  # noqa: BLE001 - as above
            raise _unavailable(error) from None
        if secret is None:
            raise NotFoundError(
                f"the keyring of the system does not have the key {thumbprint.hex()[:8]}…",
                code="keys.missing",
            )
        try:
            signer = Signer.of_seed(bytes.fromhex(secret.removeprefix(_PREFIX)))
        except ValueError:
            signer = None
        if signer is None or signer.thumbprint != thumbprint:
            raise FormatError(
                "what stands in the keyring under the key's name is not the key",
                code="keys.format",
            )
        return signer


def _unavailable(error: Exception) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"the keyring of the system does not answer ({type(error).__name__})",
        code="keys.keyring",
        hint="unlock it, or keep keys in files: VESTIGE_KEYS=file",
    )
