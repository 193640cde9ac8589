"""Ask the policy's sources, and nobody else, about the blocks that evidence names.

Nothing in the evidence says where to ask: heights and numbers are taken from it, addresses from the
policy alone. What comes back is handed to the judge as known facts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Generic, TypeVar

from anchor.backends.bitcoin_headers import AgreeingSources, EsploraHeaders
from anchor.backends.evm_headers import AgreeingEvmSources, RpcEvmHeaders
from anchor.errors import ConfigError, FormatError, VestigeError
from anchor.formats.bitcoin import parse_header
from anchor.formats.evm import parse_evm_header
from anchor.formats.ots.attestation import BitcoinAttestation
from anchor.formats.ots.codec import DetachedTimestamp, parse_tree
from anchor.formats.ots.timestamp import Timestamp
from anchor.limits import BITCOIN_SUCCESSORS
from anchor.ports import BitcoinHeaderSource, EvmHeaderSource
from anchor.proof.policy import Policy, TrustedChain
from anchor.proof.proof import EvmAttestation, HeaderRun, OpenTimestampsAttestation, Proof
from anchor.verify.known import ConfirmedBlock, KnownFacts

K = TypeVar("K")
T = TypeVar("T")

# Evidence that names more blocks than this is not a proof but a way to make others' servers work.
_MAX_BLOCKS: Final = 64


class OnlineFacts:
    """Confirms blocks with the sources of one policy; each block is asked for once.

    Args:
        policy: whose sources are asked.
        bitcoin: stands in for the policy's Bitcoin sources in tests.
        evm: stands in for the sources of a chain in tests.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        bitcoin: BitcoinHeaderSource | None = None,
        evm: Callable[[TrustedChain], EvmHeaderSource | None] | None = None,
    ) -> None:
        self._policy = policy
        self._bitcoin = bitcoin or bitcoin_source_of(policy)
        make_evm = evm or _evm_source
        self._evm = {chain.chain_id: make_evm(chain) for chain in policy.chains}
        self._runs: _Answers[int, HeaderRun] = _Answers()
        self._hashes: _Answers[tuple[int, int], bytes] = _Answers()

    def about(
        self, content: Proof | DetachedTimestamp, known: KnownFacts
    ) -> tuple[KnownFacts, list[VestigeError]]:
        """Return what is known with what the sources said, and what went wrong in asking."""
        failures: list[VestigeError] = []
        runs, blocks = self._ask_bitcoin(content, failures)
        evm = self._ask_evm(content, failures)
        return replace(known, bitcoin=blocks, evm=evm, headers=runs), failures

    def _ask_bitcoin(
        self, content: Proof | DetachedTimestamp, failures: list[VestigeError]
    ) -> tuple[dict[int, HeaderRun], dict[int, ConfirmedBlock]]:
        runs: dict[int, HeaderRun] = {}
        blocks: dict[int, ConfirmedBlock] = {}
        if self._bitcoin is None:
            return runs, blocks
        for height in sorted(set(_bitcoin_heights(content)))[:_MAX_BLOCKS]:
            run = self._runs.get(height, self._fetch_run, failures)
            if run is not None:
                runs[height] = run
                for number, raw in enumerate(run.headers, height):
                    block_hash = parse_header(raw).block_hash
                    blocks[number] = ConfirmedBlock(block_hash, self._bitcoin.name)
        return runs, blocks

    def _ask_evm(
        self, content: Proof | DetachedTimestamp, failures: list[VestigeError]
    ) -> dict[tuple[int, int], ConfirmedBlock]:
        confirmed: dict[tuple[int, int], ConfirmedBlock] = {}
        for block in sorted(set(_evm_blocks(content)))[:_MAX_BLOCKS]:
            source = self._evm.get(block[0])
            if source is not None:
                block_hash = self._hashes.get(block, self._fetch_hash, failures)
                if block_hash is not None:
                    confirmed[block] = ConfirmedBlock(block_hash, source.name)
        return confirmed

    def _fetch_hash(self, block: tuple[int, int]) -> bytes:
        source = self._evm[block[0]]
        if source is None:
            raise ConfigError(f"the policy names no source for chain {block[0]}")
        return source.fetch_block_hash(block[1])

    def _fetch_run(self, height: int) -> HeaderRun:
        if self._bitcoin is None:
            raise ConfigError("the policy names no Bitcoin source")
        return fetch_header_run(self._bitcoin, height)


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
