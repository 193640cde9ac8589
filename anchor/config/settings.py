"""Every setting of the service, in groups, each with its meaning, unit, default and trust line.

These are values only; :mod:`anchor.config.load` fills them from flags, environment and file, and
:mod:`anchor.config.wiring` builds the service from them. ``docs/guides/settings.md`` is written
from the fields below and in :mod:`anchor.config.settings_anchors`, and a test compares the two.
"""
# ruff: noqa: RUF009 - setting() returns a dataclass field

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from anchor.config.kind import PATH, SWITCH, TEXT, URL, choice, listed, seconds, whole
from anchor.config.setting import setting
from anchor.config.settings_anchors import (
    BitcoinSettings,
    CalendarsSettings,
    DrandSettings,
    EvmSettings,
    IpfsSettings,
    Rfc3161Settings,
    WitnessesSettings,
)

DEFAULT_PORT: Final = 8460


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The log itself: its name, its key, how it commits."""

    origin: str | None = setting(
        TEXT,
        None,
        "The log's name, first line of every checkpoint. It cannot change once the log has begun.",
        trust="A name that another log has lets the two be taken for one that equivocates.",
        default_text="`vestige.local/log-` and 16 digits of the SHA-256 of the log's public key",
    )
    key_file: Path | None = setting(
        PATH,
        None,
        "The log's Ed25519 private key, mode 0600; made at the first start.",
        trust="Whoever reads it can sign another order of the log or a forked tree, never an "
        "earlier time.",
        default_text="`log.key` in the data folder",
    )
    kept_checkpoint_file: Path | None = setting(
        PATH,
        None,
        "Where the service keeps a copy of its newest checkpoint, outside the data folder. At "
        "start the log must be consistent with it, so that a restored backup is noticed.",
        trust="Whoever writes both it and the data folder can put the log back unnoticed.",
        default_text="`vestige/KEY-ID.checkpoint` in `$XDG_STATE_HOME` or `~/.local/state`",
    )
    known_checkpoint_file: Path | None = setting(
        PATH,
        None,
        "A further checkpoint of this log, fetched from elsewhere by the operator; compared with "
        "at start, never written.",
        trust="None; a checkpoint without the log's own signature is ignored.",
    )
    trust_own_disk: bool = setting(
        SWITCH,
        default=False,
        meaning="Take writes although no checkpoint from outside the data folder is there to "
        "compare with, as on a new machine. Otherwise the service then only serves reads.",
        trust="On, a restored backup goes on and signs a second tree of one size.",
    )
    max_batch_digests: int = setting(
        whole(1, 65_536),
        65_536,
        "The most digests that one commit takes.",
        unit="digests",
        trust="None; small values make bulk slow.",
    )
    disk_reserve_mb: int = setting(
        whole(0, 1 << 30),
        1024,
        "Writes stop (503) while the disk of the data folder has less free than this; reads go on.",
        unit="MiB",
        trust="None; 0 lets the disk run full.",
    )


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """What the HTTP side accepts and how much of it."""

    allowed_hosts: tuple[str, ...] = setting(
        listed(TEXT),
        (),
        "Names, with the port where there is one, that requests may carry in `Host` besides the "
        "address bound; needed behind a proxy.",
        trust="On loopback, a name of somebody else lets that one's web page reach the service "
        "(DNS rebinding).",
    )
    allowed_origins: tuple[str, ...] = setting(
        listed(URL),
        (),
        "Web origins whose pages may call the service; on loopback no others are answered.",
        trust="Pages of these origins can submit digests and read what the service shows.",
    )
    trusted_proxies: tuple[str, ...] = setting(
        listed(TEXT),
        (),
        "Addresses of proxies whose `X-Forwarded-For` names the client for quotas.",
        trust="Whoever sends from them chooses which client a request is counted for.",
    )
    inflight_mb: int = setting(
        whole(1, 4096),
        256,
        "Bytes of request bodies held at one time, all clients together; past it 503.",
        unit="MiB",
        trust="None; large values let clients fill the memory.",
    )
    max_connections: int = setting(
        whole(1, 65_536),
        2048,
        "Connections served at one time; past it 503, past twice as many the connection is cut.",
        unit="connections",
        trust="None; large values let clients use up file descriptors.",
    )
    connections_per_client: int = setting(
        whole(0, 65_536),
        128,
        "Connections of one client served at one time; past it 503, past twice as many the "
        "connection is cut. This machine's own and those of `http.trusted_proxies` are not "
        "counted. 0 is no limit.",
        unit="connections",
        trust="None; no limit lets one client crowd out the others.",
    )
    head_s: float = setting(
        seconds(0.1, 3600),
        20.0,
        "A connection whose request has not shown its whole head after this long is closed.",
        unit="s",
        trust="None; long waits let clients hold connections.",
    )
    keep_alive_s: float = setting(
        seconds(0.1, 3600),
        30.0,
        "A connection that begins no further request for this long is closed.",
        unit="s",
        trust="None; long waits let clients hold connections.",
    )
    answer_idle_s: float = setting(
        seconds(0.1, 3600),
        30.0,
        "A connection whose client takes nothing of what waits for it for this long is cut.",
        unit="s",
        trust="None; long waits let clients hold connections and memory.",
    )
    answer_total_s: float = setting(
        seconds(0.1, 86_400),
        600.0,
        "A connection whose client is behind with reading for this long without a break is cut.",
        unit="s",
        trust="None; long waits let clients hold connections and memory.",
    )
    body_idle_s: float = setting(
        seconds(0.1, 3600),
        20.0,
        "A body of which nothing came for this long is given up (408).",
        unit="s",
        trust="None; long waits let clients hold connections.",
    )
    body_total_s: float = setting(
        seconds(0.1, 86_400),
        300.0,
        "A body that is not complete after this long is given up (408).",
        unit="s",
        trust="None; long waits let clients hold connections.",
    )
    requests_per_s: float = setting(
        seconds(0, 1e6),
        20.0,
        "Submissions and verifications that one client may make a second, on average; bursts of "
        "ten seconds' worth. Loopback clients are not counted. 0 is no limit.",
        unit="requests/s",
        trust="None; no limit lets one client crowd out the others.",
    )
    digests_per_client_per_day: int = setting(
        whole(0, 10**12),
        5_000_000,
        "Digests that one client may submit in 24 hours; loopback clients are not counted. 0 is no "
        "limit.",
        unit="digests",
        trust="None; no limit lets one client fill the disk down to the reserve.",
    )
    digests_per_day: int = setting(
        whole(0, 10**12),
        0,
        "Digests that all clients together may submit in 24 hours. 0 is no limit.",
        unit="digests",
        trust="None; no limit lets clients fill the disk down to the reserve.",
    )
    verifications_at_once: int = setting(
        whole(1, 256),
        2,
        "Proofs judged at one time by `POST /v1/verify`; more wait, then 503.",
        unit="proofs",
        trust="None; large values let verification slow down everything else.",
    )
    event_streams: int = setting(
        whole(0, 65_536),
        256,
        "Streams of `GET /v1/events` open at one time; past it 503.",
        unit="streams",
        trust="None.",
    )
    event_stream_s: float = setting(
        seconds(1, 86_400),
        14_400.0,
        "A stream of `GET /v1/events` ends after this long; browsers connect again by themselves.",
        unit="s",
        trust="None; long streams let clients hold connections.",
    )


@dataclass(frozen=True, slots=True)
class CalendarEndpointSettings:
    """The OpenTimestamps calendar protocol at this service, for stock clients."""

    enabled: bool = setting(
        SWITCH,
        default=False,
        meaning="Serve `POST /digest` and `GET /timestamp/{hex}`.",
        trust="None; whoever can reach it can submit.",
    )
    requests_per_s: float = setting(
        seconds(0, 1e6),
        5.0,
        "Submissions that one client may make a second through this protocol, on average; bursts "
        "of ten seconds' worth. Loopback clients are not counted. 0 is no limit.",
        unit="requests/s",
        trust="None; no limit lets one client crowd out the others.",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that `vestige serve` can be told."""

    data: Path = setting(
        PATH,
        Path("vestige-data"),
        "Folder of the log, its key and the anchorer's memory; made if it is not there.",
        trust="Whoever writes it can change the log's key and forget digests; whoever reads it "
        "can sign as the log.",
        often=True,
    )
    host: str = setting(
        TEXT,
        "127.0.0.1",
        "Address to bind. On loopback the service answers only requests made to it by that name.",
        trust="Another address lets others reach the service; put a proxy with TLS in front.",
        often=True,
    )
    port: int = setting(
        whole(0, 65_535),
        DEFAULT_PORT,
        "Port to bind; 0 takes a free one.",
        trust="None.",
        often=True,
    )
    public_url: str | None = setting(
        URL,
        None,
        "Address under which others reach the service; stands in the promises that the calendar "
        "protocol gives, for good.",
        trust="Whoever has that address answers later for promises made under it.",
        default_text="the address bound",
        often=True,
    )
    policy: Path | None = setting(
        PATH,
        None,
        "Policy file under which verdicts are given.",
        trust="Everything that a verdict rests on stands there.",
        default_text="the policy of this release",
        often=True,
    )
    log_level: str = setting(
        choice("debug", "info", "warning", "error"),
        "info",
        "What is written to standard error; never digests beside clients' addresses.",
        trust="None.",
        often=True,
    )
    log: LogSettings = field(default_factory=LogSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    rfc3161: Rfc3161Settings = field(default_factory=Rfc3161Settings)
    calendars: CalendarsSettings = field(default_factory=CalendarsSettings)
    bitcoin: BitcoinSettings = field(default_factory=BitcoinSettings)
    drand: DrandSettings = field(default_factory=DrandSettings)
    evm: EvmSettings = field(default_factory=EvmSettings)
    witnesses: WitnessesSettings = field(default_factory=WitnessesSettings)
    ipfs: IpfsSettings = field(default_factory=IpfsSettings)
    calendar_endpoint: CalendarEndpointSettings = field(default_factory=CalendarEndpointSettings)
