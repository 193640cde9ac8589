"""One connection: what it may send, and how long each part of an exchange may take.

uvicorn's own protocol waits, and gathers, for ever. Here a connection is given up

* when the head of a request is not complete in time, or no further request begins in time;
* when what it sends is neither head nor body for 64 KiB on end: a head, a chunk extension or
  trailer fields without end. Trailer fields are read past and never kept; no route wants any;
* when a body is not complete in time, whether the route reads it or not. An answer that begins
  before the body has ended is the connection's last;
* when the client does not take what waits for it, or stays behind with reading;
* when more requests come at once (pipelining) than wait in line here.

Connections are counted, in all and for each client. Nobody waits on a timer of its own: the server
looks over all connections twice a second (:meth:`BoundedConnection.look`).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sys
import termios
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from anchor.config.settings import HttpSettings
from anchor.errors import OverloadedError
from anchor_api.asgi import Receive, Scope, Send, send_answer
from anchor_api.problems import RequestError, refusal

# Between two of: end of a head, part of a body, end of a message.
_MAX_QUIET_BYTES: Final = 64 << 10
_MAX_PIPELINED: Final = 128
# A route that reads the body gives it up first, and says so.
_BODY_GRACE_S: Final = 5.0
# Past the limit a connection is told so; past this many times the limit it is cut.
_CUT_AT: Final = 2


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections there may be, and how long they may take.

    Attributes:
        max_connections: all together.
        per_client: of one client; 0 is no limit.
        head_s: from the first byte of a request, or from the connection, to the end of the head.
        keep_alive_s: from the end of one exchange to the first byte of the next.
        body_s: from the end of the head to the end of the body.
        answer_idle_s: without a byte taken by the client while some wait.
        answer_total_s: with bytes waiting all the time.
        client_of: names the client at an address; None is not counted.
    """

    max_connections: int
    per_client: int
    head_s: float
    keep_alive_s: float
    body_s: float
    answer_idle_s: float
    answer_total_s: float
    client_of: Callable[[str], str | None]

    @property
    def most_descriptors(self) -> int:
        """Return how many connections are ever open at one time."""
        return _CUT_AT * self.max_connections + 1


def limits_of(http: HttpSettings, client_of: Callable[[str], str | None]) -> ConnectionLimits:
    """Return the limits that the settings give."""
    return ConnectionLimits(
        max_connections=http.max_connections,
        per_client=http.connections_per_client,
        head_s=http.head_s,
        keep_alive_s=http.keep_alive_s,
        body_s=http.body_total_s + _BODY_GRACE_S,
        answer_idle_s=http.answer_idle_s,
        answer_total_s=http.answer_total_s,
        client_of=client_of,
    )


class Admission(Enum):
    """What becomes of a new connection."""

    SERVED = "served"
    REFUSED = "refused"
    CUT = "cut"


class Door:
    """Counts the connections of one server. One event loop only."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._total = 0
        self._by_client: Counter[str] = Counter()

    def enter(self, client: str | None) -> Admission:
        """Count a connection and say what becomes of it."""
        self._total += 1
        most, there = self.limits.max_connections, self._total
        crowded = _admission(there, most)
        if client is None:
            return crowded
        self._by_client[client] += 1
        if not self.limits.per_client or crowded is Admission.CUT:
            return crowded
        own = _admission(self._by_client[client], self.limits.per_client)
        return own if own is not Admission.SERVED else crowded

    def leave(self, client: str | None) -> None:
        """Count a connection no more."""
        self._total -= 1
        if client is None:
            return
        self._by_client[client] -= 1
        if not self._by_client[client]:
            del self._by_client[client]


def _admission(there: int, most: int) -> Admission:
    if there <= most:
        return Admission.SERVED
    return Admission.REFUSED if there <= _CUT_AT * most else Admission.CUT


class _Reading(Enum):
    """What is expected of the client next."""

    HEAD = "head"
    BODY = "body"
    NEXT = "next"


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol with limits, and with refusals that are problems.

    Args:
        door: of the server; has the limits.
        more: for uvicorn's protocol.
    """

    def __init__(self, *, door: Door, **more: Any) -> None:
        super().__init__(**more)
        self._door = door
        self._limits = door.limits
        self._reading = _Reading.HEAD
        self._since = self._answered = self.loop.time()
        self._at_work: RequestResponseCycle | None = None
        self._quiet_bytes = 0
        self._has_moved = False
        self._may_stay = False
        self._waiting_bytes = 0
        self._waiting_since = self._taken = 0.0

    # -- the connection ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        super().connection_made(transport)  # type: ignore[arg-type]
        address = self.client[0] if self.client else ""
        self._client_name = self._limits.client_of(address)
        admission = self._door.enter(self._client_name)
        if admission is Admission.CUT:
            self._cut()
        elif admission is Admission.REFUSED:
            self.app = _overloaded

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more; nobody reads what routes still write."""
        self._door.leave(self._client_name)
        self._forsake()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End the connection after the answer under way."""
        self._may_stay = False
        super().shutdown()

    def look(self, now: float) -> None:
        """End the connection if the client is late; ``now`` is of the loop's clock."""
        if self._is_behind(now):
            # Closing in order would wait for the client once more.
            self._cut()
        elif self._is_late(now):
            # What was written is still delivered; it is looked after as before.
            self._forsake()
            self.transport.close()

    def _cut(self) -> None:
        self._forsake()
        self.transport.abort()

    def _forsake(self) -> None:
        """Tell every route at work for this connection that the client is gone."""
        for cycle in (self._at_work, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.pipeline.clear()

    def _is_late(self, now: float) -> bool:
        waited = now - self._since
        if self._reading is _Reading.HEAD:
            return waited > self._limits.head_s
        if self._reading is _Reading.BODY:
            return waited > self._limits.body_s
        busy = self._waiting_bytes or not (self.cycle is None or self.cycle.response_complete)
        return not busy and now - max(self._since, self._answered) > self._limits.keep_alive_s

    def _is_behind(self, now: float) -> bool:
        """Say whether the client has not taken what waits for it."""
        waiting = self.transport.get_write_buffer_size()
        if waiting:
            waiting += _unacknowledged(self.transport)
        if not waiting or not self._waiting_bytes:
            self._waiting_since = self._taken = now
        elif waiting < self._waiting_bytes:
            self._taken = now
        self._waiting_bytes = waiting
        if not waiting:
            return False
        return (
            now - self._taken > self._limits.answer_idle_s
            or now - self._waiting_since > self._limits.answer_total_s
        )

    # -- what comes in -------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read, and count what is neither head nor body."""
        self._has_moved = False
        super().data_received(data)
        self._quiet_bytes = 0 if self._has_moved else self._quiet_bytes + len(data)
        if self._quiet_bytes > _MAX_QUIET_BYTES and not self.transport.is_closing():
            self._cut()

    def on_message_begin(self) -> None:
        """Note the beginning of a head."""
        if len(self.pipeline) >= _MAX_PIPELINED:
            self._cut()
            # Ends the parser's work on what has come; nobody is answered.
            raise ConnectionAbortedError
        self._now_reading(_Reading.HEAD)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field; a trailer field is none."""
        if self._reading is _Reading.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note the end of a head; until its body has ended the request is the last one."""
        self._has_moved = True
        self._now_reading(_Reading.BODY)
        super().on_headers_complete()
        self._may_stay = self.cycle.keep_alive
        self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Note that a body goes on."""
        self._has_moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note the end of a request; the next may come, unless the answer has begun."""
        self._has_moved = True
        self._now_reading(_Reading.NEXT)
        if not self.cycle.response_started:
            self.cycle.keep_alive = self._may_stay
        super().on_message_complete()

    def _now_reading(self, what: _Reading) -> None:
        self._reading = what
        self._since = self.loop.time()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._at_work = cycle
        super()._start_asgi_task(cycle, app)

    # -- what goes out -------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """Begin to wait for the next request; read no more while some wait in line."""
        self._answered = self.loop.time()
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, and end the connection."""
        if self.transport.is_closing():
            return
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


def _unacknowledged(transport: asyncio.Transport) -> int:
    """Return the bytes that the kernel still holds for the client (Linux: SIOCOUTQ, tcp(7))."""
    answer = bytearray(4)
    with contextlib.suppress(OSError):
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, answer)
    return int.from_bytes(answer, sys.byteorder)


async def _overloaded(_scope: Scope, _receive: Receive, send: Send) -> None:
    error = OverloadedError("too many connections", code="overloaded.connections")
    await send_answer(send, refusal(error, close=True))
