"""A real service without outside parties, in a folder of its own, and its application."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from anchor.config.settings import (
    CalendarEndpointSettings,
    HttpSettings,
    LogSettings,
    Settings,
)
from anchor.config.wiring import build_service
from anchor.proof.policy import Policy
from anchor_api.app import create_app

POLICY = Policy("tests", bytes(32), "test")


@pytest.fixture
def settings(tmp_path):
    return Settings(
        data=tmp_path / "data",
        port=0,
        log=LogSettings(disk_reserve_mb=0),
        http=HttpSettings(body_idle_s=2.0, body_total_s=4.0),
        calendar_endpoint=CalendarEndpointSettings(enabled=True),
    )


@contextmanager
def running(settings, *, backends=(), start=True, **more):
    service = build_service(
        settings, backends=backends, policy=POLICY, public_url="http://127.0.0.1:1", **more
    )
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
