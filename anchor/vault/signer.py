"""A private key that signs records; what it is never shows in a message or a representation."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor.records.keys import key_thumbprint


class Signer:
    """An Ed25519 private key.

    Attributes:
        public_key: 32 bytes.
        thumbprint: of the public key (RFC 7638), 32 bytes.
    """

    __slots__ = ("_key", "public_key", "thumbprint")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()
        self.thumbprint = key_thumbprint(self.public_key)

    @classmethod
    def generate(cls) -> Signer:
        """Make a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def of_seed(cls, seed: bytes) -> Signer:
        """Return the key of a 32-byte seed (RFC 8032)."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def private_key(self) -> Ed25519PrivateKey:
        """Return the key itself, to be stored."""
        return self._key

    @property
    def seed(self) -> bytes:
        """Return the 32-byte seed, to be stored."""
        return self._key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"Signer({self.thumbprint.hex()[:8]}…)"
