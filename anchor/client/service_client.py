"""A client of one Vestige service, synchronous.

    with ServiceClient("http://127.0.0.1:8460") as service:
        submitted = service.submit([digest])

Every call has a deadline and reads at most so many bytes. A service that is not there, or says that
it is busy, is asked again a few times, later each time, and as late as it asks for; submissions
carry one Idempotency-Key for all attempts. Redirects are not followed.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Self, TypeVar

import httpx

from anchor.backends.address import shown_address
from anchor.backends.bounded_http import base_url, connection_trouble
from anchor.client import call as calls
from anchor.client.call import Call, Reply, SubmittedDigests, log_key_of, read_reply
from anchor.client.problem import RETRIED_STATUSES, error_of, retry_after_s
from anchor.errors import BackendProtocolError, BackendUnavailableError
from anchor.formats.ots.codec import DetachedTimestamp
from anchor.formats.tlog_proof import TlogProof
from anchor.proof.codec import ProofReader
from anchor.proof.proof import Proof

T = TypeVar("T")

HEADERS: Final = {"User-Agent": "vestige", "Accept-Encoding": "identity"}
NETWORK_ERRORS: Final = (
    httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, UnicodeError
)  # fmt: skip
FIRST_WAIT_S: Final = 0.25
MAX_WAIT_S: Final = 8.0
# Everything of one exchange together may take this many times the timeout of one read.
DEADLINE_TIMEOUTS: Final = 10


class ServiceClient:
    """Speaks the HTTP interface; one connection pool, safe to share between threads.

    Args:
        url: the service's address; one that holds a password is shown without it (``place``).
        timeout_s: for each connect, write and read.
        attempts: how often a call is tried in all.
        transport: stands in for the network in tests.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 30,
        attempts: int = 5,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = base_url(url, "server")
        self.place = shown_address(self.url)
        self._attempts = attempts
        self._sleep = sleep
        self._deadline_s = DEADLINE_TIMEOUTS * timeout_s
        self._http = httpx.Client(
            timeout=timeout_s, follow_redirects=False, transport=transport, headers=HEADERS
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        self._http.close()

    def submit(self, digests: Sequence[bytes]) -> SubmittedDigests:
        """Submit 1 to 1,000 digests; on return they are durable and under the checkpoint."""
        return self._do(calls.submit_call(digests))

    def submit_many(self, digests: Sequence[bytes]) -> SubmittedDigests:
        """Submit 1 to 1,000,000 digests in one raw body."""
        return self._do(calls.submit_raw_call(digests))

    def fetch_standing(self, digest: bytes, *, before: datetime | None = None) -> dict[str, Any]:
        """Return where a digest stands; NotFoundError if the log does not have it."""
        return self._do(calls.standing_call(digest, before=before))

    def fetch_proof(self, digest: bytes, *, reader: ProofReader | None = None) -> Proof:
        """Return the proof of a digest as far as it is; parsed (by ``reader``), not believed."""
        return self._do(calls.proof_call(digest, reader))

    def fetch_receipt(self, digest: bytes) -> TlogProof:
        """Return the receipt of a digest; parsed, not believed."""
        return self._do(calls.receipt_call(digest))

    def fetch_ots(self, digest: bytes) -> DetachedTimestamp:
        """Return the ``.ots`` file over a digest; parsed, not believed."""
        return self._do(calls.ots_call(digest))

    def fetch_checkpoint(self) -> str:
        """Return the newest checkpoint; not verified."""
        return self._do(calls.checkpoint_call())

    def fetch_tile(self, level: int, index: int, width: int) -> list[bytes]:
        """Return the first ``width`` hashes of a tile; not verified."""
        return self._do(calls.tile_call(level, index, width))

    def fetch_entries(self, index: int, width: int) -> list[bytes]:
        """Return the first ``width`` entries of an entry bundle; not verified."""
        return self._do(calls.entries_call(index, width))

    def fetch_status(self) -> dict[str, Any]:
        """Return the state of the service."""
        return self._do(calls.status_call())

    def fetch_log_key(self) -> str:
        """Return the key that the service says its log signs with, a C2SP vkey line."""
        return log_key_of(self.fetch_status())

    def fetch_rounds(self, *, limit: int = 50) -> dict[str, Any]:
        """Return the newest anchoring rounds."""
        return self._do(calls.rounds_call(limit=limit))

    def fetch_beacons(self) -> dict[str, Any]:
        """Return recent block hashes as the service's sources have them; not verified."""
        return self._do(calls.beacon_call())

    def _do(self, call: Call[T]) -> T:
        """Send a call, again if that may help, and read its answer.

        Raises:
            BackendUnavailableError: no answer, or no room, after the last attempt.
            BackendProtocolError: the answer is not what the interface allows.
            VestigeError: what the service says is wrong with the request.
        """
        wait_s = FIRST_WAIT_S
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                reply = self._send(call)
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
            self._sleep(jittered(wait_s) if asked_s is None else asked_s)
            wait_s = min(wait_s * 2, MAX_WAIT_S)
        raise BackendUnavailableError(f"{self.place} was not asked at all")

    def _send(self, call: Call[Any]) -> Reply:
        start = time.monotonic()
        max_bytes = max(call.max_bytes, 64 << 10)
        try:
            with self._http.stream(
                call.method, self.url + call.path, content=call.body, headers=dict(call.headers)
            ) as response:
                body = bytearray()
                for chunk in response.iter_raw():
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


def jittered(wait_s: float) -> float:
    """Return a wait of half to all of ``wait_s``, so that many clients do not come back at once."""
    return wait_s * (0.5 + secrets.randbelow(1000) / 2000)


def check_bounds(url: str, size: int, max_bytes: int, start: float, deadline_s: float) -> None:
    """Stop reading a body that is too long or takes too long.

    Raises:
        BackendProtocolError: longer than ``max_bytes``.
        BackendUnavailableError: still coming after the deadline.
    """
    if size > max_bytes:
        raise BackendProtocolError(
            f"{url} sent more than {max_bytes} bytes", code="backend.protocol.oversize"
        )
    if time.monotonic() - start > deadline_s:
        raise BackendUnavailableError(
            f"{url} was still sending after {deadline_s:g} s", code="backend.unavailable.slow"
        )


def lower(headers: httpx.Headers) -> dict[str, str]:
    """Return the headers with their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def unreachable(url: str, error: Exception) -> BackendUnavailableError:
    """Return the error for a service that did not answer."""
    reason = connection_trouble(error)
    return BackendUnavailableError(
        f"{url} does not answer: {reason}",
        code="backend.unavailable.network",
        hint="is the service running? --server names another one",
    )
