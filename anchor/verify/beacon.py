"""Step 13.7: from when on could a record's beacon be known?

A beacon is a value that nobody could know before a time. It stands in the open part of a record, so
inside the bytes that hash to the digest: the record was not made earlier. It bounds the record, not
what a file shows.

The value is believed as far as the policy or its sources know the block: a header alone costs
nothing. Bitcoin: the header's time minus two hours, as a miner may date a block that much too late.
EVM ``l1``: minus twelve seconds. A sequencer of an ``l2`` chooses hash and time, so that its blocks
are no beacons. drand: the time of the round, where the signature that the record or a source gives
is by the network's key, or the policy's sources agree on the value.

Specification: ``docs/spec/verification.md``, step 13.7.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from anchor.errors import AttestationError, FormatError
from anchor.formats.bitcoin import display_hex, parse_header
from anchor.formats.drand import MAX_ROUND, QUICKNET, DrandRound, randomness_of, signed_message
from anchor.formats.evm import EvmHeader, parse_evm_header
from anchor.proof.drand_policy import TrustedDrand
from anchor.proof.policy import Policy, TrustedBitcoin
from anchor.records.record import Beacon
from anchor.verify.bitcoin import FoundBlock, bitcoin_claims, find_block
from anchor.verify.evm import block_time, canonical_by
from anchor.verify.known import KnownFacts
from anchor.verify.verdict import BeaconVerdict, Status

_BITCOIN_TOLERANCE: Final = timedelta(hours=2)
_L1_TOLERANCE_S: Final = 12
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
        f"Bitcoin block {height}, minus 2 hours",
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
        f"block {beacon.number} of {chain.name}, minus {tolerance_s} seconds",
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


def _drand(beacon: Beacon, policy: Policy, known: KnownFacts) -> BeaconVerdict:
    chain_hash = beacon.chain_hash or QUICKNET
    network = policy.drand_network(chain_hash)
    if network is None:
        why = f"the policy does not know the drand network {chain_hash.hex()}"
        return BeaconVerdict(beacon, Status.NOT_CHECKED, why, "beacon.chain_unknown")
    if beacon.signature is not None and randomness_of(beacon.signature) != beacon.value:
        raise AttestationError(
            "the beacon's value is not the SHA-256 of its signature", code="beacon.randomness"
        )
    confirmed_by = _drand_confirmed_by(beacon, network, known)
    if confirmed_by is not None:
        what = f"drand {network.name} round {beacon.number}"
        time = network.genesis + (beacon.number - 1) * network.period_s
        event = f"{what} was published ({confirmed_by})"
        return _verified(beacon, block_time(time, 0), what, event, test=False)
    if beacon.signature is not None:
        why = "its signature was not checked: that needs the extra drand (vestige[drand])"
        if known.drand_verifier is not None:
            why = "its signature can not be checked without the one of the round before"
        return BeaconVerdict(beacon, Status.NOT_CHECKED, why, "beacon.signature_unchecked")
    return _not_checked(beacon, known_block=False)


def _drand_confirmed_by(beacon: Beacon, network: TrustedDrand, known: KnownFacts) -> str | None:
    """Return who says that the round has the beacon's value, a signature first; or None.

    Raises:
        AttestationError: the round has another value, or the beacon's own signature is false.
    """
    place = (network.chain_hash, beacon.number)
    if not 1 <= beacon.number <= MAX_ROUND:
        return None
    signed_by = "signed by the key that the policy names"
    supplied = known.drand_rounds.get(place)
    if supplied is not None and _is_signed(supplied, network, known):
        _same(beacon, supplied.randomness, signed_by)
        return signed_by
    if beacon.signature is not None:
        own = DrandRound(beacon.number, beacon.signature, beacon.previous_signature)
        signed = _is_signed(own, network, known)
        if signed is False:
            raise AttestationError(
                f"the signature of round {beacon.number} is not by drand {network.name}",
                code="beacon.signature",
            )
        if signed:
            return signed_by
    confirmed = known.drand.get(place)
    if confirmed is None:
        return None
    by = f"confirmed by {confirmed.confirmed_by}"
    _same(beacon, confirmed.block_hash, by)
    return by


def _same(beacon: Beacon, value: bytes, by: str) -> None:
    if value != beacon.value:
        raise AttestationError(
            f"drand round {beacon.number} is {value.hex()} ({by})", code="beacon.not_on_chain"
        )


def _is_signed(found: DrandRound, network: TrustedDrand, known: KnownFacts) -> bool | None:
    """Return whether the network signed the round; None where that can not be found out here."""
    if known.drand_verifier is None:
        return None
    try:
        message = signed_message(network.scheme, found.number, found.previous_signature)
    except FormatError:
        return None
    verify = known.drand_verifier.verify
    return verify(network.scheme, network.public_key, message, found.signature)


def _verified(
    beacon: Beacon, time: datetime, what: str, event: str, *, test: bool
) -> BeaconVerdict:
    return BeaconVerdict(
        beacon,
        Status.VERIFIED,
        what,
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
