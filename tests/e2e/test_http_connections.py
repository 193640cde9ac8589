"""Connections that are held, flooded or not read, against ``vestige serve`` over raw sockets."""

from __future__ import annotations

import dataclasses
import resource
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchor.service.anchor_event import AnchorEvent
from anchor_api.app import create_app
from anchor_api.connection import BoundedConnection
from anchor_api.server import BackgroundServer
from tests.e2e.http_service import HTTP, connection, digest, process, response_of, served

MIB = 1 << 20
HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
# A service that waits for a second at most, so that the tests need not wait longer.
HASTY = (
    "--http-head-s=1",
    "--http-keep-alive-s=1",
    "--http-body-idle-s=1",
    "--http-body-total-s=2",
    "--http-answer-idle-s=1",
    "--http-answer-total-s=6",
)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    with process(tmp_path_factory.mktemp("hasty"), *HASTY) as found:
        yield found


def memory_mib(found) -> float:
    status = Path(f"/proc/{found.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def send_until_cut(sock, blob, *, most_bytes):
    """Send without end; return how many bytes went out before the peer cut the connection."""
    sent = 0
    try:
        while sent < most_bytes:
            sock.sendall(blob)
            sent += len(blob)
    except OSError:
        return sent
    return None


def ends_within(sock, seconds, *, every_s=None, drip=b"x"):
    """Say whether the peer ends the connection, while something is sent now and then."""
    deadline = time.monotonic() + seconds
    sock.settimeout(every_s or 0.2)
    while time.monotonic() < deadline:
        try:
            if not sock.recv(65_536):
                return True
        except TimeoutError:
            pass
        except OSError:
            return True
        if every_s:
            try:
                sock.sendall(drip)
            except OSError:
                return True
    return False


# -- floods ----------------------------------------------------------------------------------------


def fields(n_bytes):
    """Return trailer fields, each of its own name."""
    return b"".join(b"x%d: %s\r\n" % (n, b"v" * 200) for n in range(n_bytes // 210))


@pytest.mark.parametrize("start", [b"POST /v1/digests HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\n"])
@pytest.mark.parametrize(
    "blob", [fields(400_000), b"v" * 400_000], ids=["fields without end", "a field without end"]
)
def test_trailers_without_end_are_cut_off(hasty, start, blob):
    before = memory_mib(hasty)
    with connection(hasty.url) as sock:
        sock.sendall(
            start + HOST + b"Content-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: "
        )
        sent = send_until_cut(sock, blob, most_bytes=300 * MIB)
        assert sent is not None, "the service read 300 MiB of trailers"
        assert sent < 40 * MIB  # what lies in buffers on the way is not the service's
        assert memory_mib(hasty) - before < 30
    assert HTTP.get(f"{hasty.url}/healthz").status_code == 200


def test_chunk_extensions_without_end_are_cut_off(hasty):
    with connection(hasty.url) as sock:
        sock.sendall(
            b"POST /v1/verify HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n2;a="
        )
        assert send_until_cut(sock, b"b" * 100_000, most_bytes=100 * MIB) is not None


def test_a_few_trailers_are_read_past(hasty):
    body = b'{"digests": ["%s"]}' % digest(1).hex().encode()
    request = (
        b"POST /v1/digests HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n" % (len(body), body)
        + b"Host: evil.example\r\nContent-Type: text/plain\r\nX-Sum: 1\r\n\r\n"
    )
    with connection(hasty.url) as sock:
        for _ in range(3):
            sock.sendall(request)
            status, answer = response_of(sock)
            assert status == 200, answer


def test_requests_in_line_are_bounded(hasty):
    before = memory_mib(hasty)
    with connection(hasty.url) as sock:
        sent = send_until_cut(sock, (GET + b"\r\n") * 5000, most_bytes=100 * MIB)
        assert sent is not None, "the service took requests without end while nobody read"
    assert memory_mib(hasty) - before < 40
    assert HTTP.get(f"{hasty.url}/healthz").status_code == 200


# -- bodies that outlast the answer ----------------------------------------------------------------


def test_an_answer_before_the_end_of_the_body_is_the_last_one(hasty):
    with connection(hasty.url) as sock:
        sock.sendall(GET + b"Content-Length: 100000000\r\n\r\n")
        answer = b""
        while part := sock.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer
    assert answer.partition(b"\r\n\r\n")[2].startswith(b'{"status":"ok"')


def test_bytes_now_and_then_do_not_hold_a_connection(hasty):
    with connection(hasty.url) as sock:
        sock.sendall(GET + b"Content-Length: 100000000\r\n\r\n")
        assert ends_within(sock, 8, every_s=0.3)


def test_a_body_that_drips_into_a_stream_of_events_ends_it(hasty):
    with connection(hasty.url) as sock:
        sock.sendall(b"GET /v1/events HTTP/1.1\r\n" + HOST + b"Content-Length: 100000000\r\n\r\n")
        # The body's whole time, and the grace that a route has to say so itself.
        assert ends_within(sock, 12, every_s=0.3)


def test_a_small_body_that_nobody_asked_for_leaves_the_connection_open(hasty):
    with connection(hasty.url) as sock:
        for _ in range(3):
            sock.sendall(GET + b"Content-Length: 5\r\n\r\nhello")
            assert response_of(sock)[0] == 200


def test_a_large_body_that_nobody_asked_for_gets_its_answer(hasty):
    body = bytes(2 * MIB)
    response = HTTP.post(f"{hasty.url}/nowhere", content=body)
    assert response.status_code == 404


# -- idle, and not read ----------------------------------------------------------------------------


def test_an_idle_connection_is_closed(hasty):
    with connection(hasty.url) as fresh:
        assert ends_within(fresh, 4)
    with connection(hasty.url) as used:
        used.sendall(GET + b"\r\n")
        assert response_of(used)[0] == 200
        assert ends_within(used, 4)


def test_empty_lines_now_and_then_do_not_hold_a_connection(hasty):
    with connection(hasty.url) as sock:
        sock.sendall(GET + b"\r\n")
        assert response_of(sock)[0] == 200
        assert ends_within(sock, 4, every_s=0.3, drip=b"\r\n")


def test_a_head_that_drips_is_cut_off(hasty):
    with connection(hasty.url) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        assert ends_within(sock, 4, every_s=0.3)


def held(found):
    """Return how many connections the service holds, from the kernel's table."""
    port = int(found.url.rpartition(":")[2])
    here = f":{port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(here) and row[3] == "01" for row in rows)


def wait_until(found, seconds=15.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found():
            return
        time.sleep(0.05)
    raise AssertionError("not so in time")


def small_window(url):
    """Connect with a receive buffer that is soon full."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(10)
    sock.connect((host, int(port)))
    return sock


def test_a_client_that_reads_nothing_is_cut_off(hasty):
    HTTP.get(f"{hasty.url}/healthz", headers={"connection": "close"})
    wait_until(lambda: held(hasty) == 0)
    with small_window(hasty.url) as sock:
        sock.sendall((b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 120)
        time.sleep(0.5)
        assert held(hasty) == 1
        wait_until(lambda: held(hasty) == 0)
    # Nobody is told in the operator's log of what a client did not read.
    assert "Traceback" not in hasty.log_text()


def test_a_client_that_reads_slowly_gets_everything(hasty):
    """Longer than the idle time in all, but never that long without a byte."""
    with small_window(hasty.url) as sock:
        n = 40
        sock.sendall((b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * n)
        taken = b""
        started = time.monotonic()
        while taken.count(b"HTTP/1.1 200") < n:
            part = sock.recv(60_000)
            assert part, f"cut off after {taken.count(b'HTTP/1.1 200')}"
            taken += part
            time.sleep(0.05 if time.monotonic() - started < 3 else 0)


# -- streams of events -----------------------------------------------------------------------------


def test_a_stream_of_events_outlives_every_wait(hasty):
    with connection(hasty.url) as sock:
        sock.sendall(b"GET /v1/events?digest=" + b"00" * 32 + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b"standing" in read_until(sock, b"standing")
        assert not ends_within(sock, 4)


def read_until(sock, wanted):
    data = b""
    while wanted not in data:
        part = sock.recv(65_536)
        assert part
        data += part
    return data


def test_a_stream_of_events_ends_after_its_time(tmp_path):
    with served(tmp_path, event_stream_s=1.0) as (server, _), connection(server.url) as sock:
        sock.sendall(b"GET /v1/events HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b"0\r\n\r\n" in read_until(sock, b"0\r\n\r\n")
        # In order: the connection can be used again.
        sock.sendall(GET + b"\r\n")
        assert response_of(sock)[0] == 200


def test_a_stream_that_nobody_reads_is_cut_off(tmp_path):
    with (
        served(tmp_path, answer_idle_s=0.5) as (server, service),
        small_window(server.url) as sock,
    ):
        sock.sendall(b"GET /v1/events HTTP/1.1\r\n" + HOST + b"\r\n")
        wait_until(lambda: streams(server) == 1)
        event = AnchorEvent("alarm", datetime.now(UTC), name="test", note="x" * 8000)

        def told_until_gone():
            for _ in range(50):
                service.events(event)
            return streams(server) == 0

        wait_until(told_until_gone, seconds=90)  # the kernel takes megabytes first


def streams(server):
    return HTTP.get(f"{server.url}/v1/status").json()["http"]["event_streams"]


# -- how many --------------------------------------------------------------------------------------


def test_connections_of_one_client_are_counted(tmp_path):
    with served(tmp_path) as (_, service):
        app = create_app(service)
        # Here every client is this machine, which otherwise is not counted.
        app.limits = dataclasses.replace(
            app.limits, per_client=2, client_of=lambda address: address
        )
        with BackgroundServer(app) as strict:
            held_open = []
            for _ in range(2):
                sock = connection(strict.url)
                sock.sendall(GET + b"\r\n")
                assert response_of(sock)[0] == 200
                held_open.append(sock)
            refused = connection(strict.url)
            refused.sendall(GET + b"\r\n")
            status, body = response_of(refused)
            assert status == 503
            assert b"overloaded.connections" in body
            # Those that were there before are served on.
            held_open[0].sendall(GET + b"\r\n")
            assert response_of(held_open[0])[0] == 200
            held_open.pop().close()
            refused.close()
            wait_until(lambda: answers(strict))
            held_open.pop().close()


def answers(server):
    with connection(server.url) as sock:
        sock.sendall(GET + b"\r\n")
        return response_of(sock)[0] == 200


def test_connections_past_twice_the_most_are_cut_at_once(tmp_path):
    with served(tmp_path, max_connections=3) as (server, _):
        first = [connection(server.url) for _ in range(6)]
        with connection(server.url) as sock:
            assert ends_within(sock, 2)
        for sock in first:
            sock.close()
        wait_until(lambda: answers(server))


def test_a_flood_of_idle_connections_leaves_room_for_others(tmp_path):
    """Those that say nothing are closed, so that a client that comes later is served."""
    with served(tmp_path, max_connections=20, head_s=0.5) as (server, _):
        idle = [connection(server.url) for _ in range(30)]
        wait_until(lambda: answers(server), 5)
        for sock in idle:
            sock.close()


def test_one_connection_that_cannot_be_looked_after_stops_nobody(tmp_path, monkeypatch):
    genuine, failed = BoundedConnection.look, []

    def fails_once(connection, now):
        if not failed:
            failed.append(connection)
            raise RuntimeError("the transport is gone")
        genuine(connection, now)

    monkeypatch.setattr(BoundedConnection, "look", fails_once)
    with served(tmp_path, head_s=0.4) as (server, _), connection(server.url) as idle:
        wait_until(lambda: failed)
        assert ends_within(idle, 4)
        assert HTTP.get(f"{server.url}/healthz").status_code == 200


def test_there_is_a_descriptor_for_each_connection(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        with process(tmp_path, "--http-max-connections=700") as found:
            assert HTTP.get(f"{found.url}/healthz").status_code == 200
            limits = Path(f"/proc/{found.process.pid}/limits").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    # Each of the 700, and as many that are refused; and some for the log's own files.
    assert int(line.split()[3]) >= 1400 + 256
