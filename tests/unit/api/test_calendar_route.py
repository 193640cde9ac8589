from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpSHA256
from opentimestamps.core.serialize import BytesDeserializationContext
from opentimestamps.core.timestamp import Timestamp

from anchor.config.settings import CalendarEndpointSettings
from anchor.errors import ConfigError
from anchor_api.app import create_app
from tests.unit.api.conftest import Client, problem, running

OURS = PendingAttestation("http://127.0.0.1:1")
DIGEST = hashlib.sha256(b"x").digest()


def tree(data, message):
    return Timestamp.deserialize(BytesDeserializationContext(data), message)


def test_it_is_off_unless_switched_on(settings):
    off = replace(settings, calendar_endpoint=CalendarEndpointSettings())
    with running(off) as service:
        client = Client(create_app(service))
        problem(client.post("/digest", content=DIGEST), 404, "not_found.path")
        problem(client.get(f"/timestamp/{DIGEST.hex()}"), 404, "not_found.path")


def test_without_an_address_of_its_own_it_cannot_promise(settings):
    with pytest.raises(ConfigError, match="public_url"), running(settings, public_url=None):
        pass


def test_32_bytes_are_the_entry_itself(client, service):
    response = client.post("/digest", content=DIGEST)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/octet-stream"
    found = tree(response.content, DIGEST)
    assert found.attestations == {OURS}
    assert not found.ops
    assert service.store.entry(0) == DIGEST


@pytest.mark.parametrize("length", [1, 20, 31, 33, 64])
def test_anything_else_is_hashed_first(client, service, length):
    submitted = bytes(range(length))
    found = tree(client.post("/digest", content=submitted).content, submitted)
    ((op, below),) = found.ops.items()
    assert op == OpSHA256()
    assert below.attestations == {OURS}
    assert service.store.entry(0) == hashlib.sha256(submitted).digest()


@pytest.mark.parametrize("body", [b"", bytes(65), bytes(10_000)])
def test_nothing_or_too_much(untouched, body):
    response = untouched.post("/digest", content=body)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("text/plain")


def test_the_media_type_is_not_looked_at(client):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/digest", content=DIGEST, headers=headers).status_code == 200


def test_a_commitment_that_is_not_there(untouched):
    response = untouched.get(f"/timestamp/{DIGEST.hex()}")
    assert (response.status_code, response.text) == (404, "Not found")
    response = untouched.get(f"/timestamp/{'00' * 44}")
    assert (response.status_code, response.text) == (404, "Not found")


@pytest.mark.parametrize("text", ["xyz", "0", "00" * 65])
def test_a_commitment_that_is_no_hexadecimal(untouched, text):
    assert untouched.get(f"/timestamp/{text}").status_code == 400


def test_an_entry_that_no_calendar_has_seen_yet(client):
    client.post("/digest", content=DIGEST)
    response = client.get(f"/timestamp/{DIGEST.hex()}")
    assert (response.status_code, response.text) == (
        404,
        "Pending confirmation in Bitcoin blockchain",
    )
    assert response.headers["cache-control"] == "public, max-age=60"


def test_a_promise_then_a_block(anchored):
    client = anchored.client
    path = f"/timestamp/{DIGEST.hex()}"
    client.post("/digest", content=DIGEST)
    anchored.wait_pending(1)
    response = client.get(path)
    assert response.headers["cache-control"] == "public, max-age=60"
    found = [a for _, a in tree(response.content, DIGEST).all_attestations()]
    assert found == [PendingAttestation(anchored.calendar.url)]
    height = anchored.calendar.mine()
    anchored.calendar.chain.mine(7)
    name = next(n for n in anchored.service.anchorer.backend_names if n.startswith("calendar"))
    anchored.wait_final(1, name)
    response = client.get(path)
    assert "31536000" in response.headers["cache-control"]
    assert len(response.content) < 10_000
    found = {a for _, a in tree(response.content, DIGEST).all_attestations()}
    assert BitcoinBlockHeaderAttestation(height) in found


def test_it_has_limits_of_its_own(settings):
    limited = replace(
        settings,
        calendar_endpoint=CalendarEndpointSettings(enabled=True, requests_per_s=0.1),
    )
    with running(limited) as service:
        stranger = Client(create_app(service), peer="192.0.2.1")
        assert stranger.post("/digest", content=DIGEST).status_code == 200
        response = stranger.post("/digest", content=DIGEST)
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) > 0
        assert stranger.submit(DIGEST).status_code == 200


def test_a_log_that_takes_no_writes_says_so(client, service):
    service.sequencer.stop_accepting("told so")
    response = client.post("/digest", content=DIGEST)
    assert response.status_code == 503
    assert "retry-after" in response.headers
