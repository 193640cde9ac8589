"""Which block is canonical on an EVM chain: JSON-RPC nodes, several of which must agree.

Interface: Ethereum JSON-RPC, ``eth_chainId`` and ``eth_getBlockByNumber`` (execution-apis). Plain
HTTP; no web3 is needed to ask for one hash.

A header is written again from the fields that a node shows, and must have the hash that was agreed
on: what a node says of a block's time counts only so.

Trust: whoever controls a node can confirm a block that never was. :class:`AgreeingEvmSources`
wants several nodes to say the same. A block that the node itself does not call finalized is not
confirmed, where the node knows that word.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from anchor.backends.bounded_http import BoundedHttp, base_url
from anchor.backends.evm.rpc_blocks import header_candidates
from anchor.backends.quorum import Quorum
from anchor.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    FormatError,
    quote_peer,
)
from anchor.fact_sources import EvmHeaderSource
from anchor.formats.encoding import parse_hex, parse_json
from anchor.formats.keccak import keccak256

# A block names each of its transactions, 70 bytes each.
_MAX_ANSWER_BYTES: Final = 8 << 20
_MAX_NUMBER: Final = 2**63 - 1
_WITHOUT_BODIES: Final = False


class RpcEvmHeaders:
    """Block hashes from one node.

    Args:
        url: JSON-RPC over http or https; only its host is ever shown, the rest may hold a key.
        chain_id: what the node must say that it is on.
        timeout_s: see :class:`BoundedHttp`.
        transport: stands in for the network in tests.
    """

    def __init__(
        self,
        url: str,
        chain_id: int,
        *,
        timeout_s: float = 20,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = base_url(url, "evm source")
        self._chain_id = chain_id
        self._finalized: int | None = None
        self._asked = False
        self.name = f"rpc:{urlsplit(self._url).hostname}"
        self._http = BoundedHttp(timeout_s=timeout_s, transport=transport)

    def fetch_block_hash(self, number: int) -> bytes:
        """Return the hash of the canonical block at a height.

        Raises:
            BackendUnavailableError: the block is not there or not final yet, or no answer came.
            BackendRejectedError: the node is on another chain, or refuses.
            BackendProtocolError: the answer is not what was asked for.
        """
        block = self._block(number)
        try:
            return parse_hex(str(block.get("hash", ""))[2:].lower(), n_bytes=32, what="block hash")
        except FormatError as error:
            raise BackendProtocolError(f"{self.name}: {error.message}") from error

    def fetch_raw_header(self, number: int, block_hash: bytes) -> bytes:
        """Return the RLP of the header that has that hash; errors as :meth:`fetch_block_hash`."""
        block = self._block(number)
        for raw in header_candidates(block):
            if keccak256(raw) == block_hash:
                return raw
        raise BackendProtocolError(
            f"{self.name}: the header shown for block {number} does not hash to {block_hash.hex()}",
            code="backend.evm.header",
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _block(self, number: int) -> dict[str, Any]:
        self._check_chain()
        if self._finalized is not None and number > self._finalized:
            raise BackendUnavailableError(
                f"{self.name}: block {number} is not final yet, {self._finalized} is",
                code="backend.unavailable.not_final",
            )
        block = self._call("eth_getBlockByNumber", hex(number), _WITHOUT_BODIES)
        if block is None:
            raise BackendUnavailableError(f"{self.name} has no block {number}")
        if _quantity(self.name, block, "number") != number:
            raise BackendProtocolError(f"{self.name} gives another block than {number}")
        found: dict[str, Any] = block
        return found

    def _check_chain(self) -> None:
        if self._asked:
            return
        chain_id = _quantity(self.name, {"chainId": self._call("eth_chainId")}, "chainId")
        if chain_id != self._chain_id:
            raise BackendRejectedError(
                f"{self.name} is on chain {chain_id}, not {self._chain_id}",
                code="backend.rejected.chain",
            )
        try:
            block = self._call("eth_getBlockByNumber", "finalized", _WITHOUT_BODIES)
        except BackendRejectedError:
            block = None  # an older node, or a chain without the notion
        if block is not None:
            self._finalized = _quantity(self.name, block, "number")
        self._asked = True

    def _call(self, method: str, *parameters: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        answer = self._http.send(
            "POST",
            self._url,
            max_bytes=_MAX_ANSWER_BYTES,
            content=json.dumps(request).encode(),
            headers={"Content-Type": "application/json"},
        )
        if answer.status >= httpx.codes.INTERNAL_SERVER_ERROR or (
            answer.status == httpx.codes.TOO_MANY_REQUESTS
        ):
            raise BackendUnavailableError(f"{self.name} answers {answer.status} to {method}")
        try:
            reply = parse_json(answer.body, max_bytes=_MAX_ANSWER_BYTES, what="RPC answer")
        except FormatError as error:
            raise BackendProtocolError(f"{self.name}: {error.message}") from error
        if not isinstance(reply, dict) or not {"result", "error"} & set(reply):
            raise BackendProtocolError(f"{self.name} answers {answer.status} and no RPC result")
        if reply.get("error") is not None:
            raise BackendRejectedError(
                f"{self.name} refuses {method}: {quote_peer(str(reply['error']))}"
            )
        return reply.get("result")


class AgreeingEvmSources:
    """Several nodes, of which at least ``agree`` must say the same.

    Args:
        sources: asked one after the other, each time all of them.
        agree: how many equal answers make one.
    """

    def __init__(self, sources: Sequence[EvmHeaderSource], agree: int) -> None:
        self._quorum = Quorum(sources, agree, "EVM sources")
        self.name = self._quorum.name

    def fetch_block_hash(self, number: int) -> bytes:
        """Return the hash that ``agree`` nodes give, and no other as many.

        Raises:
            BackendUnavailableError: there is no such hash.
        """
        return self._quorum.ask_for_same(
            lambda source: source.fetch_block_hash(number), f"block {number}"
        )

    def fetch_raw_header(self, number: int, block_hash: bytes) -> bytes:
        """Return the header from the first node that shows it; its hash is what counts.

        Raises:
            BackendUnavailableError: no node does.
        """
        failures: list[str] = []
        for source in self._quorum.sources:
            try:
                return source.fetch_raw_header(number, block_hash)
            except BackendError as error:
                failures.append(error.message)
        raise BackendUnavailableError(
            f"no EVM source shows the header of block {number}: {'; '.join(failures)}",
            code="backend.unavailable.quorum",
        )


def _quantity(name: str, value: Any, field: str) -> int:
    text = value.get(field) if isinstance(value, dict) else None
    try:
        number = int(text, 16) if isinstance(text, str) and text.startswith("0x") else -1
    except ValueError:
        number = -1
    if not 0 <= number <= _MAX_NUMBER:
        raise BackendProtocolError(f"{name}: {field} is no number")
    return number
