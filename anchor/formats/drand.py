"""drand: what a round's parties sign, and what the world takes for its randomness.

A drand network signs, once a period, the number of the round with a key that is shared between its
parties; nobody knows the signature before enough of them have made it. Its SHA-256 is the round's
randomness. Two schemes are in use:

* ``bls-unchained-g1-rfc9380`` (quicknet): SHA-256 of the round as eight bytes, big-endian;
  signature on G1 (48 bytes), public key on G2 (96 bytes);
* ``pedersen-bls-chained`` (the default chain): SHA-256 of the signature of the round before and the
  round as eight bytes; signature on G2 (96 bytes), public key on G1 (48 bytes).

The pairing that checks a signature is not here (``anchor/backends/drand_signature.py``).

Sources: drand's specification, "Cryptography" and "HTTP API"; RFC 9380, section 8.8.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from anchor.errors import FormatError

Scheme: TypeAlias = Literal["bls-unchained-g1-rfc9380", "pedersen-bls-chained"]

UNCHAINED_G1: Final = "bls-unchained-g1-rfc9380"
CHAINED: Final = "pedersen-bls-chained"
SCHEMES: Final = (UNCHAINED_G1, CHAINED)
SIGNATURE_BYTES: Final = {UNCHAINED_G1: 48, CHAINED: 96}
PUBLIC_KEY_BYTES: Final = {UNCHAINED_G1: 96, CHAINED: 48}
# Quicknet is meant where a record names no chain.
QUICKNET: Final = bytes.fromhex("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971")
MAX_ROUND: Final = 10**10


@dataclass(frozen=True, slots=True)
class DrandRound:
    """One round as a relay gives it; nothing is verified.

    Attributes:
        number: from 1.
        signature: 48 or 96 bytes, as the scheme has it.
        previous_signature: of the round before, in a chained scheme; else None.
    """

    number: int
    signature: bytes
    previous_signature: bytes | None = None

    @property
    def randomness(self) -> bytes:
        """Return the round's value, 32 bytes."""
        return randomness_of(self.signature)


def randomness_of(signature: bytes) -> bytes:
    """Return SHA-256 of a round's signature."""
    return hashlib.sha256(signature).digest()


def signed_message(scheme: Scheme, number: int, previous_signature: bytes | None) -> bytes:
    """Return the 32 bytes that a round's signature is over.

    Raises:
        FormatError: the round is none, or a chained scheme lacks the signature before.
    """
    if not 1 <= number <= MAX_ROUND:
        raise FormatError(f"there is no drand round {number}")
    if scheme == UNCHAINED_G1:
        return hashlib.sha256(number.to_bytes(8, "big")).digest()
    if previous_signature is None:
        raise FormatError(f"the signature before drand round {number} is not given")
    return hashlib.sha256(previous_signature + number.to_bytes(8, "big")).digest()
