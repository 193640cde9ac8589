"""Relays of a drand network: what is taken from them, and what is not."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from anchor.backends.drand import AgreeingDrandSources, HttpDrandSource
from anchor.errors import BackendProtocolError, BackendUnavailableError, ConfigError
from anchor.formats.drand import CHAINED, QUICKNET, UNCHAINED_G1, DrandRound
from tests.parts.drand import (
    DEFAULT_72785,
    DEFAULT_HASH,
    QUICKNET_1000,
    QUICKNET_32281667,
    Network,
)


def as_json(found: DrandRound) -> dict[str, Any]:
    value = {
        "round": found.number,
        "randomness": found.randomness.hex(),
        "signature": found.signature.hex(),
    }
    if found.previous_signature is not None:
        value["previous_signature"] = found.previous_signature.hex()
    return value


class Relay:
    """A relay with some rounds; ``answer`` replaces what it says."""

    def __init__(self, *rounds: DrandRound) -> None:
        self.rounds = rounds
        self.paths: list[str] = []
        self.answer: Any = None

    def source(self, chain_hash: bytes = QUICKNET, scheme: Any = UNCHAINED_G1) -> HttpDrandSource:
        transport = httpx.MockTransport(self._answer)
        return HttpDrandSource("https://relay.example", chain_hash, scheme, transport=transport)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        if self.answer is not None:
            said = self.answer
            data = said if isinstance(said, bytes) else json.dumps(said).encode()
            return httpx.Response(200, stream=httpx.ByteStream(data))
        name = request.url.path.rpartition("/")[2]
        for found in self.rounds:
            if name in ("latest", str(found.number)):
                body = json.dumps(as_json(found)).encode()
                return httpx.Response(200, stream=httpx.ByteStream(body))
        return httpx.Response(404, stream=httpx.ByteStream(b"no such round"))


def test_round_and_the_newest_are_fetched() -> None:
    relay = Relay(QUICKNET_32281667, QUICKNET_1000)
    source = relay.source()
    assert source.fetch_round(1000) == QUICKNET_1000
    assert source.fetch_round(None) == QUICKNET_32281667
    assert relay.paths == [f"/{QUICKNET.hex()}/public/{name}" for name in ("1000", "latest")]
    assert source.name == "drand:relay.example"
    source.close()


def test_chained_round_comes_with_the_signature_before() -> None:
    assert Relay(DEFAULT_72785).source(DEFAULT_HASH, CHAINED).fetch_round(72785) == DEFAULT_72785


def test_round_that_is_not_there() -> None:
    source = Relay().source()
    for number in (1000, 0, 10**10 + 1):
        with pytest.raises(BackendUnavailableError):
            source.fetch_round(number)


GOOD = as_json(QUICKNET_1000)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        [],
        {},
        {**GOOD, "round": 1001},
        {**GOOD, "round": "1000"},
        {**GOOD, "round": True},
        {**GOOD, "signature": None},
        {**GOOD, "signature": GOOD["signature"][:-2]},
        {**GOOD, "signature": GOOD["signature"].upper()},
        {**GOOD, "randomness": "00" * 32},
        {**GOOD, "randomness": 5},
        {**GOOD, "padding": "x" * 5000},
    ],
)
def test_answer_that_is_not_that_round(answer: Any) -> None:
    relay = Relay()
    relay.answer = answer
    with pytest.raises(BackendProtocolError):
        relay.source().fetch_round(1000)


def test_chained_answer_without_the_signature_before() -> None:
    relay = Relay()
    relay.answer = {k: v for k, v in as_json(DEFAULT_72785).items() if k != "previous_signature"}
    with pytest.raises(BackendProtocolError):
        relay.source(DEFAULT_HASH, CHAINED).fetch_round(72785)


def test_relays_that_agree_and_those_that_do_not() -> None:
    lying = Relay(Network("theirs").sign(1000)).source()
    honest, silent = Relay(QUICKNET_1000).source(), Relay().source()
    for sources in ([honest, honest], [lying, honest, honest], [silent, honest, honest]):
        assert AgreeingDrandSources(sources, 2).fetch_round(1000) == QUICKNET_1000
    for sources in ([honest, lying], [honest, silent], [silent, silent]):
        with pytest.raises(BackendUnavailableError) as raised:
            AgreeingDrandSources(sources, 2).fetch_round(1000)
        assert raised.value.code == "backend.unavailable.quorum"
    with pytest.raises(ConfigError):
        AgreeingDrandSources([honest], 2)


def test_newest_round_is_the_first_relays_and_the_others_are_asked_for_it() -> None:
    first, second = Relay(QUICKNET_1000), Relay(QUICKNET_32281667, QUICKNET_1000)
    both = AgreeingDrandSources([first.source(), second.source()], 2)
    assert both.fetch_round(None) == QUICKNET_1000
    assert second.paths[0].endswith("/1000")
    assert both.name == "2 of drand:relay.example, drand:relay.example"
