"""Step 7.3, header archives: up to which height is a run of headers the chain that is meant?

An archive starts at a checkpoint of the policy. Each header links to the one before, meets its own
target, and has the target that the retargeting rule demands, so that leaving the real chain costs
real work. Up to the last checkpoint that the archive passes, the hashes decide alone. Beyond it the
archive is believed only if its total work reaches the policy's minimum.

Where the archive starts inside a difficulty period, the time of the period's first block is not
known; the first retarget is then held to the rule's own bound, a factor of four.

Regtest has no retargeting; only a test policy names it.

Specification: ``docs/spec/verification.md``, step 7.3; Bitcoin Core ``pow.cpp`` (retarget rule).
"""

from __future__ import annotations

import functools

from anchor.errors import FormatError
from anchor.formats.bitcoin import (
    BitcoinHeader,
    bits_from_target,
    display_hex,
    parse_header,
    verify_header_work,
)
from anchor.limits import BITCOIN_SUCCESSORS
from anchor.proof.policy import TrustedBitcoin
from anchor.verify.known import HeaderArchive

_PERIOD_BLOCKS = 2016
_PERIOD_S = 14 * 24 * 3600
_MAX_TARGET = 0xFFFF << 208


def archived_block(
    archive: HeaderArchive, height: int, bitcoin: TrustedBitcoin
) -> tuple[BitcoinHeader, ...] | None:
    """Return the block at a height and up to six after it, or None if the archive lacks it.

    Raises:
        FormatError: as :func:`settled_height`.
    """
    settled = settled_height(archive, bitcoin)
    if height > settled or archive.header(height) is None:
        return None
    heights = range(height, min(height + BITCOIN_SUCCESSORS, settled) + 1)
    return tuple(_header(archive, each) for each in heights)


@functools.lru_cache(maxsize=4)
def settled_height(archive: HeaderArchive, bitcoin: TrustedBitcoin) -> int:
    """Return the greatest height up to which the archive is believed.

    Raises:
        FormatError: it does not start at a checkpoint, breaks a link, a target or a checkpoint, or
            shows too little work. The fault is the archive's, not that of any proof.
    """
    checkpoints = {checkpoint.height: checkpoint for checkpoint in bitcoin.checkpoints}
    start = checkpoints.get(archive.first_height)
    if start is None:
        raise FormatError(
            f"the header archive starts at block {archive.first_height}, which is no checkpoint "
            "of the policy",
            code="bitcoin.archive_start",
            hint=f"the policy's checkpoints are {', '.join(map(str, checkpoints))}",
        )
    previous = _header(archive, archive.first_height)
    period_start = previous if start.height % _PERIOD_BLOCKS == 0 else None
    _check_checkpoint(previous, start.height, start.block_hash)
    work, settled = start.chain_work, start.height
    end = archive.first_height + archive.count - 1
    for height in range(start.height + 1, end + 1):
        header = _header(archive, height)
        if header.previous_hash != previous.block_hash:
            raise FormatError(
                f"block {height} of the archive does not follow block {height - 1}",
                code="bitcoin.archive_link",
            )
        if bitcoin.network == "main":
            _check_target(height, header, previous, period_start)
            if height % _PERIOD_BLOCKS == 0:
                period_start = header
        verify_header_work(header)
        work += header.work
        checkpoint = checkpoints.get(height)
        if checkpoint is not None:
            _check_checkpoint(header, height, checkpoint.block_hash)
            work, settled = checkpoint.chain_work or work, height
        previous = header
    if settled < end and work >= bitcoin.minimum_chain_work:
        settled = end
    return settled


def _header(archive: HeaderArchive, height: int) -> BitcoinHeader:
    return parse_header(archive.header(height) or b"")


def _check_target(
    height: int,
    header: BitcoinHeader,
    previous: BitcoinHeader,
    period_start: BitcoinHeader | None,
) -> None:
    if height % _PERIOD_BLOCKS:
        allowed = header.bits == previous.bits
    elif period_start is not None:
        elapsed = min(max(previous.time - period_start.time, _PERIOD_S // 4), _PERIOD_S * 4)
        target = min(previous.target * elapsed // _PERIOD_S, _MAX_TARGET)
        allowed = header.bits == bits_from_target(target)
    else:
        allowed = header.target <= min(previous.target * 4, _MAX_TARGET)
    if not allowed:
        raise FormatError(
            f"block {height} has a target that the retargeting rule forbids: {header.bits:08x}",
            code="bitcoin.archive_target",
        )


def _check_checkpoint(header: BitcoinHeader, height: int, wanted: bytes) -> None:
    if header.block_hash != wanted:
        raise FormatError(
            f"block {height} of the archive is {display_hex(header.block_hash)}, "
            f"the policy's checkpoint is {display_hex(wanted)}",
            code="bitcoin.archive_checkpoint",
        )
