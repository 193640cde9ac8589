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
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from anchor.errors import AttestationError, FormatError, LimitExceededError
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
from anchor.verify.archive import archived_run
from anchor.verify.known import KnownFacts
from anchor.verify.verdict import Judgement, LazyLines, Status, Step

_BY_ARCHIVE = "header archive, policy checkpoint"
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
                raise LimitExceededError(
                    f"more than {MAX_OTS_BITCOIN_ATTESTATIONS} Bitcoin attestations in one tree",
                    code="ots.bitcoin_attestations",
                )
            judged.append(_judge_path(path, path.attestation.height, context))
        elif isinstance(path.attestation, PendingAttestation):
            pending.append(path.attestation.uri)
        else:
            unknown += 1
    verified = [j for j in judged if j.attested_time is not None]
    if verified:
        return min(verified, key=lambda j: j.attested_time or datetime.max.replace(tzinfo=UTC))
    return judged[0] if judged else _without_block(pending, unknown, by)


def _without_block(pending: Sequence[str], unknown: int, by: str) -> Judgement:
    """Judge a tree that leads to no block: by what is promised, or by what cannot be read."""
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
    """What all paths of one tree are judged with; ``start`` is the tree's message.

    Several paths may end at one block, which is looked for once.
    """

    start: bytes
    runs: Mapping[int, HeaderRun]
    bitcoin: TrustedBitcoin
    known: KnownFacts
    by: str
    blocks: dict[int, FoundBlock | None] = field(default_factory=dict)

    def block(self, height: int) -> FoundBlock | None:
        """Return the block at a height; raises as :func:`find_block`."""
        if height not in self.blocks:
            run = self.runs.get(height) or self.known.headers.get(height)
            self.blocks[height] = find_block(height, run, self.bitcoin, self.known)
        return self.blocks[height]


@dataclass(frozen=True, slots=True)
class FoundBlock:
    """A block's header, with what follows it, and who says that it is canonical, if anybody.

    ``not_earlier`` is the time (Unix seconds) of a checkpoint below it, where one is known.
    """

    headers: tuple[BitcoinHeader, ...]
    confirmed_by: str | None
    not_earlier: int = 0


def _judge_path(path: Path, height: int, context: _Context) -> Judgement:
    title = f"operations to Bitcoin block {height}"
    lines = LazyLines(lambda: path_lines(context.start, path))
    base = Judgement(
        Status.NOT_CHECKED,
        f"block {height} must have the merkle root {display_hex(path.message)}; "
        "its header was not given",
        "bitcoin.header_missing",
        precision="day",
        by=context.by,
        steps=(Step("7.1", title, lines),),
    )
    block = context.block(height)
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
    bound, tolerance = _bound(block)
    lines = LazyLines(lambda: [f"{h.raw.hex()} time {h.time}" for h in block.headers])
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


def _bound(block: FoundBlock) -> tuple[datetime, int]:
    """Return the upper bound and the seconds added (step 7.4)."""
    if len(block.headers) > BITCOIN_SUCCESSORS:
        latest, tolerance = max(header.time for header in block.headers), _SUCCESSORS_TOLERANCE
    else:
        latest, tolerance = block.headers[0].time, _LONE_HEADER_TOLERANCE
    time = datetime.fromtimestamp(max(latest, block.not_earlier), UTC)
    return time + tolerance, int(tolerance.total_seconds())


def find_block(
    height: int, run: HeaderRun | None, bitcoin: TrustedBitcoin, known: KnownFacts
) -> FoundBlock | None:
    """Return the block at a height, with those after it that are known to follow (step 7.3).

    The block is the proof's where it has one, else the archive's. Those after it come from whoever
    shows most of them: the proof, what was supplied, or the archive. A successor that nothing
    confirms costs nothing to make up and does not count.

    Raises:
        AttestationError: the proof's block is not the one that a checkpoint, source or archive
            has at that height; or its successors alone lead away from one, and nothing else
            confirms the block.
        FormatError, AttestationError: the proof's headers cannot be read, do not link, or lack
            work.
    """
    archived = None
    if known.archive is not None:
        archived = archived_run(known.archive, height, bitcoin)
    shown = archived.headers if archived else ()
    not_earlier = archived.not_earlier if archived else 0
    if run is None:
        return FoundBlock(shown, _BY_ARCHIVE, not_earlier) if shown else None
    headers = tuple(parse_header(raw) for raw in run.headers)
    verify_header_chain(headers)
    claims = bitcoin_claims(height, 1 + BITCOIN_SUCCESSORS, bitcoin, known)
    # The successors of an archive's block count with it.
    claims += [(offset, header.block_hash, _BY_ARCHIVE) for offset, header in enumerate(shown)]
    by_itself = any(offset == 0 for offset, _, _ in claims)
    for offset, block_hash, who in claims:
        within = offset == 0 if by_itself else offset < len(headers)
        if within and headers[offset].block_hash != block_hash:
            raise AttestationError(
                f"block {height + offset} is {display_hex(block_hash)} ({who}), the proof's header "
                f"is {display_hex(headers[offset].block_hash)}",
                code="bitcoin.block_not_on_chain",
            )
    supplied = _supplied_run(height, headers[0], known)
    best = max((_confirmed(each, claims) for each in (headers, supplied, shown)), key=len)
    if not best:
        return FoundBlock(headers, None)
    return FoundBlock(best, min(claims, key=lambda claim: claim[0])[2], not_earlier)


def _supplied_run(
    height: int, block: BitcoinHeader, known: KnownFacts
) -> tuple[BitcoinHeader, ...]:
    """Return the headers supplied from outside for that block; none if they do not belong to it."""
    run = known.headers.get(height)
    try:
        headers = tuple(parse_header(raw) for raw in run.headers) if run else ()
        if headers:
            verify_header_chain(headers)
    except (AttestationError, FormatError):
        return ()
    return headers if headers[:1] == (block,) else ()


def _confirmed(
    headers: tuple[BitcoinHeader, ...], claims: Sequence[tuple[int, bytes, str]]
) -> tuple[BitcoinHeader, ...]:
    """Cut a run behind the last header that is known, and before the first that is another."""
    end = min(
        (o for o, h, _ in claims if o < len(headers) and headers[o].block_hash != h),
        default=len(headers),
    )
    known = [offset for offset, _, _ in claims if offset < min(end, len(headers))]
    return headers[: max(known, default=-1) + 1]


def bitcoin_claims(
    height: int, count: int, bitcoin: TrustedBitcoin, known: KnownFacts
) -> list[tuple[int, bytes, str]]:
    """Return what is believed of ``count`` blocks from a height on: offset, hash, who says so.

    What is known of a successor confirms the block too, since each header names the one before it.
    """
    claims = []
    checkpoints = {checkpoint.height: checkpoint.block_hash for checkpoint in bitcoin.checkpoints}
    for offset in range(count):
        if height + offset in checkpoints:
            claims.append((offset, checkpoints[height + offset], "checkpoint of the policy"))
        confirmed = known.bitcoin.get(height + offset)
        if confirmed is not None:
            claims.append((offset, confirmed.block_hash, f"confirmed by {confirmed.confirmed_by}"))
        archived = archived_run(known.archive, height + offset, bitcoin) if known.archive else None
        if archived is not None:
            claims.append((offset, archived.headers[0].block_hash, _BY_ARCHIVE))
    return claims


def path_lines(start: bytes, path: Path) -> list[str]:
    """Return one line an operation with its result, from the message that the tree starts at."""
    lines = []
    message = start
    for operation in path.ops:
        message = operation.apply(message)
        lines.append(f"{operation} = {message.hex()}")
    return lines
