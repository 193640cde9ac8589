"""JSON-RPC against servers that misbehave in every way that HTTP allows."""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from anchor import limits
from anchor.backends.evm.json_rpc import (
    JsonRpc,
    RpcRefusedError,
    parse_hex,
    parse_list,
    parse_object,
    parse_quantity,
)
from anchor.errors import (
    BackendError,
    BackendProtocolError,
    BackendUnavailableError,
    ConfigError,
)

ACCESS_KEY = "s3cr3t-access-key"
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """Serve one behaviour on a free port; yield the address, which holds an access key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            with suppress(BrokenPipeError, ConnectionResetError):
                answer(self)

        def do_GET(self) -> None:
            self.send_error(500, "nobody should come here")

        def log_message(self, *args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/v3/{ACCESS_KEY}"
    finally:
        httpd.shutdown()
        httpd.server_close()


def body(text: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("content-length", str(len(text)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text)

    return answer


def result(value: Any) -> Answer:
    return body(json.dumps({"jsonrpc": "2.0", "id": 0, "result": value}).encode())


def refused(code: Any, message: Any) -> Answer:
    error = {"code": code, "message": message}
    return body(json.dumps({"jsonrpc": "2.0", "id": 0, "error": error}).encode())


def call(answer: Answer, *, timeout_s: float = 5.0) -> Any:
    with server(answer) as url:
        return JsonRpc(url, timeout_s=timeout_s).call("eth_chainId")


@pytest.mark.parametrize("value", [None, "0x1", 5, [], {"a": [1]}, "x" * 100_000])
def test_results_come_through(value: Any) -> None:
    assert call(result(value)) == value


def test_the_request_names_method_and_parameters() -> None:
    seen: list[Any] = []

    def record(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["content-type"])
        result("0x")(handler)

    with server(record) as url:
        rpc = JsonRpc(url)
        assert rpc.call("eth_call", {"to": "0x"}, "latest") == "0x"
        assert rpc.host == "127.0.0.1"
    assert seen == ["application/json"]


NOT_JSON_RPC = {
    "nothing": b"",
    "text": b"it works!",
    "a list": b"[]",
    "a number": b"5",
    "no result": b'{"jsonrpc":"2.0","id":0}',
    "half": b'{"jsonrpc":"2.0","id":0,"result":',
    "not utf-8": b'{"result":"\xff"}',
    "an error that is text": b'{"error":"no"}',
    "a hundred thousand lists": b'{"result":' + b"[" * 100_000,
    "a result twice": b'{"result":"0x1","result":"0x2"}',
}


def test_nesting_is_no_danger_even_where_the_recursion_limit_was_raised() -> None:
    """As py-evm raises it on import; the reader of the standard library then ends the process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        with pytest.raises(BackendProtocolError):
            call(body(b'{"result":' + b"[" * 5_000_000))
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.parametrize("what", NOT_JSON_RPC)
def test_what_is_not_json_rpc(what: str) -> None:
    with pytest.raises(BackendProtocolError):
        call(body(NOT_JSON_RPC[what]))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
def test_http_errors_wait(status: int) -> None:
    with pytest.raises(BackendUnavailableError, match=f"HTTP {status}"):
        call(body(b"<html>", status))


def test_redirects_are_not_followed() -> None:
    with server(result("0xdead")) as target:
        for status in (301, 302, 307, 308):
            with pytest.raises(BackendUnavailableError):
                call(body(b"", status, location=target))


@pytest.mark.parametrize("code", [-32000, -32601, 3, None, "x"])
def test_refusals_keep_the_nodes_words(code: Any) -> None:
    with pytest.raises(RpcRefusedError) as caught:
        call(refused(code, "nonce too low"))
    assert caught.value.rpc_message == "nonce too low"
    assert caught.value.rpc_code == (code if isinstance(code, int) else 0)


@pytest.mark.parametrize(
    ("code", "message"), [(-32005, "limit exceeded"), (-32000, "Rate limit reached")]
)
def test_rate_limits_wait(code: int, message: str) -> None:
    with pytest.raises(BackendUnavailableError):
        call(refused(code, message))


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_RPC_RESPONSE_BYTES", 1 << 20)
    sent = [0]

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while sent[0] < 1 << 26:
            handler.wfile.write(b" " * 65_536)
            sent[0] += 65_536

    with pytest.raises(BackendProtocolError, match="longer than"):
        call(endless)
    assert sent[0] < 1 << 26


def test_compression_does_not_get_around_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    monkeypatch.setattr(limits, "MAX_RPC_RESPONSE_BYTES", 1 << 20)
    bomb = gzip.compress(b" " * (1 << 24))
    with pytest.raises(BackendProtocolError, match="longer than"):
        call(body(bomb, **{"content-encoding": "gzip"}))


@pytest.mark.parametrize("n_bytes", [0, 5])
def test_a_trickle_ends_at_the_deadline(n_bytes: int) -> None:
    stop = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "100000")
        handler.end_headers()
        while n_bytes and not stop.wait(0.05):
            handler.wfile.write(b"{" * n_bytes)
            handler.wfile.flush()
        stop.wait(10)

    started = time.monotonic()
    with server(trickle) as url:
        with pytest.raises(BackendUnavailableError):
            JsonRpc(url, timeout_s=0.5).call("eth_chainId")
        stop.set()
    assert time.monotonic() - started < 10


def test_nobody_there() -> None:
    with server(result("0x1")) as url:
        rpc = JsonRpc(url, timeout_s=2)
        assert rpc.call("eth_chainId") == "0x1"
    with pytest.raises(BackendUnavailableError):
        JsonRpc(url, timeout_s=2).call("eth_chainId")


def test_a_connection_that_is_cut() -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"result"')
        handler.wfile.flush()
        handler.connection.close()

    with pytest.raises((BackendUnavailableError, BackendProtocolError)):
        call(cut)


@pytest.mark.parametrize("answer", [body(b"x", 401), body(b"x"), body(b"", 302, location="/")])
def test_the_access_key_is_never_shown(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="web3")
    caplog.set_level("DEBUG", logger="anchor")
    with pytest.raises(BackendError) as caught, server(answer) as url:
        JsonRpc(url).call("eth_chainId")
    assert ACCESS_KEY not in "".join(traceback.format_exception(caught.value))
    assert ACCESS_KEY not in caplog.text


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "file:///etc/passwd", "127.0.0.1:8545", "http://", "ws://x"]
)
def test_addresses_that_are_not_http(url: str) -> None:
    with pytest.raises(ConfigError):
        JsonRpc(url)


def test_hex_is_read_strictly() -> None:
    assert parse_hex("0x", "x") == b""
    assert parse_hex("0xAbcd", "x") == b"\xab\xcd"
    for wrong in (None, 5, "", "ab", "0xa", "0xzz", "0x ab", ["0x"], "0x" + "a" * 5):
        with pytest.raises(BackendProtocolError):
            parse_hex(wrong, "x")
    with pytest.raises(BackendProtocolError):
        parse_hex("0xabcd", "x", n_bytes=3)


def test_quantities_are_bounded() -> None:
    assert parse_quantity("0x0", "x") == 0
    assert parse_quantity("0x" + "f" * 64, "x") == 2**256 - 1
    for wrong in (None, 5, "", "0x", "5", "-0x5", "0x-5", "0x" + "f" * 65, "0x 1", "0x1_0"):
        with pytest.raises(BackendProtocolError):
            parse_quantity(wrong, "x")


def test_objects_and_lists() -> None:
    with pytest.raises(BackendProtocolError):
        parse_object([], "x")
    with pytest.raises(BackendProtocolError):
        parse_list({}, "x")
