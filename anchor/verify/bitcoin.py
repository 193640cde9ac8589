"""Step 7: OpenTimestamps operations that end at a Bitcoin block.

A path of operations leads from the root hash to a block's Merkle root. Work alone never verifies a
header, since a header names its own target. The block must be known to lie on the chain meant: a
checkpoint of the policy, an ancestor of one within the headers saved, a block that a source of the
policy confirms, or a block of a header archive that passes through the policy's checkpoints with at
least its minimum total work (step 7.3).

The bound is the latest time among the header and the six after it plus two hours, because a miner
may set a header's time up to two hours ahead of the network; without six successors it is the
header's time plus 24 hours (step 7.4). Bitcoin times are honest to the day only.

Specification: ``docs/spec/verification.md``, step 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from anchor.errors import AttestationError, LimitExceededError
from anchor.formats.bitcoin import (
    BitcoinHeader,
    display_hex,
    parse_header,
    verify_header_chain,
)
from anchor.formats.ots.attestation import BitcoinAttestation, PendingAttestation
from anchor.formats.ots.codec import parse_tree
from anchor.formats.ots.timestamp import Path, Timestamp
from anchor.limits import BITCOIN_SUCCESSORS, MAX_OTS_BITCOIN_ATTESTATIONS
from anchor.proof.policy import Policy, TrustedBitcoin
from anchor.proof.proof import HeaderRun, OpenTimestampsAttestation
from anchor.verify.archive import archived_block
from anchor.verify.known import KnownFacts
from anchor.verify.verdict import Judgement, Status, Step

_SUCCESSORS_TOLERANCE = timedelta(hours=2)
_LONE_HEADER_TOLERANCE = timedelta(hours=24)


def judge_opentimestamps(
    attestation: OpenTimestampsAttestation, policy: Policy, known: KnownFacts
) -> Judgement:
    """Judge one calendar's tree.

    Raises:
        AttestationError: a path to a block does not end at that block's Merkle root.
        FormatError: the tree or a header cannot be read.
    """
    tree = parse_tree(attestation.tree, attestation.root_hash)
    runs = {run.height: run for run in attestation.headers}
    return judge_tree(tree, runs, policy, known, by=attestation.calendar)


def judge_tree(
    tree: Timestamp,
    runs: Mapping[int, HeaderRun],
    policy: Policy,
    known: KnownFacts,
    *,
    by: str,
) -> Judgement:
    """Judge an OpenTimestamps tree: false before verified, verified before not checked.

    Raises:
        AttestationError, FormatError: as :func:`judge_opentimestamps`.
    """
    context = _Context(tree.message, runs, policy.bitcoin, known, by)
    judged: list[Judgement] = []
    pending: list[str] = []
    unknown = 0
    for path in tree.paths():
        if isinstance(path.attestation, BitcoinAttestation):
            if len(judged) >= MAX_OTS_BITCOIN_ATTESTATIONS:
                raise LimitExceededError("more Bitcoin attestations in one tree than are judged")
            judged.append(_judge_path(path, path.attestation.height, context))
        elif isinstance(path.attestation, PendingAttestation):
            pending.append(path.attestation.uri)
        else:
            unknown += 1
    verified = [j for j in judged if j.attested_time is not None]
    if verified:
        return min(verified, key=lambda j: j.attested_time or datetime.max.replace(tzinfo=UTC))
    if judged:
        return judged[0]
    if pending:
        return Judgement(
            Status.PENDING,
            f"promised by {', '.join(sorted(set(pending)))}; usually within 12 hours",
            "bitcoin.pending",
            precision="day",
            by=by,
        )
    return Judgement(
        Status.NOT_CHECKED,
        f"{unknown} attestation(s) of a kind that is not known",
        "ots.attestation_unknown",
        by=by,
    )


@dataclass(frozen=True, slots=True)
class _Context:
    """What all paths of one tree are judged with; ``start`` is the tree's message."""

    start: bytes
    runs: Mapping[int, HeaderRun]
    bitcoin: TrustedBitcoin
    known: KnownFacts
    by: str


@dataclass(frozen=True, slots=True)
class FoundBlock:
    """A block's header, with what follows it, and who says that it is canonical, if anybody."""

    headers: tuple[BitcoinHeader, ...]
    confirmed_by: str | None


def _judge_path(path: Path, height: int, context: _Context) -> Judgement:
    title, lines = f"operations to Bitcoin block {height}", path_lines(context.start, path)
    base = Judgement(
        Status.NOT_CHECKED,
        f"block {height} must have the merkle root {display_hex(path.message)}; "
        "its header was not given",
        "bitcoin.header_missing",
        precision="day",
        by=context.by,
        steps=(Step("7.1", title, tuple(lines)),),
    )
    run = context.runs.get(height) or context.known.headers.get(height)
    block = find_block(height, run, context.bitcoin, context.known)
    if block is None:
        return base
    if path.message != block.headers[0].merkle_root:
        raise AttestationError(
            f"the path ends at {display_hex(path.message)}, the merkle root of block {height} is "
            f"{display_hex(block.headers[0].merkle_root)}",
            code="bitcoin.merkle_root_mismatch",
        )
    if path.uses_sha1:
        return replace(
            base,
            reason="the path uses SHA-1, for which two files can be made to agree",
            code="ots.sha1",
        )
    return _judge_block(block, height, context.bitcoin, base)


def _judge_block(
    block: FoundBlock, height: int, bitcoin: TrustedBitcoin, base: Judgement
) -> Judgement:
    """Say what a block that the path ends at is worth (steps 7.3 and 7.4)."""
    shown = display_hex(block.headers[0].block_hash)
    bound, tolerance = _bound(block.headers)
    lines = tuple(f"{header.raw.hex()} time {header.time}" for header in block.headers)
    steps = (*base.steps, Step("7.2", f"block {height} {shown}", lines))
    if block.confirmed_by is None:
        return replace(
            base,
            reason=f"matches a supplied header: block {height}, {shown}; "
            "nothing here says that it is on the chain",
            code="bitcoin.header_supplied",
            potential_time=bound,
            tolerance_s=tolerance,
            steps=steps,
        )
    test = "; a test network shows nothing to anybody else" if bitcoin.network != "main" else ""
    return replace(
        base,
        status=Status.VERIFIED,
        reason=f"in Bitcoin block {height}",
        code="bitcoin.verified",
        attested_time=bound,
        tolerance_s=tolerance,
        trust=f"believe that block {height} is on the Bitcoin chain ({block.confirmed_by}){test}",
        headline=bitcoin.headline,
        steps=steps,
    )


def _bound(headers: Sequence[BitcoinHeader]) -> tuple[datetime, int]:
    """Return the upper bound and the seconds added (step 7.4)."""
    if len(headers) > BITCOIN_SUCCESSORS:
        latest, tolerance = max(header.time for header in headers), _SUCCESSORS_TOLERANCE
    else:
        latest, tolerance = headers[0].time, _LONE_HEADER_TOLERANCE
    return datetime.fromtimestamp(latest, UTC) + tolerance, int(tolerance.total_seconds())


def find_block(
    height: int, run: HeaderRun | None, bitcoin: TrustedBitcoin, known: KnownFacts
) -> FoundBlock | None:
    """Return the block at a height from the saved headers or the archive (step 7.3).

    Raises:
        AttestationError: the saved header is not the block that a checkpoint, source or archive
            has at that height.
        FormatError, AttestationError: the headers cannot be read, do not link, or lack work.
    """
    archived = None
    if known.archive is not None and height >= known.archive.first_height:
        archived = archived_block(known.archive, height, bitcoin)
    if run is None:
        return FoundBlock(archived, "header archive, policy checkpoint") if archived else None
    headers = tuple(parse_header(raw) for raw in run.headers)
    verify_header_chain(headers)
    claims = bitcoin_claims(height, len(headers), bitcoin, known)
    if archived:
        claims.append((0, archived[0].block_hash, "header archive, policy checkpoint"))
    for offset, block_hash, who in claims:
        if headers[offset].block_hash != block_hash:
            raise AttestationError(
                f"block {height + offset} is {display_hex(block_hash)} ({who}), the proof's header "
                f"is {display_hex(headers[offset].block_hash)}",
                code="bitcoin.block_not_on_chain",
            )
    if not claims:
        return FoundBlock(headers, None)
    # A successor past what is confirmed costs nothing to make up: it must not shorten the bound.
    confirmed = max(offset for offset, _, _ in claims)
    return FoundBlock(headers[: confirmed + 1], claims[0][2])


def bitcoin_claims(
    height: int, count: int, bitcoin: TrustedBitcoin, known: KnownFacts
) -> list[tuple[int, bytes, str]]:
    """Return what is believed of ``count`` blocks from a height on: offset, hash, who says so.

    A checkpoint among the successors confirms the block too, since each header names the one
    before it.
    """
    claims = []
    checkpoints = {checkpoint.height: checkpoint.block_hash for checkpoint in bitcoin.checkpoints}
    for offset in range(count):
        if height + offset in checkpoints:
            claims.append((offset, checkpoints[height + offset], "checkpoint of the policy"))
        confirmed = known.bitcoin.get(height + offset)
        if confirmed is not None:
            claims.append((offset, confirmed.block_hash, f"confirmed by {confirmed.confirmed_by}"))
    return claims


def path_lines(start: bytes, path: Path) -> list[str]:
    """Return one line an operation with its result, from the message that the tree starts at."""
    lines = []
    message = start
    for operation in path.ops:
        message = operation.apply(message)
        lines.append(f"{operation} = {message.hex()}")
    return lines
