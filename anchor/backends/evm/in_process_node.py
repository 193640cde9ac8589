"""A chain in this process, for the demo and for tests: py-evm through eth-tester's backend.

Each transaction handed in gets a block of its own at once. The chain is in memory and gone with
the object. Headers, transactions, receipts and state proofs are the real ones of that chain: they
come from its database, not from the RPC-like answers of eth-tester, whose headers do not hash.

Nobody but the process that made it can say anything about this chain: a policy gives it the class
``test``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from anchor.backends.evm.node import (
    BlockTag,
    MarketFees,
    NonceTooLowError,
    StateProof,
    TransactionPlace,
)
from anchor.errors import BackendRejectedError, ConfigError, quote_peer
from anchor.formats.evm import EvmHeader, parse_evm_header, parse_evm_transaction
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import rlp_encode
from anchor.formats.trie import EMPTY_TRIE_ROOT

_TIP_WEI = 1_000_000_000


class InProcessNode:
    """A fresh chain as an :class:`~anchor.backends.evm.node.EvmNode`.

    Args:
        unix_time: the clock that block times come from; a block is always later than its parent.
    """

    name = "in-process test chain"

    def __init__(self, *, unix_time: Callable[[], float] = time.time) -> None:
        self._backend: Any = _new_chain()
        self._unix_time = unix_time

    def funded_key(self) -> bytes:
        """Return the private key of an account that has funds on this chain."""
        key: bytes = self._backend.account_keys[0].to_bytes()
        return key

    def mine(self, blocks: int = 1) -> None:
        """Add empty blocks."""
        for _ in range(blocks):
            self._set_time()
            self._backend.mine_blocks(1)

    # -- blocks ------------------------------------------------------------------------------------

    def fetch_chain_id(self) -> int:
        """Return the chain id."""
        return int(self._backend.chain.chain_id)

    def fetch_header(self, which: int | BlockTag) -> EvmHeader | None:
        """Return a header; nothing is reorganised here, so the newest block is the final one."""
        newest = int(self._backend.chain.header.block_number) - 1
        number = which if isinstance(which, int) else newest
        if not 0 <= number <= newest:
            return None
        return parse_evm_header(self._encoded(self._block(number).header))

    def fetch_transactions(self, header: EvmHeader) -> list[bytes]:
        """Return the block's transactions."""
        return [bytes(item.encode()) for item in self._block(header.number).transactions]

    def fetch_receipts(self, header: EvmHeader) -> list[bytes]:
        """Return the block's receipts."""
        receipts = self._block(header.number).get_receipts(self._backend.chain.chaindb)
        return [bytes(item.encode()) for item in receipts]

    def fetch_state_proof(self, header: EvmHeader, address: bytes, slot: bytes) -> StateProof:
        """Return proofs from the state's own tries."""
        account_nodes = self._trie_proof(header.state_root, keccak256(address))
        return StateProof(
            account_nodes, self._trie_proof(self._storage_root(header, address), keccak256(slot))
        )

    # -- transactions ------------------------------------------------------------------------------

    def fetch_place(self, transaction_hash: bytes) -> TransactionPlace | None:
        """Return where the transaction is."""
        from eth_tester.exceptions import TransactionNotFound

        try:
            receipt = self._backend.get_transaction_receipt(transaction_hash)
        except TransactionNotFound:
            return None
        return TransactionPlace(
            transaction_hash,
            bytes(receipt["block_hash"]),
            receipt["block_number"],
            receipt["transaction_index"],
            receipt["status"],
        )

    def fetch_log_transactions(
        self, address: bytes, topics: Sequence[bytes], block_number: int
    ) -> list[bytes]:
        """Return the transactions of a block with a matching log."""
        header = self.fetch_header(block_number)
        if header is None:
            return []
        block = self._block(block_number)
        receipts = block.get_receipts(self._backend.chain.chaindb)
        wanted = [int.from_bytes(topic, "big") for topic in topics]
        return [
            bytes(transaction.hash)
            for transaction, receipt in zip(block.transactions, receipts, strict=True)
            if any(
                log.address == address and list(log.topics[: len(wanted)]) == wanted
                for log in receipt.logs
            )
        ]

    def submit(self, raw: bytes) -> None:
        """Put the transaction into a block of its own."""
        if self.fetch_place(parse_evm_transaction(raw).transaction_hash) is not None:
            return
        self._set_time()
        try:
            self._backend.send_raw_transaction(raw)
        except Exception as error:  # py-evm has no common root for what it refuses
            message = str(error)
            if "nonce" in message.lower():
                raise NonceTooLowError(f"the chain refuses: {quote_peer(message)}") from error
            raise BackendRejectedError(
                f"the chain refuses: {quote_peer(message)}", code="backend.evm.rejected"
            ) from error
        self._backend.mine_blocks(1)

    # -- accounts ----------------------------------------------------------------------------------

    def fetch_nonce(self, address: bytes, *, pending: bool = False) -> int:  # noqa: ARG002
        """Return the next nonce; nothing ever waits here."""
        return int(self._backend.get_nonce(address))

    def fetch_balance_wei(self, address: bytes) -> int:
        """Return the balance."""
        return int(self._backend.get_balance(address))

    def fetch_fees(self) -> MarketFees:
        """Return the base fee of the next block and a tip of 1 gwei."""
        return MarketFees(int(self._backend.chain.header.base_fee_per_gas), _TIP_WEI)

    def fetch_code(self, address: bytes) -> bytes:
        """Return the runtime code."""
        return bytes(self._backend.get_code(address))

    def call(self, address: bytes, data: bytes) -> bytes:
        """Return the answer of a read."""
        # The reader has to be able to pay for the gas of a read, here alone.
        reader = self._backend.get_accounts()[-1]
        request = {"from": reader, "to": address, "data": data, "gas": 1_000_000}
        return bytes(self._run(self._backend.call, request))

    def estimate_gas(self, sender: bytes, address: bytes | None, data: bytes) -> int:
        """Return the estimate."""
        request = {"from": sender, "to": address or b"", "data": data}
        return int(self._run(self._backend.estimate_gas, request))

    # -- parts -------------------------------------------------------------------------------------

    def _run(self, call: Callable[[dict[str, Any]], Any], request: dict[str, Any]) -> Any:
        fees = {"max_fee_per_gas": 10**12, "max_priority_fee_per_gas": 0}
        try:
            return call({**request, **fees})
        except Exception as error:  # py-evm has no common root for what it refuses
            raise BackendRejectedError(
                f"the call fails: {quote_peer(str(error))}", code="backend.evm.rpc_error"
            ) from error

    def _block(self, number: int) -> Any:
        return self._backend.chain.get_canonical_block_by_number(number)

    def _encoded(self, header: Any) -> bytes:
        import rlp

        return bytes(rlp.encode(header))

    def _set_time(self) -> None:
        chain = self._backend.chain
        parent = self._block(int(chain.header.block_number) - 1).header
        now = max(int(self._unix_time()), int(parent.timestamp) + 1)
        chain.header = chain.header.copy(timestamp=now)

    def _storage_root(self, header: EvmHeader, address: bytes) -> bytes:
        import rlp
        from trie import HexaryTrie

        state = HexaryTrie(self._backend.chain.chaindb.db, header.state_root)
        account = state.get(keccak256(address))
        return bytes(rlp.decode(account)[2]) if account else EMPTY_TRIE_ROOT

    def _trie_proof(self, root_hash: bytes, key: bytes) -> tuple[bytes, ...]:
        from trie import HexaryTrie

        if root_hash == EMPTY_TRIE_ROOT:
            return ()
        proof = HexaryTrie(self._backend.chain.chaindb.db, root_hash).get_proof(key)
        nodes = [rlp_encode(node) for node in proof]
        return tuple(node for i, node in enumerate(nodes) if i == 0 or len(node) >= 32)


def _new_chain() -> Any:
    # py-evm raises Python's recursion limit on import, for contracts that call each other a
    # thousand deep. The registry calls nobody, and under that limit nested input that the service
    # reads in the same process could exhaust the stack.
    limit = sys.getrecursionlimit()
    try:
        from eth_tester.backends.pyevm.main import PyEVMBackend
    except ImportError as error:
        raise ConfigError(
            "the in-process test chain is not installed",
            code="config.evm.tester_missing",
            hint="pip install 'vestige[demo]'",
        ) from error
    finally:
        sys.setrecursionlimit(limit)
    return PyEVMBackend()
