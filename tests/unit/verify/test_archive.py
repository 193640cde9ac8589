"""Header archives, and which headers after a block count: what has to be spent to be believed."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anchor.errors import AttestationError, FormatError
from anchor.formats.bitcoin import BitcoinHeader, bits_from_target, target_from_bits
from anchor.proof.policy import BitcoinCheckpoint, TrustedBitcoin
from anchor.proof.proof import HeaderRun
from anchor.verify import ConfirmedBlock, HeaderArchive, KnownFacts
from anchor.verify.archive import archived_run, check_target, standing_of
from anchor.verify.bitcoin import find_block
from tests.evidence import REGTEST_BITS, Bitcoin, mine

CHAIN = Bitcoin()
for _ in range(30):
    CHAIN.mine()
BLOCK_WORK = CHAIN.headers[0].work


def archive(headers: list[BitcoinHeader], first_height: int = 0) -> HeaderArchive:
    return HeaderArchive(first_height, b"".join(header.raw for header in headers))


def trusted(*heights: int, network: Any = "regtest", **changes: Any) -> TrustedBitcoin:
    checkpoints = tuple(BitcoinCheckpoint(h, CHAIN.headers[h].block_hash, 0) for h in heights)
    return TrustedBitcoin(network, checkpoints, **changes)


def extended(*times: int, start: int = 10, bits: int = REGTEST_BITS) -> list[BitcoinHeader]:
    """Return the chain's first headers and more after them with these times."""
    headers = CHAIN.headers[: start + 1]
    for time in times:
        headers = [*headers, mine(headers[-1].block_hash, bytes(32), time, bits)]
    return headers


# -- what of an archive is believed ----------------------------------------------------------------


def test_up_to_a_checkpoint_the_hashes_decide() -> None:
    standing = standing_of(archive(CHAIN.headers[:21]), trusted(0, 20))
    assert (standing.checkpoint, standing.end) == (20, 20)
    assert standing.holds(20)
    assert not standing.holds(21)


def test_beyond_it_a_block_needs_six_on_top() -> None:
    whole, bitcoin = archive(CHAIN.headers[:18]), trusted(0, 10)
    assert standing_of(whole, bitcoin).end == 17
    assert [h for h in range(25) if archived_run(whole, h, bitcoin)] == list(range(12))
    run = archived_run(whole, 11, bitcoin)
    assert run is not None
    assert [header.raw for header in run.headers] == [h.raw for h in CHAIN.headers[11:18]]


@pytest.mark.parametrize(("count", "end"), [(1, 10), (5, 10), (6, 16), (7, 17)])
def test_beyond_it_six_times_the_checkpoints_work_is_wanted(count: int, end: int) -> None:
    assert standing_of(archive(CHAIN.headers[: 11 + count]), trusted(10, 0)).end == end


def test_a_policy_may_want_more_work_beyond_the_checkpoint() -> None:
    whole = archive(CHAIN.headers[:21])
    for wanted, end in ((0, 20), (10 * BLOCK_WORK, 20), (10 * BLOCK_WORK + 1, 10)):
        bitcoin = trusted(0, 10, minimum_work_beyond_checkpoint=wanted)
        assert standing_of(whole, bitcoin).end == end


def test_the_total_work_is_wanted_too() -> None:
    whole = archive(CHAIN.headers[:21])
    for wanted, end in ((20 * BLOCK_WORK, 20), (20 * BLOCK_WORK + 1, 10)):
        assert standing_of(whole, trusted(0, 10, minimum_chain_work=wanted)).end == end


def test_easier_blocks_are_no_work() -> None:
    """Six blocks at a hundredth of the checkpoint's difficulty are not six of its blocks."""
    hard = bits_from_target(target_from_bits(REGTEST_BITS) // 100)
    checkpoint = mine(bytes(32), bytes(32), CHAIN.start_time, hard)
    headers = [checkpoint]
    for n in range(8):
        headers.append(mine(headers[-1].block_hash, bytes(32), CHAIN.start_time + 600 * n))
    bitcoin = TrustedBitcoin("regtest", (BitcoinCheckpoint(0, checkpoint.block_hash, 0),))
    assert standing_of(archive(headers), bitcoin).end == 0


def test_one_block_on_the_checkpoint_dated_2010_is_not_believed() -> None:
    """The minimum work of a policy may be its last checkpoint's own, and so be there already."""
    checkpoint = BitcoinCheckpoint(10, CHAIN.headers[10].block_hash, 100)
    bitcoin = TrustedBitcoin("main", (checkpoint,), minimum_chain_work=100)
    forged = archive(extended(1_262_304_000)[10:], 10)
    assert archived_run(forged, 11, bitcoin) is None
    known = KnownFacts(archive=forged)
    run = HeaderRun(11, (extended(1_262_304_000)[11].raw,))
    assert find_block(11, run, bitcoin, known).confirmed_by is None


def test_a_bound_beyond_a_checkpoint_is_not_before_its_time() -> None:
    """Where the eleven before a block are not there, its median time is not known."""
    forged = archive(extended(*[1_262_304_000] * 7)[10:], 10)
    run = archived_run(forged, 11, trusted(10))
    assert run is not None
    assert run.not_earlier == CHAIN.headers[10].time
    assert archived_run(archive(CHAIN.headers), 5, trusted(0, 10)).not_earlier == 0


@pytest.mark.parametrize(("seconds", "good"), [(0, False), (-(10**6), False), (1, True)])
def test_a_header_is_dated_after_the_median_of_the_eleven_before(seconds: int, good: bool) -> None:
    times = CHAIN.headers[5].time + seconds
    headers = archive(extended(times))
    if good:
        assert standing_of(headers, trusted(0)).end == 11
        return
    with pytest.raises(FormatError) as caught:
        standing_of(headers, trusted(0))
    assert caught.value.code == "bitcoin.archive_time"


def dated(time: int, bits: int) -> BitcoinHeader:
    """Return a header of the main chain's difficulty, without the work."""
    return BitcoinHeader(1, bytes(32), bytes(32), time, bits, 0, bytes(80))


@pytest.mark.parametrize(
    ("bits", "good"), [(0x1D00D86A, True), (0x1D00D86B, False), (0x1D00FFFF, False)]
)
def test_the_first_change_of_difficulty(bits: int, good: bool) -> None:
    """Block 32256, from the times of blocks 30240 and 32255."""
    first, last = dated(1_261_130_161, 0x1D00FFFF), dated(1_262_152_739, 0x1D00FFFF)
    outcome = nullcontext() if good else pytest.raises(FormatError)
    with outcome:
        check_target(32_256, dated(1_262_153_464, bits), last, first)


@pytest.mark.parametrize(
    ("factor", "good"),
    [(1, True), (4, True), (5, False), (0.25, True), (0.2, False), (0.01, False)],
)
def test_targets_change_by_a_factor_of_four_at_most(factor: float, good: bool) -> None:
    """The period's first block is not known where the archive starts inside of it."""
    before = 0x17_0F_FF_FF
    bits = bits_from_target(int(target_from_bits(before) * factor))
    outcome = nullcontext() if good else pytest.raises(FormatError)
    with outcome:
        check_target(2016 * 400, dated(2, bits), dated(1, before), None)


def test_targets_change_at_the_end_of_a_period_only() -> None:
    easier = bits_from_target(target_from_bits(REGTEST_BITS) // 2)
    headers = archive(extended(CHAIN.headers[11].time, bits=easier)[10:], 10)
    with pytest.raises(FormatError) as caught:
        standing_of(headers, trusted(10, network="main"))
    assert caught.value.code == "bitcoin.archive_target"


@pytest.mark.parametrize(
    ("headers", "heights", "code"),
    [
        (CHAIN.headers[1:9], (0,), "bitcoin.archive_start"),
        ([*CHAIN.headers[:4], *CHAIN.headers[5:9]], (0,), "bitcoin.archive_link"),
        (extended(CHAIN.headers[11].time + 1), (0, 11), "bitcoin.archive_checkpoint"),
        (CHAIN.headers[1:9], (1, 0), "bitcoin.archive_link"),
    ],
)
def test_archives_that_are_not_the_chain(
    headers: list[BitcoinHeader], heights: tuple[int, ...], code: str
) -> None:
    first = CHAIN.headers.index(headers[0])
    if code == "bitcoin.archive_link" and first:
        headers = [headers[0], *headers[2:]]
    with pytest.raises(FormatError) as caught:
        standing_of(archive(headers, first), trusted(*heights))
    assert caught.value.code == code


def test_a_header_without_its_work_is_refused() -> None:
    last = CHAIN.headers[3]
    for nonce in range(2**16):
        raw = last.raw[:76] + nonce.to_bytes(4, "little")
        header = replace(last, nonce=nonce, raw=raw)
        if int.from_bytes(header.block_hash, "little") > header.target:
            break
    with pytest.raises(AttestationError):
        standing_of(archive([*CHAIN.headers[:3], header]), trusted(0))


# -- the headers after a block ---------------------------------------------------------------------

HEIGHT = 5
GENUINE = tuple(header.raw for header in CHAIN.headers[HEIGHT : HEIGHT + 7])


def forged_run() -> HeaderRun:
    """Return the genuine block with six made-up headers of 1970 on it."""
    headers = extended(*[1] * 6, start=HEIGHT)[HEIGHT:]
    return HeaderRun(HEIGHT, tuple(header.raw for header in headers))


def confirmed(*heights: int) -> dict[int, ConfirmedBlock]:
    return {h: ConfirmedBlock(CHAIN.headers[h].block_hash, "two sources") for h in heights}


def found(known: KnownFacts, run: HeaderRun | None = None, *heights: int) -> tuple[bytes, ...]:
    block = find_block(HEIGHT, run or forged_run(), trusted(*heights), known)
    assert block is not None
    assert block.confirmed_by
    return tuple(header.raw for header in block.headers)


def test_made_up_successors_do_not_count() -> None:
    assert found(KnownFacts(), None, HEIGHT) == GENUINE[:1]
    assert found(KnownFacts(bitcoin=confirmed(HEIGHT))) == GENUINE[:1]


def test_the_sources_successors_stand_in_for_them() -> None:
    supplied = {HEIGHT: HeaderRun(HEIGHT, GENUINE)}
    every = confirmed(*range(HEIGHT, HEIGHT + 7))
    assert found(KnownFacts(bitcoin=every, headers=supplied)) == GENUINE
    # Supplied alone they are as good as the proof's own.
    assert found(KnownFacts(bitcoin=confirmed(HEIGHT), headers=supplied)) == GENUINE[:1]


def test_the_archives_successors_stand_in_for_them() -> None:
    assert found(KnownFacts(archive=archive(CHAIN.headers)), None, 0) == GENUINE
    # Here the archive ends at the third after the block, which is a checkpoint.
    short = KnownFacts(archive=archive(CHAIN.headers[: HEIGHT + 4]))
    assert found(short, None, 0, HEIGHT + 3) == GENUINE[:4]


def test_genuine_successors_count_as_far_as_they_are_known() -> None:
    genuine = HeaderRun(HEIGHT, GENUINE)
    assert found(KnownFacts(), genuine, HEIGHT + 6) == GENUINE
    assert found(KnownFacts(), genuine, HEIGHT + 2) == GENUINE[:3]
    assert found(KnownFacts(bitcoin=confirmed(HEIGHT, HEIGHT + 6)), genuine) == GENUINE


def test_two_words_about_one_successor_that_contradict_each_other_do_not_count() -> None:
    other = {HEIGHT + 3: ConfirmedBlock(bytes(32), "two sources")}
    known = KnownFacts(bitcoin={**confirmed(HEIGHT), **other})
    assert found(known, HeaderRun(HEIGHT, GENUINE), HEIGHT + 3) == GENUINE[:1]


def test_successors_that_lead_away_from_a_checkpoint_confirm_nothing() -> None:
    with pytest.raises(AttestationError) as caught:
        find_block(HEIGHT, forged_run(), trusted(HEIGHT + 6), KnownFacts())
    assert caught.value.code == "bitcoin.block_not_on_chain"


def test_another_block_than_the_archives_is_false() -> None:
    other = mine(CHAIN.headers[HEIGHT - 1].block_hash, b"\x01" * 32, CHAIN.headers[HEIGHT].time)
    known = KnownFacts(archive=archive(CHAIN.headers))
    with pytest.raises(AttestationError) as caught:
        find_block(HEIGHT, HeaderRun(HEIGHT, (other.raw,)), trusted(0), known)
    assert caught.value.code == "bitcoin.block_not_on_chain"


def test_start_times_are_what_the_tests_take_them_for() -> None:
    start = datetime.fromtimestamp(CHAIN.start_time, UTC)
    assert datetime.fromtimestamp(CHAIN.headers[6].time, UTC) - start == timedelta(hours=1)
