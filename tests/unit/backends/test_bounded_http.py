from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from anchor.backends.bounded_http import BoundedHttp, base_url
from anchor.errors import BackendProtocolError, BackendUnavailableError, ConfigError


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes], str]]:
    """A server that sends the given bytes to whoever connects, and hangs up."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        threads.append(thread)
        thread.start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for thread in threads:
        thread.join(5)
    for listener in listeners:
        listener.close()


@pytest.fixture
def http() -> Iterator[BoundedHttp]:
    made = BoundedHttp(timeout_s=2)
    yield made
    made.close()
    made.close()


def test_a_name_that_cannot_be_found_is_told_in_plain_words(http, monkeypatch) -> None:
    def no_network(*_args: object, **_more: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with pytest.raises(BackendUnavailableError) as caught:
        http.send("GET", "http://nowhere.invalid/", max_bytes=4)
    assert caught.value.message == (
        "nowhere.invalid did not answer: its name cannot be found (no network?)"
    )


def test_status_and_body(http, raw_server) -> None:
    url = raw_server(b"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\n\x1bok\n")
    answer = http.send("GET", url, max_bytes=4)
    assert (answer.status, answer.body) == (404, b"\x1bok\n")
    assert (answer.text, answer.shown) == ("\x1bok", "?ok")


def test_one_byte_too_many(http, raw_server) -> None:
    url = raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345")
    with pytest.raises(BackendProtocolError) as caught:
        http.send("GET", url, max_bytes=4)
    assert caught.value.code == "backend.protocol.oversize"


def test_a_body_without_announced_length_is_bounded_too(http, raw_server) -> None:
    url = raw_server(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100_000))
    with pytest.raises(BackendProtocolError):
        http.send("GET", url, max_bytes=1000)


def test_a_body_shorter_than_announced(http, raw_server) -> None:
    url = raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123")
    with pytest.raises(BackendUnavailableError):
        http.send("GET", url, max_bytes=10)


@pytest.mark.parametrize("answer", [b"hello\r\n\r\n", b"\x00" * 100, b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_not_http(http, raw_server, answer: bytes) -> None:
    with pytest.raises(BackendProtocolError):
        http.send("GET", raw_server(answer), max_bytes=10)


def test_hanging_up_at_once(http, raw_server) -> None:
    with pytest.raises(BackendUnavailableError):
        http.send("GET", raw_server(b""), max_bytes=10)


def test_a_redirect_is_an_answer_like_any_other(http, raw_server) -> None:
    target = raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    url = raw_server(
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + target.encode() + b"\r\n\r\n"
    )
    assert http.send("GET", url, max_bytes=10).status == 302
    # the target still waits for its one connection
    assert http.send("GET", target, max_bytes=10).status == 200


def test_compressed_bytes_are_counted_and_given_as_they_are(http, raw_server) -> None:
    url = raw_server(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"
    )
    assert http.send("GET", url, max_bytes=10).body == b"\x1f\x8b\x08"


def test_the_deadline_holds_for_the_whole_exchange() -> None:
    now = [0.0]

    def drip() -> Iterator[bytes]:
        while True:
            now[0] += 1
            yield b"x"

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=drip()))
    http = BoundedHttp(timeout_s=5, clock=lambda: now[0], transport=transport)
    with pytest.raises(BackendUnavailableError) as caught:
        http.send("GET", "http://a.example/", max_bytes=10_000)
    assert caught.value.code == "backend.unavailable.slow"
    assert now[0] == 16


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://a.example/", "https://a.example"),
        ("http://127.0.0.1:80/x//", "http://127.0.0.1:80/x"),
        ("https://[::1]:8332", "https://[::1]:8332"),
    ],
)
def test_addresses(text: str, kept: str) -> None:
    assert base_url(text, "key") == kept


@pytest.mark.parametrize(
    "text", ["", "a.example", "file:///etc/passwd", "https://", "https://a:b", "http://a/#f", "//a"]
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^calendars\.url: "):
        base_url(text, "calendars.url")
