"""Every anchoring transaction that was ever signed, on disk before it is handed in.

The book is written through the backend's journal (:class:`anchor.ports.Journal`) and read once at
start. It answers two questions that a node cannot: which nonces did we use, and under which hashes
could a root hash have been anchored. A transaction that was replaced may still be the one that is
mined, so nothing is ever taken out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anchor.backends.evm.fees import Offer
from anchor.errors import StoreError
from anchor.formats.keccak import keccak256
from anchor.ports import Journal, Json


@dataclass(frozen=True, slots=True)
class BookedTransaction:
    """One signed transaction.

    Attributes:
        nonce: of the account; several transactions may share it, one of them can be mined.
        transaction_hash: 32 bytes.
        raw: what is handed in.
        root_hash: what it anchors.
        gas: its limit.
        offer: what it pays.
        signed_at: Unix seconds.
    """

    nonce: int
    transaction_hash: bytes
    raw: bytes
    root_hash: bytes
    gas: int
    offer: Offer
    signed_at: int


class TransactionBook:
    """The book of one account on one chain.

    Every method raises StoreError where an entry that it would give does not agree with itself.

    Args:
        journal: kept for this backend alone.

    Raises:
        StoreError: an entry cannot be read.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._by_root: dict[bytes, list[BookedTransaction]] = {}
        self._by_nonce: dict[int, list[BookedTransaction]] = {}
        self._next = 0
        for key, value in sorted(journal.items()):
            if key.startswith(_PREFIX):
                self._remember(_parse_entry(key, value))
                self._next = int(key.removeprefix(_PREFIX)) + 1

    def add(self, transaction: BookedTransaction) -> None:
        """Write it; on return it is durable and may be handed in.

        Raises:
            StoreUnavailableError: it is not; do not hand it in.
        """
        self._journal.put(f"{_PREFIX}{self._next:010d}", _entry(transaction))
        self._next += 1
        self._remember(transaction)

    def of_root(self, root_hash: bytes) -> list[BookedTransaction]:
        """Return the transactions that anchor a root hash, oldest first."""
        return [_checked(booked) for booked in self._by_root.get(root_hash, ())]

    def newest_at(self, nonce: int) -> BookedTransaction | None:
        """Return the newest transaction that uses a nonce, or None."""
        booked = self._by_nonce.get(nonce)
        return _checked(booked[-1]) if booked else None

    def _remember(self, transaction: BookedTransaction) -> None:
        self._by_root.setdefault(transaction.root_hash, []).append(transaction)
        self._by_nonce.setdefault(transaction.nonce, []).append(transaction)


_PREFIX = "transaction:"


def _entry(transaction: BookedTransaction) -> Json:
    return {
        "nonce": transaction.nonce,
        "hash": transaction.transaction_hash.hex(),
        "raw": transaction.raw.hex(),
        "root_hash": transaction.root_hash.hex(),
        "gas": transaction.gas,
        "max_fee_wei": transaction.offer.max_fee_wei,
        "tip_wei": transaction.offer.tip_wei,
        "legacy": transaction.offer.is_legacy,
        "signed_at": transaction.signed_at,
    }


def _parse_entry(key: str, value: dict[str, Any]) -> BookedTransaction:
    try:
        int(key.removeprefix(_PREFIX))
        return BookedTransaction(
            nonce=int(value["nonce"]),
            transaction_hash=bytes.fromhex(value["hash"]),
            raw=bytes.fromhex(value["raw"]),
            root_hash=bytes.fromhex(value["root_hash"]),
            gas=int(value["gas"]),
            offer=Offer(int(value["max_fee_wei"]), int(value["tip_wei"]), bool(value["legacy"])),
            signed_at=int(value["signed_at"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"journal entry {key} is not a transaction", code="store.evm_journal"
        ) from error


def _checked(booked: BookedTransaction) -> BookedTransaction:
    """Return the transaction if its parts agree. Not done for all at start: hashing takes time."""
    if keccak256(booked.raw) != booked.transaction_hash or booked.root_hash not in booked.raw:
        raise StoreError(
            f"the journal's transaction {booked.transaction_hash.hex()} is damaged",
            code="store.evm_journal",
        )
    return booked
