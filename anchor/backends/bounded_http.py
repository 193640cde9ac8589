"""One HTTP request to a party that is not trusted: bounded in bytes and in time.

Every adapter that speaks HTTP does it through here, so that each bound holds everywhere: the body
is read as it comes and dropped at ``max_bytes``; the whole exchange has a deadline, so that a peer
that drips a byte a second ends too; redirects are not followed; no compression is asked for, and a
compressed body is not unpacked; no third-party exception leaves this module.

What this deliberately does not do: retry. The anchorer calls again.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from anchor.backends.address import address_problem, shown_address
from anchor.errors import BackendProtocolError, BackendUnavailableError, ConfigError, quote_peer

_USER_AGENT: Final = "vestige"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body of at most the bytes asked for."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """Return the body as text, each byte a character; not fit to be shown."""
        return self.body.decode("latin-1").strip()

    @property
    def shown(self) -> str:
        """Return the body as text fit to be shown: cut, unprintable characters replaced."""
        return quote_peer(self.text)


class BoundedHttp:
    """A keep-alive client for one adapter; safe to share between threads.

    Args:
        timeout_s: for each connect, write and read, and three times that for the whole exchange.
        clock: seconds that only go forward.
        transport: stands in for the network in tests.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._deadline_s = 3 * timeout_s
        self._clock = clock
        self._client = httpx.Client(
            timeout=timeout_s,
            follow_redirects=False,
            transport=transport,
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
        )

    def send(
        self,
        method: str,
        url: str,
        *,
        max_bytes: int,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """Send one request and read its answer, whatever its status.

        Raises:
            BackendUnavailableError: no connection, no answer in time, or the connection broke.
            BackendProtocolError: more than ``max_bytes``, or bytes that are not HTTP.
        """
        host = urlsplit(url).hostname or "?"
        start = self._clock()
        try:
            with self._client.stream(
                method, url, content=content, headers=headers, auth=auth
            ) as response:
                body = bytearray()
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) > max_bytes:
                        raise BackendProtocolError(
                            f"{host} sent more than {max_bytes} bytes",
                            code="backend.protocol.oversize",
                        )
                    if self._clock() - start > self._deadline_s:
                        raise BackendUnavailableError(
                            f"{host} was still sending after {self._deadline_s:g} s",
                            code="backend.unavailable.slow",
                        )
                return Answer(response.status_code, bytes(body))
        except httpx.RemoteProtocolError as exc:
            raise _translated(host, exc) from exc
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as exc:
            raise BackendUnavailableError(
                f"{host} did not answer: {connection_trouble(exc)}",
                code="backend.unavailable.network",
            ) from exc

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        self._client.close()


def base_url(text: str, key: str) -> str:
    """Return an http or https address without its trailing slash.

    Raises:
        ConfigError: it is no such address, or holds a query or fragment; ``key`` names the setting.
    """
    problem = address_problem(text)
    if problem is None:
        try:
            _ = httpx.URL(text).host
        except (httpx.InvalidURL, UnicodeError):
            problem = "its host is no host"
    if problem is not None:
        raise ConfigError(
            f"{key}: an http or https address is wanted, and {shown_address(text)!r} is none: "
            f"{problem}",
            hint="write it as https://host, https://host/path or http://127.0.0.1:8460",
        )
    return text.rstrip("/")


def connection_trouble(error: BaseException) -> str:
    """Return why a connection failed, for a sentence: the system's words, or better ones."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return "its name cannot be found (no network?)"
        cause = cause.__cause__ or cause.__context__
    return quote_peer(str(error)) or type(error).__name__


def _translated(
    host: str, exc: httpx.RemoteProtocolError
) -> BackendProtocolError | BackendUnavailableError:
    """A peer that hangs up mid-answer is unavailable; one that does not speak HTTP is wrong."""
    text = str(exc)
    if "disconnected" in text or "peer closed" in text:
        return BackendUnavailableError(
            f"{host} hung up before its answer was complete", code="backend.unavailable.network"
        )
    return BackendProtocolError(
        f"{host} does not speak HTTP: {quote_peer(text)}", code="backend.protocol.http"
    )
