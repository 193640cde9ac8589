from __future__ import annotations

from datetime import timedelta

import pytest

from anchor.errors import (
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    FormatError,
    LogIntegrityError,
    ReorgError,
    StoreUnavailableError,
)
from anchor.ports import (
    AWAITED_PHASES,
    IN_FLIGHT_PHASES,
    TERMINAL_PHASES,
    Attempt,
    Phase,
    Round,
)
from anchor.service.attempt_step import take_step, wait_after_restart_s
from anchor.service.backoff import Backoff
from tests.fakes.backends import ScriptedBackend, attestation
from tests.fakes.clock import START, FakeClock

ROUND = Round(7, b"\xab" * 32, "note", START)  # letters, so that upper case differs
BACKOFF = Backoff(2.0, 300.0, lambda: 0.0)
PREPARED = Attempt(Phase.PREPARED, data={"id": 1})
RETRYABLE = [BackendUnavailableError("away"), ReorgError("gone"), StoreUnavailableError("full")]
FINAL_ERRORS = [BackendRejectedError("no"), BackendProtocolError("nonsense")]


def step(answer, attempt=PREPARED, clock=None):
    backend = ScriptedBackend(answers=[answer])
    return take_step(backend, ROUND, attempt, clock=clock or FakeClock(), backoff=BACKOFF)


def test_each_phase_is_on_its_way_awaited_or_at_its_end():
    kinds = IN_FLIGHT_PHASES, AWAITED_PHASES, TERMINAL_PHASES
    assert sorted(phase for kind in kinds for phase in kind) == sorted(Phase)


@pytest.mark.parametrize("error", RETRYABLE, ids=lambda e: type(e).__name__)
def test_retryable_error_changes_nothing_but_the_wait(error):
    taken = step(error)
    assert taken.outcome == "retry"
    assert taken.wait_s == 2.0
    assert taken.attempt.phase is Phase.PREPARED
    assert taken.attempt.data == {"id": 1}
    assert taken.attempt.failures == 1
    assert taken.attempt.note == error.message
    assert taken.attempt.retry_at == START + timedelta(seconds=2)


def test_retryable_errors_are_borne_for_ever():
    taken = step(BackendUnavailableError("away"), PREPARED.to(Phase.PREPARED, failures=10_000))
    assert taken.attempt.phase is Phase.PREPARED
    assert taken.wait_s == 300.0


@pytest.mark.parametrize("error", FINAL_ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("phase", [Phase.SCHEDULED, Phase.PREPARED, Phase.SUBMITTED])
def test_other_errors_fail_what_nobody_has_promised_yet(error, phase):
    taken = step(error, Attempt(phase))
    assert taken.outcome == "failed"
    assert taken.attempt.phase is Phase.FAILED
    assert taken.attempt.note == error.message


@pytest.mark.parametrize("error", FINAL_ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.CONFIRMED])
def test_evidence_is_not_thrown_away_for_one_bad_answer(error, phase):
    attempt = Attempt(phase, attestations=(attestation(ROUND),))
    waits = []
    for _ in range(24):
        taken = step(error, attempt)
        attempt = taken.attempt
        assert attempt.phase is phase
        waits.append(taken.wait_s)
    assert waits[0] == 2.0
    assert waits[-1] == 3600.0
    last = step(error, attempt)
    assert last.attempt.phase is Phase.FAILED
    assert last.attempt.attestations == (attestation(ROUND),)


@pytest.mark.parametrize("bug", [KeyError("x"), FormatError("leaked"), RecursionError("deep")])
def test_exception_that_no_port_allows_is_shown_and_given_up_in_the_end(bug):
    attempt = PREPARED
    for _ in range(8):
        taken = step(bug, attempt)
        assert taken.outcome == "bug"
        assert type(bug).__name__ in taken.note
        attempt = taken.attempt
        assert attempt.phase is Phase.PREPARED
    assert step(bug, attempt).attempt.phase is Phase.FAILED


def test_text_of_a_bug_is_fit_to_be_shown():
    assert "\x1b" not in step(ValueError("\x1b[31mred\n")).note


def test_log_integrity_error_is_passed_on():
    with pytest.raises(LogIntegrityError):
        step(LogIntegrityError("two roots"))


def test_death_of_the_process_is_not_caught():
    with pytest.raises(KeyboardInterrupt):
        step(KeyboardInterrupt())


def test_progress_forgets_the_failures():
    taken = step(PREPARED.to(Phase.SUBMITTED), PREPARED.to(Phase.PREPARED, failures=5))
    assert taken.outcome == "progress"
    assert taken.attempt == PREPARED.to(Phase.SUBMITTED)
    assert taken.wait_s == 0.0


def test_retry_at_becomes_a_wait():
    clock = FakeClock()
    later = PREPARED.to(Phase.PENDING, retry_at=clock.now() + timedelta(hours=2))
    assert step(later, clock=clock).wait_s == 7200.0


def test_retry_at_in_the_past_is_at_once():
    clock = FakeClock()
    past = PREPARED.to(Phase.PENDING, retry_at=clock.now() - timedelta(hours=2))
    assert step(past, clock=clock).wait_s == 0.0


def test_no_wait_is_longer_than_a_day():
    clock = FakeClock()
    later = PREPARED.to(Phase.PENDING, retry_at=clock.now() + timedelta(days=400))
    assert step(later, clock=clock).wait_s == 86400.0


def test_a_backend_that_changes_nothing_is_not_asked_in_a_circle():
    assert step(PREPARED).wait_s == 1.0
    assert step(PREPARED, PREPARED.to(Phase.PREPARED, failures=3)).wait_s == 1.0


def test_after_a_restart_nobody_waits_longer_than_an_hour():
    clock = FakeClock()
    attempt = Attempt(retry_at=clock.now() + timedelta(hours=9))
    assert wait_after_restart_s(attempt, clock) == 3600.0
    assert wait_after_restart_s(Attempt(), clock) == 0.0
    assert wait_after_restart_s(Attempt(retry_at=START - timedelta(1)), clock) == 0.0


GOOD = attestation(ROUND)


@pytest.mark.parametrize(
    "lie",
    [
        None,
        {"phase": "final"},
        Attempt("final", attestations=(GOOD,)),  # type: ignore[arg-type]
        Attempt(Phase.FINAL),
        Attempt(Phase.FINAL, attestations=({**GOOD, "root_hash": "00" * 32},)),
        Attempt(Phase.FINAL, attestations=(GOOD, {"kind": "test"})),
        Attempt(Phase.FINAL, attestations=({"root_hash": GOOD["root_hash"]},)),
        Attempt(Phase.FINAL, attestations=({**GOOD, "kind": 5},)),
        Attempt(Phase.PENDING, attestations=({**GOOD, "root_hash": GOOD["root_hash"].upper()},)),
        Attempt(Phase.FINAL, attestations=("text",)),  # type: ignore[arg-type]
        Attempt(Phase.PENDING, data={"raw": b"bytes"}),
        Attempt(Phase.PENDING, data={"n": float("inf")}),
        Attempt(Phase.PENDING, retry_at=START.replace(tzinfo=None)),
    ],
)
def test_lie_is_not_believed(lie):
    taken = step(lambda _round, _attempt: lie)
    assert taken.outcome == "failed"
    assert taken.attempt.phase is Phase.FAILED
    assert taken.attempt.attestations == ()
