from __future__ import annotations

import base64
import hashlib
import json
import struct

import pytest

from anchor.errors import LogIntegrityError, OverloadedError, StoreUnavailableError
from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.note import parse_note, verify_note
from anchor_api.app import create_app
from tests.unit.api.conftest import Client, problem, running

RAW = {"content-type": "application/octet-stream"}
JSON = {"content-type": "application/json"}
CREATED = 1 << 63


def digest(number):
    return hashlib.sha256(str(number).encode()).digest()


def numbers(response):
    return [n for (n,) in struct.iter_unpack(">Q", response.content)]


# -- what is right ---------------------------------------------------------------------------------


def test_digests_get_their_leaves_in_order_under_one_checkpoint(client, service):
    answer = client.submit(*(digest(n) for n in range(3))).json()
    assert [item["leaf_index"] for item in answer["digests"]] == [0, 1, 2]
    assert [item["digest"] for item in answer["digests"]] == [digest(n).hex() for n in range(3)]
    assert all(item["created"] for item in answer["digests"])
    note = parse_note(answer["checkpoint"])
    verify_note(note, service.signer.note_key)
    checkpoint = parse_checkpoint(note.text)
    assert checkpoint.tree_size == answer["tree_size"] == 3
    assert checkpoint.root_hash.hex() == answer["root_hash"]
    assert service.store.committed.checkpoint == answer["checkpoint"]


def test_a_digest_that_is_there_keeps_its_first_index(client):
    client.submit(digest(1), digest(2))
    answer = client.submit(digest(2), digest(3), digest(3)).json()
    found = [(item["leaf_index"], item["created"]) for item in answer["digests"]]
    assert found[0] == (1, False)
    assert {found[1], found[2]} == {(2, True), (2, False)} or found[1:] == [(2, True), (2, True)]


def test_a_raw_body_gets_numbers_and_headers(client, service):
    client.submit(digest(0))
    body = b"".join(digest(n) for n in range(4))
    response = client.post("/v1/digests", content=body, headers=RAW)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/octet-stream"
    assert numbers(response) == [0, 1 | CREATED, 2 | CREATED, 3 | CREATED]
    assert response.headers["vestige-tree-size"] == "4"
    note = parse_note(base64.b64decode(response.headers["vestige-checkpoint"], validate=True))
    verify_note(note, service.signer.note_key)
    assert parse_checkpoint(note.text).tree_size == 4


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_media_types_are_compared_without_parameters_and_case(client, media_type):
    content = json.dumps({"digests": [digest(1).hex()]}).encode()
    response = client.post("/v1/digests", content=content, headers={"content-type": media_type})
    assert response.status_code == 200


def test_1000_digests_are_taken(client):
    answer = client.submit(*(digest(n) for n in range(1000))).json()
    assert len(answer["digests"]) == 1000


def test_every_answer_carries_the_security_headers(client):
    for response in (client.submit(digest(1)), client.post("/v1/digests", content=b"x")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["cache-control"] == "no-store"


# -- what is wrong ---------------------------------------------------------------------------------


def post_json(client, value):
    content = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return client.post("/v1/digests", content=content, headers=JSON)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "format.json"),
        (b"\xff", "format.json"),
        (b'{"digests":["' + b"\xff" * 64 + b'"]}', "format.json"),
        (b"{", "format.json"),
        (b'{"digests":[]} x', "format.json"),
        (b"[" * 10_000, "format.submission"),
        (b'{"digests":' + b"[" * 10_000, "format.submission"),
        (b'{"x":' + b"[" * 10_000, "format.submission"),
        ({"digests": "00" * 32}, "format.submission"),
        ({"digests": [1]}, "format.submission"),
        ({"digests": None}, "format.submission"),
        ({}, "format.submission"),
        ([], "format.submission"),
        ({"digest": ["00" * 32]}, "format.submission"),
        ({"digests": ["00" * 32], "more": 1}, "format.submission"),
        (
            b'{"digests":["%b"],"digests":["%b"]}' % ((b"00" * 32,) * 2),
            "format.json.duplicate_name",
        ),
        (
            b'{"\\u0064igests":["%b"],"digests":["%b"]}' % ((b"00" * 32,) * 2),
            "format.json.duplicate_name",
        ),
        ({"digests": []}, "usage.digests"),
        ({"digests": ["00" * 32] * 1001}, "usage.digests"),
        ({"digests": ["00" * 31]}, "format.hex.length"),
        ({"digests": ["00" * 33]}, "format.hex.length"),
        ({"digests": [""]}, "format.hex.length"),
        # Lengths that make up for each other.
        ({"digests": ["00" * 31, "00" * 33]}, "format.hex.length"),
        ({"digests": ["0" * 63 + "A"]}, "format.non_canonical"),
        ({"digests": ["AB" * 32]}, "format.non_canonical"),
        ({"digests": ["0" * 63 + "g"]}, "format.hex"),
        ({"digests": [" " + "0" * 63]}, "format.hex"),
        ({"digests": ["0x" + "0" * 62]}, "format.hex"),
        ({"digests": ["0" * 62 + "  "]}, "format.hex"),
        ({"digests": ["٣" * 64]}, "format.hex"),
    ],
)
def test_a_json_body_that_is_wrong(untouched, value, code):
    problem(post_json(untouched, value), 400, code)


def test_the_wrong_one_among_many_is_named(untouched):
    wanted = [digest(n).hex() for n in range(20)]
    wanted[17] = wanted[17].upper()
    found = problem(post_json(untouched, {"digests": wanted}), 400, "format.non_canonical")
    assert "digests[17]" in found["detail"]


def test_a_json_body_over_the_limit(untouched):
    problem(post_json(untouched, b" " * ((256 << 10) + 1)), 413, "http.body.too_large")


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 31, b"x" * 33, b"x" * 65])
def test_a_raw_body_that_is_no_whole_number_of_digests(untouched, body):
    problem(untouched.post("/v1/digests", content=body, headers=RAW), 400, "usage.digests")


def test_a_raw_body_of_one_digest_too_many(untouched):
    body = bytes(32 * 1_000_001)
    problem(untouched.post("/v1/digests", content=body, headers=RAW), 413, "http.body.too_large")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "x"])
def test_another_media_type(untouched, media_type):
    headers = {"content-type": media_type}
    problem(untouched.post("/v1/digests", content=b"{}", headers=headers), 415, "http.media_type")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method(untouched, method):
    response = untouched.request(method, "/v1/digests")
    problem(response, 405, "http.method")
    assert response.headers["allow"] == "POST"


# -- the same digest at the same time --------------------------------------------------------------


def test_fifty_clients_with_one_digest_get_one_index(client, service):
    content = json.dumps({"digests": [digest(7).hex()]}).encode()
    calls = [("POST", "/v1/digests", {"content": content, "headers": JSON})] * 50
    answers = [response.json()["digests"][0] for response in client.gather(calls)]
    assert {answer["leaf_index"] for answer in answers} == {0}
    assert sum(answer["created"] for answer in answers) == 1
    assert service.store.committed.tree_size == 1


# -- Idempotency-Key -------------------------------------------------------------------------------


def test_a_repeated_request_under_its_key_gets_the_same_answer(client):
    first = client.submit(digest(1), headers={"idempotency-key": "k1"})
    client.submit(digest(2))
    second = client.submit(digest(1), headers={"idempotency-key": "k1"})
    assert second.content == first.content
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    without = client.submit(digest(1)).json()["digests"][0]
    assert without == {"digest": digest(1).hex(), "leaf_index": 0, "created": False}


def test_one_key_does_not_stand_for_two_requests(client, service):
    client.submit(digest(1), headers={"idempotency-key": "k1"})
    response = client.submit(digest(2), headers={"idempotency-key": "k1"})
    problem(response, 422, "http.idempotency_key.reused")
    raw = {**RAW, "idempotency-key": "k1"}
    problem(
        client.post("/v1/digests", content=digest(1), headers=raw),
        422,
        "http.idempotency_key.reused",
    )
    assert service.store.committed.tree_size == 1


def test_keys_of_two_clients_are_two_keys(service, changed):
    app = create_app(service)
    headers = {"idempotency-key": "k1"}
    assert Client(app).submit(digest(1), headers=headers).status_code == 200
    assert Client(app, peer="192.0.2.1").submit(digest(2), headers=headers).status_code == 200


def test_the_same_key_many_times_at_once_is_sequenced_once(client, service):
    content = json.dumps({"digests": [digest(1).hex()]}).encode()
    headers = {**JSON, "idempotency-key": "k1"}
    calls = [("POST", "/v1/digests", {"content": content, "headers": headers})] * 20
    answers = client.gather(calls)
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].json()["digests"][0]["created"] is True
    assert service.sequencer.figures.n_repeated == 0


def test_a_failure_is_not_remembered(client, service):
    headers = {"idempotency-key": "k1"}
    service.sequencer.stop_accepting("for the test")
    problem(client.submit(digest(1), headers=headers), 503, "store.unavailable.read_only")
    service.sequencer.accept()
    assert client.submit(digest(1), headers=headers).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_malformed_key(untouched, key):
    problem(
        untouched.submit(digest(1), headers={"idempotency-key": key}), 400, "http.idempotency_key"
    )


# -- the log says no -------------------------------------------------------------------------------


class Refuses:
    def __init__(self, error) -> None:
        self.error = error

    async def submit(self, digests):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (OverloadedError("too much"), 503, True),
        (StoreUnavailableError("disk full"), 503, True),
        (LogIntegrityError("two trees"), 500, False),
        (RuntimeError("secret /path"), 500, False),
    ],
)
def test_what_the_log_raises_becomes_a_problem(client, monkeypatch, error, status, retry):
    route = client.app._quick["/v1/digests"]["POST"]
    monkeypatch.setattr(route, "_submits", Refuses(error))
    response = client.submit(digest(1))
    assert response.status_code == status
    assert ("retry-after" in response.headers) == retry
    assert "secret" not in response.text


def test_a_read_only_log_refuses_writes_and_answers_reads(client, service):
    client.submit(digest(1))
    service.sequencer.stop_accepting("no checkpoint is known outside")
    response = client.submit(digest(2))
    problem(response, 503, "store.unavailable.read_only")
    assert int(response.headers["retry-after"]) > 0
    assert client.get(f"/v1/digests/{digest(1).hex()}").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


# -- quotas ----------------------------------------------------------------------------------------


def test_too_many_requests_of_one_client(changed):
    with running(changed(requests_per_s=0.1)) as service:
        app = create_app(service)
        stranger = Client(app, peer="192.0.2.1")
        assert stranger.submit(digest(1)).status_code == 200
        response = stranger.submit(digest(2))
        problem(response, 429, "overloaded.quota")
        assert 1 <= int(response.headers["retry-after"]) <= 10
        assert Client(app, peer="192.0.2.2").submit(digest(2)).status_code == 200
        assert Client(app).submit(digest(3)).status_code == 200
        # Reads are never counted.
        assert stranger.get("/checkpoint").status_code == 200


def test_too_many_digests_of_one_client(changed):
    with running(changed(digests_per_client_per_day=10)) as service:
        app = create_app(service)
        stranger = Client(app, peer="192.0.2.1")
        assert stranger.submit(*(digest(n) for n in range(10))).status_code == 200
        problem(stranger.submit(digest(11)), 429, "overloaded.quota")
        body = b"".join(digest(n) for n in range(11))
        problem(
            Client(app, peer="192.0.2.7").post("/v1/digests", content=body, headers=RAW),
            429,
            "overloaded.quota",
        )
        assert Client(app).submit(*(digest(n) for n in range(20, 40))).status_code == 200


def test_too_many_digests_of_everybody_stops_local_clients_too(changed):
    with running(changed(digests_per_day=5)) as service:
        client = Client(create_app(service))
        assert client.submit(*(digest(n) for n in range(5))).status_code == 200
        problem(client.submit(digest(6)), 429, "overloaded.quota")


def test_the_budget_of_bytes_is_shared_and_given_back(changed):
    with running(changed(inflight_mb=1)) as service:
        client = Client(create_app(service))
        large = bytes(32) * 40_000
        response = client.post("/v1/digests", content=large, headers=RAW)
        problem(response, 503, "overloaded.bytes_in_flight")
        fits = b"".join(digest(n) for n in range(10_000))
        for _ in range(3):
            assert client.post("/v1/digests", content=fits, headers=RAW).status_code == 200
