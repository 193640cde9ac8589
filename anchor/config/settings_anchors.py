"""The settings of the outside parties that stamp roots, one group for each kind.

See :mod:`anchor.config.settings` for the rest.
"""
# ruff: noqa: RUF009 - setting() returns a dataclass field

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor.config.kind import PATH, SECRET, SWITCH, TEXT, URL, listed, seconds, whole
from anchor.config.secret import Secret
from anchor.config.setting import setting

# The calendars themselves and not the aggregation pools in front of them: a round an hour needs no
# aggregator, one party fewer stands between, and the address asked is the one that the calendar
# puts into its promise, so that an upgrade needs no address that a peer named. Four calendars of
# three operators, each its own backend: one that is silent holds up none of the others.
DEFAULT_CALENDARS: Final = (
    "https://alice.btc.calendar.opentimestamps.org",
    "https://bob.btc.calendar.opentimestamps.org",
    "https://finney.calendar.eternitywall.com",
    "https://btc.calendar.catallaxy.com",
)
PROPOSED_AUTHORITIES: Final = "default"
DEFAULT_ESPLORA: Final = ("https://blockstream.info/api", "https://mempool.space/api")

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Rfc3161Settings:
    """Time-stamping authorities."""

    authorities: tuple[str, ...] = setting(
        listed(TEXT),
        (PROPOSED_AUTHORITIES,),
        "Authorities to ask: names that this release knows, `default` for those it proposes, or "
        "paths of files that describe one (`docs/guides/authorities.md`). Empty asks none.",
        trust="An authority sees root hashes and when they come; what its tokens are worth is the "
        "verifier's policy's to say.",
    )
    fetch_revocation: bool = setting(
        SWITCH,
        default=True,
        meaning="Ask the addresses in an authority's certificates for revocation data, and save "
        "it with the token.",
        trust="Whoever answers there learns that this authority is used.",
    )
    credentials: Secret | None = setting(
        SECRET,
        None,
        "User names and passwords: one line `NAME USER PASSWORD` for each authority that wants "
        "them.",
        trust="Whoever reads it can use up the account with the authority.",
    )
    interval_s: float = setting(
        seconds(1, 30 * _DAY_S),
        60.0,
        "A round is wanted this long after the last one.",
        unit="s",
        trust="None; a long one delays the first bound.",
    )
    min_gap_s: float = setting(
        seconds(0, 30 * _DAY_S),
        60.0,
        "Never two rounds closer than this, asked or not.",
        unit="s",
        trust="None; a short one may use up an authority's patience.",
    )


@dataclass(frozen=True, slots=True)
class CalendarsSettings:
    """OpenTimestamps calendars, on the way to Bitcoin."""

    urls: tuple[str, ...] = setting(
        listed(URL),
        DEFAULT_CALENDARS,
        "Calendars to submit to, each a backend of its own. Empty submits to none.",
        trust="A calendar sees root hashes and when they come; it can be silent, never lie about "
        "Bitcoin.",
    )
    interval_s: float = setting(
        seconds(1, 30 * _DAY_S),
        3600.0,
        "A round is wanted this long after the last one.",
        unit="s",
        trust="None; a long one delays Bitcoin's bound.",
    )
    min_gap_s: float = setting(
        seconds(0, 30 * _DAY_S),
        3600.0,
        "Never two rounds closer than this, asked or not.",
        unit="s",
        trust="None; calendars are run by volunteers.",
    )


@dataclass(frozen=True, slots=True)
class BitcoinSettings:
    """Where Bitcoin headers come from, before a calendar's word is called confirmed."""

    esplora_urls: tuple[str, ...] = setting(
        listed(URL),
        DEFAULT_ESPLORA,
        "Block explorers with Esplora's interface.",
        trust="As many as the quorum, together, can show a block that is not on the chain at the "
        "cost of its work.",
    )
    node_url: str | None = setting(
        URL,
        None,
        "A Bitcoin Core node's RPC, counted as one more source.",
        trust="As for the explorers.",
    )
    node_login: Secret | None = setting(
        SECRET,
        None,
        "`USER:PASSWORD` of the node's RPC; or use its cookie file.",
        trust="Whoever reads it can use the node's RPC.",
    )
    node_cookie_file: Path | None = setting(
        PATH, None, "The node's `.cookie` file.", trust="As the file itself."
    )
    quorum: int = setting(
        whole(1, 16),
        1,
        "How many sources must say the same; at most as many as there are.",
        unit="sources",
        trust="With 1 a single source is believed as to which block is on the chain.",
    )


@dataclass(frozen=True, slots=True)
class DrandSettings:
    """drand rounds as beacons for records; on when a relay is set."""

    urls: tuple[str, ...] = setting(
        listed(URL),
        (),
        "Relays of drand's quicknet, such as `https://api.drand.sh`, asked for its newest round.",
        trust="With the extra `drand` installed, none but silence: a round's signature is checked. "
        "Without it a relay can hand out a false round, which makes records that name it false.",
    )


@dataclass(frozen=True, slots=True)
class EvmSettings:
    """The registry contract on an EVM chain; on when an address and a key are set."""

    rpc_url: str | None = setting(
        URL,
        None,
        "JSON-RPC of the chain's node. It may hold an access key and is never shown; such a one "
        "belongs in the variable or the file, for flags are seen in the list of processes.",
        trust="It can hold transactions back, lie about fees up to the ceiling and about blocks "
        "until the proofs are checked; it cannot spend more than the ceiling.",
        often=True,
        shown=False,
    )
    contract: str | None = setting(
        TEXT,
        None,
        "Address of the registry contract, 40 hexadecimal digits; or `deploy`, which deploys one "
        "at the first start and remembers it.",
        trust="A contract with other code than this release's is not used.",
        default_text="the one deployed from here, if there is one",
        often=True,
    )
    chain_id: int | None = setting(
        whole(1, 2**53 - 1),
        None,
        "The chain's id.",
        trust="None; a node of another chain is not used.",
        default_text="what the node says at the first start",
    )
    private_key: Secret | None = setting(
        SECRET,
        None,
        "Private key of the paying account, 64 hexadecimal digits; or use a keystore.",
        trust="Whoever reads it can spend the account's funds, and nothing else.",
    )
    keystore_file: Path | None = setting(
        PATH,
        None,
        "Encrypted keystore (Web3 Secret Storage, version 3) of the paying account.",
        trust="With its passphrase, as the private key.",
        often=True,
    )
    keystore_passphrase: Secret | None = setting(
        SECRET,
        None,
        "Passphrase of the keystore.",
        trust="With the keystore, as the private key.",
    )
    max_fee_gwei: int = setting(
        whole(1, 1_000_000),
        100,
        "Ceiling of the fee for a unit of gas; above it transactions wait.",
        unit="gwei",
        trust="A lying node can make the account pay up to this.",
    )
    low_balance_gwei: int = setting(
        whole(0, 10**15),
        10_000_000,
        "Below this balance of the account the status says low funds.",
        unit="gwei",
        trust="None.",
    )
    confirmations: int = setting(
        whole(1, 100_000),
        64,
        "Blocks on top before a transaction is final, where the chain does not say itself what is "
        "final.",
        unit="blocks",
        trust="Few of them let a reorganisation undo what was called final.",
    )
    poll_s: float = setting(
        seconds(0.01, 3600),
        12.0,
        "Between two looks at a transaction that waits; about a block's time.",
        unit="s",
        trust="None.",
    )
    interval_s: float = setting(
        seconds(1, 30 * _DAY_S),
        3600.0,
        "A round is wanted this long after the last one.",
        unit="s",
        trust="None; a short one costs more fees.",
    )
    min_gap_s: float = setting(
        seconds(0, 30 * _DAY_S),
        3600.0,
        "Never two rounds closer than this, asked or not.",
        unit="s",
        trust="None; a short one costs more fees.",
    )


@dataclass(frozen=True, slots=True)
class WitnessesSettings:
    """Witnesses that cosign checkpoints (C2SP tlog-witness)."""

    witnesses: tuple[str, ...] = setting(
        listed(TEXT),
        (),
        "For each witness its key and its address, joined by a space: `NAME+ID+KEY https://…`.",
        trust="A witness sees checkpoints; it can refuse one that does not follow the last.",
    )
    min_gap_s: float = setting(
        seconds(0, 30 * _DAY_S),
        5.0,
        "A witness follows the rounds of the other backends, never two closer than this; where "
        "there are no others it gets a round a minute.",
        unit="s",
        trust="None.",
    )


@dataclass(frozen=True, slots=True)
class IpfsSettings:
    """An IPFS node that keeps final rounds; on when its RPC is set."""

    rpc_url: str | None = setting(
        URL,
        None,
        "RPC of a Kubo node, such as `http://127.0.0.1:5001`. Never one that strangers can reach: "
        "the RPC has full control of the node.",
        trust="It can lose what it was given; content is addressed by hash, so it cannot change "
        "it.",
    )
    authorization: Secret | None = setting(
        SECRET,
        None,
        "Value of the `Authorization` header that the node wants.",
        trust="Whoever reads it has full control of the node.",
    )
