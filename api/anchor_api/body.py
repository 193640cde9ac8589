"""Read request bodies: no more than is allowed, no longer than is allowed.

Rules:

* An announced length over the limit is refused before a byte of it is read; a body without one is
  counted while it comes.
* A body that stands still for ``idle_s``, or is not complete after ``total_s``, is given up; so is
  one that after ``idle_s`` has come at less than 500 bytes a second on average.
* What is held of large bodies, all clients together, is counted against one budget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from anchor.errors import OverloadedError
from anchor_api.asgi import DisconnectedError, Message, Receive, Scope, header
from anchor_api.problems import BodyTooLargeError, RequestError, RequestTimeoutError

# Short bodies are bounded by the number of connections alone.
_COUNTED_FROM_BYTES: Final = 64 << 10
_MIN_BYTES_PER_S: Final = 500.0
_DISCARDED_BYTES: Final = 4 << 20
_DISCARDED_S: Final = 1.0


class ByteBudget:
    """How many bytes of request bodies are held at one time. One event loop only.

    Args:
        max_bytes: the most.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.held = 0

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """Give back on leaving whatever was taken inside."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self.held -= hold.n_bytes

    def take(self, n_bytes: int) -> None:
        """Count bytes.

        Raises:
            OverloadedError: they do not fit any more.
        """
        if self.held + n_bytes > self._max_bytes:
            raise OverloadedError(
                f"{self.held} bytes of request bodies are being held, {n_bytes} more do not fit",
                code="overloaded.bytes_in_flight",
                hint="send the same request again after the seconds in Retry-After",
            )
        self.held += n_bytes


class Hold:
    """What one request has taken from the budget."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.n_bytes = 0

    def cover(self, n_bytes: int) -> None:
        """Take more where ``n_bytes`` in all are not covered yet; OverloadedError if it is full."""
        if n_bytes > max(self.n_bytes, _COUNTED_FROM_BYTES):
            self._budget.take(n_bytes - self.n_bytes)
            self.n_bytes = n_bytes


class BodyReader:
    """Reads bodies within time and size.

    Args:
        idle_s: the longest wait for the next part.
        total_s: the longest wait for the whole.
    """

    def __init__(self, *, idle_s: float, total_s: float) -> None:
        self._idle_s = idle_s
        self._total_s = total_s

    async def read(
        self, scope: Scope, receive: Receive, *, max_bytes: int, hold: Hold | None = None
    ) -> bytes:
        """Return the whole body.

        Args:
            scope: of the request.
            receive: of the request.
            max_bytes: the most that is read.
            hold: where large bodies are counted.

        Raises:
            BodyTooLargeError: announced or found to be longer than ``max_bytes``.
            RequestTimeoutError: too slow.
            OverloadedError: the budget is full.
            DisconnectedError: the client went away.
        """
        announced = announced_length(scope)
        if announced is not None and announced > max_bytes:
            raise _too_large(announced, max_bytes)
        if hold is not None and announced is not None:
            hold.cover(announced)
        first = await self._next(receive, self._idle_s)
        body: bytes = first.get("body", b"")
        if not first.get("more_body"):
            return _checked(body, max_bytes)
        return await self._rest(receive, body, max_bytes, hold)

    async def _rest(
        self, receive: Receive, body: bytes, max_bytes: int, hold: Hold | None
    ) -> bytes:
        loop = asyncio.get_running_loop()
        started = loop.time()
        parts, n_bytes, more = [body], len(body), True
        while more:
            if n_bytes > max_bytes:
                raise _too_large(n_bytes, max_bytes)
            if hold is not None:
                hold.cover(n_bytes)
            allowed_s = min(self._total_s, self._idle_s + n_bytes / _MIN_BYTES_PER_S)
            left_s = started + allowed_s - loop.time()
            message = await self._next(receive, min(self._idle_s, left_s))
            part = message.get("body", b"")
            parts.append(part)
            n_bytes += len(part)
            more = bool(message.get("more_body"))
        return _checked(b"".join(parts), max_bytes)

    async def _next(self, receive: Receive, wait_s: float) -> Message:
        try:
            async with asyncio.timeout(wait_s):
                message = await receive()
        except TimeoutError:
            raise RequestTimeoutError(
                "the body did not come in time",
                hint=f"at most {self._idle_s:g} s between two parts, {self._total_s:g} s in all, "
                f"and on average {_MIN_BYTES_PER_S:g} bytes a second",
            ) from None
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        return message


def announces_body(scope: Scope) -> bool:
    """Say whether a body belongs to the request."""
    length = header(scope["headers"], b"content-length")
    if length is not None:
        return length != b"0"
    return header(scope["headers"], b"transfer-encoding") is not None


def announced_length(scope: Scope) -> int | None:
    """Return the announced length of the body, or None where it comes in chunks.

    Raises:
        RequestError: the header is no number. (Servers refuse that first; a proxy may not.)
    """
    value = header(scope["headers"], b"content-length")
    if value is None:
        return None
    if not value.isdigit() or len(value) > 18:
        raise RequestError("Content-Length is no number", code="http.body.length")
    return int(value)


async def discard_body(scope: Scope, receive: Receive) -> None:
    """Read on for a moment, so that a client that is still sending gets to see the answer.

    One that waits to be told to go on (``Expect: 100-continue``) is not told: asking for its body
    would be that word.
    """
    if header(scope["headers"], b"expect") is not None:
        return
    n_bytes = 0
    try:
        async with asyncio.timeout(_DISCARDED_S):
            while n_bytes < _DISCARDED_BYTES:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    return
                n_bytes += len(message.get("body", b""))
    except TimeoutError:
        return


def _checked(body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        raise _too_large(len(body), max_bytes)
    return body


def _too_large(n_bytes: int, max_bytes: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"a body of {n_bytes} bytes or more, wanted at most {max_bytes}")
