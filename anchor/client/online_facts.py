"""Ask the policy's sources, and nobody else, about the blocks and rounds that evidence names.

Nothing in the evidence says where to ask: heights and numbers are taken from it, addresses from the
policy alone. What comes back is handed to the judge as known facts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeAlias, TypeVar

from anchor.backends.bitcoin_headers import AgreeingSources, EsploraHeaders
from anchor.backends.drand import AgreeingDrandSources, HttpDrandSource
from anchor.backends.evm_headers import AgreeingEvmSources, RpcEvmHeaders
from anchor.errors import ConfigError, FormatError, LimitExceededError, VestigeError
from anchor.fact_sources import BitcoinHeaderSource, DrandSource, EvmHeaderSource
from anchor.formats.bitcoin import parse_header
from anchor.formats.drand import QUICKNET, DrandRound
from anchor.formats.evm import parse_evm_header
from anchor.formats.ots.attestation import BitcoinAttestation
from anchor.formats.ots.codec import DetachedTimestamp, parse_tree
from anchor.formats.ots.timestamp import Timestamp
from anchor.limits import BITCOIN_SUCCESSORS
from anchor.proof.drand_policy import TrustedDrand
from anchor.proof.policy import Policy, TrustedChain
from anchor.proof.proof import EvmAttestation, HeaderRun, OpenTimestampsAttestation, Proof
from anchor.records.record import Beacon
from anchor.verify.known import ConfirmedBlock, KnownFacts
from anchor.verify.records import ProvenRecord

K = TypeVar("K")
T = TypeVar("T")

_Block: TypeAlias = tuple[int, int]
_Round: TypeAlias = tuple[bytes, int]

# Evidence that names more blocks than this is not a proof but a way to make others' servers work.
_MAX_BLOCKS: Final = 64
# A project of months names many blocks, one every few minutes of work.
_MAX_PROJECT_BLOCKS: Final = 4096


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What evidence names: heights, EVM blocks with the hashes of beacons, drand rounds."""

    heights: set[int]
    blocks: dict[_Block, set[bytes]]
    rounds: set[_Round]


class OnlineFacts:
    """Confirms blocks with the sources of one policy; each block is asked for once.

    Args:
        policy: whose sources are asked.
        bitcoin: stands in for the policy's Bitcoin sources in tests.
        evm: stands in for the sources of a chain in tests.
        drand: stands in for the relays of a network in tests.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        bitcoin: BitcoinHeaderSource | None = None,
        evm: Callable[[TrustedChain], EvmHeaderSource | None] | None = None,
        drand: Callable[[TrustedDrand], DrandSource | None] | None = None,
    ) -> None:
        self._bitcoin = bitcoin or bitcoin_source_of(policy)
        make_evm, make_drand = evm or _evm_source, drand or _drand_source
        self._evm = {chain.chain_id: make_evm(chain) for chain in policy.chains}
        self._drand = {entry.chain_hash: make_drand(entry) for entry in policy.drand}
        self._runs: _Answers[int, HeaderRun] = _Answers()
        self._hashes: _Answers[_Block, bytes] = _Answers()
        self._headers: _Answers[tuple[_Block, bytes], bytes] = _Answers()
        self._rounds: _Answers[_Round, DrandRound] = _Answers()

    def about(
        self, content: Proof | DetachedTimestamp, known: KnownFacts
    ) -> tuple[KnownFacts, list[VestigeError]]:
        """Return what is known with what the sources said, and what went wrong in asking."""
        return self._about(_wanted([content], ()), known, _MAX_BLOCKS)

    def about_records(
        self, items: Sequence[ProvenRecord], known: KnownFacts
    ) -> tuple[KnownFacts, list[VestigeError]]:
        """Return the same for records: of their proofs and of their beacons."""
        proofs = [item.proof for item in items if item.proof is not None]
        beacons = [beacon for item in items for beacon in item.record.not_before]
        bound = _MAX_BLOCKS if len(items) == 1 else _MAX_PROJECT_BLOCKS
        return self._about(_wanted(proofs, beacons), known, bound)

    def _about(
        self, wanted: _Wanted, known: KnownFacts, bound: int
    ) -> tuple[KnownFacts, list[VestigeError]]:
        failures: list[VestigeError] = []
        runs, blocks = self._ask_bitcoin(sorted(wanted.heights)[:bound], failures)
        evm, headers = self._ask_evm(wanted, bound, failures)
        rounds, values = self._ask_drand(sorted(wanted.rounds)[:bound], failures)
        most = max(map(len, (wanted.heights, wanted.blocks, wanted.rounds)))
        if most > bound:
            failures.append(
                LimitExceededError(f"{most} blocks are named, no more than {bound} are asked for")
            )
        known = replace(
            known, bitcoin=blocks, evm=evm, headers=runs, evm_headers=headers, drand=values,
            drand_rounds=rounds,
        )  # fmt: skip
        return known, failures

    def _ask_bitcoin(
        self, heights: Sequence[int], failures: list[VestigeError]
    ) -> tuple[dict[int, HeaderRun], dict[int, ConfirmedBlock]]:
        runs: dict[int, HeaderRun] = {}
        blocks: dict[int, ConfirmedBlock] = {}
        if self._bitcoin is None:
            return runs, blocks
        for height in heights:
            run = self._runs.get(height, self._fetch_run, failures)
            if run is not None:
                runs[height] = run
                for number, raw in enumerate(run.headers, height):
                    block_hash = parse_header(raw).block_hash
                    blocks[number] = ConfirmedBlock(block_hash, self._bitcoin.name)
        return runs, blocks

    def _ask_evm(
        self, wanted: _Wanted, bound: int, failures: list[VestigeError]
    ) -> tuple[dict[_Block, ConfirmedBlock], dict[_Block, bytes]]:
        """Ask which block is canonical and, where a beacon names it, for its header."""
        confirmed: dict[_Block, ConfirmedBlock] = {}
        headers: dict[_Block, bytes] = {}
        for block in sorted(wanted.blocks)[:bound]:
            source = self._evm.get(block[0])
            if source is None:
                continue
            block_hash = self._hashes.get(block, self._fetch_hash, failures)
            if block_hash is None:
                continue
            confirmed[block] = ConfirmedBlock(block_hash, source.name)
            if block_hash in wanted.blocks[block]:
                header = self._headers.get((block, block_hash), self._fetch_header, failures)
                if header is not None:
                    headers[block] = header
        return confirmed, headers

    def _ask_drand(
        self, wanted: Sequence[_Round], failures: list[VestigeError]
    ) -> tuple[dict[_Round, DrandRound], dict[_Round, ConfirmedBlock]]:
        rounds: dict[_Round, DrandRound] = {}
        values: dict[_Round, ConfirmedBlock] = {}
        for place in wanted:
            source = self._drand.get(place[0])
            if source is not None:
                found = self._rounds.get(place, self._fetch_round, failures)
                if found is not None:
                    rounds[place] = found
                    values[place] = ConfirmedBlock(found.randomness, source.name)
        return rounds, values

    def _fetch_hash(self, block: _Block) -> bytes:
        source = self._evm[block[0]]
        if source is None:
            raise ConfigError(f"the policy names no source for chain {block[0]}")
        return source.fetch_block_hash(block[1])

    def _fetch_header(self, named: tuple[_Block, bytes]) -> bytes:
        (chain_id, number), block_hash = named
        source = self._evm[chain_id]
        if source is None:
            raise ConfigError(f"the policy names no source for chain {chain_id}")
        return source.fetch_raw_header(number, block_hash)

    def _fetch_run(self, height: int) -> HeaderRun:
        if self._bitcoin is None:
            raise ConfigError("the policy names no Bitcoin source")
        return fetch_header_run(self._bitcoin, height)

    def _fetch_round(self, place: _Round) -> DrandRound:
        source = self._drand[place[0]]
        if source is None:
            raise ConfigError(f"the policy names no source for drand {place[0].hex()}")
        return source.fetch_round(place[1])


class _Answers(Generic[K, T]):
    """What was asked before, failures too."""

    def __init__(self) -> None:
        self._known: dict[K, T | VestigeError] = {}

    def get(self, key: K, fetch: Callable[[K], T], failures: list[VestigeError]) -> T | None:
        """Return the answer, or None with the failure added to the list."""
        if key not in self._known:
            try:
                self._known[key] = fetch(key)
            except VestigeError as error:
                self._known[key] = error
        answer = self._known[key]
        if isinstance(answer, VestigeError):
            failures.append(answer)
            return None
        return answer


def fetch_header_run(source: BitcoinHeaderSource, height: int) -> HeaderRun:
    """Fetch a block's header and as many of the six after it as there are."""
    after = min(BITCOIN_SUCCESSORS, source.fetch_tip_height() - height)
    return HeaderRun(height, tuple(source.fetch_headers(height, 1 + max(after, 0))))


def bitcoin_source_of(policy: Policy) -> BitcoinHeaderSource | None:
    """Return the policy's Bitcoin sources as one, or None if it names none."""
    bitcoin = policy.bitcoin
    if not bitcoin.sources:
        return None
    return AgreeingSources([EsploraHeaders(url) for url in bitcoin.sources], bitcoin.agree)


def _evm_source(chain: TrustedChain) -> EvmHeaderSource | None:
    if not chain.sources:
        return None
    sources: Sequence[EvmHeaderSource] = [
        RpcEvmHeaders(url, chain.chain_id) for url in chain.sources
    ]
    return AgreeingEvmSources(sources, chain.agree)


def _drand_source(network: TrustedDrand) -> DrandSource | None:
    if not network.sources:
        return None
    sources = [HttpDrandSource(url, network.chain_hash, network.scheme) for url in network.sources]
    return AgreeingDrandSources(sources, network.agree)


def _wanted(contents: Iterable[Proof | DetachedTimestamp], beacons: Iterable[Beacon]) -> _Wanted:
    """Collect what there is to ask about; what cannot be read is the judge's to complain about."""
    wanted = _Wanted(set(), {}, set())
    for content in contents:
        wanted.heights.update(_bitcoin_heights(content))
        for block in _evm_blocks(content):
            wanted.blocks.setdefault(block, set())
    for beacon in beacons:
        if beacon.source == "bitcoin":
            wanted.heights.add(beacon.number)
        elif beacon.source == "evm":
            place = (beacon.chain_id or 0, beacon.number)
            wanted.blocks.setdefault(place, set()).add(beacon.value)
        else:
            wanted.rounds.add((beacon.chain_hash or QUICKNET, beacon.number))
    return wanted


def _bitcoin_heights(content: Proof | DetachedTimestamp) -> Iterator[int]:
    for tree in _trees(content):
        for path in tree.paths():
            if isinstance(path.attestation, BitcoinAttestation):
                yield path.attestation.height


def _trees(content: Proof | DetachedTimestamp) -> Iterator[Timestamp]:
    if isinstance(content, DetachedTimestamp):
        yield content.tree
        return
    for attestation in content.attestations:
        if isinstance(attestation, OpenTimestampsAttestation):
            # What cannot be read is the judge's to complain about.
            with contextlib.suppress(FormatError):
                yield parse_tree(attestation.tree, attestation.root_hash)


def _evm_blocks(content: Proof | DetachedTimestamp) -> Iterator[tuple[int, int]]:
    if isinstance(content, DetachedTimestamp):
        return
    for attestation in content.attestations:
        if not isinstance(attestation, EvmAttestation):
            continue
        for proof in (attestation.transaction, attestation.receipt, attestation.storage):
            if proof is not None:
                with contextlib.suppress(FormatError):
                    yield attestation.chain_id, parse_evm_header(proof.header).number
