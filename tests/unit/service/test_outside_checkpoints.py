from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from anchor.errors import LogIntegrityError, StoreUnavailableError
from anchor.service.outside_checkpoints import check_outside_checkpoints
from anchor.service.sequencer import Sequencer
from anchor.stores.packed import PackedLog
from tests.fakes.log import SIGNER, append_and_commit, digests, open_log, signer


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PackedLog]:
    log = open_log(tmp_path / "log")
    for step in range(3):
        append_and_commit(log, digests(range(step * 100, step * 100 + 100)))
    yield log
    log.close()


def signed(log: PackedLog, size: int) -> str:
    return SIGNER.sign(size, log.root_hash(size))


def test_checkpoints_that_the_log_holds_pass_and_the_greatest_is_named(log: PackedLog) -> None:
    outside = check_outside_checkpoints(log, SIGNER, [signed(log, s) for s in (1, 250, 99)])
    assert outside.greatest is not None
    assert outside.greatest.tree_size == 250
    assert outside.ignored == 0
    assert check_outside_checkpoints(log, SIGNER, [signed(log, 300)]).greatest.tree_size == 300  # type: ignore[union-attr]


def test_what_this_log_did_not_sign_is_ignored_and_counted(log: PackedLog) -> None:
    texts = [
        "garbage",
        "",
        signer(9).sign(10_000, bytes(32)),
        signer(0, "other.example").sign(10_000, bytes(32)),
        signed(log, 200).replace("\n200\n", "\n900\n"),
    ]
    outside = check_outside_checkpoints(log, SIGNER, texts)
    assert outside.greatest is None
    assert outside.ignored == len(texts)


def test_greater_checkpoint_known_outside_means_an_old_disk(log: PackedLog) -> None:
    with pytest.raises(LogIntegrityError, match="ends at 300") as caught:
        check_outside_checkpoints(log, SIGNER, [signed(log, 300), SIGNER.sign(301, bytes(32))])
    assert caught.value.code == "log.integrity.behind"


@pytest.mark.parametrize("size", [1, 150, 300])
def test_other_root_at_any_known_size_means_a_fork(log: PackedLog, size: int) -> None:
    texts = [signed(log, 300), SIGNER.sign(size, b"\x01" * 32), signed(log, 299)]
    with pytest.raises(LogIntegrityError) as caught:
        check_outside_checkpoints(log, SIGNER, texts)
    assert caught.value.code == "log.integrity.forked"


def test_empty_log_with_a_checkpoint_known_outside_is_behind(tmp_path: Path) -> None:
    log = open_log(tmp_path / "new")
    with pytest.raises(LogIntegrityError):
        check_outside_checkpoints(log, SIGNER, [SIGNER.sign(1, bytes(32))])
    log.close()


# -- what the sequencer does about it --------------------------------------------------------------


@pytest.fixture
def sequencer(log: PackedLog) -> Iterator[Sequencer]:
    sequencer = Sequencer(log, SIGNER)
    yield sequencer
    sequencer.close()


def test_consistent_log_goes_on(log: PackedLog, sequencer: Sequencer) -> None:
    outside = sequencer.check_against([signed(log, 250), "garbage"], needed=True)
    assert (outside.greatest.tree_size, outside.ignored) == (250, 1)  # type: ignore[union-attr]
    assert sequencer.read_only_reason is None
    sequencer.submit_blocking(digests([1_000]))


def test_log_that_is_behind_serves_reads_says_why_and_never_signs(
    log: PackedLog, sequencer: Sequencer
) -> None:
    sequencer.check_against([SIGNER.sign(500, bytes(32))])
    assert "tree size 500" in str(sequencer.read_only_reason)
    assert sequencer.is_broken
    with pytest.raises(LogIntegrityError):
        sequencer.submit_blocking(digests([1_000]))
    with pytest.raises(LogIntegrityError):
        sequencer.accept()
    assert log.find(digests([5])) == 5
    assert log.size == 300


def test_nothing_known_outside_is_read_only_until_told(
    log: PackedLog, sequencer: Sequencer
) -> None:
    sequencer.check_against(["garbage"], needed=True)
    assert not sequencer.is_broken
    with pytest.raises(StoreUnavailableError, match="known outside") as caught:
        sequencer.submit_blocking(digests([1_000]))
    assert caught.value.code == "store.unavailable.read_only"
    sequencer.accept()
    assert sequencer.submit_blocking(digests([1_000])).leaf_indices[0] == 300


def test_nothing_known_outside_is_no_matter_where_it_is_not_needed_or_the_log_is_empty(
    log: PackedLog, sequencer: Sequencer, tmp_path: Path
) -> None:
    sequencer.check_against([])
    assert sequencer.read_only_reason is None
    empty = open_log(tmp_path / "empty")
    other = Sequencer(empty, SIGNER)
    other.check_against([], needed=True)
    assert other.read_only_reason is None
    other.close()
    empty.close()
