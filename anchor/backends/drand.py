"""Rounds of a drand network, from its HTTP relays.

Interface: drand's HTTP API, ``/{chain hash}/public/{round}`` and ``/{chain hash}/public/latest``.

Trust: a relay can hide a round. It cannot make one where the signature is checked under the key
that the policy names; where nobody checks it, relays that agree can show any value
(:class:`AgreeingDrandSources`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from anchor.backends.bounded_http import BoundedHttp, base_url
from anchor.backends.quorum import Quorum
from anchor.errors import (
    BackendError,
    BackendProtocolError,
    BackendUnavailableError,
    FormatError,
)
from anchor.fact_sources import DrandSource
from anchor.formats.drand import CHAINED, MAX_ROUND, SIGNATURE_BYTES, DrandRound, Scheme
from anchor.formats.encoding import parse_hex, parse_json

_MAX_ANSWER_BYTES: Final = 4096


class HttpDrandSource:
    """One relay.

    Args:
        url: where the interface is, such as ``https://api.drand.sh``.
        chain_hash: the network's, 32 bytes.
        scheme: how it signs.
        timeout_s: see :class:`BoundedHttp`.
        transport: stands in for the network in tests.
    """

    def __init__(
        self,
        url: str,
        chain_hash: bytes,
        scheme: Scheme,
        *,
        timeout_s: float = 20,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = f"{base_url(url, 'drand source')}/{chain_hash.hex()}/public"
        self._scheme = scheme
        self.name = f"drand:{urlsplit(self._url).hostname}"
        self._http = BoundedHttp(timeout_s=timeout_s, transport=transport)

    def fetch_round(self, number: int | None) -> DrandRound:
        """Return a round, or the newest for None.

        Raises:
            BackendUnavailableError: the round is not there yet, or no answer came.
            BackendProtocolError: the answer is not that round.
        """
        if number is not None and not 1 <= number <= MAX_ROUND:
            raise BackendUnavailableError(f"{self.name} cannot have a round {number}")
        path = "latest" if number is None else str(number)
        answer = self._http.send("GET", f"{self._url}/{path}", max_bytes=_MAX_ANSWER_BYTES)
        if answer.status != httpx.codes.OK:
            raise BackendUnavailableError(
                f"{self.name} answers {answer.status} to round {path}: {answer.shown}",
                code="backend.unavailable.status",
            )
        try:
            return self._read(number, answer.body)
        except FormatError as error:
            raise BackendProtocolError(f"{self.name}, round {path}: {error.message}") from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _read(self, number: int | None, body: bytes) -> DrandRound:
        value = parse_json(body, max_bytes=_MAX_ANSWER_BYTES, what="answer")
        if not isinstance(value, dict):
            raise FormatError("the answer is not an object")
        given = value.get("round")
        if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= MAX_ROUND:
            raise FormatError("the answer names no round")
        if number is not None and given != number:
            raise FormatError(f"the answer is round {given}")
        previous = self._signature(value, "previous_signature") if self._is_chained else None
        found = DrandRound(given, self._signature(value, "signature"), previous)
        said = value.get("randomness")
        if said is not None and said != found.randomness.hex():
            raise FormatError("the randomness is not the SHA-256 of the signature")
        return found

    @property
    def _is_chained(self) -> bool:
        return self._scheme == CHAINED

    def _signature(self, value: dict[str, Any], name: str) -> bytes:
        return parse_hex(value.get(name, ""), n_bytes=SIGNATURE_BYTES[self._scheme], what=name)


class AgreeingDrandSources:
    """Several relays, of which ``agree`` must say the same; asked until they do.

    Args:
        sources: asked one after the other.
        agree: how many equal answers make one.
    """

    def __init__(self, sources: Sequence[DrandSource], agree: int) -> None:
        self._quorum = Quorum(sources, agree, "drand sources")
        self.name = self._quorum.name

    def fetch_round(self, number: int | None) -> DrandRound:
        """Return the round that ``agree`` relays give; for None, the newest of the first to answer.

        Raises:
            BackendUnavailableError: too few give the same.
        """
        votes: Counter[DrandRound] = Counter()
        failures: list[str] = []
        for source in self._quorum.sources:
            try:
                found = source.fetch_round(number)
            except BackendError as error:
                failures.append(error.message)
                continue
            number = found.number
            votes[found] += 1
            if votes[found] >= self._quorum.wanted:
                return found
        best = max(votes.values(), default=0)
        raise self._quorum.disagreement(f"round {number or 'latest'}", best, failures)
