"""What the makers of verdict vectors share: the register, and how a case becomes a vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from anchor.formats.encoding import utc_text
from anchor.proof.codec import proof_to_json
from anchor.proof.proof import Proof
from tests.evidence import NOW, Case

FOLDER = Path(__file__).parent / "verdicts"
Vector = dict[str, Any]
MAKERS: dict[str, Callable[[], Vector]] = {}


def vector(make: Callable[[], Vector]) -> Callable[[], Vector]:
    MAKERS[make.__name__] = make
    return make


def case_vector(
    rule: str,
    case: Case,
    expect: dict[str, Any],
    *,
    proof: Proof | None = None,
    entries: dict[str, Any] | None = None,
    now: datetime = NOW + timedelta(days=1),
    before: datetime | None = None,
    file_digest: bytes | None = None,
    known: dict[str, Any] | None = None,
) -> Vector:
    """Return a vector; ``entries`` replace those of the case's policy."""
    policy = {"version": 1, "name": "vector", "class": "test", **case.entries, **(entries or {})}
    return {
        "rule": rule,
        "policy": policy,
        "proof": proof_to_json(proof or case.proof),
        "now": utc_text(now),
        "before": utc_text(before) if before else None,
        "file_digest": (file_digest or case.file_digest).hex(),
        "known": known or {},
        "expect": expect,
    }


def only(case: Case, *attestations: Any, **changes: Any) -> Proof:
    return replace(case.proof, attestations=attestations, **changes)


def row(status: str, code: str) -> dict[str, str]:
    return {"status": status, "code": code}


def rooted(case: Case) -> bytes:
    return case.log.root(7)
