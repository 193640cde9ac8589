"""A real service without outside parties, in a folder of its own, and its application."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx
import pytest

from anchor.backends.bitcoin_headers import EsploraHeaders
from anchor.backends.calendar import CalendarBackend, CalendarSettings
from anchor.backends.local_tsa import LocalAuthority
from anchor.backends.local_tsa_server import LocalAuthorityServer
from anchor.backends.tsa import TsaBackend
from anchor.backends.tsa_client import TsaSettings
from anchor.config.beacons import Beacons, bitcoin_beacon
from anchor.config.service import Service
from anchor.config.settings import (
    CalendarEndpointSettings,
    HttpSettings,
    LogSettings,
    Settings,
)
from anchor.config.wiring import build_service
from anchor.proof.policy import Policy, parse_policy
from anchor_api.app import create_app
from tests.fakes.calendar import FakeCalendar

POLICY = Policy("tests", bytes(32), "test")


def settings_in(folder):
    return Settings(
        data=folder / "data",
        port=0,
        log=LogSettings(disk_reserve_mb=0),
        http=HttpSettings(body_idle_s=2.0, body_total_s=4.0),
        calendar_endpoint=CalendarEndpointSettings(enabled=True),
    )


@pytest.fixture
def settings(tmp_path):
    return settings_in(tmp_path)


@contextmanager
def running(settings, *, backends=(), start=True, **more):
    more = {"policy": POLICY, "public_url": "http://127.0.0.1:1"} | more
    service = build_service(settings, backends=backends, **more)
    try:
        if start:
            service.start()
        yield service
    finally:
        service.stop()


@pytest.fixture
def service(settings):
    with running(settings) as found:
        yield found


class Client:
    """Asks an application in this process, each call in an event loop of its own."""

    def __init__(self, app, *, peer="127.0.0.1", host="127.0.0.1") -> None:
        self.app = app
        self.peer = peer
        self.host = host

    def request(self, method, path, **more):
        return self.gather([(method, path, more)])[0]

    def gather(self, calls):
        """Make all calls at the same time; return the responses in order."""

        async def ask():
            transport = httpx.ASGITransport(self.app, client=(self.peer, 1234))
            async with httpx.AsyncClient(
                transport=transport, base_url=f"http://{self.host}", timeout=30
            ) as client:
                return await asyncio.gather(
                    *(client.request(method, path, **more) for method, path, more in calls)
                )

        return asyncio.run(ask())

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, **more):
        return self.request("POST", path, **more)

    def submit(self, *digests, **more):
        return self.post("/v1/digests", json={"digests": [d.hex() for d in digests]}, **more)


@pytest.fixture
def client(service):
    return Client(create_app(service))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """Return the client of a service whose log stays empty, shared by a module's refusals."""
    with running(settings_in(tmp_path_factory.mktemp("untouched"))) as found:
        yield Client(create_app(found))
        assert found.store.committed is None


@pytest.fixture
def changed(settings):
    """Return settings with some of the HTTP group changed."""

    def change(**http):
        return replace(settings, http=replace(settings.http, **http))

    return change


def problem(response, status, code):
    """Check that a response is a problem, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    value = response.json()
    assert value["status"] == status
    assert value["code"] == code, value
    assert value["type"] == f"urn:vestige:problem:{code}"
    assert value["title"]
    assert value["detail"]
    return value


# -- a service with outside parties on this machine ------------------------------------------------


@dataclass
class Anchored:
    """A service, its application's client, and those who stamp its roots."""

    service: Service
    client: Client
    calendar: FakeCalendar

    def wait_final(self, tree_size, *backends):
        self.service.anchorer.force()
        missing = self.service.anchorer.wait_final(tree_size, 20, list(backends) or None)
        assert not missing, f"not final: {missing}, {self.service.anchorer.status()}"

    def wait_pending(self, tree_size):
        """Wait until the calendar has promised something for that tree."""
        self.service.anchorer.force()
        name = next(n for n in self.service.anchorer.backend_names if n.startswith("calendar:"))
        for _ in range(2000):
            for found in self.service.rounds.rounds():
                attempt = self.service.rounds.attempt(found.tree_size, name)
                if found.tree_size >= tree_size and attempt and attempt.attestations:
                    return
            time.sleep(0.01)
        raise AssertionError(f"no promise: {self.service.anchorer.status()}")


@pytest.fixture
def anchored(settings):
    """Return a service with a local time-stamping authority and a local calendar."""
    with anchoring(settings) as found:
        yield found


@pytest.fixture(scope="module")
def anchored_module(tmp_path_factory):
    """Return the same for a whole module; its event streams end at once."""
    settings = settings_in(tmp_path_factory.mktemp("anchored"))
    brief = replace(settings, http=replace(settings.http, event_stream_s=0.01))
    with anchoring(brief) as found:
        yield found


@contextmanager
def anchoring(settings):
    authority = LocalAuthority.create(datetime.now(UTC))
    with FakeCalendar() as calendar, LocalAuthorityServer(authority) as server:
        tsa = TsaBackend(
            TsaSettings("local", server.url, (authority.root,), interval_s=0.05, min_gap_s=0.05)
        )
        stamps = CalendarBackend(
            CalendarSettings(
                calendar.url,
                interval_s=0.05,
                min_gap_s=0.05,
                first_ask_s=0.05,
                ask_min_s=0.05,
                ask_max_s=0.1,
                recheck_s=0.05,
                final_depth=1,
                min_header_work=0,
            ),
            EsploraHeaders(f"{calendar.url}/esplora"),
        )
        policy = {
            "version": 1,
            "name": "api tests",
            "class": "test",
            "authorities": [authority.policy_entry()],
        }
        with running(
            settings,
            backends=(tsa, stamps),
            policy=parse_policy(json.dumps(policy).encode()),
            beacons=Beacons({"bitcoin": bitcoin_beacon(EsploraHeaders(f"{calendar.url}/esplora"))}),
        ) as service:
            yield Anchored(service, Client(create_app(service)), calendar)
        tsa.close()
        stamps.close()
