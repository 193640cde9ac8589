"""Run an ASGI application with uvicorn: in the foreground, or in a thread.

What a connection may do is said in :mod:`anchor_api.connection`. Logging of requests is off:
addresses of clients beside their digests are nobody's business.

A stop by signal ends in order: no new connections, streams of events closed, requests under way
answered (each is a durable commit), then the caller closes the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final, Protocol, Self

import uvicorn

from anchor.errors import ConfigError
from anchor_api.asgi import Receive, Scope, Send
from anchor_api.connection import BoundedConnection, ConnectionLimits, Door
from anchor_api.guard import bracketed

_log = logging.getLogger(__name__)

_LOOK_EVERY_TICKS: Final = 5
_NEVER_S: Final = 86_400
_OTHER_DESCRIPTORS: Final = 512
_SEND_BUFFER_BYTES: Final = 256 << 10
_GRACE_S: Final = 30
_BACKLOG: Final = 4096
_START_S: Final = 30.0


class Application(Protocol):
    """An ASGI application with streams that never end by themselves.

    Attributes:
        limits: of its connections.
    """

    limits: ConnectionLimits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""

    def end_streams(self) -> None:
        """End them; called in the event loop when the server begins to stop."""


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
        """Look ten times a second whether to stop, and twice a second after the connections."""
        self.should_exit = self.should_exit or self._must_stop()
        if counter % _LOOK_EVERY_TICKS == 0:
            self._look(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def _look(self, now: float) -> None:
        for connection in tuple(self.server_state.connections):
            try:
                if isinstance(connection, BoundedConnection):
                    connection.look(now)
            except Exception:  # noqa: BLE001 - one connection must not end the server
                _log.exception("a connection could not be looked after")

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
    door = Door(app.limits)
    config = uvicorn.Config(
        app,
        http=functools.partial(BoundedConnection, door=door),  # type: ignore[arg-type]
        ws="none",
        loop="uvloop",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        # Ours is looked after with everything else; uvicorn's own is put off by any byte.
        timeout_keep_alive=_NEVER_S,
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
        # Of each connection: what a client does not read is to wait where it is seen, and counted.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
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
    _make_room(app.limits.most_descriptors)
    _server(app, must_stop).run(sockets=[bound])


def _make_room(n_connections: int) -> None:
    """Let this process have a descriptor for each connection, and some for its files."""
    wanted = n_connections + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if possible < wanted:
        _log.warning(
            "this process may open %d files, %d are wanted: raise the limit (ulimit -n, or "
            "LimitNOFILE of systemd) or lower http.max_connections",
            possible,
            wanted,
        )


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
