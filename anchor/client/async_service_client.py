"""A client of one Vestige service, asynchronous; otherwise as :mod:`anchor.client.service_client`.

async with AsyncServiceClient("http://127.0.0.1:8460") as service:
    submitted = await service.submit([digest])
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar

import httpx

from anchor.backends.address import shown_address
from anchor.backends.bounded_http import base_url
from anchor.client import call as calls
from anchor.client.call import Call, Reply, SubmittedDigests, log_key_of, read_reply
from anchor.client.problem import RETRIED_STATUSES, error_of, retry_after_s
from anchor.client.service_client import (
    DEADLINE_TIMEOUTS,
    FIRST_WAIT_S,
    HEADERS,
    MAX_WAIT_S,
    check_bounds,
    jittered,
    lower,
    unreachable,
)
from anchor.errors import BackendUnavailableError
from anchor.formats.ots.codec import DetachedTimestamp
from anchor.formats.tlog_proof import TlogProof
from anchor.proof.proof import Proof

T = TypeVar("T")


class AsyncServiceClient:
    """Speaks the HTTP interface from one event loop; arguments as :class:`ServiceClient`."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 30,
        attempts: int = 5,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.url = base_url(url, "server")
        self.place = shown_address(self.url)
        self._attempts = attempts
        self._sleep = sleep
        self._deadline_s = DEADLINE_TIMEOUTS * timeout_s
        self._http = httpx.AsyncClient(
            timeout=timeout_s, follow_redirects=False, transport=transport, headers=HEADERS
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        await self._http.aclose()

    async def submit(self, digests: Sequence[bytes]) -> SubmittedDigests:
        """Submit 1 to 1,000 digests; on return they are durable and under the checkpoint."""
        return await self._do(calls.submit_call(digests))

    async def submit_many(self, digests: Sequence[bytes]) -> SubmittedDigests:
        """Submit 1 to 1,000,000 digests in one raw body."""
        return await self._do(calls.submit_raw_call(digests))

    async def fetch_standing(
        self, digest: bytes, *, before: datetime | None = None
    ) -> dict[str, Any]:
        """Return where a digest stands; NotFoundError if the log does not have it."""
        return await self._do(calls.standing_call(digest, before=before))

    async def fetch_proof(self, digest: bytes) -> Proof:
        """Return the proof of a digest as far as it is; parsed, not believed."""
        return await self._do(calls.proof_call(digest))

    async def fetch_receipt(self, digest: bytes) -> TlogProof:
        """Return the receipt of a digest; parsed, not believed."""
        return await self._do(calls.receipt_call(digest))

    async def fetch_ots(self, digest: bytes) -> DetachedTimestamp:
        """Return the ``.ots`` file over a digest; parsed, not believed."""
        return await self._do(calls.ots_call(digest))

    async def fetch_checkpoint(self) -> str:
        """Return the newest checkpoint; not verified."""
        return await self._do(calls.checkpoint_call())

    async def fetch_tile(self, level: int, index: int, width: int) -> list[bytes]:
        """Return the first ``width`` hashes of a tile; not verified."""
        return await self._do(calls.tile_call(level, index, width))

    async def fetch_entries(self, index: int, width: int) -> list[bytes]:
        """Return the first ``width`` entries of an entry bundle; not verified."""
        return await self._do(calls.entries_call(index, width))

    async def fetch_status(self) -> dict[str, Any]:
        """Return the state of the service."""
        return await self._do(calls.status_call())

    async def fetch_log_key(self) -> str:
        """Return the key that the service says its log signs with, a C2SP vkey line."""
        return log_key_of(await self.fetch_status())

    async def fetch_rounds(self, *, limit: int = 50) -> dict[str, Any]:
        """Return the newest anchoring rounds."""
        return await self._do(calls.rounds_call(limit=limit))

    async def fetch_beacons(self) -> dict[str, Any]:
        """Return recent block hashes as the service's sources have them; not verified."""
        return await self._do(calls.beacon_call())

    async def _do(self, call: Call[T]) -> T:
        """Send a call, again if that may help; errors as ``ServiceClient``."""
        wait_s = FIRST_WAIT_S
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                reply = await self._send(call)
            except BackendUnavailableError:
                if last:
                    raise
                asked_s = None
            else:
                if reply.status == httpx.codes.OK:
                    return read_reply(call, reply)
                if last or reply.status not in RETRIED_STATUSES:
                    raise error_of(reply, self.place)
                asked_s = retry_after_s(reply)
            await self._sleep(jittered(wait_s) if asked_s is None else asked_s)
            wait_s = min(wait_s * 2, MAX_WAIT_S)
        raise BackendUnavailableError(f"{self.place} was not asked at all")

    async def _send(self, call: Call[Any]) -> Reply:
        start = time.monotonic()
        max_bytes = max(call.max_bytes, 64 << 10)
        try:
            async with self._http.stream(
                call.method, self.url + call.path, content=call.body, headers=dict(call.headers)
            ) as response:
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    check_bounds(self.place, len(body), max_bytes, start, self._deadline_s)
                return Reply(response.status_code, lower(response.headers), bytes(body))
        except (
            httpx.HTTPError,
            httpx.StreamError,
            httpx.InvalidURL,
            OSError,
            UnicodeError,
        ) as error:
            raise unreachable(self.place, error) from error
