"""Bodies that lie about their length, never end, or come one byte at a time, over real sockets."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from tests.e2e.http_service import HTTP, RAW, connection, digest, response_of, served

HEAD = "POST /v1/digests HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\n"


@pytest.fixture
def running(tmp_path):
    with served(tmp_path, body_idle_s=0.4, body_total_s=1.5) as found:
        yield found


def exchange(server, *parts, pause_s=0.0):
    """Send parts one after the other on one connection; return status and body of the answer."""
    with connection(server.url) as sock:
        try:
            for part in parts:
                sock.sendall(part.encode() if isinstance(part, str) else part)
                if pause_s:
                    time.sleep(pause_s)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return response_of(sock)


def size(service):
    committed = service.store.committed
    return committed.tree_size if committed else 0


def test_a_body_shorter_than_announced_is_given_up(running):
    server, service = running
    status, body = exchange(server, HEAD, "Content-Length: 64\r\n\r\n", digest(1))
    assert status == 408
    assert b"http.body.timeout" in body
    assert size(service) == 0


def test_a_client_that_hangs_up_half_way_leaves_nothing(running):
    server, service = running
    with connection(server.url) as sock:
        sock.sendall(f"{HEAD}Content-Length: 64\r\n\r\n".encode() + digest(1))
    time.sleep(0.2)
    assert size(service) == 0
    assert HTTP.get(f"{server.url}/healthz").status_code == 200


def test_bytes_after_the_announced_length_are_another_request_and_no_digest(running):
    server, service = running
    with connection(server.url) as sock:
        sock.sendall(f"{HEAD}Content-Length: 32\r\n\r\n".encode() + digest(1) + digest(2))
        # What follows is no request. It is refused, or the first one is answered before.
        status, body = response_of(sock)
        if status == 200:
            status, body = response_of(sock)
        assert status == 400
        assert b"http.malformed" in body
    time.sleep(0.2)
    # The request itself was whole; nothing of what followed it was taken.
    assert size(service) <= 1
    assert service.store.find(digest(2)) is None


def test_a_longer_body_on_the_next_packet(running):
    server, service = running
    with connection(server.url) as sock:
        sock.sendall(f"{HEAD}Content-Length: 32\r\n\r\n".encode() + digest(1))
        assert response_of(sock)[0] == 200
        sock.sendall(digest(2))
        status, body = response_of(sock)
        assert status == 400
        assert b"http.malformed" in body
    assert size(service) == 1


def test_connections_past_the_most_are_refused(tmp_path):
    with served(tmp_path, max_connections=3) as (server, _):
        held = [connection(server.url) for _ in range(3)]
        for sock in held:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert response_of(sock)[0] == 200
        response = HTTP.get(f"{server.url}/healthz")
        assert response.status_code == 503
        assert response.json()["code"] == "overloaded.connections"
        held.pop().close()
        time.sleep(0.2)
        assert HTTP.get(f"{server.url}/healthz").status_code == 200
        for sock in held:
            sock.close()


def test_an_announced_length_over_the_limit_is_refused_unread(running):
    server, _ = running
    status, body = exchange(server, HEAD, "Content-Length: 32000032\r\n\r\n")
    assert status == 413
    assert b"http.body.too_large" in body


def test_a_client_that_asks_before_it_sends_is_told_no_at_once(running):
    server, service = running
    head = f"{HEAD}Content-Length: 32000032\r\nExpect: 100-continue\r\n\r\n"
    with connection(server.url) as sock:
        sock.sendall(head.encode())
        status, body = response_of(sock)
    assert status == 413
    assert b"http.body.too_large" in body
    with connection(server.url) as sock:
        sock.sendall(f"{HEAD}Content-Length: 32\r\nExpect: 100-continue\r\n\r\n".encode())
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(digest(1))
        assert response_of(sock)[0] == 200
    assert size(service) == 1


def test_the_limit_holds_for_chunks_too(running):
    server, service = running
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    parts = [HEAD, "Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 600]
    status, _body = exchange(server, *parts)
    # The answer may be lost where the client is still sending when the connection is cut.
    assert status in (413, 0)
    assert size(service) == 0
    assert HTTP.get(f"{server.url}/healthz").status_code == 200


def test_a_chunked_body_that_never_ends_is_given_up(running):
    server, service = running
    status, _body = exchange(
        server, HEAD, "Transfer-Encoding: chunked\r\n\r\n", "20\r\n", digest(1), "\r\n"
    )
    assert status == 408
    assert size(service) == 0


def test_a_body_that_trickles_is_given_up_after_the_whole_time(running):
    server, service = running
    started = time.monotonic()
    parts = [HEAD, "Transfer-Encoding: chunked\r\n\r\n", *["1\r\nx\r\n"] * 40]
    status, body = exchange(server, *parts, pause_s=0.1)
    assert status == 408
    assert b"http.body.timeout" in body
    assert time.monotonic() - started < 30
    assert size(service) == 0


def test_a_chunked_body_that_ends_is_taken(running):
    server, service = running
    status, body = exchange(
        server,
        HEAD,
        "Transfer-Encoding: chunked\r\n\r\n",
        "20\r\n",
        digest(1),
        "\r\n20\r\n",
        digest(2),
        "\r\n0\r\n\r\n",
    )
    assert status == 200
    assert len(body) == 16
    assert size(service) == 2


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: abc\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 32\r\nContent-Length: 64\r\n\r\n",
        "Content-Length: 32\r\nTransfer-Encoding: chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_heads_that_contradict_themselves(running, head):
    server, service = running
    status, _ = exchange(server, HEAD, head, digest(1))
    assert status in (400, 408, 0)
    assert size(service) == 0
    assert HTTP.get(f"{server.url}/healthz").status_code == 200


def test_a_head_that_does_not_end_is_cut_off(tmp_path):
    with served(tmp_path, head_s=0.4) as (server, _):
        for start in ("", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: b"):
            with connection(server.url, timeout_s=5) as sock:
                sock.sendall(start.encode())
                assert sock.recv(100) == b""
        # A connection that was used before waits for its next head as well.
        with connection(server.url, timeout_s=5) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert response_of(sock)[0] == 200
            sock.sendall(b"GET /hea")
            assert sock.recv(100) == b""


def test_a_head_without_end_in_size_is_cut_off(tmp_path):
    with served(tmp_path) as (server, _):
        line = b"X-Filler: " + b"x" * 1000 + b"\r\n"
        with connection(server.url) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            try:
                for _ in range(2000):
                    sock.sendall(line)
                cut = sock.recv(100) == b""
            except (BrokenPipeError, ConnectionResetError):
                cut = True
        assert cut
        assert HTTP.get(f"{server.url}/healthz").status_code == 200


def test_requests_in_a_row_on_one_connection(running):
    server, service = running
    request = f"{HEAD}Content-Length: 32\r\n\r\n".encode()
    with connection(server.url) as sock:
        sock.sendall(b"".join(request + digest(n) for n in range(20)))
        for _ in range(20):
            status, _body = response_of_one(sock)
            assert status == 200
    assert size(service) == 20
    assert [service.store.entry(n) for n in range(20)] == [digest(n) for n in range(20)]


_left: dict[int, bytes] = {}


def response_of_one(sock):
    """Read one response and keep what follows it for the next call."""
    data = _left.pop(id(sock), b"")
    while b"\r\n\r\n" not in data:
        data += sock.recv(65_536)
    head, _, rest = data.partition(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    while len(rest) < length:
        rest += sock.recv(65_536)
    _left[id(sock)] = rest[length:]
    return int(head.split(b" ", 2)[1]), rest[:length]


def test_a_million_digests_in_one_body(tmp_path):
    body = b"".join(digest(n) for n in range(1_000_000))
    with served(tmp_path) as (server, service):
        answers: list[httpx.Response] = []

        def bulk():
            answers.append(
                HTTP.post(f"{server.url}/v1/digests", content=body, headers=RAW, timeout=120)
            )

        thread = threading.Thread(target=bulk)
        thread.start()
        # A single one is not held up behind it.
        singles = 0
        while thread.is_alive() and singles < 50:
            content = {"digests": [digest(singles, "single").hex()]}
            assert HTTP.post(f"{server.url}/v1/digests", json=content).status_code == 200
            singles += 1
        thread.join()
        assert answers[0].status_code == 200
        assert len(answers[0].content) == 8_000_000
        assert singles >= 2
        assert size(service) == 1_000_000 + singles


def test_the_budget_of_bytes_is_given_back_after_broken_bodies(tmp_path):
    with served(tmp_path, inflight_mb=2, body_idle_s=0.2, body_total_s=0.5) as (server, _):
        for _ in range(3):
            status, _body = exchange(
                server, HEAD, "Content-Length: 1920000\r\n\r\n", bytes(100_000)
            )
            assert status == 408
        body = b"".join(digest(n) for n in range(60_000))
        assert HTTP.post(f"{server.url}/v1/digests", content=body, headers=RAW).status_code == 200


def test_one_body_over_the_budget_is_refused_with_a_time_to_come_back(tmp_path):
    with served(tmp_path, inflight_mb=1) as (server, _), connection(server.url) as holder:
        holder.sendall(f"{HEAD}Content-Length: 960000\r\n\r\n".encode() + bytes(64))
        time.sleep(0.2)
        response = HTTP.post(f"{server.url}/v1/digests", content=bytes(32) * 20_000, headers=RAW)
        assert response.status_code == 503
        assert response.json()["code"] == "overloaded.bytes_in_flight"
        assert int(response.headers["retry-after"]) >= 1
