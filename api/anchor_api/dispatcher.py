"""The outermost application: checks who asks, serves the quick routes itself, passes on the rest.

Rules: nothing below sees a request that the guard refuses; every answer carries the security
headers; whatever escapes from below becomes a problem without internals. HEAD is GET whose body the
server does not send.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from anchor.errors import VestigeError
from anchor_api.asgi import (
    SECURITY_HEADERS,
    AsgiApp,
    Header,
    Message,
    Receive,
    Scope,
    Send,
    send_answer,
)
from anchor_api.body import announces_body, discard_body
from anchor_api.connection import ConnectionLimits
from anchor_api.guard import Guard
from anchor_api.problems import MethodNotAllowedError, refusal

_log = logging.getLogger(__name__)


class Dispatcher:
    """An ASGI application around the others.

    Args:
        guard: checks every request.
        quick: path to method to application, for whole paths; they add the security headers.
        rest: serves everything else.
        limits: for the server, of its connections.
        end_streams: ends what never ends by itself.
        openapi: returns the description of all routes.
    """

    def __init__(
        self,
        guard: Guard,
        quick: Mapping[str, Mapping[str, AsgiApp]],
        rest: AsgiApp,
        *,
        limits: ConnectionLimits,
        end_streams: Callable[[], None],
        openapi: Callable[[], dict[str, Any]],
    ) -> None:
        self._guard = guard
        self._quick = quick
        self._rest = rest
        self.limits = limits
        self.end_streams = end_streams
        self.openapi = openapi

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope."""
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        try:
            self._guard.check(scope)
        except VestigeError as exc:
            await send_answer(send, refusal(exc, close=True))
            return
        sharing = self._guard.sharing_headers(scope)
        if sharing:
            preflight = self._guard.preflight(scope)
            if preflight is not None:
                await send_answer(send, preflight)
                return
            send = _adding(send, sharing)
        methods = self._quick.get(scope["path"])
        if methods is None:
            await self._pass_on(scope, receive, send)
            return
        route = methods.get(scope["method"])
        if route is not None:
            await route(scope, receive, send)
            return
        allowed = ", ".join(methods)
        error = MethodNotAllowedError(f"{scope['method']}, wanted {allowed}")
        answer = refusal(error, close=True)
        await send_answer(_adding(send, ((b"allow", allowed.encode()),)), answer)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        started = complete = False
        body = _Rest(scope, receive)

        async def send_and_note(message: Message) -> None:
            nonlocal started, complete
            if not started:
                await body.discard()
            started = True
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            await self._rest(scope, body.receive, _adding(send_and_note, SECURITY_HEADERS))
        except Exception as exc:
            _log.exception("%s failed", scope["method"])
            if started and not complete:
                # Half an answer must not pass for a whole one: the server cuts the connection.
                raise
            if not started:
                await send_answer(send, refusal(exc, close=True))


class _Rest:
    """What a route has left of a request's body.

    An answer before the end of the body ends the connection, and a connection that is closed while
    the client still sends may take the answer with it. So the rest is read for a moment.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._is_there = announces_body(scope)

    async def receive(self) -> Message:
        """Pass on what comes."""
        message = await self._receive()
        self._is_there = self._is_there and bool(message.get("more_body"))
        return message

    async def discard(self) -> None:
        """Read the rest, within limits."""
        if self._is_there:
            await discard_body(self._scope, self._receive)


def _adding(send: Send, headers: tuple[Header, ...]) -> Send:
    """Return a ``send`` that adds headers to the response's start."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *headers]
        await send(message)

    return send_with_headers
