"""An EVM node behind JSON-RPC: infura and the like, or one's own geth, reth, erigon, anvil.

Whatever can be compared with a header is: see :mod:`anchor.backends.evm.node`. A node that serves
``eth_getBlockReceipts`` is asked once a block, another once a transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from anchor.backends.evm.json_rpc import (
    JsonRpc,
    RpcRefusedError,
    parse_hex,
    parse_list,
    parse_object,
    parse_quantity,
)
from anchor.backends.evm.node import (
    BlockTag,
    MarketFees,
    StateProof,
    TransactionPlace,
    refusal_of,
    wrong_answer,
)
from anchor.backends.evm.ordered_trie import ordered_trie_root
from anchor.backends.evm.rpc_blocks import header_candidates, receipt_bytes, transaction_bytes
from anchor.errors import BackendRejectedError, BackendUnavailableError, FormatError
from anchor.formats.evm import EvmHeader, parse_evm_header
from anchor.formats.keccak import keccak256

_DIGEST_BYTES: Final = 32
_UNKNOWN_BLOCK: Final = ("unknown block", "block not found", "header not found", "not found")


class RpcNode:
    """One JSON-RPC endpoint as an :class:`~anchor.backends.evm.node.EvmNode`.

    Args:
        url: http or https; may hold an access key, which is never shown.
        timeout_s: for one call.
    """

    def __init__(self, url: str, *, timeout_s: float = 20.0) -> None:
        self._rpc = JsonRpc(url, timeout_s=timeout_s)
        self.name = self._rpc.host
        self._has_block_receipts = True

    # -- blocks ------------------------------------------------------------------------------------

    def fetch_chain_id(self) -> int:
        """Return the chain id."""
        return parse_quantity(self._rpc.call("eth_chainId"), "chain id")

    def fetch_header(self, which: int | BlockTag) -> EvmHeader | None:
        """Return a header whose bytes hash to the hash that the node gives for the block."""
        block = self._fetch_block(which, transactions=False)
        if block is None:
            return None
        block_hash = parse_hex(block.get("hash"), "block hash", n_bytes=_DIGEST_BYTES)
        for raw in header_candidates(block):
            if keccak256(raw) != block_hash:
                continue
            try:
                header = parse_evm_header(raw)
            except FormatError as error:
                raise wrong_answer(f"header: {error.message}") from error
            if isinstance(which, int) and header.number != which:
                raise wrong_answer(f"block {header.number} where {which} was asked for")
            return header
        raise wrong_answer(
            f"the header shown for block {which} does not hash to {block_hash.hex()}",
            code="backend.evm.header",
        )

    def fetch_block_hash(self, number: int) -> bytes:
        """Return the canonical hash at that height; BackendUnavailableError if not there yet."""
        header = self.fetch_header(number)
        if header is None:
            raise BackendUnavailableError(f"{self.name} has no block {number}")
        return header.block_hash

    def fetch_transactions(self, header: EvmHeader) -> list[bytes]:
        """Return the block's transactions; their trie has the header's transactions root."""
        shown = self._fetch_listed_transactions(header)
        raws = [transaction_bytes(transaction) for transaction in shown]
        if None in raws or ordered_trie_root([raw or b"" for raw in raws]) != (
            header.transactions_root
        ):
            raws = [
                self._checked_transaction(raw, transaction)
                for raw, transaction in zip(raws, shown, strict=True)
            ]
        transactions = [raw for raw in raws if raw is not None]
        if ordered_trie_root(transactions) != header.transactions_root:
            raise wrong_answer(
                f"the transactions shown for block {header.number} are not its own",
                code="backend.evm.transactions",
            )
        return transactions

    def fetch_receipts(self, header: EvmHeader) -> list[bytes]:
        """Return the block's receipts; their trie has the header's receipts root."""
        receipts = [receipt_bytes(shown) for shown in self._fetch_listed_receipts(header)]
        if ordered_trie_root(receipts) != header.receipts_root:
            raise wrong_answer(
                f"the receipts shown for block {header.number} are not its own",
                code="backend.evm.receipts",
            )
        return receipts

    def fetch_state_proof(self, header: EvmHeader, address: bytes, slot: bytes) -> StateProof:
        """Return what ``eth_getProof`` gives for that block; the caller verifies it."""
        try:
            answer = self._rpc.call("eth_getProof", _hex(address), [_hex(slot)], hex(header.number))
        except RpcRefusedError as error:
            raise BackendRejectedError(
                f"{self.name} has no state of block {header.number}: {error.message}",
                code="backend.evm.no_state",
            ) from error
        proof = parse_object(answer, "state proof")
        storage = parse_list(proof.get("storageProof"), "storage proof")
        if len(storage) != 1:
            raise wrong_answer(f"{len(storage)} storage proofs for one slot")
        return StateProof(
            _nodes(proof.get("accountProof"), "account proof"),
            _nodes(parse_object(storage[0], "storage proof").get("proof"), "storage proof"),
        )

    # -- transactions ------------------------------------------------------------------------------

    def fetch_place(self, transaction_hash: bytes) -> TransactionPlace | None:
        """Return where ``eth_getTransactionReceipt`` says that it was mined."""
        answer = self._rpc.call("eth_getTransactionReceipt", _hex(transaction_hash))
        if answer is None:
            return None
        receipt = parse_object(answer, "receipt")
        if receipt.get("blockHash") is None:
            return None
        if parse_hex(receipt.get("transactionHash"), "transaction hash") != transaction_hash:
            raise wrong_answer("a receipt of another transaction")
        status = receipt.get("status")
        return TransactionPlace(
            transaction_hash,
            parse_hex(receipt["blockHash"], "block hash", n_bytes=_DIGEST_BYTES),
            parse_quantity(receipt.get("blockNumber"), "block number"),
            parse_quantity(receipt.get("transactionIndex"), "transaction index"),
            1 if status is None else parse_quantity(status, "status"),
        )

    def fetch_log_transactions(
        self, address: bytes, topics: Sequence[bytes], block_number: int
    ) -> list[bytes]:
        """Return the transactions that ``eth_getLogs`` names."""
        wanted = {
            "address": _hex(address),
            "topics": [_hex(topic) for topic in topics],
            "fromBlock": hex(block_number),
            "toBlock": hex(block_number),
        }
        logs = parse_list(self._rpc.call("eth_getLogs", wanted), "logs")
        return [
            parse_hex(
                parse_object(log, "log").get("transactionHash"),
                "transaction hash",
                n_bytes=_DIGEST_BYTES,
            )
            for log in logs
        ]

    def submit(self, raw: bytes) -> None:
        """Hand in a signed transaction."""
        try:
            answer = self._rpc.call("eth_sendRawTransaction", _hex(raw))
        except RpcRefusedError as error:
            refusal = refusal_of(error.rpc_message)
            if refusal is None:
                return
            raise refusal from error
        if parse_hex(answer, "transaction hash") != keccak256(raw):
            raise wrong_answer("it took another transaction than the one handed in")

    # -- accounts ----------------------------------------------------------------------------------

    def fetch_nonce(self, address: bytes, *, pending: bool = False) -> int:
        """Return the next nonce."""
        tag = "pending" if pending else "latest"
        return parse_quantity(
            self._rpc.call("eth_getTransactionCount", _hex(address), tag), "nonce"
        )

    def fetch_balance_wei(self, address: bytes) -> int:
        """Return the balance in the newest block."""
        return parse_quantity(self._rpc.call("eth_getBalance", _hex(address), "latest"), "balance")

    def fetch_fees(self) -> MarketFees:
        """Return the newest block's base fee and the tip that the node suggests."""
        block = self._fetch_block("latest", transactions=False)
        base_fee = (block or {}).get("baseFeePerGas")
        if base_fee is None:
            return MarketFees(None, parse_quantity(self._rpc.call("eth_gasPrice"), "gas price"))
        base_fee_wei = parse_quantity(base_fee, "base fee")
        try:
            tip = self._rpc.call("eth_maxPriorityFeePerGas")
        except RpcRefusedError:
            # Not every chain's nodes have it; the gas price that they suggest holds a tip.
            gas_price = parse_quantity(self._rpc.call("eth_gasPrice"), "gas price")
            return MarketFees(base_fee_wei, max(gas_price - base_fee_wei, 0))
        return MarketFees(base_fee_wei, parse_quantity(tip, "tip"))

    def fetch_code(self, address: bytes) -> bytes:
        """Return the runtime code."""
        return parse_hex(self._rpc.call("eth_getCode", _hex(address), "latest"), "code")

    def call(self, address: bytes, data: bytes) -> bytes:
        """Return the answer of a read."""
        request = {"to": _hex(address), "data": _hex(data)}
        return parse_hex(self._rpc.call("eth_call", request, "latest"), "answer of a call")

    def estimate_gas(self, sender: bytes, address: bytes | None, data: bytes) -> int:
        """Return the estimate."""
        request = {"from": _hex(sender), "data": _hex(data)}
        if address is not None:
            request["to"] = _hex(address)
        return parse_quantity(self._rpc.call("eth_estimateGas", request), "gas estimate")

    # -- parts -------------------------------------------------------------------------------------

    def _fetch_block(self, which: int | BlockTag, *, transactions: bool) -> dict[str, Any] | None:
        tag = hex(which) if isinstance(which, int) else which
        try:
            answer = self._rpc.call("eth_getBlockByNumber", tag, transactions)
        except RpcRefusedError as error:
            if any(words in error.rpc_message.lower() for words in _UNKNOWN_BLOCK):
                return None
            raise
        return None if answer is None else parse_object(answer, "block")

    def _fetch_listed_transactions(self, header: EvmHeader) -> list[dict[str, Any]]:
        block = self._fetch_block(header.number, transactions=True)
        if block is None or parse_hex(block.get("hash"), "block hash") != header.block_hash:
            raise BackendUnavailableError(
                f"{self.name} shows another block {header.number} than a moment ago",
                code="backend.evm.moved",
            )
        listed = parse_list(block.get("transactions"), "transactions")
        return [parse_object(transaction, "transaction") for transaction in listed]

    def _checked_transaction(self, raw: bytes | None, shown: dict[str, Any]) -> bytes:
        """Return ``raw`` if it has the hash shown, else ask the node for the bytes."""
        digest = parse_hex(shown.get("hash"), "transaction hash", n_bytes=_DIGEST_BYTES)
        if raw is not None and keccak256(raw) == digest:
            return raw
        for method in ("eth_getRawTransactionByHash", "debug_getRawTransaction"):
            try:
                fetched = parse_hex(self._rpc.call(method, _hex(digest)), "raw transaction")
            except RpcRefusedError:
                continue
            if keccak256(fetched) == digest:
                return fetched
        raise wrong_answer(
            f"transaction {digest.hex()} is of a type unknown here, and its bytes are not served",
            code="backend.evm.transactions",
        )

    def _fetch_listed_receipts(self, header: EvmHeader) -> list[dict[str, Any]]:
        if self._has_block_receipts:
            try:
                answer = self._rpc.call("eth_getBlockReceipts", hex(header.number))
            except RpcRefusedError:
                self._has_block_receipts = False
            else:
                listed = parse_list(answer, "receipts")
                return [parse_object(receipt, "receipt") for receipt in listed]
        receipts = []
        for transaction in self._fetch_listed_transactions(header):
            answer = self._rpc.call("eth_getTransactionReceipt", transaction.get("hash"))
            receipts.append(parse_object(answer, "receipt"))
        return receipts


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _nodes(value: Any, what: str) -> tuple[bytes, ...]:
    """Return proof nodes without those that sit in their parent, which some nodes list too."""
    nodes = [parse_hex(node, what) for node in parse_list(value, what)]
    return tuple(node for i, node in enumerate(nodes) if i == 0 or len(node) >= _DIGEST_BYTES)
