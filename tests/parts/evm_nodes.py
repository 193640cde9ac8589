"""Nodes for tests of the EVM backend: one with a pool and reorganisations, one that misbehaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from anchor.backends.evm.in_process_node import InProcessNode
from anchor.backends.evm.node import NonceTooLowError, TransactionPlace, UnderpricedError
from anchor.formats.keccak import keccak256


class PoolNode(InProcessNode):
    """A chain whose transactions wait until somebody mines, with the rules of real pools."""

    def __init__(self) -> None:
        super().__init__()
        self.automine = False
        self.pool: dict[tuple[bytes, int], bytes] = {}
        self.handed_in: list[bytes] = []

    def submit(self, raw: bytes) -> None:
        self.handed_in.append(raw)
        if self.automine:
            super().submit(raw)
            return
        sender = bytes.fromhex(Account.recover_transaction(raw)[2:])
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        nonce = fields["nonce"]
        if nonce < self.fetch_nonce(sender):
            if self.fetch_place(keccak256(raw)) is None:
                raise NonceTooLowError("nonce too low")
            return
        present = self.pool.get((sender, nonce))
        if present == raw:
            return
        if present is not None:
            old = TypedTransaction.from_bytes(HexBytes(present)).as_dict()
            for name in ("maxFeePerGas", "maxPriorityFeePerGas"):
                if 10 * fields[name] < 11 * old[name]:
                    raise UnderpricedError("replacement transaction underpriced")
        self.pool[sender, nonce] = raw

    def mine_pool(self) -> None:
        """Mine what waits, as far as nonces follow each other."""
        for key in sorted(self.pool):
            sender, nonce = key
            if nonce == self.fetch_nonce(sender):
                super().submit(self.pool.pop(key))

    def fetch_nonce(self, address: bytes, *, pending: bool = False) -> int:
        nonce = super().fetch_nonce(address)
        while pending and (address, nonce) in self.pool:
            nonce += 1
        return nonce

    def reorganise(self, to_number: int) -> None:
        """Drop every block after that height; what was in them is forgotten."""
        header = self.fetch_header(to_number)
        assert header is not None
        self._backend.revert_to_snapshot(header.block_hash)


class BentNode:
    """A node of which single methods are replaced: ``BentNode(node, fetch_fees=lambda: …)``.

    ``calls`` counts what was asked. Set attributes on ``bent`` to change it later.
    """

    def __init__(self, node: Any, **bent: Callable[..., Any]) -> None:
        self.node = node
        self.bent = dict(bent)
        self.calls: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        original = getattr(self.node, name)
        if not callable(original):
            return original

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            return self.bent.get(name, original)(*args, **kwargs)

        return call


def raises(error: Exception) -> Callable[..., Any]:
    """Return a function that raises ``error`` whatever it is given."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    return fail


def reverted(node: Any) -> Callable[[bytes], TransactionPlace | None]:
    """Return a ``fetch_place`` that says that everything reverted."""

    def fetch_place(transaction_hash: bytes) -> TransactionPlace | None:
        place = node.fetch_place(transaction_hash)
        if place is None:
            return None
        return TransactionPlace(
            place.transaction_hash, place.block_hash, place.block_number, place.index, 0
        )

    return fetch_place
