"""The independent proofs of RFC 6962 trees: each file says itself whether it must verify.

Old size 0 is an error here, as it is in the library that the files come from.
"""

from __future__ import annotations

import base64
import json

import pytest

from anchor.errors import ConsistencyError, InclusionError
from anchor.formats.merkle import verify_consistency, verify_inclusion

pytestmark = pytest.mark.vectors


def decode(text):
    return base64.b64decode(text or "")


def load(folder):
    """Return every file as (name, content); none may be passed over."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert all(path.suffix == ".json" for path in files)
    return [(str(path.relative_to(folder)), json.loads(path.read_text())) for path in files]


def run(cases, error, verify):
    """Verify every case, and return how many verified and how many were refused."""
    surprises, verified = [], 0
    for name, case in cases:
        try:
            verify(case)
            verified += 1
            if case["wantErr"]:
                surprises.append(f"{name}: verified ({case['desc']})")
        except error as exc:
            if not case["wantErr"]:
                surprises.append(f"{name}: {exc} ({case['desc']})")
    assert surprises == []
    return verified, len(cases) - verified


def test_inclusion_vectors(vectors):
    verified, refused = run(
        load(vectors / "rfc6962" / "inclusion"),
        InclusionError,
        lambda case: verify_inclusion(
            decode(case["leafHash"]),
            case["leafIdx"],
            case["treeSize"],
            [decode(item) for item in case["proof"] or []],
            decode(case["root"]),
        ),
    )
    assert verified >= 3
    assert refused >= 40


def test_consistency_vectors(vectors):
    verified, refused = run(
        load(vectors / "rfc6962" / "consistency"),
        ConsistencyError,
        lambda case: verify_consistency(
            case["size1"],
            case["size2"],
            decode(case["root1"]),
            decode(case["root2"]),
            [decode(item) for item in case["proof"] or []],
        ),
    )
    assert verified >= 3
    assert refused >= 30
