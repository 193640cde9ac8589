from __future__ import annotations

import pytest

from anchor_api.app import create_app
from anchor_api.guard import Guard, is_loopback
from anchor_api.problems import ForbiddenOriginError, MisdirectedError
from tests.unit.api.conftest import Client, problem, running


def scope(host="127.0.0.1:80", origin=None, method="GET"):
    headers = [] if host is None else [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return {"type": "http", "method": method, "headers": headers}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8460", "localhost:1", "LOCALHOST", "[::1]:9", "[::1]"]
)
def test_names_of_this_machine_pass_on_loopback(host):
    Guard("127.0.0.1").check(scope(host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8460",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "[::2]",
        "::1",
        "127.0.0.2",
        "0.0.0.0",
        None,
    ],
)
def test_other_names_do_not(host):
    with pytest.raises(MisdirectedError):
        Guard("127.0.0.1").check(scope(host))


def test_two_hosts_do_not_pass():
    twice = scope("127.0.0.1")
    twice["headers"].append((b"host", b"127.0.0.1"))
    with pytest.raises(MisdirectedError):
        Guard("127.0.0.1").check(twice)


def test_a_name_that_passed_once_does_not_let_others_pass():
    guard = Guard("127.0.0.1")
    guard.check(scope("localhost"))
    with pytest.raises(MisdirectedError):
        guard.check(scope("evil.example"))


def test_named_hosts_pass_everywhere():
    for bound in ("127.0.0.1", "0.0.0.0"):
        guard = Guard(bound, ["log.example", "other.example:8443"])
        guard.check(scope("log.example"))
        guard.check(scope("Log.Example:99"))
        guard.check(scope("other.example:8443"))
        for wrong in ("other.example", "evil.example"):
            with pytest.raises(MisdirectedError):
                guard.check(scope(wrong))


def test_a_public_address_takes_any_name_where_none_are_set():
    Guard("0.0.0.0").check(scope("whatever.example"))
    Guard("0.0.0.0").check(scope("whatever.example", origin="https://evil.example"))


@pytest.mark.parametrize("origin", ["http://127.0.0.1:80", "https://127.0.0.1:80"])
def test_pages_of_the_service_itself_pass(origin):
    Guard("127.0.0.1").check(scope(origin=origin))


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:81", "http://localhost:80", "", "http://["],
)
def test_pages_of_others_do_not(origin):
    with pytest.raises(ForbiddenOriginError):
        Guard("127.0.0.1").check(scope(origin=origin))


def test_pages_that_are_allowed_pass():
    guard = Guard("127.0.0.1", (), ["https://App.example/"])
    guard.check(scope(origin="https://app.example"))
    with pytest.raises(ForbiddenOriginError):
        guard.check(scope(origin="https://app.example.evil"))


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("log.example", False),
    ],
)
def test_loopback(host, local):
    assert is_loopback(host) is local


def test_a_rebound_name_reaches_nothing(service):
    client = Client(create_app(service), host="evil.example")
    for path in ("/", "/v1/status", "/checkpoint", "/healthz", "/no/such"):
        problem(client.get(path), 421, "http.host")
    problem(client.submit(bytes(32)), 421, "http.host")
    assert service.store.committed is None


def test_a_foreign_page_reaches_nothing(service):
    client = Client(create_app(service))
    headers = {"origin": "https://evil.example"}
    problem(client.submit(bytes(32), headers=headers), 403, "http.origin")
    problem(client.get("/v1/status", headers=headers), 403, "http.origin")
    assert service.store.committed is None


def test_an_allowed_page_gets_the_sharing_headers(changed):
    with running(changed(allowed_origins=("https://app.example",))) as service:
        client = Client(create_app(service))
        headers = {"origin": "https://app.example"}
        for response in (
            client.submit(bytes(32), headers=headers),
            client.get("/checkpoint", headers=headers),
        ):
            assert response.status_code == 200
            assert response.headers["access-control-allow-origin"] == "https://app.example"
            assert response.headers["vary"] == "Origin"
        asked = client.request("OPTIONS", "/v1/digests", headers=headers)
        assert asked.status_code == 204
        assert "Idempotency-Key" in asked.headers["access-control-allow-headers"]
        assert "access-control-allow-origin" not in client.get("/checkpoint").headers
