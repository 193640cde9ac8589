"""Recent block hashes and drand rounds of the service's own sources, to be put into records.

A record that holds a block's hash was not made before that block. Asked for on demand, one question
at a time, and remembered for some seconds, failures too. A block some way below the tip is named:
the tip itself is often replaced, and a beacon that is no longer on the chain shows nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from anchor.errors import VestigeError
from anchor.fact_sources import BitcoinHeaderSource, DrandSource
from anchor.formats.bitcoin import display_hex, parse_header
from anchor.formats.drand import signed_message
from anchor.ports import Json
from anchor.proof.drand_policy import TrustedDrand
from anchor.verify.known import DrandVerifier

BITCOIN_DEPTH: Final = 2
DRAND: Final = "drand"
_REMEMBERED_S: Final = 30.0

Beacon = Callable[[], Json]
"""Asks a source; returns ``chain``, ``number``, ``block_hash`` and ``time`` (Unix seconds).

A round of drand: ``chain_hash``, ``round``, ``randomness``, ``signature`` and ``time``.
"""


class Beacons:
    """The sources, by name; safe for threads.

    Args:
        sources: name to a function that asks.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self,
        sources: Mapping[str, Beacon],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources = dict(sources)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._remembered: dict[str, tuple[float, Json]] = {}

    @property
    def names(self) -> list[str]:
        """Return the names of the sources."""
        return list(self._sources)

    def recent(self) -> dict[str, Json]:
        """Return by source what it said, or ``{"error": …}``."""
        with self._lock:
            return {name: self._ask(name, source) for name, source in self._sources.items()}

    def _ask(self, name: str, source: Beacon) -> Json:
        now = self._monotonic()
        if name in self._remembered and now - self._remembered[name][0] < _REMEMBERED_S:
            return self._remembered[name][1]
        try:
            said = source()
        except VestigeError as exc:
            said = {"error": exc.message}
        self._remembered[name] = (self._monotonic(), said)
        return said


def bitcoin_beacon(headers: BitcoinHeaderSource) -> Beacon:
    """Return the beacon of a Bitcoin header source."""

    def ask() -> Json:
        height = headers.fetch_tip_height() - BITCOIN_DEPTH
        header = parse_header(headers.fetch_headers(height, 1)[0])
        return {
            "chain": "bitcoin",
            "number": height,
            "block_hash": display_hex(header.block_hash),
            "time": header.time,
        }

    return ask


def drand_beacon(
    source: DrandSource, network: TrustedDrand, verifier: DrandVerifier | None
) -> Beacon:
    """Return the beacon of a drand network, its newest round.

    Args:
        source: of that network's rounds.
        network: its key and times.
        verifier: checks the signature, or None where nothing here can.
    """

    def ask() -> Json:
        found = source.fetch_round(None)
        message = signed_message(network.scheme, found.number, found.previous_signature)
        if verifier is not None and not verifier.verify(
            network.scheme, network.public_key, message, found.signature
        ):
            return {"error": f"{source.name}: round {found.number} is not signed by its network"}
        return {
            "chain_hash": network.chain_hash.hex(),
            "round": found.number,
            "randomness": found.randomness.hex(),
            "signature": found.signature.hex(),
            "time": network.genesis + (found.number - 1) * network.period_s,
        }

    return ask
