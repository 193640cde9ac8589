"""Run an ASGI application with uvicorn: in the foreground, or in a thread.

Beyond uvicorn's own protocol a connection must send the head of its request within some seconds and
some kilobytes; uvicorn would wait, and gather, for ever. Logging of requests is off: addresses of
clients beside their digests are nobody's business.

A stop by signal ends in order: no new connections, streams of events closed, requests under way
answered (each is a durable commit), then the caller closes the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Protocol, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from anchor.errors import ConfigError, OverloadedError
from anchor_api.asgi import Receive, Scope, Send, send_answer
from anchor_api.guard import bracketed
from anchor_api.problems import RequestError, refusal

_log = logging.getLogger(__name__)

_HEAD_S: Final = 20.0
_MAX_HEAD_BYTES: Final = 64 << 10
_KEEP_ALIVE_S: Final = 30
_GRACE_S: Final = 30
_BACKLOG: Final = 4096
_START_S: Final = 30.0


class Application(Protocol):
    """An ASGI application with streams that never end by themselves.

    Attributes:
        max_connections: connections past that get 503.
    """

    max_connections: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""

    def end_streams(self) -> None:
        """End them; called in the event loop when the server begins to stop."""


class BoundedHeadProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits on heads and connections, and refusals that are problems."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._served = self.app
        # uvicorn would answer in plain text.
        self._max_connections = self.limit_concurrency
        self.limit_concurrency = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start waiting for the first head."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what came while a head is not complete."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self.transport.close()
            elif self._head_timer is None:
                self._wait_for_head()

    def on_message_begin(self) -> None:
        """Note the beginning of a head."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note the end of a head."""
        self._in_head = False
        self._stop_waiting()
        most = self._max_connections
        self.app = self._served if most is None or len(self.connections) <= most else _overloaded
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, and end the connection."""
        error = RequestError(msg.rstrip(".").lower(), code="http.malformed")
        answer = refusal(error, close=True)
        headers = [
            *answer.headers,
            (b"content-length", str(len(answer.body)).encode()),
            (b"connection", b"close"),
        ]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + answer.body)
        self.transport.close()

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(_HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


async def _overloaded(_scope: Scope, _receive: Receive, send: Send) -> None:
    error = OverloadedError("too many connections", code="overloaded.connections")
    await send_answer(send, refusal(error, close=True))


class _Server(uvicorn.Server):
    """uvicorn's server, which does not raise the signal again once it has stopped in order."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_stopping: Callable[[], None],
        must_stop: Callable[[], bool],
    ) -> None:
        super().__init__(config)
        self._on_stopping = on_stopping
        self._must_stop = must_stop

    async def on_tick(self, counter: int) -> bool:
        """Look ten times a second whether to stop."""
        self.should_exit = self.should_exit or self._must_stop()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop in order; a second Ctrl-C stops at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what would never end by itself, then everything else."""
        self._on_stopping()
        await super().shutdown(sockets)


def _never() -> bool:
    return False


def _server(app: Application, must_stop: Callable[[], bool] = _never) -> _Server:
    config = uvicorn.Config(
        app,
        http=BoundedHeadProtocol,
        ws="none",
        loop="uvloop",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=app.max_connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return _Server(config, app.end_streams, must_stop)


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket.

    Raises:
        ConfigError: the address is taken, or not this machine's.
    """
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(info[0], info[1], info[2])
    except OSError as exc:
        raise ConfigError(f"host {host}: {exc}", code="config.bind") from exc
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(info[4])
        bound.listen(_BACKLOG)
    except OSError as exc:
        bound.close()
        raise ConfigError(
            f"cannot bind {host} port {port}: {exc.strerror or exc}",
            code="config.bind",
            hint="is another service running? --port takes another port, 0 a free one",
        ) from exc
    return bound


def url_of(bound: socket.socket) -> str:
    """Return the address under which a bound socket is reached from this machine."""
    host, port = bound.getsockname()[:2]
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://{bracketed(reached)}:{port}"


def run_server(
    app: Application, bound: socket.socket, *, must_stop: Callable[[], bool] = _never
) -> None:
    """Serve until SIGINT or SIGTERM, then answer what is under way and return.

    Args:
        app: what is served.
        bound: from :func:`bind`; closed at the end.
        must_stop: asked ten times a second; true has the effect of SIGTERM.
    """
    _server(app, must_stop).run(sockets=[bound])


class BackgroundServer:
    """A server in a thread, for the demo and for tests; a context manager.

    Args:
        app: what is served.
        host: address to bind.
        port: 0 takes a free one.
    """

    def __init__(self, app: Application, host: str = "127.0.0.1", port: int = 0) -> None:
        self._bound = bind(host, port)
        self.url = url_of(self._bound)
        self._server = _server(app)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> Self:
        """Start, and return once requests are answered.

        Raises:
            RuntimeError: the server ended, or did not begin.
        """
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(_START_S / 0.005)):
            if self._server.started or not self._thread.is_alive():
                break
            waited.wait(0.005)
        if not self._server.started:
            raise RuntimeError(f"the server did not start: {self._failure!r}")
        return self

    def stop(self) -> None:
        """Answer what is under way, then stop; safe to call twice."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_GRACE_S + _START_S)

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._bound])
        except BaseException as exc:  # noqa: BLE001 - told by whoever waits for the start
            self._failure = exc
        finally:
            with contextlib.suppress(OSError):
                self._bound.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()
