"""Where Bitcoin headers come from: explorers with Esplora's interface, Bitcoin Core, or several.

Interfaces: Esplora's HTTP API (``/blocks/tip/height``, ``/block-height/N``, ``/block/HASH/header``;
blockstream.info and mempool.space serve it), and Bitcoin Core's JSON-RPC (``getblockcount``,
``getblockhash``, ``getblockheader`` with ``verbose`` false; a pruned node keeps all headers).

Trust: whoever controls a source can show a block that is not on the chain, at the cost of its work,
or hide one that is. :class:`AgreeingSources` wants several to say the same. That a header has the
hash that was named and that each follows the one before is checked here; work and merkle root are
for the caller to check.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx

from anchor.backends.bounded_http import BoundedHttp, base_url
from anchor.backends.quorum import Quorum
from anchor.errors import (
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    FormatError,
    ReorgError,
    quote_peer,
)
from anchor.fact_sources import BitcoinHeaderSource
from anchor.formats.bitcoin import display_hex, parse_display_hex, parse_header
from anchor.formats.encoding import parse_decimal, parse_hex, parse_json
from anchor.limits import BITCOIN_HEADER_BYTES

_MAX_ANSWER_BYTES: Final = 4096
_MAX_HEIGHT: Final = 2**31 - 1
_VERBOSE: Final = False
# Bitcoin Core's error codes for a height past the tip, an unknown block, and a node starting up.
_RPC_NOT_THERE: Final = frozenset({-8, -5, -28})


class EsploraHeaders:
    """Headers from one explorer with Esplora's HTTP interface.

    Args:
        url: where the interface is, such as ``https://blockstream.info/api``.
        timeout_s: see :class:`BoundedHttp`.
        transport: stands in for the network in tests.
    """

    def __init__(
        self, url: str, *, timeout_s: float = 20, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._url = base_url(url, "bitcoin.esplora")
        # The path may hold an access key: it is not shown.
        self.name = "esplora:" + urlsplit(self._url).netloc.rpartition("@")[2]
        self._http = BoundedHttp(timeout_s=timeout_s, transport=transport)

    def fetch_tip_height(self) -> int:
        """Return the height of the explorer's best chain."""
        return _height(self.name, self._get("/blocks/tip/height"))

    def fetch_headers(self, first_height: int, count: int) -> list[bytes]:
        """Return ``count`` consecutive headers.

        Raises:
            BackendUnavailableError: a block is not there, or the explorer does not answer.
            BackendProtocolError: an answer is not what was asked for.
            ReorgError: the chain changed while it was read.
        """
        return _fetch_run(self.name, first_height, count, self._block_hash, self._header)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _block_hash(self, height: int) -> str:
        return self._get(f"/block-height/{height}")

    def _header(self, block_hash: str) -> str:
        return self._get(f"/block/{block_hash}/header")

    def _get(self, path: str) -> str:
        answer = self._http.send("GET", self._url + path, max_bytes=_MAX_ANSWER_BYTES)
        if answer.status != httpx.codes.OK:
            raise BackendUnavailableError(
                f"{self.name} answers {answer.status} to {path}: {answer.shown}",
                code="backend.unavailable.status",
            )
        return answer.text


class CoreHeaders:
    """Headers from a Bitcoin Core node.

    Args:
        url: ``http://host:port``; a user name and password in it are used and never shown.
        login: user name and password, where they do not stand in the address.
        cookie_path: the node's ``.cookie`` file, read before each call since it changes with every
            start of the node.
        timeout_s: see :class:`BoundedHttp`.
        transport: stands in for the network in tests.
    """

    def __init__(
        self,
        url: str,
        *,
        login: tuple[str, str] | None = None,
        cookie_path: Path | None = None,
        timeout_s: float = 20,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        parts = urlsplit(base_url(url, "bitcoin.core"))
        host = parts.netloc.rpartition("@")[2]
        self._url = urlunsplit((parts.scheme, host, parts.path or "/", "", ""))
        self._login = login or (unquote(parts.username or ""), unquote(parts.password or ""))
        self._cookie_path = cookie_path
        self.name = f"bitcoin-core:{host}"
        self._http = BoundedHttp(timeout_s=timeout_s, transport=transport)

    def fetch_tip_height(self) -> int:
        """Return the height of the node's best chain."""
        return _height(self.name, str(self._call("getblockcount")))

    def fetch_headers(self, first_height: int, count: int) -> list[bytes]:
        """Return ``count`` consecutive headers; errors as :meth:`EsploraHeaders.fetch_headers`."""
        return _fetch_run(self.name, first_height, count, self._block_hash, self._header)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _block_hash(self, height: int) -> str:
        return str(self._call("getblockhash", height))

    def _header(self, block_hash: str) -> str:
        return str(self._call("getblockheader", block_hash, _VERBOSE))

    def _call(self, method: str, *parameters: Any) -> Any:
        request = {"jsonrpc": "1.0", "id": method, "method": method, "params": parameters}
        answer = self._http.send(
            "POST",
            self._url,
            max_bytes=_MAX_ANSWER_BYTES,
            content=json.dumps(request).encode(),
            headers={"Content-Type": "application/json"},
            auth=self._credentials(),
        )
        if answer.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise BackendRejectedError(
                f"{self.name} refuses the user name and password",
                code="backend.rejected.login",
                hint="check the RPC user and password, or the path of the node's .cookie file",
            )
        try:
            reply = parse_json(answer.body, max_bytes=_MAX_ANSWER_BYTES, what="RPC answer")
            error, result = reply["error"], reply["result"]
            if error is None:
                return result
            code, message = int(error["code"]), quote_peer(str(error["message"]))
        except (FormatError, KeyError, TypeError, ValueError) as exc:
            raise BackendUnavailableError(
                f"{self.name} answers {answer.status} and no RPC result to {method}",
                code="backend.unavailable.status",
            ) from exc
        kind = BackendUnavailableError if code in _RPC_NOT_THERE else BackendRejectedError
        raise kind(f"{self.name} answers error {code} to {method}: {message}")

    def _credentials(self) -> tuple[str, str]:
        if self._cookie_path is None:
            return self._login
        try:
            user, _, password = self._cookie_path.read_text("utf-8").strip().partition(":")
        except (OSError, UnicodeDecodeError) as exc:
            raise BackendUnavailableError(
                f"{self.name}: the cookie file {self._cookie_path} cannot be read",
                hint="the node makes it when it starts",
            ) from exc
        return user, password


class AgreeingSources:
    """Several sources, of which at least ``quorum`` must say the same, and more than say otherwise.

    Args:
        sources: asked one after the other, each time all of them.
        quorum: how many equal answers make one.
    """

    def __init__(self, sources: Sequence[BitcoinHeaderSource], quorum: int) -> None:
        self._quorum = Quorum(sources, quorum, "header sources", setting="bitcoin.quorum")
        self.name = self._quorum.name

    def fetch_tip_height(self) -> int:
        """Return the greatest height that ``quorum`` sources have reached."""
        heights, failures = self._quorum.ask(lambda source: source.fetch_tip_height())
        if len(heights) < self._quorum.wanted:
            raise self._quorum.disagreement("the height of the chain", len(heights), failures)
        return sorted(heights, reverse=True)[self._quorum.wanted - 1]

    def fetch_headers(self, first_height: int, count: int) -> list[bytes]:
        """Return the headers that ``quorum`` sources agree on, byte for byte.

        Raises:
            BackendUnavailableError: too few answer, or as many say another thing.
        """
        headers = self._quorum.ask_for_same(
            lambda source: tuple(source.fetch_headers(first_height, count)),
            f"the headers from block {first_height} on",
        )
        return list(headers)


def _fetch_run(
    name: str,
    first_height: int,
    count: int,
    block_hash_at: Callable[[int], str],
    header_of: Callable[[str], str],
) -> list[bytes]:
    """Fetch hash and header for each height, and check that they belong together."""
    headers: list[bytes] = []
    previous: bytes | None = None
    for height in range(first_height, first_height + count):
        if not 0 <= height <= _MAX_HEIGHT:
            raise BackendUnavailableError(f"{name} cannot have a block {height}")
        try:
            block_hash = parse_display_hex(block_hash_at(height))
            raw = parse_hex(
                header_of(display_hex(block_hash)), n_bytes=BITCOIN_HEADER_BYTES, what="header"
            )
            header = parse_header(raw)
        except FormatError as exc:
            raise BackendProtocolError(f"{name}, block {height}: {exc.message}") from exc
        if header.block_hash != block_hash:
            raise BackendProtocolError(
                f"{name}: the header given for block {display_hex(block_hash)} is that of "
                f"{display_hex(header.block_hash)}"
            )
        if previous is not None and header.previous_hash != previous:
            raise ReorgError(f"{name}: block {height} no longer follows the one before")
        headers.append(raw)
        previous = block_hash
    return headers


def _height(name: str, text: str) -> int:
    try:
        return parse_decimal(text, maximum=_MAX_HEIGHT, what="block height")
    except FormatError as exc:
        raise BackendProtocolError(f"{name}: {exc.message}") from exc
