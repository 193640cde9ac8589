"""What the JSON routes answer, as models: FastAPI checks each answer against them and shows them.

No answer holds a number with a fraction: readers of this project's formats refuse those.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ProblemAnswer(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None


class AnchorAnswer(BaseModel):
    """How far one backend is with a digest; further fields are the backend's own."""

    model_config = ConfigDict(extra="allow")

    backend: str
    family: str | None
    phase: str = Field(
        description="expected, scheduled, prepared, submitted, pending, confirmed, final or failed"
    )
    tree_size: int | None = Field(description="of the round that covers the digest")
    root_hash: str | None
    expected_at: str | None = Field(description="when it is usually final, UTC")
    retry_at: str | None
    failures: int
    note: str


class StandingAnswer(BaseModel):
    """Where a digest stands. The service's word about its own work; evidence is in the proof."""

    digest: str
    leaf_index: int
    state: str = Field(description="accepted, pending, anchored or final")
    accepted_at: str | None = Field(description="by the service's own clock; no evidence")
    anchors: list[AnchorAnswer]
    verdict: dict[str, Any] | None = Field(
        default=None, description="with ?before=: the verdict under the service's policy"
    )


class AttemptAnswer(BaseModel):
    """How far one backend is with a round."""

    backend: str
    phase: str
    note: str
    failures: int
    retry_at: str | None
    expected_at: str | None
    transaction_hash: str | None = None
    block: int | None = None


class RoundAnswer(BaseModel):
    """One root that was handed to the backends."""

    tree_size: int
    root_hash: str
    created_at: str
    checkpoint: str
    anchors: list[AttemptAnswer]
    publication: dict[str, Any] | None = Field(
        default=None, description="what the publisher said of it, such as its CID"
    )


class RoundsAnswer(BaseModel):
    """Rounds, newest first."""

    rounds: list[RoundAnswer]
    next_before_size: int | None = Field(description="pass as before_size for the page after this")


class LogAnswer(BaseModel):
    """The log as it is now."""

    origin: str
    key: str = Field(description="verifier key of its checkpoints (C2SP signed-note)")
    tree_size: int
    root_hash: str | None
    read_only: str | None = Field(description="why no digests are taken, or null")


class StatusAnswer(BaseModel):
    """The state of the service."""

    log: LogAnswer
    policy: dict[str, str]
    anchoring: dict[str, Any]
    checkpoint_outside: dict[str, Any] | None
    http: dict[str, Any]


class HealthAnswer(BaseModel):
    """One word, and why."""

    status: str
    reason: str | None = None


class BeaconAnswer(BaseModel):
    """Recent block hashes and a drand round: what holds one was not made before it."""

    beacons: dict[str, dict[str, Any]] = Field(
        description="by source: chain, number, block_hash, time (Unix seconds); or error"
    )
    drand: dict[str, Any] | None = Field(
        description="chain_hash, round, randomness, signature, time (Unix seconds); or error; null "
        "where no relay is set up"
    )
    note: str | None = Field(description="why there are none, or null")


def without_fractions(value: Any) -> Any:
    """Return a JSON value with every number that has a fraction rounded."""
    if isinstance(value, float):
        return round(value) if abs(value) < 2**53 else None
    if isinstance(value, dict):
        return {key: without_fractions(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_fractions(item) for item in value]
    return value
