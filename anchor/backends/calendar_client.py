"""The OpenTimestamps calendar protocol, client side: submit a root, ask again by its commitment.

Interface (opentimestamps-server, ``otsserver/rpc.py``; python-opentimestamps, ``calendar.py``):
``POST <calendar>/digest`` with the raw digest answers a bare tree over it; ``GET
<calendar>/timestamp/<hex>`` with the message at the tree's pending attestation answers the tree
that continues there, or 404 and a line of text that says what it waits for. An answer is at most
10,000 bytes.

Rules: a pending attestation's address is a claim inside an answer, so it is asked only where it is
the calendar's own or one that the settings allow; nothing is fetched because evidence says so. What
comes back is bounded, read strictly, and refused where it cannot end in a file that stock clients
open (too deep) or in a verdict (SHA-1 on the way).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import httpx

from anchor.backends.bounded_http import BoundedHttp, base_url
from anchor.errors import (
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
    FormatError,
)
from anchor.formats.ots.attestation import PendingAttestation
from anchor.formats.ots.codec import parse_tree
from anchor.formats.ots.timestamp import Timestamp
from anchor.limits import (
    MAX_CALENDAR_RESPONSE_BYTES,
    MAX_OTS_NESTED_OPERATIONS,
    MAX_OTS_OWN_OPERATIONS,
)

_ACCEPT: Final = {"Accept": "application/vnd.opentimestamps.v1"}
_MAX_DEPTH: Final = MAX_OTS_NESTED_OPERATIONS - MAX_OTS_OWN_OPERATIONS
_BUSY: Final = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS})


class CalendarClient:
    """One calendar, or an aggregator in front of several.

    Args:
        url: where to submit.
        allowed_uris: addresses beside ``url`` that a pending attestation may name and that are then
            asked; ``https://*.example.org`` stands for every host below example.org. Whoever
            controls such a host learns which commitments are ours and when they are asked for.
        timeout_s: see :class:`BoundedHttp`.
        transport: stands in for the network in tests.
    """

    def __init__(
        self,
        url: str,
        *,
        allowed_uris: Sequence[str] = (),
        timeout_s: float = 20,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = base_url(url, "calendars.url")
        parts = urlsplit(self.url)
        if "@" in parts.netloc:
            raise ConfigError("calendars.url: a calendar takes no user name")
        self.place = parts.netloc + parts.path
        self._allowed = [_uri_pattern(uri) for uri in (self.url, *allowed_uris)]
        self._http = BoundedHttp(timeout_s=timeout_s, transport=transport)

    def submit(self, digest: bytes) -> Timestamp:
        """Submit a digest and return the tree that the calendar answers with.

        Raises:
            BackendUnavailableError: no answer, or the calendar says that it is busy.
            BackendRejectedError: the calendar refuses.
            BackendProtocolError: the answer is too long, no tree, or promises nothing that may be
                asked for.
        """
        answer = self._http.send(
            "POST",
            f"{self.url}/digest",
            content=digest,
            headers=_ACCEPT | {"Content-Type": "application/octet-stream"},
            max_bytes=MAX_CALENDAR_RESPONSE_BYTES,
        )
        if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status in _BUSY:
            raise BackendUnavailableError(f"{self.place} answers {answer.status}: {answer.shown}")
        if answer.status != httpx.codes.OK:
            raise BackendRejectedError(f"{self.place} answers {answer.status}: {answer.shown}")
        tree = self._read(answer.body, digest)
        if not self.promises(tree):
            named = sorted(
                path.attestation.uri
                for path in tree.paths()
                if isinstance(path.attestation, PendingAttestation)
            )
            raise BackendProtocolError(
                f"{self.place} promises nothing that may be asked for (it names {named or 'none'})",
                code="backend.protocol.no_promise",
                hint="allow the calendar that it names in the settings, if you know it",
            )
        return tree

    def promises(self, tree: Timestamp) -> list[tuple[Timestamp, str]]:
        """Return the nodes that hold a pending attestation which may be asked for, with its URI."""
        return [
            (node, attestation.uri)
            for _, node in tree.walk()
            for attestation in node.attestations
            if isinstance(attestation, PendingAttestation)
            and any(pattern.fullmatch(attestation.uri) for pattern in self._allowed)
        ]

    def fetch_upgrade(self, uri: str, commitment: bytes) -> Timestamp | str:
        """Ask for what continues at ``commitment``; a text is what the calendar waits for.

        Raises:
            BackendUnavailableError: no answer, or one that is neither a tree nor a 404.
            BackendProtocolError: the answer is too long or no tree over the commitment.
        """
        answer = self._http.send(
            "GET",
            f"{uri.rstrip('/')}/timestamp/{commitment.hex()}",
            headers=_ACCEPT,
            max_bytes=MAX_CALENDAR_RESPONSE_BYTES,
        )
        if answer.status == httpx.codes.NOT_FOUND:
            return answer.shown
        if answer.status != httpx.codes.OK:
            raise BackendUnavailableError(f"{self.place} answers {answer.status}: {answer.shown}")
        return self._read(answer.body, commitment)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _read(self, body: bytes, message: bytes) -> Timestamp:
        try:
            tree = parse_tree(body, message)
        except FormatError as exc:
            raise BackendProtocolError(
                f"{self.place} sent no tree: {exc.message}", code="backend.protocol.tree"
            ) from exc
        self.check(tree)
        return tree

    def check(self, tree: Timestamp) -> None:
        """Refuse a tree that no file could hold, or whose paths prove nothing.

        Raises:
            BackendProtocolError: too deep to stand behind a file's own operations, or SHA-1.
        """
        if tree.depth > _MAX_DEPTH:
            raise BackendProtocolError(
                f"{self.place} sent {tree.depth} nested operations, {_MAX_DEPTH} fit into a file",
                code="backend.protocol.too_deep",
            )
        if any(path.uses_sha1 for path in tree.paths()):
            raise BackendProtocolError(
                f"{self.place} sent a path through SHA-1, which proves nothing",
                code="backend.protocol.sha1",
            )


def _uri_pattern(allowed: str) -> re.Pattern[str]:
    """Return what an allowed address matches: itself, or one or more labels for a leading ``*``."""
    key = "calendars.allowed_uris"
    scheme, wild, parent = allowed.rstrip("/").partition("://*.")
    plain = base_url(f"{scheme}://{parent}" if wild else allowed, key)
    if "*" in plain:
        raise ConfigError(f"{key}: one * is understood, as the first label of a host")
    if not wild:
        return re.compile(re.escape(plain) + "/?")
    labels = r"(?:[A-Za-z0-9-]+\.)+"
    return re.compile(re.escape(f"{scheme}://") + labels + re.escape(parent) + "/?")
