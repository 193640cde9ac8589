from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from anchor.backends.bitcoin_headers import AgreeingSources, CoreHeaders, EsploraHeaders
from anchor.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
    ReorgError,
)
from tests.fakes.bitcoin_chain import FakeChain, mine_header
from tests.fakes.calendar import FakeCalendar


@pytest.fixture(scope="module")
def server() -> Iterator[FakeCalendar]:
    with FakeCalendar(FakeChain(12)) as fake:
        yield fake


@pytest.fixture(params=["esplora", "core"])
def source(request, server) -> Iterator[EsploraHeaders | CoreHeaders]:
    made = (
        EsploraHeaders(f"{server.url}/esplora/", timeout_s=5)
        if request.param == "esplora"
        else CoreHeaders(server.rpc_url, timeout_s=5)
    )
    yield made
    made.close()
    server.faults.header = {}


def test_height_and_headers(server, source) -> None:
    assert source.fetch_tip_height() == 11
    assert source.fetch_headers(3, 7) == server.chain.headers[3:10]
    assert source.fetch_headers(11, 1) == server.chain.headers[11:]
    assert source.fetch_headers(0, 0) == []


@pytest.mark.parametrize("height", [12, 2**31 - 1, 2**31, 2**63, -1])
def test_blocks_that_are_not_there(source, height: int) -> None:
    with pytest.raises(BackendUnavailableError):
        source.fetch_headers(height, 1)


def test_a_run_past_the_tip_is_not_cut_short(source) -> None:
    with pytest.raises(BackendUnavailableError):
        source.fetch_headers(10, 3)


def test_a_header_of_another_block(server, source) -> None:
    server.faults.header = {5: server.chain.headers[4]}
    with pytest.raises(BackendProtocolError, match="is that of"):
        source.fetch_headers(5, 1)
    server.faults.header = {5: server.chain.headers[5][:-1]}
    with pytest.raises(BackendProtocolError, match="header"):
        source.fetch_headers(5, 1)
    server.faults.header = {5: server.chain.headers[5][:72] + bytes(4) + bytes(4)}
    with pytest.raises(BackendProtocolError, match="target"):
        source.fetch_headers(5, 1)


def test_the_chain_changes_while_it_is_read(server, source) -> None:
    other = FakeChain(3)
    kept = server.chain.headers
    server.chain.headers = kept[:5] + other.headers[1:]
    try:
        with pytest.raises(ReorgError):
            source.fetch_headers(3, 3)
    finally:
        server.chain.headers = kept


def test_names_show_no_password(server) -> None:
    source = CoreHeaders(server.rpc_url)
    assert source.name == "bitcoin-core:" + server.url.removeprefix("http://")
    source.close()


def test_a_login_may_be_given_apart(server) -> None:
    source = CoreHeaders(server.url, login=server.rpc_login, timeout_s=5)
    assert source.fetch_tip_height() == 11
    source.close()


def test_an_explorers_path_is_not_shown() -> None:
    source = EsploraHeaders("https://u:p@explorer.example/key-123/api")
    assert source.name == "esplora:explorer.example"
    source.close()


def test_a_wrong_password_is_refused_with_a_hint(server) -> None:
    source = CoreHeaders(server.url.replace("http://", "http://ots:wrong@"), timeout_s=5)
    with pytest.raises(BackendRejectedError) as caught:
        source.fetch_tip_height()
    assert "wrong" not in str(caught.value)
    assert caught.value.hint
    source.close()


def test_the_cookie_file_is_read_each_time(server, tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    source = CoreHeaders(server.url, cookie_path=cookie, timeout_s=5)
    with pytest.raises(BackendUnavailableError, match="cookie"):
        source.fetch_tip_height()
    cookie.write_text("__cookie__:old")
    with pytest.raises(BackendRejectedError):
        source.fetch_tip_height()
    cookie.write_text(":".join(server.rpc_login) + "\n")
    assert source.fetch_tip_height() == 11
    source.close()


def answering(status: int, body: bytes) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(status, content=iter([body])))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"-1"),
        (200, b"1e3"),
        (200, b"0x10"),
        (200, b"<html>"),
        (200, b""),
        (200, b"01"),
        (200, b"99999999999999999999999"),
        (200, bytes(5000)),
        (429, b"slow down"),
        (302, b""),
        (500, b"\xff\xfe"),
    ],
)
def test_explorers_that_answer_something_else(status: int, body: bytes) -> None:
    source = EsploraHeaders("https://explorer.example", transport=answering(status, body))
    with pytest.raises(BackendError) as caught:
        source.fetch_tip_height()
    assert isinstance(caught.value, BackendUnavailableError) is (status != 200)
    with pytest.raises(BackendError):
        source.fetch_headers(1, 1)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"", BackendUnavailableError),
        (200, b"[]", BackendUnavailableError),
        (200, b"{}", BackendUnavailableError),
        (200, b'{"result":null}', BackendUnavailableError),
        (200, b'{"result":1.5,"error":null}', BackendUnavailableError),
        (200, b'{"result":"x","error":null}', BackendProtocolError),
        (200, b'{"result":true,"error":null}', BackendProtocolError),
        (200, b'{"result":-1,"error":null}', BackendProtocolError),
        (500, b'{"result":null,"error":{"code":-28,"message":"Loading"}}', BackendUnavailableError),
        (404, b'{"result":null,"error":{"code":-32601,"message":"x"}}', BackendRejectedError),
        (500, b'{"result":null,"error":{"code":"x","message":"x"}}', BackendUnavailableError),
        (500, b'{"result":null,"error":5}', BackendUnavailableError),
        (403, b"", BackendRejectedError),
        (503, b"Work queue depth exceeded", BackendUnavailableError),
    ],
)
def test_nodes_that_answer_something_else(status: int, body: bytes, kind) -> None:
    source = CoreHeaders("http://u:p@127.0.0.1:8332", transport=answering(status, body))
    with pytest.raises(kind):
        source.fetch_tip_height()


def test_third_party_errors_do_not_pass() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("\x1b[31mbroken", request=request)

    source = EsploraHeaders("https://explorer.example", transport=httpx.MockTransport(broken))
    with pytest.raises(BackendUnavailableError) as caught:
        source.fetch_tip_height()
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "explorer.example", "ws://explorer.example", "http://[::1"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigError):
        EsploraHeaders(url)
    with pytest.raises(ConfigError):
        CoreHeaders(url)


# -- several together ------------------------------------------------------------------------------


class Listed:
    def __init__(self, name: str, headers: list[bytes]) -> None:
        self.name = name
        self.headers = headers

    def fetch_tip_height(self) -> int:
        if not self.headers:
            raise BackendUnavailableError(f"{self.name} is away")
        return len(self.headers) - 1

    def fetch_headers(self, first_height: int, count: int) -> list[bytes]:
        run = self.headers[first_height : first_height + count]
        if len(run) < count:
            raise BackendUnavailableError(f"{self.name} is behind")
        return run


CHAIN = FakeChain(10).headers
FORGED = [*CHAIN[:4], *(mine_header(bytes(32), bytes([n]) * 32, n) for n in range(6))]


def test_one_liar_among_three_is_outvoted() -> None:
    for order in ([CHAIN, CHAIN, FORGED], [FORGED, CHAIN, CHAIN], [CHAIN, FORGED, CHAIN]):
        sources = AgreeingSources([Listed(str(n), h) for n, h in enumerate(order)], 2)
        assert sources.fetch_headers(3, 5) == CHAIN[3:8]


def test_two_that_contradict_each_other_agree_on_nothing() -> None:
    sources = AgreeingSources([Listed("a", CHAIN), Listed("b", FORGED)], 2)
    assert sources.fetch_headers(0, 4) == CHAIN[:4]
    with pytest.raises(BackendUnavailableError, match="contradict") as caught:
        sources.fetch_headers(3, 2)
    assert caught.value.code == "backend.unavailable.quorum"


def test_the_height_is_one_that_enough_have_reached() -> None:
    three = [Listed("a", CHAIN), Listed("b", CHAIN[:8]), Listed("c", [*CHAIN, *CHAIN])]
    assert AgreeingSources(three, 2).fetch_tip_height() == 9
    assert AgreeingSources(three, 3).fetch_tip_height() == 7
    assert AgreeingSources(three, 1).fetch_tip_height() == 19


def test_one_that_is_away_is_borne_and_two_are_not() -> None:
    away = Listed("b", [])
    assert (
        AgreeingSources([Listed("a", CHAIN), away, Listed("c", CHAIN)], 2).fetch_headers(0, 2)
        == (CHAIN[:2])
    )
    poor = AgreeingSources([Listed("a", CHAIN), away, Listed("c", [])], 2)
    with pytest.raises(BackendUnavailableError, match="b is behind; c is behind"):
        poor.fetch_headers(0, 2)
    with pytest.raises(BackendUnavailableError, match="b is away; c is away"):
        poor.fetch_tip_height()


def test_a_tie_is_no_answer_even_where_one_would_do() -> None:
    one_of_two = AgreeingSources([Listed("a", CHAIN), Listed("b", FORGED)], 1)
    with pytest.raises(BackendUnavailableError, match="contradict"):
        one_of_two.fetch_headers(3, 2)
    alone = AgreeingSources([Listed("a", CHAIN), Listed("b", [])], 1)
    assert alone.fetch_headers(3, 2) == CHAIN[3:5]
    four = AgreeingSources([Listed(str(n), h) for n, h in enumerate([CHAIN, FORGED] * 2)], 2)
    with pytest.raises(BackendUnavailableError, match="contradict"):
        four.fetch_headers(3, 2)


@pytest.mark.parametrize("quorum", [0, 3, -1])
def test_quorums_that_cannot_be(quorum: int) -> None:
    with pytest.raises(ConfigError):
        AgreeingSources([Listed("a", CHAIN), Listed("b", CHAIN)], quorum)
