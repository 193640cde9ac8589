"""Writes ``default.json``, the policy that ships, from the facts below and the known authorities.

    python -m anchor.policies.make_default           write it
    python -m anchor.policies.make_default --check   say whether it is what these facts give

Bitcoin: block hashes and total work as releases of Bitcoin Core carried them (checkpoints until
release 29, assumed-valid blocks with their minimum chain work since release 25). Ethereum: by chain
id alone; no block is pinned, so offline its rows are not checked. drand: the public keys of its two
networks, each of which verifies rounds that the network signed (tests/unit/backends). No log and no
witness: those keys are for their operators to publish and for each verifier to take in.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from anchor.policies.known_authority import load_known_authorities

NAME = "vestige default 2026-11"

# Height, hash as explorers show it, total work up to and with it where a release states it.
BITCOIN_CHECKPOINTS: tuple[tuple[int, str, str | None], ...] = (
    (0, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f", "0100010001"),
    (105000, "00000000000291ce28027faea320c8d2b054b2e0fe44a773f3eefb151d6bdc97", None),
    (134444, "00000000000005b12ffd4cd315cd34ffd4a594f430ac814c91184a0d42d2b0fe", None),
    (168000, "000000000000099e61ea72015e79632f216fe6cb33d7899acb35b75c8303b763", None),
    (193000, "000000000000059f452a5f7340de6682a977387c17010ff6e6c3bd83ca8b1317", None),
    (210000, "000000000000048b95347e83192f69cf0366076336c639f9b7228e9ba171342e", None),
    (250000, "000000000000003887df1f29024b06fc2200b55f8af8f35453d7be294df2d214", None),
    (279000, "0000000000000001ae8c72a0b0c301f67e3afca10e819efa9041e458e9bd7e40", None),
    (295000, "00000000000000004d9b4ef50f0f9d686fd69db2e03af35a100370c64632a983", None),
    (
        784000,
        "000000000000000000035c3f0d31e71a5ee24c5aaf3354689f65bd7b07dee632",
        "44a50fe819c39ad624021859",
    ),
    (
        886157,
        "00000000000000000001b658dd1120e82e66d2790811f89ede9742ada3ed6d77",
        "b1f3b93b65b16d035a82be84",
    ),
    (
        912683,
        "00000000000000000000611fd22f2df7c8fbd0688745c3a6c3bb5109cc2a12cb",
        "dee8e2a309ad8a9820433c68",
    ),
    (
        938343,
        "00000000000000000000ccebd6d74d9194d8dcdc1d177c478e094bfad51ba5ac",
        "01128750f82f4c366153a3a030",
    ),
)

# Explorers run by different parties; both must agree, and only a verifier who asks goes there.
BITCOIN_SOURCES = ("https://blockstream.info/api", "https://mempool.space/api")
ETHEREUM_SOURCES = (
    "https://ethereum-rpc.publicnode.com",
    "https://eth.llamarpc.com",
    "https://cloudflare-eth.com",
)
# Public keys by which drand's networks are known, run by the League of Entropy; relays of two
# operators. The time of round n is genesis + (n - 1) * period.
DRAND_SOURCES = ("https://api.drand.sh", "https://drand.cloudflare.com")
DRAND_NETWORKS = (
    {
        "name": "quicknet",
        "chain_hash": "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
        "public_key": "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
        "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
        "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
        "genesis": 1692803367,
        "period_s": 3,
        "scheme": "bls-unchained-g1-rfc9380",
    },
    {
        "name": "default",
        "chain_hash": "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce",
        "public_key": "868f005eb8e6e4ca0a47c8a77ceaa5309a47978a7c71bc5c"
        "ce96366b5d7a569937c529eeda66c7293784a9402801af31",
        "genesis": 1595431050,
        "period_s": 30,
        "scheme": "pedersen-bls-chained",
    },
)
CALENDARS = (
    "https://alice.btc.calendar.opentimestamps.org",
    "https://bob.btc.calendar.opentimestamps.org",
    "https://finney.calendar.eternitywall.com",
    "https://btc.calendar.catallaxy.com",
)


def default_policy() -> dict[str, Any]:
    """Return the policy's JSON object."""
    return {
        "version": 1,
        "name": NAME,
        "class": "production",
        "comment": "Ships with the release. Sources of each fact: docs/guides/authorities.md and "
        "anchor/policies/make_default.py.",
        "families_wanted": 1,
        "headline_families": ["rfc3161", "evm", "bitcoin"],
        "logs": [],
        "authorities": [a.policy_entry() for a in load_known_authorities().values()],
        "chains": [
            {
                "chain_id": 1,
                "name": "ethereum",
                "class": "l1",
                "tolerance_s": 12,
                "contracts": [],
                "pinned": [],
                "sources": list(ETHEREUM_SOURCES),
                "agree": 2,
            }
        ],
        "bitcoin": {
            "network": "main",
            "checkpoints": [
                {"height": height, "hash": block_hash}
                | ({"chain_work": work.zfill(64)} if work else {})
                for height, block_hash, work in BITCOIN_CHECKPOINTS
            ],
            "minimum_chain_work": (BITCOIN_CHECKPOINTS[-1][2] or "").zfill(64),
            "sources": list(BITCOIN_SOURCES),
            "agree": 2,
        },
        "drand": [
            {**network, "sources": list(DRAND_SOURCES), "agree": 2} for network in DRAND_NETWORKS
        ],
        "witnesses": [],
        "calendars": list(CALENDARS),
    }


def default_policy_bytes() -> bytes:
    """Return the policy as it is written."""
    return json.dumps(default_policy(), indent=1, ensure_ascii=False).encode() + b"\n"


def main(arguments: list[str]) -> int:
    """Write or check the file; the exit status is 1 if it differs."""
    path = Path(__file__).with_name("default.json")
    if "--check" in arguments:
        same = path.exists() and path.read_bytes() == default_policy_bytes()
        print("default.json is up to date" if same else "default.json differs")  # noqa: T201
        return 0 if same else 1
    path.write_bytes(default_policy_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
