"""Step 7.3, header archives: which of a run of headers are the chain that is meant?

An archive starts at a checkpoint of the policy. Each header links to the one before, meets its own
target, is dated after the median of the eleven before it, and has the target that the retargeting
rule demands, so that leaving the real chain costs real work. Up to the last checkpoint that the
archive passes, the hashes decide alone. Beyond it a block is believed only with six more on it, and
only if the archive's work, in all and from that checkpoint on, reaches the policy's minimum.

Where the archive starts inside a difficulty period, the time of the period's first block is not
known; the first retarget is then held to the rule's own bounds, a factor of four either way. Where
it starts less than eleven blocks before a header, that header's median is not known: so no block
beyond the last checkpoint gives a bound before the time of that checkpoint.

Regtest has no retargeting; only a test policy names it.

Specification: ``docs/spec/verification.md``, step 7.3; Bitcoin Core ``pow.cpp`` (retarget rule) and
``validation.cpp`` (median time).
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from anchor.errors import FormatError
from anchor.formats.bitcoin import (
    BitcoinHeader,
    bits_from_target,
    display_hex,
    parse_header,
    target_from_bits,
    verify_header_work,
)
from anchor.limits import BITCOIN_SUCCESSORS
from anchor.proof.policy import TrustedBitcoin
from anchor.verify.known import HeaderArchive

_PERIOD_BLOCKS = 2016
_PERIOD_S = 14 * 24 * 3600
_MAX_TARGET = 0xFFFF << 208
_MEDIAN_BLOCKS = 11


@dataclass(frozen=True, slots=True)
class ArchivedRun:
    """A block of the chain meant and up to six after it, from an archive.

    Attributes:
        headers: the block's own first.
        not_earlier: Unix seconds before which the block was not mined, whatever it says itself.
    """

    headers: tuple[BitcoinHeader, ...]
    not_earlier: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What of an archive is believed.

    Attributes:
        checkpoint: height of the last checkpoint that the archive passes.
        checkpoint_time: what that block's header says, Unix seconds.
        end: height of the last header that counts; ``checkpoint`` where those beyond it lack work.
    """

    checkpoint: int
    checkpoint_time: int
    end: int

    def holds(self, height: int) -> bool:
        """Tell whether the block at a height is believed."""
        return height <= self.checkpoint or height + BITCOIN_SUCCESSORS <= self.end


def archived_run(
    archive: HeaderArchive, height: int, bitcoin: TrustedBitcoin
) -> ArchivedRun | None:
    """Return the block at a height with those after it, or None if the archive does not show it.

    Raises:
        FormatError: as :func:`standing_of`.
    """
    standing = standing_of(archive, bitcoin)
    if height < archive.first_height or not standing.holds(height):
        return None
    heights = range(height, min(height + BITCOIN_SUCCESSORS, standing.end) + 1)
    beyond = height > standing.checkpoint
    headers = tuple(_header(archive, each) for each in heights)
    return ArchivedRun(headers, standing.checkpoint_time if beyond else 0)


@functools.lru_cache(maxsize=4)
def standing_of(archive: HeaderArchive, bitcoin: TrustedBitcoin) -> Standing:
    """Check an archive and return what of it is believed.

    Raises:
        FormatError: it does not start at a checkpoint, or breaks a link, a target, the rule of
            times or a checkpoint. The fault is the archive's, not that of any proof.
        AttestationError: a header does not meet its target.
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
    last = _header(archive, archive.first_height)
    _check_checkpoint(last, start.height, start.block_hash)
    chain = _Chain(last, start.height, main=bitcoin.network == "main")
    settled, total, beyond = start.height, start.chain_work, 0
    for height in range(start.height + 1, archive.first_height + archive.count):
        header = _header(archive, height)
        chain.add(header, height)
        total, beyond = total + header.work, beyond + header.work
        checkpoint = checkpoints.get(height)
        if checkpoint is not None:
            _check_checkpoint(header, height, checkpoint.block_hash)
            last, settled = header, height
            total, beyond = checkpoint.chain_work or total, 0
    least = bitcoin.minimum_work_beyond_checkpoint
    if least is None:
        least = BITCOIN_SUCCESSORS * last.work
    enough = total >= bitcoin.minimum_chain_work and beyond >= least
    return Standing(settled, last.time, chain.height if enough else settled)


class _Chain:
    """Headers that follow one another, checked one by one; the first is a checkpoint."""

    def __init__(self, first: BitcoinHeader, height: int, *, main: bool) -> None:
        self.height = height
        self._previous = first
        self._retargets = main
        self._period_start = first if height % _PERIOD_BLOCKS == 0 else None
        self._times = deque([first.time], maxlen=_MEDIAN_BLOCKS)

    def add(self, header: BitcoinHeader, height: int) -> None:
        """Check the header of the next height, which becomes the last."""
        if header.previous_hash != self._previous.block_hash:
            raise FormatError(
                f"block {height} of the archive does not follow block {height - 1}",
                code="bitcoin.archive_link",
            )
        if self._retargets:
            check_target(height, header, self._previous, self._period_start)
        if len(self._times) == _MEDIAN_BLOCKS and header.time <= _median(self._times):
            raise FormatError(
                f"block {height} of the archive is dated before the median of the "
                f"{_MEDIAN_BLOCKS} before it",
                code="bitcoin.archive_time",
            )
        verify_header_work(header)
        if height % _PERIOD_BLOCKS == 0:
            self._period_start = header
        self._times.append(header.time)
        self._previous, self.height = header, height


def _median(times: Iterable[int]) -> int:
    return sorted(times)[_MEDIAN_BLOCKS // 2]


def _header(archive: HeaderArchive, height: int) -> BitcoinHeader:
    return parse_header(archive.header(height) or b"")


def check_target(
    height: int,
    header: BitcoinHeader,
    previous: BitcoinHeader,
    period_start: BitcoinHeader | None,
) -> None:
    """Check a header's target on the main chain, which changes every 2016 blocks.

    Args:
        height: of ``header``.
        header: whose target it is.
        previous: the header before it.
        period_start: the first header of the period that ``previous`` closes; None if not known.

    Raises:
        FormatError: the retargeting rule gives another target.
    """
    if height % _PERIOD_BLOCKS:
        allowed = header.bits == previous.bits
    elif period_start is not None:
        elapsed = min(max(previous.time - period_start.time, _PERIOD_S // 4), _PERIOD_S * 4)
        target = min(previous.target * elapsed // _PERIOD_S, _MAX_TARGET)
        allowed = header.bits == bits_from_target(target)
    else:
        hardest = target_from_bits(bits_from_target(max(previous.target // 4, 1)))
        allowed = hardest <= header.target <= min(previous.target * 4, _MAX_TARGET)
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
