"""drand: rounds that the public networks signed, and a network of the tests that signs its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from py_ecc import optimized_bls12_381 as curve
from py_ecc.bls.g2_primitives import G1_to_pubkey, G2_to_signature
from py_ecc.bls.hash_to_curve import hash_to_G1, hash_to_G2

from anchor.formats.drand import CHAINED, QUICKNET, UNCHAINED_G1, DrandRound, signed_message
from anchor.policies.make_default import DRAND_NETWORKS
from anchor.records.record import Beacon

QUICKNET_ENTRY: dict[str, Any] = dict(DRAND_NETWORKS[0])
DEFAULT_ENTRY: dict[str, Any] = dict(DRAND_NETWORKS[1])
DEFAULT_HASH = bytes.fromhex(DEFAULT_ENTRY["chain_hash"])

# As the networks published them.
QUICKNET_1000 = DrandRound(
    1000,
    bytes.fromhex(
        "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125"
        "e342b73a8dd2bacbe47e4b6b63ed5e39"
    ),
)
QUICKNET_32281667 = DrandRound(
    32281667,
    bytes.fromhex(
        "b0f5ae301358ff87a9d3dd539ed4a07c0148b1ab4f7b61a8ca43c7e9ca7ca955"
        "3e4faae9188deb30b2cd1a7f447e3e5b"
    ),
)
DEFAULT_72785 = DrandRound(
    72785,
    bytes.fromhex(
        "82f5d3d2de4db19d40a6980e8aa37842a0e55d1df06bd68bddc8d60002e8e959"
        "eb9cfa368b3c1b77d18f02a54fe047b80f0989315f83b12a74fd8679c4f12aae"
        "86eaf6ab5690b34f1fddd50ee3cc6f6cdf59e95526d5a5d82aaa84fa6f181e42"
    ),
    bytes.fromhex(
        "a609e19a03c2fcc559e8dae14900aaefe517cb55c840f6e69bc8e4f66c8d18e8"
        "a609685d9917efbfb0c37f058c2de88f13d297c7e19e0ab24813079efe57a182"
        "554ff054c7638153f9b26a60e7111f71a0ff63d9571704905d3ca6df0b031747"
    ),
)


def beacon_of(
    found: DrandRound, chain_hash: bytes = QUICKNET, *, signature: bool = True, named: bool = True
) -> Beacon:
    """Return the beacon of a round, with its signature or without, naming its network or not."""
    return Beacon(
        "drand",
        found.number,
        found.randomness,
        chain_hash=chain_hash if named else None,
        signature=found.signature if signature else None,
        previous_signature=found.previous_signature if signature else None,
    )


@dataclass(frozen=True)
class Network:
    """A network of one party, whose key is made from a name."""

    name: str
    scheme: Any = UNCHAINED_G1
    genesis: int = 1_692_803_367
    period_s: int = 3

    @property
    def secret(self) -> int:
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()) % curve.curve_order

    @property
    def chain_hash(self) -> bytes:
        return hashlib.sha256(f"chain {self.name}".encode()).digest()

    def entry(self, **changes: Any) -> dict[str, Any]:
        """Return the policy's entry."""
        if self.scheme == UNCHAINED_G1:
            key = G2_to_signature(curve.multiply(curve.G2, self.secret))
        else:
            key = G1_to_pubkey(curve.multiply(curve.G1, self.secret))
        return {
            "name": self.name, "chain_hash": self.chain_hash.hex(), "public_key": key.hex(),
            "genesis": self.genesis, "period_s": self.period_s, "scheme": self.scheme, **changes,
        }  # fmt: skip

    def sign(self, number: int, previous: bytes | None = None) -> DrandRound:
        message = signed_message(self.scheme, number, previous)
        if self.scheme == CHAINED:
            point = hash_to_G2(message, b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_", SHA256)
            return DrandRound(number, G2_to_signature(curve.multiply(point, self.secret)), previous)
        point = hash_to_G1(message, b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_", SHA256)
        return DrandRound(number, G1_to_pubkey(curve.multiply(point, self.secret)))


SHA256 = hashlib.sha256
