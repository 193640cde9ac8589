"""Says where a digest stands, from acceptance to the last final attestation.

States of the whole: ``accepted`` (in the log, nothing sent yet), ``pending`` (on its way),
``anchored`` (at least one final attestation), ``final`` (every backend is done). All of it is the
service's word about its own work; what counts as evidence is in the proof.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any, Final

from anchor.errors import NotFoundError
from anchor.formats.encoding import utc_text
from anchor.ports import Attempt, Json, Phase, Round, RoundStore
from anchor.service.expectation import Expectation, Expectations
from anchor.service.proofs import ProofLog

# What a backend may show of its own data: under "public", or by these names.
_SHOWN_DATA: Final = (
    "transaction_hash",
    "block_number",
    "block_height",
    "confirmations",
    "confirmations_wanted",
)


class StandingState(enum.StrEnum):
    """How far a digest is on the whole, in this order."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    ANCHORED = "anchored"
    FINAL = "final"


class Standings:
    """Answers for one digest at a time; safe for threads.

    Args:
        log: which digest has which leaf.
        rounds: rounds and attempts.
        expectations: what backends that have not taken a digest yet will do; also which backends
            must be final before the whole is.
    """

    def __init__(
        self, log: ProofLog, rounds: RoundStore, expectations: Expectations = list
    ) -> None:
        self._log = log
        self._rounds = rounds
        self._expectations = expectations

    def standing(self, digest: bytes) -> Json:
        """Return where a 32-byte digest stands.

        Raises:
            NotFoundError: the log does not have the digest.
        """
        leaf_index = self._log.find(digest)
        if leaf_index is None:
            raise NotFoundError(f"digest {digest.hex()} is not in the log", code="not_found.digest")
        covering = self._rounds.first_rounds_covering(leaf_index)
        expected = {e.backend: e for e in self._expectations()}
        anchors = [
            _anchor_json(name, expected.get(name), covering.get(name))
            for name in sorted({*covering, *expected})
        ]
        return {
            "digest": digest.hex(),
            "leaf_index": leaf_index,
            "state": _state(covering, expected).value,
            "accepted_at": _text(self._rounds.accepted_by(leaf_index)),
            "anchors": anchors,
        }


def _state(
    covering: dict[str, tuple[Round, Attempt]], expected: dict[str, Expectation]
) -> StandingState:
    phases = {name: attempt.phase for name, (_, attempt) in covering.items()}
    wanted = set(expected) or set(phases)
    if wanted and all(phases.get(name) is Phase.FINAL for name in wanted):
        return StandingState.FINAL
    if Phase.FINAL in phases.values():
        return StandingState.ANCHORED
    if any(phase is not Phase.SCHEDULED for phase in phases.values()):
        return StandingState.PENDING
    return StandingState.ACCEPTED


def _anchor_json(
    name: str, expectation: Expectation | None, covering: tuple[Round, Attempt] | None
) -> Json:
    shown: Json = {
        "backend": name,
        "family": expectation.family if expectation else None,
        "phase": "expected",
        "tree_size": None,
        "root_hash": None,
        "expected_at": _text(expectation.expected_at if expectation else None),
        "retry_at": None,
        "failures": 0,
        "note": "",
    }
    if covering is None:
        return shown
    round_, attempt = covering
    is_final = attempt.phase is Phase.FINAL
    shown.update(
        phase=attempt.phase.value,
        tree_size=round_.tree_size,
        root_hash=round_.root_hash.hex(),
        round_created_at=utc_text(round_.created_at),
        expected_at=None if is_final else _text(attempt.expected_at) or shown["expected_at"],
        retry_at=_text(attempt.retry_at),
        failures=attempt.failures,
        note=attempt.note,
    )
    shown.update(_details(attempt))
    return shown


def _details(attempt: Attempt) -> Json:
    """Return what is worth showing of the backend's data: transaction, block, confirmations."""
    details: dict[str, Any] = {}
    for attestation in attempt.attestations:
        for key in ("transaction_hash", "calendar", "witness", "chain_id", "contract"):
            if isinstance(attestation.get(key), str | int):
                details[key] = attestation[key]
        for run in attestation.get("headers") or ():
            if isinstance(run, dict) and isinstance(run.get("height"), int):
                details["block_height"] = run["height"]
    sources: list[Any] = [attempt.data, attempt.data.get("public")]
    for source in sources:
        if not isinstance(source, dict):
            continue
        keys = source if source is not attempt.data else _SHOWN_DATA
        details.update({k: source[k] for k in keys if isinstance(source.get(k), str | int)})
    return details


def _text(when: datetime | None) -> str | None:
    return None if when is None else utc_text(when)
