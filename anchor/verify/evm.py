"""Step 6: the root hash in a block of an EVM chain.

A transaction or receipt proof shows the root hash inside a block and gives that header's time; no
contract has to be believed. A storage proof gives the stored time only where address and proven
code hash are the policy's, else the time of the header that it is proven under (step 6.3).

After the Merge a header carries no work, so a header by itself is only *a supplied header*: its
hash must be pinned by the policy, or confirmed by a source of the policy (step 6.4).

Specification: ``docs/spec/verification.md``, step 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from anchor.errors import AttestationError
from anchor.formats.evm import (
    EvmHeader,
    parse_evm_header,
    verify_account_proof,
    verify_receipt_proof,
    verify_registry_proof,
    verify_transaction_proof,
)
from anchor.proof.policy import Policy, TrustedChain
from anchor.proof.proof import EvmAttestation, IndexedTrieProof, StorageTrieProof
from anchor.verify.known import KnownFacts
from anchor.verify.verdict import Judgement, LazyLines, Status, Step

# A header's time has 64 bits; a date ends with the year 9999, and a tolerance is added.
_LAST_TIME: Final = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class _Bound:
    """A time that the evidence gives if ``header`` is canonical."""

    header: EvmHeader
    time: int
    step: Step


def judge_evm(attestation: EvmAttestation, policy: Policy, known: KnownFacts) -> Judgement:
    """Judge one EVM attestation.

    Raises:
        AttestationError: a trie proof is false, or does not hold the root hash.
        FormatError: a header, node or transaction cannot be read.
    """
    chain = policy.chain(attestation.chain_id)
    # (6.1 to 6.3) What the proofs show, if the headers that they start from are canonical.
    bounds = _bounds(attestation, chain)
    if not bounds:
        return _without_bound(attestation, chain)
    if chain is None:
        return Judgement(
            Status.NOT_CHECKED,
            f"the policy does not know chain {attestation.chain_id}",
            "evm.chain_unknown",
            by=_name(attestation, chain),
            steps=tuple(bound.step for bound in bounds),
        )
    # (6.4) Whether they are, by the policy or its sources.
    return _judge_headers(bounds, chain, known)


def _name(attestation: EvmAttestation, chain: TrustedChain | None) -> str:
    return chain.name if chain else f"chain {attestation.chain_id}"


def _without_bound(attestation: EvmAttestation, chain: TrustedChain | None) -> Judgement:
    name = _name(attestation, chain)
    if attestation.storage is not None:
        return Judgement(
            Status.NOT_CHECKED,
            "the contract is not the policy's, and how it stores is not known",
            "evm.contract_unknown",
            by=name,
        )
    return Judgement(Status.PENDING, "the transaction is not final yet", "evm.pending", by=name)


def _judge_headers(bounds: Sequence[_Bound], chain: TrustedChain, known: KnownFacts) -> Judgement:
    """Return the earliest bound whose header is canonical; raises as :func:`canonical_by`."""
    steps = tuple(bound.step for bound in bounds)
    standings = [
        (bound, canonical_by(bound.header.number, bound.header.block_hash, chain, known))
        for bound in bounds
    ]
    verified = [(bound, by) for bound, by in standings if by is not None]
    if not verified:
        earliest = min(bounds, key=lambda bound: bound.time)
        return Judgement(
            Status.NOT_CHECKED,
            f"matches a supplied header: block {earliest.header.number}, hash "
            f"{earliest.header.block_hash.hex()}; nothing here says that it is canonical",
            "evm.header_supplied",
            potential_time=block_time(earliest.time, chain.tolerance_s),
            tolerance_s=chain.tolerance_s,
            by=chain.name,
            steps=steps,
        )
    bound, confirmed_by = min(verified, key=lambda pair: pair[0].time)
    return Judgement(
        Status.VERIFIED,
        f"in block {bound.header.number}",
        "evm.verified",
        attested_time=block_time(bound.time, chain.tolerance_s),
        tolerance_s=chain.tolerance_s,
        trust=_trust(chain, bound.header, confirmed_by),
        headline=chain.headline,
        by=chain.name,
        steps=steps,
    )


def block_time(unix_time: int, tolerance_s: int) -> datetime:
    """Return a header's time with a tolerance added.

    Raises:
        AttestationError: no calendar has that time.
    """
    if unix_time > _LAST_TIME:
        raise AttestationError(f"the block's time {unix_time} is in no year", code="evm.time")
    return datetime.fromtimestamp(unix_time, UTC) + timedelta(seconds=tolerance_s)


def _trust(chain: TrustedChain, header: EvmHeader, confirmed_by: str) -> str:
    sentence = f"believe that block {header.number} is canonical ({confirmed_by})"
    if chain.chain_class == "l2":
        sentence += f", and the clock of its sequencer {chain.sequencer}"
    if chain.chain_class == "test":
        sentence += "; a test chain shows nothing to anybody else"
    return sentence


def canonical_by(
    number: int, block_hash: bytes, chain: TrustedChain, known: KnownFacts
) -> str | None:
    """Return who says that a block is canonical, or None if nobody does.

    Raises:
        AttestationError: a pinned or confirmed block at that height is another one.
    """
    pinned = dict(chain.pinned).get(number)
    confirmed = known.evm.get((chain.chain_id, number))
    claims = []
    if pinned is not None:
        claims.append((pinned, "pinned by the policy"))
    if confirmed is not None:
        claims.append((confirmed.block_hash, f"confirmed by {confirmed.confirmed_by}"))
    for canonical, by in claims:
        if canonical != block_hash:
            raise AttestationError(
                f"block {number} is {canonical.hex()} ({by}), not {block_hash.hex()}",
                code="evm.block_not_canonical",
            )
    return claims[0][1] if claims else None


def _bounds(attestation: EvmAttestation, chain: TrustedChain | None) -> list[_Bound]:
    bounds = []
    if attestation.transaction is not None:
        bounds.append(_transaction(attestation, attestation.transaction))
    if attestation.receipt is not None:
        bounds.append(_receipt(attestation, attestation.receipt))
    if attestation.storage is not None:
        bounds.extend(_storage(attestation, attestation.storage, chain))
    return bounds


def _transaction(attestation: EvmAttestation, proof: IndexedTrieProof) -> _Bound:
    header = parse_evm_header(proof.header)
    transaction = verify_transaction_proof(header, proof.index, proof.nodes)
    named = attestation.transaction_hash
    if named is not None and named != transaction.transaction_hash:
        raise AttestationError(
            "the proven transaction is not the one named", code="evm.transaction_mismatch"
        )
    if not transaction.holds(attestation.root_hash):
        raise AttestationError(
            "the transaction does not hold the root hash", code="evm.root_not_in_transaction"
        )
    lines = LazyLines(
        lambda: (
            f"block {header.number}, keccak-256 of its header {header.block_hash.hex()}",
            f"transaction 0x{transaction.transaction_hash.hex()} at index {proof.index}",
        )
    )
    return _Bound(header, header.time, Step("6.1", "the transaction holds the root hash", lines))


def _receipt(attestation: EvmAttestation, proof: IndexedTrieProof) -> _Bound:
    header = parse_evm_header(proof.header)
    receipt = verify_receipt_proof(header, proof.index, proof.nodes)
    if not receipt.holds(attestation.root_hash):
        raise AttestationError(
            "no event of the receipt holds the root hash", code="evm.root_not_in_receipt"
        )
    lines = (f"block {header.number}, receipt at index {proof.index}",)
    return _Bound(header, header.time, Step("6.2", "an event holds the root hash", lines))


def _storage(
    attestation: EvmAttestation, proof: StorageTrieProof, chain: TrustedChain | None
) -> list[_Bound]:
    """Return the bound that the storage gives; none if the contract is one that is not known.

    How a strange contract lays out its storage is not known, so that what does not fit our layout
    shows nothing and is not called false.
    """
    header = parse_evm_header(proof.header)
    account = verify_account_proof(header, attestation.contract, proof.account_nodes)
    known = next(
        (
            contract
            for contract in (chain.contracts if chain else ())
            if contract.address == attestation.contract and contract.code_hash == account.code_hash
        ),
        None,
    )
    map_slot = known.map_slot if known else 0
    try:
        record = verify_registry_proof(
            account, map_slot, attestation.root_hash, proof.storage_nodes
        )
    except AttestationError:
        if known is None:
            return []
        raise
    if known is None or record.time > header.time:
        time = header.time
        line = f"block {header.number}; the contract is not the policy's, its own time is not used"
    else:
        time = record.time
        line = f"block {header.number}; the policy's contract stored the time {time}"
    return [_Bound(header, time, Step("6.3", "the storage holds the root hash", (line,)))]
