"""What the EVM backend needs from a node, as a small port of its own.

Two implementations: ``rpc_node.py`` (JSON-RPC over HTTP), ``in_process_node.py`` (a chain in this
process). Everything that crosses it is bytes, int, or a value of the kernel. A node is not
believed where it can be checked: headers hash to the hash that the node gives, and transactions,
receipts and state proofs lead to the header's roots, or it is a BackendProtocolError. What cannot
be checked, because nothing in it is tied to a header, is said by the method.

Errors of every method: BackendUnavailableError (no answer, busy, behind), BackendProtocolError (an
answer that its protocol does not allow).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from anchor.errors import BackendProtocolError, BackendRejectedError, quote_peer
from anchor.formats.evm import EvmHeader

BlockTag: TypeAlias = Literal["latest", "finalized"]


@dataclass(frozen=True, slots=True)
class TransactionPlace:
    """Where a transaction was mined, as the node says; 32-byte hashes; ``status`` 1 or 0."""

    transaction_hash: bytes
    block_hash: bytes
    block_number: int
    index: int
    status: int


@dataclass(frozen=True, slots=True)
class MarketFees:
    """What the chain asks for now, a unit of gas.

    Attributes:
        base_fee_wei: burnt by the next block, or None on a chain without EIP-1559.
        tip_wei: what producers take besides; on a chain without EIP-1559 the whole gas price.
    """

    base_fee_wei: int | None
    tip_wei: int


@dataclass(frozen=True, slots=True)
class StateProof:
    """Account and storage proof under one header, nodes from the root down."""

    account_nodes: tuple[bytes, ...]
    storage_nodes: tuple[bytes, ...]


class NonceTooLowError(BackendRejectedError):
    """The nonce of the transaction is used up: this one or another is in a block."""

    default_code = "backend.evm.nonce_too_low"


class UnderpricedError(BackendRejectedError):
    """The node wants more: for this nonce (a replacement), or to take it at all."""

    default_code = "backend.evm.underpriced"


class InsufficientFundsError(BackendRejectedError):
    """The account cannot pay gas limit times fee."""

    default_code = "backend.evm.insufficient_funds"


class EvmNode(Protocol):
    """One node of one chain."""

    name: str

    def fetch_chain_id(self) -> int:
        """Return the chain id. Not checkable here; signatures bind to the configured one."""

    def fetch_header(self, which: int | BlockTag) -> EvmHeader | None:
        """Return a header of the canonical chain, or None if there is no such block."""

    def fetch_transactions(self, header: EvmHeader) -> list[bytes]:
        """Return the block's transactions, in order; they lead to its transactions root."""

    def fetch_receipts(self, header: EvmHeader) -> list[bytes]:
        """Return the block's receipts, in order; they lead to its receipts root."""

    def fetch_state_proof(self, header: EvmHeader, address: bytes, slot: bytes) -> StateProof:
        """Return proofs of account and slot; they verify under the header's state root.

        Raises:
            BackendRejectedError: the node no longer has the state of that block.
        """

    def fetch_place(self, transaction_hash: bytes) -> TransactionPlace | None:
        """Return where a transaction is in the canonical chain; None: nowhere. Not checkable."""

    def fetch_log_transactions(
        self, address: bytes, topics: Sequence[bytes], block_number: int
    ) -> list[bytes]:
        """Return hashes of the transactions of a block whose logs match. Not checkable.

        Raises:
            BackendRejectedError: the node does not serve logs of that block.
        """

    def fetch_nonce(self, address: bytes, *, pending: bool = False) -> int:
        """Return the account's next nonce, counting waiting transactions or not."""

    def fetch_balance_wei(self, address: bytes) -> int:
        """Return what the account owns. Not checkable."""

    def fetch_fees(self) -> MarketFees:
        """Return what the chain asks for now. Not checkable: callers have a ceiling."""

    def fetch_code(self, address: bytes) -> bytes:
        """Return the runtime code at an address, empty if none."""

    def call(self, address: bytes, data: bytes) -> bytes:
        """Return what a read of a contract gives in the newest block. Not checkable.

        Raises:
            BackendRejectedError: the call reverts.
        """

    def estimate_gas(self, sender: bytes, address: bytes | None, data: bytes) -> int:
        """Return the gas that a transaction would use (``address`` None: a creation).

        Raises:
            BackendRejectedError: it would revert.
        """

    def submit(self, raw: bytes) -> None:
        """Hand in a signed transaction. Handing in one that the node has is no error.

        Raises:
            NonceTooLowError, UnderpricedError, InsufficientFundsError: see there.
            BackendRejectedError: refused for another reason.
        """


_REFUSALS: Final = (
    (NonceTooLowError, r"nonce (?:is )?too low|invalid transaction nonce|oldnonce"),
    (UnderpricedError, r"underpriced|less than block base fee|feetoolow|fee too low"),
    (InsufficientFundsError, r"insufficient (?:funds|balance)|insufficientfunds|upfront cost"),
)
_KNOWN: Final = re.compile(r"already ?(?:known|imported|in mempool)|\bknown transaction")


def refusal_of(message: str) -> BackendRejectedError | None:
    """Return the error for a node's words on a transaction, or None if it has it already.

    JSON-RPC has no codes for these; the words are those of geth, reth, erigon, nethermind, besu
    and anvil.
    """
    lower = message.lower()
    if _KNOWN.search(lower):
        return None
    for error, pattern in _REFUSALS:
        if re.search(pattern, lower):
            return error(f"the node refuses the transaction: {quote_peer(message)}")
    return BackendRejectedError(
        f"the node refuses the transaction: {quote_peer(message)}", code="backend.evm.rejected"
    )


def wrong_answer(what: str, *, code: str = "backend.evm.answer") -> BackendProtocolError:
    """Return the error for an answer that cannot be true or cannot be read."""
    return BackendProtocolError(f"the node's answer is wrong: {what}", code=code)
