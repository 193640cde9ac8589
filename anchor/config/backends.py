"""Build the backends and sources that the settings name.

Each family stands in a function of its own; what is not set up is not built, and a third-party
library is imported only where its backend is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from anchor.backends.bitcoin_headers import AgreeingSources, CoreHeaders, EsploraHeaders
from anchor.backends.calendar import CalendarBackend, CalendarSettings
from anchor.backends.ipfs import IpfsPublisher
from anchor.backends.ipfs_node import IpfsNode, IpfsSettings
from anchor.backends.tsa import TsaBackend
from anchor.backends.tsa_client import TsaSettings
from anchor.backends.witness import WitnessBackend, WitnessSettings
from anchor.config.beacons import DRAND, Beacon, Beacons, bitcoin_beacon, drand_beacon
from anchor.config.evm import build_evm
from anchor.config.secret import Secret
from anchor.config.settings import Settings
from anchor.config.settings_anchors import PROPOSED_AUTHORITIES
from anchor.errors import ConfigError, NotFoundError
from anchor.fact_sources import BitcoinHeaderSource
from anchor.formats.drand import QUICKNET
from anchor.policies import load_default_policy
from anchor.policies.known_authority import (
    KnownAuthority,
    find_authority,
    load_known_authorities,
)
from anchor.ports import AnchorBackend, LogStore, RoundPublisher, RoundStore

_LONE_WITNESS_S: Final = 60.0

FetchCheckpoint = Callable[[str], str | None]
"""Takes the log's origin; returns the newest signed checkpoint seen of it, unverified, or None."""


@runtime_checkable
class _Closes(Protocol):
    """What holds connections."""

    def close(self) -> None:
        """Close them."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The outside parties of one service.

    Attributes:
        backends: stamp roots.
        publisher: gets final rounds, or None.
        beacons: block hashes known now.
        checkpoints: each fetches the newest checkpoint that somebody outside has seen, unverified;
            BackendError where it cannot be had.
        closes: called when the service stops.
    """

    backends: tuple[AnchorBackend, ...] = ()
    publisher: RoundPublisher | None = None
    beacons: Beacons = field(default_factory=lambda: Beacons({}))
    checkpoints: tuple[FetchCheckpoint, ...] = ()
    closes: tuple[Callable[[], None], ...] = ()


def build_outside(settings: Settings, store: LogStore, rounds: RoundStore) -> Outside:
    """Build everything that the settings name; nobody is asked yet.

    Raises:
        ConfigError: a setting cannot be used.
    """
    headers = _bitcoin_headers(settings)
    beacons = {} if headers is None else {"bitcoin": bitcoin_beacon(headers)}
    beacons.update(_drand(settings))
    backends: list[AnchorBackend] = [*_authorities(settings), *_calendars(settings, headers)]
    chain = build_evm(settings, rounds)
    if chain is not None:
        backends.append(chain[0])
        beacons[chain[0].name] = chain[1]
    witnesses = _witnesses(settings, store, rounds, alone=not backends)
    backends += witnesses
    publisher = _publisher(settings, store, rounds)
    seen: list[FetchCheckpoint] = [witness.fetch_checkpoint for witness in witnesses]
    if publisher is not None:
        seen.append(publisher.fetch_checkpoint)
    return Outside(
        backends=tuple(backends),
        publisher=publisher,
        beacons=Beacons(beacons),
        checkpoints=tuple(seen),
        closes=tuple(p.close for p in (*backends, publisher) if isinstance(p, _Closes)),
    )


def _drand(settings: Settings) -> dict[str, Beacon]:
    network = load_default_policy().drand_network(QUICKNET)
    if not settings.drand.urls or network is None:
        return {}
    from anchor.backends.drand import AgreeingDrandSources, HttpDrandSource
    from anchor.backends.drand_signature import load_drand_signatures

    relays = [
        HttpDrandSource(url, network.chain_hash, network.scheme) for url in settings.drand.urls
    ]
    source = AgreeingDrandSources(relays, 1)
    return {DRAND: drand_beacon(source, network, load_drand_signatures())}


# -- RFC 3161 --------------------------------------------------------------------------------------


def _authorities(settings: Settings) -> list[AnchorBackend]:
    rfc3161 = settings.rfc3161
    logins = _logins(rfc3161.credentials)
    backends: list[AnchorBackend] = []
    for known in _known_authorities(rfc3161.authorities):
        username, password = logins.pop(known.name, (None, None))
        settings_of_one = TsaSettings(
            name=known.name,
            url=known.url,
            roots=known.roots,
            policy_oid=known.policy_oid,
            username=username,
            password=password,
            interval_s=rfc3161.interval_s,
            min_gap_s=rfc3161.min_gap_s,
            pause_s=known.pause_s,
            fetch_revocation=rfc3161.fetch_revocation,
        )
        backends.append(TsaBackend(settings_of_one))
    if logins:
        raise ConfigError(
            f"rfc3161.credentials: {min(logins)!r} is none of the authorities asked",
            code="config.credentials",
        )
    return backends


def _known_authorities(names: Sequence[str]) -> list[KnownAuthority]:
    found: dict[str, KnownAuthority] = {}
    for name in names:
        if name == PROPOSED_AUTHORITIES:
            found |= {a.name: a for a in load_known_authorities().values() if a.proposed}
            continue
        try:
            authority = find_authority(name)
        except NotFoundError as exc:
            raise ConfigError(
                f"rfc3161.authorities: {exc.message}", code="config.authority", hint=exc.hint
            ) from exc
        found[authority.name] = authority
    return list(found.values())


def _logins(credentials: Secret | None) -> dict[str, tuple[str | None, str | None]]:
    logins: dict[str, tuple[str | None, str | None]] = {}
    for number, line in enumerate((credentials.reveal() if credentials else "").splitlines(), 1):
        parts = line.split(None, 2)
        if not parts or parts[0].startswith("#"):
            continue
        if len(parts) != 3:
            raise ConfigError(
                f"rfc3161.credentials: line {number} is not NAME USER PASSWORD",
                code="config.credentials",
            )
        logins[parts[0]] = (parts[1], parts[2])
    return logins


# -- Bitcoin ---------------------------------------------------------------------------------------


def _bitcoin_headers(settings: Settings) -> BitcoinHeaderSource | None:
    bitcoin = settings.bitcoin
    sources: list[BitcoinHeaderSource] = [EsploraHeaders(url) for url in bitcoin.esplora_urls]
    if bitcoin.node_url is not None:
        url = bitcoin.node_url
        if bitcoin.node_login is not None:
            scheme, _, rest = url.partition("://")
            url = f"{scheme}://{bitcoin.node_login.reveal()}@{rest}"
        sources.append(CoreHeaders(url, cookie_path=bitcoin.node_cookie_file))
    if not sources:
        return None
    return AgreeingSources(sources, bitcoin.quorum)


def _calendars(settings: Settings, headers: BitcoinHeaderSource | None) -> list[AnchorBackend]:
    calendars = settings.calendars
    if calendars.urls and headers is None:
        raise ConfigError(
            "calendars.urls: a calendar's blocks are checked, and no source of Bitcoin headers is "
            "set",
            code="config.bitcoin",
            hint="set bitcoin.esplora_urls or bitcoin.node_url, or no calendars",
        )
    return [
        CalendarBackend(
            CalendarSettings(url, interval_s=calendars.interval_s, min_gap_s=calendars.min_gap_s),
            headers,
        )
        for url in calendars.urls
        if headers is not None
    ]


# -- witnesses -------------------------------------------------------------------------------------


def _witnesses(
    settings: Settings, store: LogStore, rounds: RoundStore, *, alone: bool
) -> list[WitnessBackend]:
    backends = []
    for text in settings.witnesses.witnesses:
        key, _, urls = text.partition(" ")
        url, _, monitoring_url = urls.strip().partition(" ")
        if not url:
            raise ConfigError(
                f"witnesses.witnesses: {text[:80]!r} is not KEY ADDRESS", code="config.witness"
            )
        settings_of_one = WitnessSettings(
            key=key,
            url=url,
            monitoring_url=monitoring_url.strip(),
            interval_s=_LONE_WITNESS_S if alone else math.inf,
            min_gap_s=settings.witnesses.min_gap_s,
        )
        journal = rounds.journal(f"witness:{key.partition('+')[0]}")
        backends.append(WitnessBackend(settings_of_one, journal, store.consistency_path))
    return backends


# -- IPFS ------------------------------------------------------------------------------------------


def _publisher(settings: Settings, store: LogStore, rounds: RoundStore) -> IpfsPublisher | None:
    ipfs = settings.ipfs
    if ipfs.rpc_url is None:
        return None
    authorization = ipfs.authorization.reveal() if ipfs.authorization else ""
    node = IpfsNode(IpfsSettings(api_url=ipfs.rpc_url, authorization=authorization))
    return IpfsPublisher(node, store, rounds.journal(IpfsPublisher.name))
