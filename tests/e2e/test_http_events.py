"""Streams of events over a real server."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time

import httpx
import pytest

from tests.e2e.http_service import HTTP, digest, served
from tests.fakes.backends import ScriptedBackend


class Stream:
    """Reads a stream in a thread."""

    def __init__(self, url: str) -> None:
        self.events: list[tuple[str, dict]] = []
        self.status = 0
        self.opened = threading.Event()
        self.ended = threading.Event()
        self._socket: socket.socket | None = None
        self._url = url
        self._client = httpx.Client(timeout=30)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with self._client.stream("GET", self._url) as response:
                self.status = response.status_code
                self._socket = response.extensions["network_stream"].get_extra_info("socket")
                self.kind = response.headers["content-type"]
                self.opened.set()
                name = ""
                for line in response.iter_lines():
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        self.events.append((name, json.loads(line[6:])))
        except httpx.HTTPError:
            pass
        finally:
            self.ended.set()

    def wait_for(self, found, seconds=10.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in list(self.events):
                if found(*event):
                    return event
            time.sleep(0.01)
        raise AssertionError(f"not seen, but {self.events}")

    def close(self) -> None:
        # The service counts a stream before its head has come here.
        assert self.opened.wait(10)
        assert self._socket is not None
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        assert self.ended.wait(10)
        self._client.close()


@pytest.fixture
def running(tmp_path):
    backend = ScriptedBackend("test:one", interval_s=0.05)
    with served(tmp_path, backends=(backend,), event_streams=2) as found:
        yield found


def submit(server, number):
    body = {"digests": [digest(number).hex()]}
    assert HTTP.post(f"{server.url}/v1/digests", json=body).status_code == 200


def streams(server):
    return HTTP.get(f"{server.url}/v1/status").json()["http"]["event_streams"]


def test_rounds_are_told_to_everybody_and_digests_to_nobody(running):
    server, _ = running
    stream = Stream(f"{server.url}/v1/events")
    while not streams(server):
        time.sleep(0.01)
    submit(server, 1)
    _, event = stream.wait_for(lambda name, data: data.get("phase") == "final")
    assert event["backend"] == "test:one"
    assert event["tree_size"] == 1
    assert stream.kind.startswith("text/event-stream")
    assert digest(1).hex() not in json.dumps(stream.events)
    assert {name for name, _ in stream.events} <= {"round", "attempt", "alarm", "alarm_over"}
    stream.close()


def test_a_digest_that_is_named_is_followed(running):
    server, _ = running
    stream = Stream(f"{server.url}/v1/events?digest={digest(1).hex()}")
    stream.wait_for(lambda name, data: name == "standing" and data["state"] == "unknown")
    submit(server, 2)
    submit(server, 1)
    _, data = stream.wait_for(lambda name, data: data.get("state") == "final")
    assert data["digest"] == digest(1).hex()
    assert digest(2).hex() not in json.dumps(stream.events)
    states = [data["state"] for name, data in stream.events if name == "standing"]
    assert states[0] == "unknown"
    assert states[-1] == "final"
    stream.close()


@pytest.mark.parametrize("query", ["digest=xyz", "digest=" + "AB" * 32])
def test_digests_that_are_none(running, query):
    server, _ = running
    response = HTTP.get(f"{server.url}/v1/events?{query}")
    assert response.status_code == 400


def test_more_digests_than_are_followed(running):
    server, _ = running
    query = "&".join(f"digest={digest(n).hex()}" for n in range(101))
    response = HTTP.get(f"{server.url}/v1/events?{query}")
    assert response.json()["code"] == "usage.digests"


def test_more_streams_than_are_served(running):
    server, _ = running
    first, second = (Stream(f"{server.url}/v1/events") for _ in range(2))
    while streams(server) < 2:
        time.sleep(0.01)
    response = HTTP.get(f"{server.url}/v1/events")
    assert response.status_code == 503
    assert response.json()["code"] == "overloaded.event_streams"
    first.close()
    second.close()


def test_a_client_that_leaves_is_forgotten(running):
    server, _ = running
    stream = Stream(f"{server.url}/v1/events")
    while not streams(server):
        time.sleep(0.01)
    stream.close()
    submit(server, 1)
    for _ in range(500):
        if not streams(server):
            return
        time.sleep(0.02)
    raise AssertionError("the stream is still counted")


def test_the_end_of_the_server_ends_the_streams(tmp_path):
    with served(tmp_path) as (server, _):
        stream = Stream(f"{server.url}/v1/events")
        while not streams(server):
            time.sleep(0.01)
    assert stream.ended.wait(10)
    stream.close()
