"""Step 13.7: from when on could a record's beacon be known?

A beacon is a value that nobody could know before a time. It stands in the open part of a record, so
inside the bytes that hash to the digest: the record was not made earlier. It bounds the record, not
what a file shows.

The value is believed as far as the policy or its sources know the block: a header alone costs
nothing. Bitcoin: the header's time minus two hours, as a miner may date a block that much too late.
EVM ``l1``: minus twelve seconds. A sequencer of an ``l2`` chooses hash and time, so that its blocks
are no beacons. drand quicknet: the time of the round.

Specification: ``docs/spec/verification.md``, step 13.7.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from anchor.errors import AttestationError, FormatError
from anchor.formats.bitcoin import display_hex, parse_header
from anchor.formats.evm import EvmHeader, parse_evm_header
from anchor.proof.policy import Policy, TrustedBitcoin
from anchor.records.record import Beacon
from anchor.verify.bitcoin import FoundBlock, bitcoin_claims, find_block
from anchor.verify.evm import block_time, canonical_by
from anchor.verify.known import KnownFacts
from anchor.verify.verdict import BeaconVerdict, Status

_BITCOIN_TOLERANCE: Final = timedelta(hours=2)
_L1_TOLERANCE_S: Final = 12
_QUICKNET_GENESIS: Final = datetime.fromtimestamp(1_692_803_367, UTC)
_QUICKNET_PERIOD: Final = timedelta(seconds=3)
_MAX_ROUND: Final = 10**10
_TEST: Final = "; a test network shows nothing to anybody else"


def judge_beacon(beacon: Beacon, policy: Policy, known: KnownFacts) -> BeaconVerdict:
    """Judge one beacon: failed where what is known at its place is another value."""
    judge = {"bitcoin": _bitcoin, "evm": _evm, "drand": _drand}[beacon.source]
    try:
        return judge(beacon, policy, known)
    except AttestationError as error:
        return BeaconVerdict(beacon, Status.FAILED, error.message, error.code)


def _bitcoin(beacon: Beacon, policy: Policy, known: KnownFacts) -> BeaconVerdict:
    height, block_hash, bitcoin = beacon.number, beacon.value[::-1], policy.bitcoin
    found = _bitcoin_block(height, block_hash, bitcoin, known)
    claims = [(claimed, by) for _, claimed, by in bitcoin_claims(height, 1, bitcoin, known)]
    if found is not None and found.confirmed_by is not None:
        claims.append((found.headers[0].block_hash, found.confirmed_by))
    for claimed, by in claims:
        if claimed != block_hash:
            raise AttestationError(
                f"Bitcoin block {height} is {display_hex(claimed)} ({by})",
                code="beacon.not_on_chain",
            )
    if found is None or not claims:
        return _not_checked(beacon, known_block=bool(claims))
    return _verified(
        beacon,
        datetime.fromtimestamp(found.headers[0].time, UTC) - _BITCOIN_TOLERANCE,
        f"Bitcoin block {height} was mined ({claims[0][1]})",
        test=bitcoin.network != "main",
    )


def _bitcoin_block(
    height: int, block_hash: bytes, bitcoin: TrustedBitcoin, known: KnownFacts
) -> FoundBlock | None:
    """Return the block with its header; headers supplied that are of another block do not count."""
    run = known.headers.get(height)
    try:
        if run is not None and parse_header(run.headers[0]).block_hash == block_hash:
            return find_block(height, run, bitcoin, known)
    except (AttestationError, FormatError):
        pass  # what was supplied does not hold together, or is not on the archive's chain
    return find_block(height, None, bitcoin, known)


def _evm(beacon: Beacon, policy: Policy, known: KnownFacts) -> BeaconVerdict:
    chain = policy.chain(beacon.chain_id or 0)
    if chain is None:
        why = f"the policy does not know chain {beacon.chain_id}"
        return BeaconVerdict(beacon, Status.NOT_CHECKED, why, "beacon.chain_unknown")
    if chain.chain_class == "l2":
        why = f"the sequencer {chain.sequencer} chooses the hashes and times of {chain.name}"
        return BeaconVerdict(beacon, Status.NOT_CHECKED, why, "beacon.sequencer")
    try:
        confirmed_by = canonical_by(beacon.number, beacon.value, chain, known)
    except AttestationError as error:
        raise AttestationError(error.message, code="beacon.not_on_chain") from error
    header = _evm_header(known.evm_headers.get((chain.chain_id, beacon.number)), beacon)
    if header is None or confirmed_by is None:
        return _not_checked(beacon, known_block=confirmed_by is not None)
    tolerance_s = _L1_TOLERANCE_S if chain.chain_class == "l1" else chain.tolerance_s
    return _verified(
        beacon,
        block_time(header.time, -tolerance_s),
        f"block {beacon.number} of {chain.name} was made ({confirmed_by})",
        test=chain.chain_class == "test",
    )


def _evm_header(raw: bytes | None, beacon: Beacon) -> EvmHeader | None:
    """Return the header of the block that the beacon names; another one does not count."""
    try:
        header = None if raw is None else parse_evm_header(raw)
    except FormatError:
        return None
    if header is None or (header.block_hash, header.number) != (beacon.value, beacon.number):
        return None
    return header


def _drand(beacon: Beacon, _policy: Policy, known: KnownFacts) -> BeaconVerdict:
    confirmed = known.drand.get(beacon.number)
    if confirmed is None or not 1 <= beacon.number <= _MAX_ROUND:
        return _not_checked(beacon, known_block=False)
    if confirmed.block_hash != beacon.value:
        raise AttestationError(
            f"drand round {beacon.number} is {confirmed.block_hash.hex()} "
            f"(confirmed by {confirmed.confirmed_by})",
            code="beacon.not_on_chain",
        )
    return _verified(
        beacon,
        _QUICKNET_GENESIS + (beacon.number - 1) * _QUICKNET_PERIOD,
        f"drand round {beacon.number} was published (confirmed by {confirmed.confirmed_by})",
        test=False,
    )


def _verified(beacon: Beacon, time: datetime, event: str, *, test: bool) -> BeaconVerdict:
    return BeaconVerdict(
        beacon,
        Status.VERIFIED,
        f"names {beacon.source} {beacon.number}",
        "beacon.verified",
        time,
        f"believe that nobody knew that value before {event}{_TEST if test else ''}",
    )


def _not_checked(beacon: Beacon, *, known_block: bool) -> BeaconVerdict:
    what = f"{beacon.source} {beacon.number}"
    if known_block:
        why = f"the value of {what} is the one known, but its header, with the time, was not given"
        return BeaconVerdict(beacon, Status.NOT_CHECKED, why, "beacon.header_missing")
    why = f"nothing here says that {what} has that value"
    return BeaconVerdict(beacon, Status.NOT_CHECKED, why, "beacon.unconfirmed")
