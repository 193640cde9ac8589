"""Beacons for records: recent blocks and rounds from the service, remembered while it is away.

A record that names a block was not made before that block. An old one bounds less and is still
true, so what was fetched last is used however old it is; :class:`RecentBeacon` tells its age.
Nothing waits for a service that did not answer a minute ago.

Nothing is believed here: a false beacon fails when the record is judged (``verify/beacon.py``).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anchor.client.local_file import load_bytes, write_atomically
from anchor.client.state_folder import state_folder
from anchor.errors import FormatError, VestigeError
from anchor.formats.drand import randomness_of
from anchor.formats.encoding import parse_hex, parse_json
from anchor.records.record import Beacon
from anchor.vault.durable import make_folder

FRESH_S: Final = 300
_SILENT_S: Final = 60
_MAX_BYTES: Final = 256 << 10
_MAX_BEACONS: Final = 8


@dataclass(frozen=True, slots=True)
class RecentBeacon:
    """A beacon, and the Unix time that its block or round is said to have (None: not said)."""

    beacon: Beacon
    unix_time: int | None


class BeaconCache:
    """The beacons of one service, remembered in the person's state folder.

    Args:
        fetch: asks the service (:meth:`ServiceClient.fetch_beacons`), or None to ask nobody.
        unix_time: the clock, in seconds.
        state: the person's state folder.
    """

    def __init__(
        self,
        fetch: Callable[[], Mapping[str, Any]] | None,
        unix_time: Callable[[], float],
        state: Path | None = None,
    ) -> None:
        self._fetch = fetch
        self._now = unix_time
        self._path = (state or state_folder()) / "beacons.json"

    def recent(self) -> tuple[RecentBeacon, ...]:
        """Return the newest beacons known, asking first where those are over five minutes old."""
        kept = self._load()
        now = self._now()
        fresh = 0 <= now - _number(kept, "fetched_at") < FRESH_S
        silent = 0 <= now - _number(kept, "tried_at") < _SILENT_S
        if self._fetch is not None and not fresh and not silent:
            kept = {**kept, "tried_at": int(now)}
            with contextlib.suppress(VestigeError):
                answer = self._fetch()
                if list(_beacons(answer)):
                    kept = {"fetched_at": int(now), "said": dict(answer)}
            self._store(kept)
        said = kept.get("said")
        return tuple(_beacons(said))[:_MAX_BEACONS] if isinstance(said, dict) else ()

    def beacons(self) -> tuple[Beacon, ...]:
        """Return the same without their times, to be put into a record."""
        return tuple(item.beacon for item in self.recent())

    def _load(self) -> dict[str, Any]:
        try:
            data = load_bytes(self._path, max_bytes=_MAX_BYTES, what="beacons")
            value = parse_json(data, max_bytes=_MAX_BYTES, what=str(self._path))
        except VestigeError:
            return {}
        return value if isinstance(value, dict) else {}

    def _store(self, value: Mapping[str, Any]) -> None:
        with contextlib.suppress(VestigeError):
            make_folder(self._path.parent, mode=0o700)
            write_atomically(self._path, json.dumps(value).encode())


def _beacons(said: Mapping[str, Any]) -> Iterator[RecentBeacon]:
    """Read what a service says; what cannot be read is no beacon."""
    sources = said.get("beacons")
    for item in sources.values() if isinstance(sources, dict) else ():
        if isinstance(item, dict):
            with contextlib.suppress(FormatError, KeyError, TypeError, ValueError):
                yield _block(item)
    drand = said.get("drand")
    if isinstance(drand, dict):
        with contextlib.suppress(FormatError, KeyError, TypeError, ValueError):
            yield _round(drand)


def _block(item: Mapping[str, Any]) -> RecentBeacon:
    source, _, chain_id = str(item["chain"]).partition(":")
    if source not in ("bitcoin", "evm"):
        raise ValueError
    beacon = Beacon(
        source,
        _count(item["number"]),
        parse_hex(item["block_hash"], n_bytes=32),
        _count(int(chain_id)) if source == "evm" else None,
    )
    return RecentBeacon(beacon, _count(item["time"]) if "time" in item else None)


def _round(item: Mapping[str, Any]) -> RecentBeacon:
    value = parse_hex(item["randomness"], n_bytes=32)
    signature = parse_hex(item["signature"], n_bytes=48) if "signature" in item else None
    if signature is not None and randomness_of(signature) != value:
        raise ValueError  # it would make the record false
    chain_hash = parse_hex(item["chain_hash"], n_bytes=32) if "chain_hash" in item else None
    number = _count(item["round"])
    beacon = Beacon("drand", number, value, chain_hash=chain_hash, signature=signature)
    return RecentBeacon(beacon, _count(item["time"]) if "time" in item else None)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError
    return value


def _number(value: Mapping[str, Any], name: str) -> float:
    number = value.get(name)
    return number if isinstance(number, int) else float("-inf")
