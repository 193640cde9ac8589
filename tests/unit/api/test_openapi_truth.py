"""What the route below the framework answers is what the OpenAPI file says."""

from __future__ import annotations

import hashlib
import json

import pytest
from jsonschema import Draft202012Validator

DIGEST = hashlib.sha256(b"x").hexdigest()


@pytest.fixture
def document(project_root):
    return json.loads((project_root / "api" / "openapi.json").read_text())


def validator(document, schema):
    return Draft202012Validator({**schema, "components": document["components"]})


def operation(document):
    return document["paths"]["/v1/digests"]["post"]


def test_answers_match_their_schema(client, document):
    schema = operation(document)["responses"]["200"]["content"]["application/json"]["schema"]
    check = validator(document, schema)
    first = client.post("/v1/digests", json={"digests": [DIGEST]}).json()
    check.validate(first)
    for wrong in (
        {**first, "tree_size": 0},
        {**first, "root_hash": "AB" * 32},
        {**first, "digests": [{"digest": DIGEST, "leaf_index": -1, "created": True}]},
    ):
        assert not check.is_valid(wrong)


@pytest.mark.parametrize(
    "value",
    [
        {"digests": []},
        {"digests": [DIGEST] * 1001},
        {"digests": [DIGEST.upper()]},
        {"digests": [DIGEST[:-1]]},
        {"digests": [1]},
        {},
        [],
    ],
)
def test_what_the_schema_refuses_the_route_refuses(untouched, document, value):
    schema = operation(document)["requestBody"]["content"]["application/json"]["schema"]
    assert not validator(document, schema).is_valid(value)
    assert untouched.post("/v1/digests", json=value).status_code == 400


def test_what_the_schema_takes_the_route_takes(client, document):
    schema = operation(document)["requestBody"]["content"]["application/json"]["schema"]
    for value in ({"digests": [DIGEST]}, {"digests": [DIGEST] * 1000}):
        validator(document, schema).validate(value)
        assert client.post("/v1/digests", json=value).status_code == 200


def test_headers_of_a_raw_answer_are_those_named(client, document):
    named = operation(document)["responses"]["200"]["headers"]
    response = client.post(
        "/v1/digests",
        content=bytes.fromhex(DIGEST),
        headers={"content-type": "application/octet-stream", "idempotency-key": "k"},
    )
    assert {"Vestige-Tree-Size", "Vestige-Checkpoint", "Idempotency-Replayed"} == set(named)
    assert response.headers["vestige-tree-size"] == "1"
    assert response.headers["vestige-checkpoint"]


def test_problems_match_their_schema(client, document):
    problem = validator(document, {"$ref": "#/components/schemas/ProblemAnswer"})
    for response, status in (
        (client.post("/v1/digests", content=b"{"), "400"),
        (client.post("/v1/digests", content=b"", headers={"content-type": "text/plain"}), "415"),
        (client.post("/v1/digests", content=bytes(300_000)), "413"),
    ):
        assert str(response.status_code) == status
        assert status in operation(document)["responses"]
        problem.validate(response.json())
