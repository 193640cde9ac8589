"""Canonical block hashes from JSON-RPC nodes that may lag, lie or be on another chain."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from anchor.backends.evm.rpc_blocks import _HEADER, _HEADER_LATER
from anchor.backends.evm_headers import AgreeingEvmSources, RpcEvmHeaders
from anchor.errors import (
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
)
from anchor.formats.evm import parse_evm_header
from anchor.formats.rlp import rlp_decode
from tests.attacks import forged_evm

HASH = bytes(range(32))


class Node:
    """A node with one chain; ``answers`` replaces the result of a method."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[str] = []
        self.status = 200

    def source(self, chain_id: int = 1, url: str = "https://node.example/v3/secret-key"):
        return RpcEvmHeaders(url, chain_id, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        call = json.loads(request.read())
        self.calls.append(call["method"])
        name = call["method"]
        if name == "eth_getBlockByNumber" and call["params"][0] == "finalized":
            name = "finalized"
        if name in self.answers:
            body = self.answers[name]
        elif name == "eth_chainId":
            body = {"result": "0x1"}
        elif name == "finalized":
            body = {"result": {"number": "0x64", "hash": "0x" + "11" * 32}}
        else:
            body = {"result": {"number": call["params"][0], "hash": "0x" + HASH.hex()}}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(self.status, stream=httpx.ByteStream(data))


def test_canonical_hash_is_given_and_the_chain_is_asked_for_once():
    node = Node()
    source = node.source()
    assert source.fetch_block_hash(99) == HASH
    assert source.fetch_block_hash(100) == HASH
    assert node.calls.count("eth_chainId") == 1
    assert source.name == "rpc:node.example"


def test_node_of_another_chain_is_refused_each_time():
    source = Node().source(chain_id=10)
    for _ in range(2):
        with pytest.raises(BackendRejectedError) as raised:
            source.fetch_block_hash(5)
        assert raised.value.code == "backend.rejected.chain"
        assert "secret-key" not in raised.value.message


def test_block_that_is_not_final_yet_is_not_confirmed():
    with pytest.raises(BackendUnavailableError) as raised:
        Node().source().fetch_block_hash(101)
    assert raised.value.code == "backend.unavailable.not_final"


@pytest.mark.parametrize("answer", [{"result": None}, {"error": {"code": -32602}}])
def test_node_that_does_not_know_finality_is_believed_as_far_as_it_goes(answer):
    assert Node(finalized=answer).source().fetch_block_hash(10**6) == HASH


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ({"result": None}, BackendUnavailableError),
        ({"result": {"number": "0x6", "hash": "0x" + HASH.hex()}}, BackendProtocolError),
        ({"result": {"number": "0x5", "hash": "0x1234"}}, BackendProtocolError),
        ({"result": {"number": "0x5"}}, BackendProtocolError),
        ({"result": {"number": 5, "hash": "0x" + HASH.hex()}}, BackendProtocolError),
        ({"result": {"number": "0x-5", "hash": "0x" + HASH.hex()}}, BackendProtocolError),
        ({"result": []}, BackendProtocolError),
        ({}, BackendProtocolError),
        ([], BackendProtocolError),
        (b"<html>", BackendProtocolError),
        ({"error": {"message": "no\x1b[31m"}}, BackendRejectedError),
    ],
)
def test_answers_that_are_not_that_block_are_errors(block, kind):
    with pytest.raises(kind) as raised:
        Node(eth_getBlockByNumber=block).source().fetch_block_hash(5)
    assert "\x1b" not in raised.value.message


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_node_is_unavailable(status):
    node = Node()
    node.status = status
    with pytest.raises(BackendUnavailableError):
        node.source().fetch_block_hash(5)


class Fixed:
    def __init__(self, name: str, answer: bytes | Exception) -> None:
        self.name = name
        self.answer = answer

    def fetch_block_hash(self, number: int) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


GONE = BackendUnavailableError("gone")
A, B = b"a" * 32, b"b" * 32


@pytest.mark.parametrize(
    ("answers", "agree", "outcome"),
    [
        ((A, A, B), 2, A),
        ((GONE, A, A), 2, A),
        ((A,), 1, A),
        ((A, B), 2, None),
        ((A, GONE, GONE), 2, None),
        ((GONE, GONE), 1, None),
        ((A, B, A, B), 2, None),
    ],
)
def test_as_many_as_wanted_must_agree_and_nobody_else_as_many(answers, agree, outcome):
    sources = AgreeingEvmSources([Fixed(str(n), a) for n, a in enumerate(answers)], agree)
    if outcome is not None:
        assert sources.fetch_block_hash(5) == outcome
        return
    with pytest.raises(BackendUnavailableError) as raised:
        sources.fetch_block_hash(5)
    assert raised.value.code == "backend.unavailable.quorum"


@pytest.mark.parametrize("agree", [0, 3])
def test_quorum_that_cannot_be_reached_is_refused(agree):
    with pytest.raises(ConfigError):
        AgreeingEvmSources([Fixed("a", A), Fixed("b", A)], agree)


# -- headers ---------------------------------------------------------------------------------------

RAW = forged_evm.header_rlp(number=99, time=1_760_000_000)
RAW_HASH = parse_evm_header(RAW).block_hash


def shown_block(raw: bytes, **changes: Any) -> dict[str, Any]:
    """Return a block as JSON-RPC shows it."""
    fields = rlp_decode(raw, max_bytes=4096)
    shown: dict[str, Any] = {"hash": "0x" + parse_evm_header(raw).block_hash.hex()}
    for (name, size), value in zip((*_HEADER, *_HEADER_LATER), fields, strict=False):
        number = hex(int.from_bytes(value)) if size is None else "0x" + value.hex()
        shown[name] = number
    return {**shown, **changes}


def test_header_is_written_again_and_has_the_hash_that_was_agreed_on():
    node = Node(eth_getBlockByNumber={"result": shown_block(RAW)})
    assert node.source().fetch_raw_header(99, RAW_HASH) == RAW
    extra = Node(eth_getBlockByNumber={"result": shown_block(RAW, requestsHash="0x" + "11" * 32)})
    assert extra.source().fetch_raw_header(99, RAW_HASH) == RAW


@pytest.mark.parametrize("change", [{"timestamp": "0x1"}, {"timestamp": 7}, {"extraData": "0xzz"}])
def test_header_with_another_time_is_not_taken(change):
    node = Node(eth_getBlockByNumber={"result": shown_block(RAW, **change)})
    with pytest.raises(BackendProtocolError):
        node.source().fetch_raw_header(99, RAW_HASH)


def test_header_of_one_honest_node_is_enough():
    lying = Node(eth_getBlockByNumber={"result": shown_block(RAW, timestamp="0x1")})
    honest = Node(eth_getBlockByNumber={"result": shown_block(RAW)})
    both = AgreeingEvmSources([lying.source(), honest.source()], 1)
    assert both.fetch_raw_header(99, RAW_HASH) == RAW
    with pytest.raises(BackendUnavailableError) as raised:
        AgreeingEvmSources([lying.source()], 1).fetch_raw_header(99, RAW_HASH)
    assert raised.value.code == "backend.unavailable.quorum"
