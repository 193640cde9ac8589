"""One step of one attempt: call the backend, judge what comes back, say when to call again.

Rules:

* A retryable error leaves the attempt as it is, counts, and waits longer each time.
* Any other error of a backend fails the attempt. Where something was already promised or seen
  outside (``pending``, ``confirmed``) one bad answer does not throw that evidence away: it is
  asked again, with long waits, and fails only after many bad answers in a row.
* An exception that no port allows is a bug of ours: kept visible, tried again, then failed.
* What a backend returns is believed only as far as it can be checked here: the type, the root hash
  of each attestation, evidence behind the word ``final``.
* LogIntegrityError is never handled here.

Nothing is stored here; the caller does that before the next step.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Literal

from anchor.errors import (
    BackendError,
    BackendProtocolError,
    LogIntegrityError,
    StoreError,
    quote_peer,
)
from anchor.ports import AWAITED_PHASES, TERMINAL_PHASES, AnchorBackend, Attempt, Phase, Round
from anchor.service.backoff import Backoff
from anchor.service.clock import Clock

# No wait is longer than this, whatever a backend says.
_MAX_WAIT_S: Final = 24 * 3600.0
# After a restart ``retry_at`` may have been written under a wall clock that was hours ahead; asking
# a little early does no harm, staying silent for hours does.
_MAX_WAIT_AFTER_RESTART_S: Final = 3600.0
# A backend that changes nothing and names no time is not asked again sooner.
_IDLE_WAIT_S: Final = 1.0
_PATIENCE: Final = 24
_PATIENT_WAIT_S: Final = 3600.0
_PATIENCE_WITH_BUGS: Final = 8

Outcome = Literal["progress", "retry", "failed", "bug"]


@dataclass(frozen=True, slots=True)
class AttemptStep:
    """What one step came to.

    Attributes:
        attempt: to be stored, whatever the outcome.
        wait_s: do not take the next step sooner; 0 for at once.
        outcome: ``bug`` is an exception that the port does not allow.
        note: the error in one line, or "".
    """

    attempt: Attempt
    wait_s: float
    outcome: Outcome
    note: str = ""


def take_step(
    backend: AnchorBackend, round_: Round, attempt: Attempt, *, clock: Clock, backoff: Backoff
) -> AttemptStep:
    """Call ``backend.advance`` once.

    Raises:
        LogIntegrityError: passed on.
    """
    try:
        returned = backend.advance(round_, attempt)
        after = _checked_attempt(returned, round_)
    except LogIntegrityError:
        raise
    except BackendError as exc:
        patience = 0 if not exc.retryable else None
        return _after_error(exc.message, attempt, patience, "retry", clock=clock, backoff=backoff)
    except StoreError as exc:
        return _after_error(exc.message, attempt, None, "retry", clock=clock, backoff=backoff)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the other attempts go on
        note = f"bug: {type(exc).__name__}: {quote_peer(str(exc))}"
        return _after_error(note, attempt, _PATIENCE_WITH_BUGS, "bug", clock=clock, backoff=backoff)
    return AttemptStep(replace(after, failures=0), _wait_s(attempt, after, clock), "progress")


def wait_after_restart_s(attempt: Attempt, clock: Clock) -> float:
    """Return how long to wait with an attempt that an earlier process left; at most an hour."""
    return min(_until_retry_s(attempt, clock), _MAX_WAIT_AFTER_RESTART_S)


def _until_retry_s(attempt: Attempt, clock: Clock) -> float:
    if attempt.retry_at is None:
        return 0.0
    left = (attempt.retry_at - clock.now()).total_seconds()
    return min(max(left, 0.0), _MAX_WAIT_S)


def _wait_s(before: Attempt, after: Attempt, clock: Clock) -> float:
    if after.phase in TERMINAL_PHASES:
        return 0.0
    if after.retry_at is None and replace(after, failures=before.failures) == before:
        return _IDLE_WAIT_S
    return _until_retry_s(after, clock)


def _after_error(
    note: str,
    attempt: Attempt,
    patience: int | None,
    outcome: Outcome,
    *,
    clock: Clock,
    backoff: Backoff,
) -> AttemptStep:
    """Count the failure; ``patience`` is how many are borne in a row, None for any number."""
    failures = attempt.failures + 1
    if patience is not None and attempt.phase in AWAITED_PHASES:
        patience = _PATIENCE
        backoff = replace(backoff, max_s=max(backoff.max_s, _PATIENT_WAIT_S))
    if patience is not None and failures > patience:
        failed = attempt.to(Phase.FAILED, failures=failures, note=note, retry_at=None)
        return AttemptStep(failed, 0.0, "bug" if outcome == "bug" else "failed", note)
    wait_s = backoff.delay_s(failures)
    retry_at = clock.now() + timedelta(seconds=wait_s)
    waiting = replace(attempt, failures=failures, note=note, retry_at=retry_at)
    return AttemptStep(waiting, wait_s, outcome, note)


def _checked_attempt(returned: object, round_: Round) -> Attempt:
    """Return the attempt if it can be one of this round; BackendProtocolError if not."""
    if not isinstance(returned, Attempt):
        raise _protocol_error(f"returned {type(returned).__name__}, wanted an attempt")
    if not isinstance(returned.phase, Phase):
        raise _protocol_error(f"phase {returned.phase!r} is none of the phases")
    for attestation in returned.attestations:
        _require_attestation(attestation, round_)
    if returned.phase is Phase.FINAL and not returned.attestations:
        raise _protocol_error("said final without any evidence")
    if any(t is not None and t.tzinfo is None for t in (returned.retry_at, returned.expected_at)):
        raise _protocol_error("gave a time without its zone")
    try:
        json.dumps([returned.data, returned.attestations, returned.note], allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise _protocol_error(f"returned what JSON cannot hold: {exc}") from exc
    return returned


def _require_attestation(attestation: Any, round_: Round) -> None:
    if not isinstance(attestation, dict) or not isinstance(attestation.get("kind"), str):
        raise _protocol_error("returned an attestation without a kind")
    wanted = round_.root_hash.hex()
    if attestation.get("root_hash") != wanted:
        raise _protocol_error(f"returned an attestation that is not for root hash {wanted}")


def _protocol_error(message: str) -> BackendProtocolError:
    return BackendProtocolError(f"the backend {message}", code="backend.protocol.attempt")
