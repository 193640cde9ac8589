"""The published schema and the reader agree about what a proof file looks like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from anchor.errors import FormatError
from anchor.proof.codec import proof_from_json, proof_to_json
from tests.evidence import whole_case
from tests.vectors.verdict_vectors import FOLDER

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/spec/proof.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
WHOLE = proof_to_json(whole_case().proof)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


VECTORS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


# Some are about an .ots file instead.
@pytest.mark.parametrize("name", [name for name, vector in VECTORS.items() if "proof" in vector])
def test_every_vectors_proof_fits(name: str) -> None:
    VALIDATOR.validate(VECTORS[name]["proof"])


def changed(**entries: Any) -> Any:
    return {**json.loads(json.dumps(WHOLE)), **entries}


def in_first(**entries: Any) -> Any:
    value = changed()
    value["attestations"][0].update(entries)
    return value


@pytest.mark.parametrize(
    "value",
    [
        changed(version=2),
        changed(extra=1),
        changed(digest="AB" * 32),
        changed(opening="0"),
        changed(inclusions=[]),
        in_first(covers="file"),
        in_first(token="A"),
        in_first(certificates=["="]),
        in_first(extra=1),
    ],
)
def test_both_refuse(value: Any) -> None:
    assert list(VALIDATOR.iter_errors(value))
    with pytest.raises(FormatError):
        proof_from_json(value)


def test_both_keep_an_unknown_kind() -> None:
    value = changed(attestations=[{"kind": "moon", "phase": 1}])
    assert not list(VALIDATOR.iter_errors(value))
    assert proof_to_json(proof_from_json(value))["attestations"] == value["attestations"]
