"""The policy: what one verifier trusts, as a document that can be reviewed, compared and shipped.

Trust never comes from a proof. It comes from the policy that ships with the installation or that
the person names. A verdict prints the policy's name and the SHA-256 of its bytes. Every date in a
verdict rests on an entry here: a root certificate, a block hash, a key.

Each family of evidence may say whether it can set the headline. A policy of class ``test`` makes
every verdict under it a test verdict.

Specification: ``docs/spec/policy.md``. What whoever controls an entry could do at worst stands with
each class below.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from anchor import limits
from anchor.errors import FormatError
from anchor.formats.encoding import parse_json
from anchor.formats.note import COSIGNATURE_V1, ED25519, NoteKey, parse_note_key
from anchor.proof.drand_policy import TrustedDrand, read_drand
from anchor.proof.fields import Fields

FAMILIES = ("rfc3161", "evm", "bitcoin", "witness")


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log whose checkpoints prove index, size and order.

    Whoever holds its key can present another order or a forked tree, never an earlier time.

    Attributes:
        origin: first line of its checkpoints.
        key: Ed25519 note key.
        first_size, last_size: tree sizes that this key may sign; None is open.
        closing_root: root hash at ``last_size`` when the key was retired, or None.
    """

    origin: str
    key: NoteKey
    first_size: int = 0
    last_size: int | None = None
    closing_root: bytes | None = None

    def admits(self, tree_size: int) -> bool:
        """Tell whether this key may sign a tree of that size."""
        return self.first_size <= tree_size and (
            self.last_size is None or tree_size <= self.last_size
        )


@dataclass(frozen=True, slots=True)
class TrustedWitness:
    """A witness whose cosignatures give a bound.

    Whoever holds its key can state an earlier time. ``related`` marks one that the operator of the
    log has a hand in: it never sets the headline.
    """

    name: str
    key: NoteKey
    related: bool


@dataclass(frozen=True, slots=True)
class TrustedAuthority:
    """A time-stamping authority, known by its root certificates (DER).

    Whoever holds a key under these roots, with the extended key usage for time stamping, can state
    any time within its certificate's life.
    """

    name: str
    roots: tuple[bytes, ...]
    accuracy_s: int = 60
    qualified: bool = False
    headline: bool = True


@dataclass(frozen=True, slots=True)
class TrustedContract:
    """A registry contract whose stored time is believed: address, code hash, place of its map."""

    address: bytes
    code_hash: bytes
    map_slot: int


@dataclass(frozen=True, slots=True)
class TrustedChain:
    """An EVM chain. A header alone is not believed: a pinned hash or a source must confirm it.

    Whoever controls ``sources`` can confirm a block that never was, where nothing is pinned.

    Attributes:
        chain_class: ``l1``, ``l2`` (a sequencer sets the time) or ``test``.
        tolerance_s: added to a header's time.
        pinned: block number to block hash, checked by the policy's author.
        sources: JSON-RPC addresses asked only when the verifier goes online.
        agree: how many of them must give the same answer.
    """

    chain_id: int
    name: str
    chain_class: Literal["l1", "l2", "test"]
    tolerance_s: int = 12
    headline: bool = True
    sequencer: str = ""
    contracts: tuple[TrustedContract, ...] = ()
    pinned: tuple[tuple[int, bytes], ...] = ()
    sources: tuple[str, ...] = ()
    agree: int = 1


@dataclass(frozen=True, slots=True)
class BitcoinCheckpoint:
    """A block of the chain meant: height, hash (internal byte order), work up to and with it."""

    height: int
    block_hash: bytes
    chain_work: int


@dataclass(frozen=True, slots=True)
class TrustedBitcoin:
    """The Bitcoin chain meant, by checkpoints and by the least work of a chain beyond them.

    Whoever spends the work that is wanted beyond the last checkpoint can make up blocks there, with
    times that are not before that checkpoint's; whoever controls ``sources`` can confirm a block
    that never was, for those who go online.

    Attributes:
        minimum_chain_work: of a header archive, from the first block on.
        minimum_work_beyond_checkpoint: of its headers after the last checkpoint that it passes;
            None: six times what that checkpoint's own header took.
    """

    network: Literal["main", "regtest"] = "main"
    checkpoints: tuple[BitcoinCheckpoint, ...] = ()
    minimum_chain_work: int = 0
    minimum_work_beyond_checkpoint: int | None = None
    headline: bool = True
    sources: tuple[str, ...] = ()
    agree: int = 2


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that a verdict rests on.

    Attributes:
        name: shown with every verdict.
        sha256: of the policy's bytes, as read.
        policy_class: ``production`` or ``test``.
        families_wanted: how many families must be verified before there is a headline.
        headline_families: families that may set the headline.
        calendars: calendars that ``upgrade`` may ask, besides the service.
    """

    name: str
    sha256: bytes
    policy_class: Literal["production", "test"]
    families_wanted: int = 1
    headline_families: frozenset[str] = frozenset(("rfc3161", "evm", "bitcoin"))
    logs: tuple[TrustedLog, ...] = ()
    witnesses: tuple[TrustedWitness, ...] = ()
    authorities: tuple[TrustedAuthority, ...] = ()
    chains: tuple[TrustedChain, ...] = ()
    bitcoin: TrustedBitcoin = field(default_factory=TrustedBitcoin)
    calendars: tuple[str, ...] = ()
    drand: tuple[TrustedDrand, ...] = ()

    def drand_network(self, chain_hash: bytes) -> TrustedDrand | None:
        """Return the drand network of that chain hash, or None if the policy does not know it."""
        return next((entry for entry in self.drand if entry.chain_hash == chain_hash), None)

    def chain(self, chain_id: int) -> TrustedChain | None:
        """Return the chain of that id, or None if the policy does not know it."""
        return next((chain for chain in self.chains if chain.chain_id == chain_id), None)


def parse_policy(data: bytes) -> Policy:
    """Read a policy.

    Raises:
        FormatError: the bytes are not a policy of version 1.
    """
    value = parse_json(data, max_bytes=limits.MAX_POLICY_BYTES, what="policy")
    fields = Fields(value, "policy")
    fields.integer("version", minimum=1, maximum=1)
    fields.text("comment", max_characters=4000, default="")
    policy_class = cast("Any", fields.choice("class", ("production", "test")))
    policy = Policy(
        name=fields.text("name", max_characters=100),
        sha256=hashlib.sha256(data).digest(),
        policy_class=policy_class,
        families_wanted=fields.integer("families_wanted", minimum=1, maximum=4, default=1),
        headline_families=_headline(fields),
        logs=tuple(_log(item) for item in fields.objects("logs", max_items=256, default=())),
        witnesses=tuple(_witness(i) for i in fields.objects("witnesses", max_items=64, default=())),
        authorities=tuple(
            _authority(item) for item in fields.objects("authorities", max_items=64, default=())
        ),
        chains=tuple(_chain(item) for item in fields.objects("chains", max_items=64, default=())),
        bitcoin=_bitcoin(Fields(fields.take("bitcoin", {}), "policy.bitcoin")),
        calendars=_texts(fields, "calendars"),
        drand=tuple(
            read_drand(item, _texts(item, "sources"))
            for item in fields.objects("drand", max_items=16, default=())
        ),
    )
    fields.done()
    _check(policy)
    return policy


def _check(policy: Policy) -> None:
    if policy.policy_class == "production":
        if policy.bitcoin.network != "main":
            raise FormatError("policy.bitcoin.network: only a test policy may trust regtest")
        if any(chain.chain_class == "test" and chain.headline for chain in policy.chains):
            raise FormatError("policy.chains: a test chain may not set the headline")
    _once("policy.chains", "chain id", (chain.chain_id for chain in policy.chains))
    for chain in policy.chains:
        place = f"policy.chains, {chain.chain_id}"
        _once(f"{place}: pinned", "block", (number for number, _ in chain.pinned))
        _once(
            f"{place}: contracts", "contract", ((c.address, c.code_hash) for c in chain.contracts)
        )
    heights = (checkpoint.height for checkpoint in policy.bitcoin.checkpoints)
    _once("policy.bitcoin.checkpoints", "height", heights)
    roots = ((root,) for authority in policy.authorities for root in authority.roots)
    _once("policy.authorities", "root certificate", roots)
    _once("policy.drand", "chain hash", ((entry.chain_hash,) for entry in policy.drand))
    _once("policy.witnesses", "key", ((witness.key,) for witness in policy.witnesses))


def _once(where: str, what: str, keys: Iterable[Any]) -> None:
    """Refuse a policy that says two things of one, so that no order of its entries matters."""
    seen: set[Any] = set()
    for key in keys:
        if key in seen:
            shown = f" {key}" if isinstance(key, int) else ""
            raise FormatError(f"{where}: two entries have one {what}{shown}", code="policy.twice")
        seen.add(key)


def _key(fields: Fields, algorithm: int, of: str) -> NoteKey:
    """Read a key that makes the signatures that are looked for under it."""
    key = parse_note_key(fields.text("key"))
    if key.algorithm != algorithm:
        raise FormatError(
            f"{fields.path('key')}: a key of signature type {key.algorithm}, a {of} signs with "
            f"type {algorithm}",
            code="policy.key_type",
        )
    return key


def _headline(fields: Fields) -> frozenset[str]:
    names = _texts(fields, "headline_families", default=("rfc3161", "evm", "bitcoin"))
    unknown = set(names) - set(FAMILIES)
    if unknown:
        raise FormatError(
            f"policy.headline_families: {min(unknown)!r} is none of {', '.join(FAMILIES)}"
        )
    return frozenset(names)


def _texts(fields: Fields, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    texts = []
    for item, where in fields.each(name, max_items=64, default=default):
        if not isinstance(item, str) or len(item) > 1000:
            raise FormatError(f"{where}: a string of at most 1000 characters is wanted")
        texts.append(item)
    return tuple(texts)


def _log(fields: Fields) -> TrustedLog:
    log = TrustedLog(
        origin=fields.text("origin", max_characters=256),
        key=_key(fields, ED25519, "log"),
        first_size=fields.integer("first_size", default=0),
        last_size=fields.optional("last_size", fields.integer),
        closing_root=fields.optional("closing_root", lambda n: fields.hex(n, 32)),
    )
    fields.done()
    return log


def _witness(fields: Fields) -> TrustedWitness:
    key = _key(fields, COSIGNATURE_V1, "witness")
    witness = TrustedWitness(name=key.name, key=key, related=fields.boolean("related"))
    fields.done()
    return witness


def _authority(fields: Fields) -> TrustedAuthority:
    authority = TrustedAuthority(
        name=fields.text("name", max_characters=100),
        roots=fields.base64s("roots", max_items=16, max_bytes=limits.MAX_TSP_BYTES),
        accuracy_s=fields.integer("accuracy_s", minimum=0, maximum=86_400, default=60),
        qualified=fields.boolean("qualified", default=False),
        headline=fields.boolean("headline", default=True),
    )
    fields.done()
    return authority


def _chain(fields: Fields) -> TrustedChain:
    chain_class = cast("Any", fields.choice("class", ("l1", "l2", "test")))
    chain = TrustedChain(
        chain_id=fields.integer("chain_id", minimum=1),
        name=fields.text("name", max_characters=100),
        chain_class=chain_class,
        tolerance_s=fields.integer("tolerance_s", minimum=0, maximum=604_800, default=12),
        headline=fields.boolean("headline", default=chain_class != "test"),
        sequencer=fields.text("sequencer", max_characters=200, default=""),
        contracts=tuple(
            _contract(item) for item in fields.objects("contracts", max_items=16, default=())
        ),
        pinned=tuple(_pinned(i) for i in fields.objects("pinned", max_items=65_536, default=())),
        sources=_texts(fields, "sources"),
        agree=fields.integer("agree", minimum=1, maximum=16, default=1),
    )
    fields.done()
    if chain.chain_class == "l2" and not chain.sequencer:
        raise FormatError(f"{fields.where}: an l2 names its sequencer")
    return chain


def _contract(fields: Fields) -> TrustedContract:
    contract = TrustedContract(
        fields.hex("address", 20), fields.hex("code_hash", 32), fields.integer("map_slot")
    )
    fields.done()
    return contract


def _pinned(fields: Fields) -> tuple[int, bytes]:
    block = (fields.integer("number"), fields.hex("hash", 32))
    fields.done()
    return block


def _bitcoin(fields: Fields) -> TrustedBitcoin:
    bitcoin = TrustedBitcoin(
        network=cast("Any", fields.choice("network", ("main", "regtest"), default="main")),
        checkpoints=tuple(
            sorted(
                (_checkpoint(i) for i in fields.objects("checkpoints", max_items=4096, default=())),
                key=lambda checkpoint: checkpoint.height,
            )
        ),
        minimum_chain_work=fields.optional("minimum_chain_work", lambda n: _work(fields, n)) or 0,
        minimum_work_beyond_checkpoint=fields.optional(
            "minimum_work_beyond_checkpoint", lambda n: _work(fields, n)
        ),
        headline=fields.boolean("headline", default=True),
        sources=_texts(fields, "sources"),
        agree=fields.integer("agree", minimum=1, maximum=16, default=2),
    )
    fields.done()
    return bitcoin


def _work(fields: Fields, name: str) -> int:
    """Take a number of hashes: 32 bytes in hex, the high ones first."""
    return int.from_bytes(fields.hex(name, 32))


def _checkpoint(fields: Fields) -> BitcoinCheckpoint:
    checkpoint = BitcoinCheckpoint(
        height=fields.integer("height", maximum=2**31),
        block_hash=fields.hex("hash", 32)[::-1],
        chain_work=fields.optional("chain_work", lambda n: _work(fields, n)) or 0,
    )
    fields.done()
    return checkpoint
