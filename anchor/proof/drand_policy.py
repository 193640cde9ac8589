"""The policy's entries for drand: networks whose rounds are believed as beacons.

Specification: ``docs/spec/policy.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from anchor.formats.drand import PUBLIC_KEY_BYTES, SCHEMES, Scheme
from anchor.proof.fields import Fields


@dataclass(frozen=True, slots=True)
class TrustedDrand:
    """A drand network, by its public key: its rounds are beacons, never upper bounds.

    Whoever holds enough shares of its key can know a round's value ahead of its time; where the
    signature is not checked, whoever controls ``sources`` can show any value.

    Attributes:
        name: shown in verdicts.
        chain_hash: 32 bytes, by which records and relays name it.
        public_key: compressed point of BLS12-381, 96 bytes or, chained, 48.
        genesis: Unix time of round 1.
        period_s: between two rounds.
        scheme: how it signs (:mod:`anchor.formats.drand`).
        sources: relays that are asked only when the verifier goes online.
        agree: how many of them must give the same answer.
    """

    name: str
    chain_hash: bytes
    public_key: bytes
    genesis: int
    period_s: int
    scheme: Scheme
    sources: tuple[str, ...] = ()
    agree: int = 1


def read_drand(fields: Fields, sources: tuple[str, ...]) -> TrustedDrand:
    """Read one entry.

    Args:
        fields: of the entry; ``sources`` has been taken out.
        sources: addresses of relays.

    Raises:
        FormatError: it is no such entry.
    """
    scheme = cast("Scheme", fields.choice("scheme", SCHEMES))
    network = TrustedDrand(
        name=fields.text("name", max_characters=100),
        chain_hash=fields.hex("chain_hash", 32),
        public_key=fields.hex("public_key", PUBLIC_KEY_BYTES[scheme]),
        genesis=fields.integer("genesis", maximum=2**34),
        period_s=fields.integer("period_s", minimum=1, maximum=86_400),
        scheme=scheme,
        sources=sources,
        agree=fields.integer("agree", minimum=1, maximum=16, default=1),
    )
    fields.done()
    return network
