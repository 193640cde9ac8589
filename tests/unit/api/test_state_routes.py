from __future__ import annotations

import hashlib
import json
import re

import pytest

from anchor.config.beacons import Beacons
from anchor.errors import BackendUnavailableError
from anchor.formats.encoding import parse_json
from anchor.ports import Phase
from anchor_api.app import create_app
from tests.fakes.backends import ScriptedBackend
from tests.unit.api.conftest import Client, problem, running


def digest(number):
    return hashlib.sha256(str(number).encode()).digest()


def strict(response):
    assert response.status_code == 200, response.text
    return parse_json(response.content, max_bytes=4 << 20, what="answer")


# -- rounds ----------------------------------------------------------------------------------------


def test_rounds_newest_first_with_their_anchors(anchored):
    for number in range(3):
        anchored.client.submit(digest(number))
        size = anchored.service.store.committed.tree_size
        anchored.wait_final(size, "rfc3161:local")
    answer = strict(anchored.client.get("/v1/rounds?limit=2"))
    sizes = [item["tree_size"] for item in answer["rounds"]]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 2
    assert answer["next_before_size"] == sizes[-1]
    page = strict(anchored.client.get(f"/v1/rounds?before_size={sizes[-1]}"))
    assert all(item["tree_size"] < sizes[-1] for item in page["rounds"])
    one = strict(anchored.client.get(f"/v1/rounds/{sizes[-1]}"))
    assert one["checkpoint"].splitlines()[1] == str(sizes[-1])
    assert one["root_hash"] == anchored.service.store.root_hash(sizes[-1]).hex()
    assert all(len(anchor["backend"]) > 3 for anchor in one["anchors"])


@pytest.mark.parametrize("size", ["0", "7", str(2**53), "-1"])
def test_a_round_that_there_is_not(untouched, size):
    problem(untouched.get(f"/v1/rounds/{size}"), 404, "not_found.round")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "before_size=0", f"before_size={2**60}"]
)
def test_pages_out_of_bounds(untouched, query):
    problem(untouched.get(f"/v1/rounds?{query}"), 400, "usage.parameter")


def test_a_round_path_that_is_no_number(untouched):
    problem(untouched.get("/v1/rounds/x"), 400, "usage.parameter")


# -- status ----------------------------------------------------------------------------------------


def test_the_status_names_the_log_and_its_key(client, service):
    value = strict(client.get("/v1/status"))
    assert value["log"]["key"] == service.signer.note_key.text
    assert value["log"]["tree_size"] == 0
    assert value["log"]["read_only"] is None
    client.submit(digest(1))
    value = strict(client.get("/v1/status"))
    assert value["log"]["tree_size"] == 1
    assert value["http"]["submissions"] == {"200": 1}


def test_a_backend_that_is_down_is_seen_and_holds_up_nobody(settings):
    down = ScriptedBackend("test:down", then=BackendUnavailableError("no answer"), interval_s=0.01)
    well = ScriptedBackend("test:well", interval_s=0.01)
    with running(settings, backends=(down, well)) as service:
        client = Client(create_app(service))
        client.submit(digest(1))
        assert service.anchorer.wait_final(1, 10, ["test:well"]) == []
        states = {b["name"]: b for b in strict(client.get("/v1/status"))["anchoring"]["backends"]}
        assert states["test:down"]["last_error"] == "no answer"
        assert states["test:well"]["last_final"]["tree_size"] == 1
        text = client.get("/metrics").text
        assert re.search(r'vestige_backend_steps_total\{.*"test:down".*"retry"\} [1-9]', text)


def test_metrics_are_samples(client):
    client.submit(digest(1))
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in response.text.splitlines():
        assert re.fullmatch(
            r"# (HELP|TYPE) vestige_\w+ .+|vestige_\w+(\{.*\})? [-+0-9.eInfNa]+", line
        ), line
    assert "vestige_log_created_total 1" in response.text
    assert 'vestige_http_submissions_total{status="200"} 1' in response.text


def test_health_and_readiness(client, service):
    assert strict(client.get("/healthz")) == {"status": "ok", "reason": None}
    assert strict(client.get("/readyz"))["status"] == "ready"
    service.sequencer.stop_accepting("told so")
    assert client.get("/healthz").status_code == 200
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "not_ready", "reason": "told so"}


# -- beacon ----------------------------------------------------------------------------------------


def test_no_beacon_without_sources_and_it_says_so(client):
    value = strict(client.get("/v1/beacon"))
    assert (value["beacons"], value["drand"]) == ({}, None)
    assert "no source" in value["note"]


def test_a_beacon_is_a_block_below_the_tip(anchored):
    value = strict(anchored.client.get("/v1/beacon"))["beacons"]["bitcoin"]
    height = anchored.calendar.chain.height - 2
    assert value["number"] == height
    assert value["block_hash"] == anchored.calendar.chain.block_hash(height)
    assert isinstance(value["time"], int)


def test_a_source_that_is_down_is_an_error_of_its_own(anchored):
    anchored.calendar.faults.header[anchored.calendar.chain.height - 2] = bytes(80)
    value = strict(anchored.client.get("/v1/beacon"))["beacons"]["bitcoin"]
    assert "error" in value


def test_drand_stands_apart_from_the_blocks(anchored, monkeypatch):
    said = {"round": 7, "randomness": "aa" * 32, "signature": "bb" * 48, "time": 1}
    sources = {"drand": lambda: dict(said)}
    monkeypatch.setattr(anchored.service, "beacons", Beacons(sources))
    value = strict(anchored.client.get("/v1/beacon"))
    assert (value["beacons"], value["drand"], value["note"]) == ({}, said, None)


# -- addresses that there are not ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1", "/v2/digests", "/v1/digests/", "/docs", "/redoc"])
def test_an_address_that_there_is_not(untouched, path):
    problem(untouched.get(path), 404, "not_found.path")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/status"), ("DELETE", "/checkpoint"), ("GET", "/v1/verify")]
)
def test_a_method_that_is_not_taken(untouched, method, path):
    response = untouched.request(method, path)
    problem(response, 405, "http.method")
    assert response.headers["allow"]


def test_an_unexpected_exception_shows_nothing_of_the_inside(client, service, monkeypatch):
    def broken():
        raise RuntimeError("/srv/secret")

    monkeypatch.setattr(service, "status", broken)
    response = client.get("/v1/status")
    problem(response, 500, "unexpected")
    assert "secret" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_openapi_file_is_the_one_that_the_application_gives(project_root, client):
    from anchor_api.openapi import committed_document

    committed = (project_root / "api" / "openapi.json").read_text()
    assert committed == committed_document(), "python -m anchor_api.openapi > api/openapi.json"
    assert client.get("/openapi.json").json() == json.loads(committed)


def test_every_round_phase_is_named_in_the_description(project_root):
    text = (project_root / "api" / "openapi.json").read_text()
    for phase in Phase:
        assert phase.value in text


def test_no_more_streams_are_open_though_many_ask_at_once(changed):
    with running(changed(event_streams=2, event_stream_s=0.2)) as service:
        client = Client(create_app(service))
        path = f"/v1/events?digest={'00' * 32}"
        responses = client.gather([("GET", path, {})] * 12)
        told = [response for response in responses if "standing" in response.text]
        assert len(told) == 2
        # The others were refused, or admitted together with these and ended at once.
        assert all(r.status_code == 503 or not r.content for r in responses if r not in told)
