"""Both verifiers say the same: of every vector, of forged tokens, and of proofs that were changed.

The second verifier is TypeScript (``api/anchor_api/web``), written from ``docs/spec``; it shares no
code with the first. ``make fuzz`` asks both about more than there is time for here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from anchor.errors import FormatError, SignatureError
from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.ed25519 import verify_ed25519
from anchor.formats.encoding import parse_json
from anchor.formats.note import parse_note
from anchor.formats.tsp import parse_token
from anchor.formats.x509_certificate import parse_certificate
from anchor.policies import load_default_policy_bytes
from tests.evidence import Case, whole_case
from tests.parts.odd_blocks import odd_block
from tests.parts.odd_tokens import odd_token
from tests.parts.odd_trees import odd_tree
from tests.parts.proof_mutations import mutated, mutated_bytes, mutated_der
from tests.parts.second_verifier import VITE, SecondVerifier, ask_first, summary
from tests.unit.formats import test_ed25519 as curve
from tests.vectors.verdict_vectors import FOLDER

pytestmark = pytest.mark.second_verifier

VECTORS = sorted(path.stem for path in FOLDER.glob("*.json"))
SEEDS = range(6)
QUESTIONS = 40


@pytest.fixture(scope="module")
def second(
    tmp_path_factory: pytest.TempPathFactory, require: Callable[[object, str], None]
) -> Iterator[SecondVerifier]:
    require(VITE.is_file(), "the second verifier's packages are not there: run `make web`")
    verifier = SecondVerifier(tmp_path_factory.mktemp("second-verifier"))
    yield verifier
    verifier.close()


def vector(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_has_one_verdict(second: SecondVerifier, name: str) -> None:
    question = vector(name)
    assert summary(second.ask(question)) == summary(ask_first(question))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_changed_proof_has_one_verdict(second: SecondVerifier, seed: int) -> None:
    rng = random.Random(f"changed {seed}")
    read = 0
    for _ in range(QUESTIONS):
        question = mutated(vector(rng.choice(VECTORS)), rng)
        first = summary(ask_first(question))
        assert summary(second.ask(question)) == first, question
        read += "status" in first
    assert read > QUESTIONS // 4


@pytest.mark.parametrize("make", [odd_token, odd_block, odd_tree])
@pytest.mark.parametrize("seed", SEEDS)
def test_odd_evidence_has_one_verdict(
    second: SecondVerifier, seed: int, make: Callable[[Case, random.Random], dict[str, Any]]
) -> None:
    rng = random.Random(f"odd {seed}")
    case = whole_case()
    for _ in range(QUESTIONS):
        question = make(case, rng)
        assert summary(second.ask(question)) == summary(ask_first(question)), question


def test_the_default_policy_is_read_by_both(second: SecondVerifier) -> None:
    question = {**vector("whole_everything_verified"), "policy": load_default_policy_bytes()}
    first = summary(ask_first(question))
    assert first["policy"]["class"] == "production"
    assert summary(second.ask(question)) == first


def _certificates(token: bytes) -> list[bytes]:
    return list(parse_token(token).certificates)


TOKEN = base64.b64decode(vector("tsp_good")["proof"]["attestations"][0]["token"])
NOTE = vector("tsp_good")["proof"]["inclusions"][0]["checkpoint"].encode()
PIECES: dict[str, tuple[bytes, Callable[[bytes], Any], bool]] = {
    "token": (TOKEN, parse_token, True),
    "certificate": (_certificates(TOKEN)[0], parse_certificate, True),
    "note": (NOTE, lambda data: parse_checkpoint(parse_note(data).text), False),
    "json": (
        json.dumps(vector("tsp_good")["proof"]).encode(),
        lambda data: parse_json(data, max_bytes=1 << 20, what="JSON"),
        False,
    ),
}


@pytest.mark.parametrize("kind", sorted(PIECES))
def test_a_changed_piece_is_read_by_both_or_neither(second: SecondVerifier, kind: str) -> None:
    good, read, is_der = PIECES[kind]
    rng = random.Random(kind)
    for _ in range(400):
        changed = mutated_der(good, rng) if is_der else mutated_bytes(good, rng)
        try:
            read(changed)
        except FormatError:
            readable = False
        else:
            readable = True
        assert second.reads(kind, changed) == readable, changed.hex()


def test_an_odd_signature_is_taken_by_both_or_neither(second: SecondVerifier) -> None:
    """Keys with a part of small order: the equation holds as it stands, or only by the cofactor."""
    secret, base = 123_456_789, curve.decode(bytes.fromhex("58" + "66" * 31))
    taken = []
    for torsion in curve.SMALL:
        key = curve.encode(curve.add(curve.times(secret, base), torsion))
        for nonce in range(1, 17):
            point = curve.encode(curve.times(nonce, base))
            challenge = hashlib.sha512(point + key + curve.MESSAGE).digest()
            scalar = (nonce + int.from_bytes(challenge, "little") * secret) % curve.L
            signature = point + scalar.to_bytes(32, "little")
            try:
                verify_ed25519(key, curve.MESSAGE, signature)
            except SignatureError:
                taken.append(False)
            else:
                taken.append(True)
            assert second.reads("ed25519", key + signature + curve.MESSAGE) == taken[-1]
    assert True in taken
    assert False in taken
