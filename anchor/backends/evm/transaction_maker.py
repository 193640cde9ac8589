"""Makes an anchoring transaction: offer, gas, funds, signature, book; in that order.

What it returns is in the book, so it may be handed in. Nothing is handed in here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from anchor.backends.evm.fees import Offer, first_offer, gwei_text, replacement_offer
from anchor.backends.evm.keys import CallRequest, EvmKey
from anchor.backends.evm.node import EvmNode, InsufficientFundsError
from anchor.backends.evm.registry_contract import anchor_call_data
from anchor.backends.evm.settings import EvmAnchorSettings
from anchor.backends.evm.sightings import count_reverted
from anchor.backends.evm.transactions import BookedTransaction, TransactionBook
from anchor.errors import BackendRejectedError
from anchor.ports import Round

_GAS_ROOM: Final = 1.25


class TransactionMaker:
    """Makes transactions of one account for one registry.

    Args:
        node: asked for fees, gas and funds.
        key: signs.
        book: keeps them.
        settings: ceiling and most gas.
        now: the clock, aware UTC.
    """

    def __init__(
        self,
        node: EvmNode,
        key: EvmKey,
        book: TransactionBook,
        settings: EvmAnchorSettings,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._node = node
        self._key = key
        self._book = book
        self._settings = settings
        self._now = now

    def make(
        self, round_: Round, nonce: int, *, replaced: BookedTransaction | None
    ) -> BookedTransaction:
        """Return a transaction that anchors the round's root hash; it is in the book.

        Args:
            round_: what to anchor.
            nonce: to use.
            replaced: what holds that nonce now; the new one offers more than it.

        Raises:
            FeeCeilingError: it would cost more than the ceiling.
            InsufficientFundsError: the account could not pay it.
            BackendRejectedError: it would take more gas than allowed, or revert.
            StoreError: the book did not take it.
        """
        market = self._node.fetch_fees()
        ceiling_wei = self._settings.ceiling_wei
        if replaced is None:
            offer = first_offer(market, ceiling_wei)
        else:
            offer = replacement_offer(replaced.offer, market, ceiling_wei)
        data = anchor_call_data(round_.root_hash, round_.tree_size)
        gas = self._gas(round_, data)
        self._check_funds(gas, offer)
        request = CallRequest(
            chain_id=self._settings.chain_id,
            nonce=nonce,
            to=self._settings.contract,
            data=data,
            gas=gas,
            offer=offer,
        )
        signed = self._key.sign(request)
        booked = BookedTransaction(
            nonce=nonce,
            transaction_hash=signed.transaction_hash,
            raw=signed.raw,
            root_hash=round_.root_hash,
            gas=gas,
            offer=offer,
            signed_at=int(self._now().timestamp()),
        )
        self._book.add(booked)
        return booked

    def _gas(self, round_: Round, data: bytes) -> int:
        """Return a gas limit with room, twice as much for each time that it reverted."""
        estimate = self._node.estimate_gas(self._key.address, self._settings.contract, data)
        reverted = count_reverted(self._node, self._book, round_.root_hash)
        gas = int(estimate * _GAS_ROOM) << reverted
        if gas > self._settings.max_gas:
            raise BackendRejectedError(
                f"anchoring would take {gas} gas, {self._settings.max_gas} allowed",
                code="backend.evm.gas",
            )
        return gas

    def _check_funds(self, gas: int, offer: Offer) -> None:
        balance_wei = self._node.fetch_balance_wei(self._key.address)
        if balance_wei < gas * offer.max_fee_wei:
            raise InsufficientFundsError(
                f"the account has {gwei_text(balance_wei)}, up to "
                f"{gwei_text(gas * offer.max_fee_wei)} wanted",
                hint=f"send funds to 0x{self._key.address.hex()}",
            )
