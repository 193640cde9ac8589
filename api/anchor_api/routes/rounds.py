"""``/v1/rounds``: the roots that were handed to the backends, and what came of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Query, Response

from anchor.config.service import Service
from anchor.errors import NotFoundError
from anchor.formats.encoding import utc_text
from anchor.limits import MAX_TREE_SIZE
from anchor.ports import Attempt, Round
from anchor_api.answers import ProblemAnswer, RoundAnswer, RoundsAnswer, without_fractions

_MAX_PAGE: Final = 200


def round_router(service: Service) -> APIRouter:
    """Return the routes of the rounds."""
    router = APIRouter(tags=["rounds"])

    @router.get("/v1/rounds", response_model=RoundsAnswer, operation_id="rounds")
    def rounds(
        response: Response,
        limit: int = Query(50, ge=1, le=_MAX_PAGE),
        before_size: int | None = Query(None, ge=1, le=MAX_TREE_SIZE),
    ) -> Any:
        """Return rounds, newest first."""
        response.headers["Cache-Control"] = "public, max-age=5"
        found = service.rounds.rounds(limit=limit, before_size=before_size)
        return {
            "rounds": [_shown(service, round_) for round_ in found],
            "next_before_size": found[-1].tree_size if len(found) == limit else None,
        }

    @router.get(
        "/v1/rounds/{tree_size}",
        response_model=RoundAnswer,
        responses={404: {"model": ProblemAnswer, "description": "no round of that size"}},
        operation_id="round",
    )
    def round_(tree_size: int, response: Response) -> Any:
        """Return the round of exactly that tree size."""
        response.headers["Cache-Control"] = "public, max-age=5"
        found = None
        if 0 < tree_size <= MAX_TREE_SIZE:
            found = service.rounds.round_at(tree_size)
        if found is None:
            raise NotFoundError(f"no round of tree size {tree_size}", code="not_found.round")
        return _shown(service, found)

    return router


def _shown(service: Service, round_: Round) -> dict[str, Any]:
    attempts = service.rounds.attempts(round_.tree_size)
    shown = {
        "tree_size": round_.tree_size,
        "root_hash": round_.root_hash.hex(),
        "created_at": utc_text(round_.created_at),
        "checkpoint": round_.checkpoint,
        "anchors": [_attempt(name, attempt) for name, attempt in attempts.items()],
        "publication": service.publication(round_.tree_size),
    }
    return without_fractions(shown)  # type: ignore[no-any-return]


def _attempt(backend: str, attempt: Attempt) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "backend": backend,
        "phase": attempt.phase.value,
        "note": attempt.note,
        "failures": attempt.failures,
        "retry_at": _text(attempt.retry_at),
        "expected_at": _text(attempt.expected_at),
    }
    for attestation in attempt.attestations:
        if isinstance(attestation.get("transaction_hash"), str):
            shown["transaction_hash"] = attestation["transaction_hash"]
    for name in ("block_number", "block_height"):
        if isinstance(attempt.data.get(name), int):
            shown["block"] = attempt.data[name]
    return shown


def _text(when: datetime | None) -> str | None:
    return None if when is None else utc_text(when)
