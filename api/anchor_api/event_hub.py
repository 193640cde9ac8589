"""Streams of events (server-sent events): rounds for everybody, digests for who names them.

Rules: an event tells of rounds, backends and alarms, and never of a digest that the client did not
name itself (what the log takes and when is seen by its growth alone). A client that reads too
slowly is told that it missed something; nothing is kept for later. A stream ends after some hours,
and at the stop of the server; browsers connect again by themselves.

Source: HTML standard, section 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from starlette.concurrency import run_in_threadpool

from anchor.config.service import Service
from anchor.errors import NotFoundError, OverloadedError
from anchor.service.anchor_event import AnchorEvent
from anchor_api.answers import without_fractions
from anchor_api.http_figures import HttpFigures

MAX_NAMED_DIGESTS: Final = 100
_QUEUED: Final = 256
_HEARTBEAT_S: Final = 15.0
_HEARTBEAT: Final = b": still here\n\n"


class EventHub:
    """Makes streams and ends them. One event loop only.

    Args:
        service: tells of changes and of standings.
        figures: counts the streams.
        max_streams: open at one time.
        stream_s: how long each lasts.
    """

    def __init__(
        self, service: Service, figures: HttpFigures, max_streams: int, stream_s: float
    ) -> None:
        self._service = service
        self._figures = figures
        self._max_streams = max_streams
        self._stream_s = stream_s
        self._open: set[asyncio.Queue[AnchorEvent | None]] = set()
        self._closed = False

    def close(self) -> None:
        """End every stream; those asked for later end at once."""
        self._closed = True
        for queue in self._open:
            while queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

    def admit(self) -> None:
        """Refuse with OverloadedError where too many streams are open."""
        if len(self._open) >= self._max_streams:
            raise OverloadedError(
                f"{len(self._open)} event streams are open", code="overloaded.event_streams"
            )

    async def stream(self, digests: Sequence[bytes]) -> AsyncIterator[bytes]:
        """Yield the stream: the standing of the digests named, then what changes.

        Args:
            digests: those whose standing is told, at most 100.
        """
        if len(self._open) >= self._max_streams:
            # Admitted together with others, and those began first.
            return
        queue: asyncio.Queue[AnchorEvent | None] = asyncio.Queue(_QUEUED)
        loop = asyncio.get_running_loop()
        lagging = False

        def put(event: AnchorEvent) -> None:
            """Queue an event, or note that the reader is too slow."""
            nonlocal lagging
            if queue.full():
                lagging = True
            else:
                queue.put_nowait(event)

        remove = self._service.events.listen(lambda event: _from_thread(loop, lambda: put(event)))
        self._open.add(queue)
        self._figures.event_streams = len(self._open)
        if self._closed:
            queue.put_nowait(None)
        told: dict[bytes, Any] = {}
        try:
            async for part in self._standings(digests, told):
                yield part
            ends = loop.time() + self._stream_s
            while (left := ends - loop.time()) > 0:
                try:
                    event = await asyncio.wait_for(queue.get(), min(_HEARTBEAT_S, left))
                except TimeoutError:
                    yield _HEARTBEAT
                    continue
                if event is None:
                    return
                if lagging:
                    lagging = False
                    yield _encoded("lagging", {"note": "events were lost; look at the rounds"})
                yield _encoded(event.kind, event.as_json())
                if event.kind in ("round", "attempt"):
                    async for part in self._standings(digests, told):
                        yield part
        finally:
            remove()
            self._open.discard(queue)
            self._figures.event_streams = len(self._open)

    async def _standings(
        self, digests: Sequence[bytes], told: dict[bytes, Any]
    ) -> AsyncIterator[bytes]:
        """Yield the standings that are not what was told last."""
        for digest in digests:
            standing = await run_in_threadpool(self._standing, digest)
            if told.get(digest) != standing:
                told[digest] = standing
                yield _encoded("standing", standing)

    def _standing(self, digest: bytes) -> dict[str, Any]:
        try:
            return self._service.standing(digest)
        except NotFoundError:
            return {"digest": digest.hex(), "state": "unknown"}


def _from_thread(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(work)
    except RuntimeError:
        # The loop is closed: nobody listens any more.
        return


def _encoded(kind: str, value: dict[str, Any]) -> bytes:
    data = json.dumps(without_fractions(value), separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()
