"""Step 7.3, header archives: is a block on a chain through the policy's checkpoints?

An archive is a run of consecutive headers. It is believed from a checkpoint of the policy on: each
header links to the one before, meets its own target, and has the target that the retargeting rule
demands; so leaving the real chain costs real work. The total work at the archive's end must reach
the policy's minimum. Between two checkpoints the hashes decide alone.

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


def archived_block(archive: HeaderArchive, height: int) -> tuple[BitcoinHeader, ...] | None:
    """Return the block at a height and up to six after it, or None if the archive lacks it.

    The archive must have passed :func:`verify_archive`.
    """
    if archive.header(height) is None:
        return None
    run = (archive.header(height + offset) for offset in range(1 + BITCOIN_SUCCESSORS))
    return tuple(parse_header(item) for item in run if item is not None)


@functools.lru_cache(maxsize=4)
def verify_archive(archive: HeaderArchive, bitcoin: TrustedBitcoin) -> None:
    """Check that an archive lies on the chain that the policy means.

    Raises:
        FormatError: it does not start at a checkpoint, breaks a link, a target or a checkpoint, or
            has too little work in all. The fault is the archive's, not that of any proof.
    """
    checkpoints = {checkpoint.height: checkpoint for checkpoint in bitcoin.checkpoints}
    start = checkpoints.get(archive.first_height)
    if start is None or (bitcoin.network == "main" and start.height % _PERIOD_BLOCKS):
        raise FormatError(
            f"the header archive starts at block {archive.first_height}, which is no checkpoint "
            "of the policy at the start of a difficulty period",
            code="bitcoin.archive_start",
            hint=_starts_hint(bitcoin),
        )
    previous = period_start = _header(archive, archive.first_height)
    if previous.block_hash != start.block_hash:
        raise _off_chain(start.height, previous, start.block_hash)
    work = start.chain_work
    for height in range(archive.first_height + 1, archive.first_height + archive.count):
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
        checkpoint = checkpoints.get(height)
        if checkpoint is not None and checkpoint.block_hash != header.block_hash:
            raise _off_chain(height, header, checkpoint.block_hash)
        work += header.work
        previous = header
    if work < bitcoin.minimum_chain_work:
        raise FormatError(
            f"the archive ends at a total work of {work:x}, the policy wants "
            f"{bitcoin.minimum_chain_work:x}",
            code="bitcoin.archive_work",
        )


def _header(archive: HeaderArchive, height: int) -> BitcoinHeader:
    return parse_header(archive.header(height) or b"")


def _check_target(
    height: int, header: BitcoinHeader, previous: BitcoinHeader, period_start: BitcoinHeader
) -> None:
    bits = previous.bits
    if height % _PERIOD_BLOCKS == 0:
        elapsed = previous.time - period_start.time
        elapsed = min(max(elapsed, _PERIOD_S // 4), _PERIOD_S * 4)
        bits = bits_from_target(min(previous.target * elapsed // _PERIOD_S, _MAX_TARGET))
    if header.bits != bits:
        raise FormatError(
            f"block {height} has target {header.bits:08x}, the retargeting rule wants {bits:08x}",
            code="bitcoin.archive_target",
        )


def _off_chain(height: int, header: BitcoinHeader, wanted: bytes) -> FormatError:
    return FormatError(
        f"block {height} of the archive is {display_hex(header.block_hash)}, "
        f"the policy's checkpoint is {display_hex(wanted)}",
        code="bitcoin.archive_checkpoint",
    )


def _starts_hint(bitcoin: TrustedBitcoin) -> str:
    heights = [c.height for c in bitcoin.checkpoints if c.height % _PERIOD_BLOCKS == 0]
    return f"start it at block {heights[-1]}" if heights else "the policy has no such checkpoint"
