"""Where a root hash stands on the chain: who anchored it, in which block, and is it final.

Finding it anchored by anybody is success: a transaction copied from the pool, a replaced one of
ours that was mined after all, an earlier run whose disk was lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anchor.backends.evm.node import EvmNode, TransactionPlace
from anchor.backends.evm.registry_contract import ANCHORED_TOPIC, fetch_record
from anchor.backends.evm.settings import EvmAnchorSettings
from anchor.backends.evm.transactions import TransactionBook
from anchor.errors import BackendRejectedError, ReorgError
from anchor.formats.evm import EvmHeader

# One transaction anchors a root hash first; more than one log is an odd node.
_MAX_LOGS: Final = 4


@dataclass(frozen=True, slots=True)
class Sighting:
    """A root hash seen on the chain.

    Attributes:
        block_number: of the block that has it.
        place: the transaction, or None where only the registry's word is known.
        block: header of the block that ``place`` is in; None as ``place``.
        is_ours: the transaction is in our book.
    """

    block_number: int
    place: TransactionPlace | None
    block: EvmHeader | None
    is_ours: bool

    @property
    def transaction_hash(self) -> bytes | None:
        """Return the hash of the transaction, or None where only the registry's word is known."""
        return None if self.place is None else self.place.transaction_hash


def look_up(
    node: EvmNode, settings: EvmAnchorSettings, book: TransactionBook, root_hash: bytes
) -> Sighting | None:
    """Return where the root hash is, or None if it is nowhere in the canonical chain.

    Every transaction of ours that could have anchored it is asked for, then the registry.

    Raises:
        ReorgError: the node's answers are about different chains; ask again.
    """
    ours = _mined(node, book, root_hash)
    record = fetch_record(node, settings.contract, root_hash)
    place = ours
    if record is not None and (ours is None or ours.block_number > record.block_number):
        place = _place_in_logs(node, settings.contract, root_hash, record.block_number) or ours
    if place is None:
        if record is None:
            return None
        return Sighting(record.block_number, place=None, block=None, is_ours=False)
    block = node.fetch_header(place.block_number)
    if block is None or block.block_hash != place.block_hash:
        raise ReorgError(
            f"block {place.block_number} is being reorganised", code="backend.evm.reorganising"
        )
    booked = {booked.transaction_hash for booked in book.of_root(root_hash)}
    is_ours = place.transaction_hash in booked
    return Sighting(place.block_number, place, block, is_ours)


def count_reverted(node: EvmNode, book: TransactionBook, root_hash: bytes) -> int:
    """Return how many of our transactions for a root hash are in a block and reverted."""
    places = [node.fetch_place(booked.transaction_hash) for booked in book.of_root(root_hash)]
    return sum(place is not None and place.status == 0 for place in places)


def fetch_final_header(node: EvmNode, confirmations: int) -> EvmHeader | None:
    """Return the newest final header: what the chain calls finalized, else by depth."""
    try:
        header = node.fetch_header("finalized")
    except BackendRejectedError:
        header = None
    if header is not None:
        return header
    newest = node.fetch_header("latest")
    if newest is None or newest.number < confirmations:
        return None
    return node.fetch_header(newest.number - confirmations)


def _mined(node: EvmNode, book: TransactionBook, root_hash: bytes) -> TransactionPlace | None:
    for booked in reversed(book.of_root(root_hash)):
        place = node.fetch_place(booked.transaction_hash)
        if place is not None and place.status == 1:
            return place
    return None


def _place_in_logs(
    node: EvmNode, contract: bytes, root_hash: bytes, block_number: int
) -> TransactionPlace | None:
    try:
        hashes = node.fetch_log_transactions(contract, (ANCHORED_TOPIC, root_hash), block_number)
    except BackendRejectedError:
        return None
    for transaction_hash in hashes[:_MAX_LOGS]:
        place = node.fetch_place(transaction_hash)
        if place is not None and place.status == 1 and place.block_number == block_number:
            return place
    return None
