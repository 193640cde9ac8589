"""Facts from outside the proof that a verifier brings along: blocks confirmed, headers supplied.

Judgement does no I/O. Whoever calls it may first ask the policy's sources, or read a header file,
and hand over what they said. A *confirmed* block is believed because of who confirmed it; a
*header archive* is believed only as far as its links, work and the policy's checkpoints reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from anchor.formats.drand import DrandRound, Scheme
from anchor.proof.proof import HeaderRun


@dataclass(frozen=True, slots=True)
class ConfirmedBlock:
    """A block hash that a source of the policy says is in the chain.

    Attributes:
        block_hash: 32 bytes, internal byte order for Bitcoin.
        confirmed_by: named in the trust sentence.
    """

    block_hash: bytes
    confirmed_by: str


@dataclass(frozen=True, slots=True)
class HeaderArchive:
    """Consecutive Bitcoin headers, 80 bytes each, from ``first_height`` on."""

    first_height: int
    headers: bytes

    def header(self, height: int) -> bytes | None:
        """Return the header at a height, or None outside the archive."""
        offset = (height - self.first_height) * 80
        if offset < 0 or offset + 80 > len(self.headers):
            return None
        return self.headers[offset : offset + 80]

    @property
    def count(self) -> int:
        """Return the number of whole headers."""
        return len(self.headers) // 80


class DrandVerifier(Protocol):
    """Checks signatures of drand rounds; the kernel has no pairing of its own."""

    def verify(self, scheme: Scheme, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether the signature is that key's over the message; never raises."""


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """Everything that the verifier brings along.

    Attributes:
        bitcoin: confirmed blocks by height.
        evm: confirmed blocks by (chain id, number).
        drand: confirmed randomness by (chain hash, round), 32 bytes in ``block_hash``.
        drand_rounds: rounds with their signatures, by the same; supplied, not believed.
        drand_verifier: checks signatures of rounds, or None where nothing here can.
        evm_headers: RLP of headers by (chain id, number); supplied, not believed.
        headers: Bitcoin headers with successors, by height; supplied, believed as far as
            ``bitcoin`` or the policy has their hashes.
        archive: a header archive, or None.
    """

    bitcoin: Mapping[int, ConfirmedBlock] = field(default_factory=dict)
    evm: Mapping[tuple[int, int], ConfirmedBlock] = field(default_factory=dict)
    headers: Mapping[int, HeaderRun] = field(default_factory=dict)
    drand: Mapping[tuple[bytes, int], ConfirmedBlock] = field(default_factory=dict)
    drand_rounds: Mapping[tuple[bytes, int], DrandRound] = field(default_factory=dict)
    drand_verifier: DrandVerifier | None = None
    evm_headers: Mapping[tuple[int, int], bytes] = field(default_factory=dict)
    archive: HeaderArchive | None = None
