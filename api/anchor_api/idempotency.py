"""``Idempotency-Key``: the same request under the same key gets the same answer.

Submitting a digest again is harmless by itself: it gets its first index. What a key adds is that a
repeated request also gets ``created`` as the first one got it, and that one key cannot stand for
two different requests.

Rules:

* A key belongs to the client that used it; the same key with another body is refused.
* While the first request is being answered the second waits for that answer.
* Only successes are remembered, for a day at most, and no more than fits into the budget; after
  that, or after a restart, the request is simply sequenced again. One event loop only.

Source: IETF draft-ietf-httpapi-idempotency-key-header (the key's quotes are part of it here).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from anchor.errors import UsageError
from anchor.limits import MAX_IDEMPOTENCY_KEY_CHARACTERS
from anchor_api.asgi import Answer
from anchor_api.problems import IdempotencyKeyReusedError

_REMEMBERED_S: Final = 86_400.0
# Of one entry without key, headers and body: objects and the place in the dictionary.
_ENTRY_BYTES: Final = 1024
_REPLAYED: Final = (b"idempotency-replayed", b"true")

_Name = tuple[str, bytes]


@dataclass(slots=True)
class _Entry:
    fingerprint: bytes
    answer: asyncio.Future[Answer]
    since: float = 0.0
    n_bytes: int = 0


class IdempotencyKeys:
    """The keys seen lately.

    Args:
        max_bytes: budget for the answers remembered.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self, *, max_bytes: int = 64 << 20, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes = max_bytes
        self._monotonic = monotonic
        # What is being answered: its budget is the body's.
        self._under_way: dict[_Name, _Entry] = {}
        # In the order of answering, so that what is forgotten next stands first.
        self._answered: OrderedDict[_Name, _Entry] = OrderedDict()
        self._n_bytes = 0

    async def once(
        self,
        client: str,
        key: bytes,
        fingerprint: bytes,
        work: Callable[[], Awaitable[Answer]],
    ) -> Answer:
        """Return the answer remembered under the key, or do the work and remember its answer.

        Args:
            client: who asks.
            key: value of the header.
            fingerprint: digest of the request.
            work: makes the answer; what it raises is not remembered.

        Raises:
            UsageError: the key is malformed.
            IdempotencyKeyReusedError: it was used for another request.
        """
        _require_key(key)
        self._forget_old()
        name = (client, key)
        while (entry := self._known(name)) is not None:
            if entry.fingerprint != fingerprint:
                raise IdempotencyKeyReusedError(
                    "this Idempotency-Key was used for another request",
                    hint="use a new key for a new request",
                )
            # Shielded: that one client gives up must not spoil the others' answer.
            answer = await asyncio.shield(_outcome(entry.answer))
            if answer is not None:
                return replace(answer, headers=(*answer.headers, _REPLAYED))
        return await self._first(name, fingerprint, work)

    def _known(self, name: _Name) -> _Entry | None:
        return self._under_way.get(name) or self._answered.get(name)

    async def _first(
        self, name: _Name, fingerprint: bytes, work: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        entry = _Entry(fingerprint, asyncio.get_running_loop().create_future())
        self._under_way[name] = entry
        try:
            answer = await work()
        except BaseException:
            entry.answer.cancel()
            raise
        finally:
            del self._under_way[name]
        entry.since = self._monotonic()
        entry.n_bytes = _n_bytes(name, answer)
        self._answered[name] = entry
        self._n_bytes += entry.n_bytes
        entry.answer.set_result(answer)
        self._forget_old()
        return answer

    def _forget_old(self) -> None:
        """Forget from the oldest on; each entry costs this once, however many there are."""
        oldest_kept = self._monotonic() - _REMEMBERED_S
        while self._answered:
            entry = next(iter(self._answered.values()))
            if entry.since >= oldest_kept and self._n_bytes <= self._max_bytes:
                return
            self._answered.popitem(last=False)
            self._n_bytes -= entry.n_bytes


def _n_bytes(name: _Name, answer: Answer) -> int:
    headers = sum(len(field) + len(value) for field, value in answer.headers)
    return _ENTRY_BYTES + len(name[1]) + headers + len(answer.body)


async def _outcome(future: asyncio.Future[Answer]) -> Answer | None:
    """Return the answer, or None where the first request failed or was given up."""
    if not future.done():
        await asyncio.wait([future])
    return None if future.cancelled() else future.result()


def _require_key(key: bytes) -> None:
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY_CHARACTERS or not key.isascii():
        raise UsageError(
            f"Idempotency-Key of {len(key)} bytes, wanted 1 to {MAX_IDEMPOTENCY_KEY_CHARACTERS} "
            "ASCII characters",
            code="http.idempotency_key",
        )
