"""The book: everything ever signed, from the journal and back."""

from __future__ import annotations

import json

import pytest

from anchor.backends.evm.fees import Offer
from anchor.backends.evm.transactions import BookedTransaction, TransactionBook
from anchor.errors import StoreError, StoreUnavailableError
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import rlp_encode, rlp_integer
from tests.parts.evm_backend import MemoryJournal

ROOTS = [bytes([i]) * 32 for i in range(1, 5)]


def booked(root: bytes, nonce: int, price: int = 5) -> BookedTransaction:
    raw = rlp_encode(
        [rlp_integer(nonce), rlp_integer(price), b"\x52", bytes(20), b"", root, b"\x25", b"1", b"2"]
    )
    return BookedTransaction(nonce, keccak256(raw), raw, root, 21_000, Offer(price, price), 99)


def test_an_empty_book_knows_nothing() -> None:
    book = TransactionBook(MemoryJournal())
    assert book.of_root(ROOTS[0]) == []
    assert book.newest_at(0) is None


def test_what_is_added_is_found_and_survives() -> None:
    journal = MemoryJournal()
    book = TransactionBook(journal)
    added = [booked(ROOTS[0], 0), booked(ROOTS[0], 0, 9), booked(ROOTS[1], 1), booked(ROOTS[0], 2)]
    for transaction in added:
        book.add(transaction)
    for read in (book, TransactionBook(journal)):
        assert read.of_root(ROOTS[0]) == [added[0], added[1], added[3]]
        assert read.of_root(ROOTS[1]) == [added[2]]
        assert read.newest_at(0) == added[1]
        assert read.newest_at(2) == added[3]
        assert read.newest_at(3) is None


def test_order_survives_ten_entries_and_more() -> None:
    journal = MemoryJournal()
    book = TransactionBook(journal)
    for price in range(1, 130):
        book.add(booked(ROOTS[0], 0, price))
    newest = TransactionBook(journal).newest_at(0)
    assert newest is not None
    assert newest.offer.max_fee_wei == 129


def test_what_the_journal_refuses_is_not_in_the_book() -> None:
    class Full(MemoryJournal):
        def put(self, key: str, value: object) -> None:
            raise StoreUnavailableError("disk full")

    book = TransactionBook(Full())
    with pytest.raises(StoreUnavailableError):
        book.add(booked(ROOTS[0], 0))
    assert book.of_root(ROOTS[0]) == []


@pytest.mark.parametrize("field", ["nonce", "hash", "raw", "root_hash", "gas", "signed_at"])
def test_a_damaged_entry_stops_the_start(field: str) -> None:
    journal = MemoryJournal()
    TransactionBook(journal).add(booked(ROOTS[0], 0))
    [(key, entry)] = journal.items()
    for damaged in ({**entry, field: "zz"}, {k: v for k, v in entry.items() if k != field}):
        journal.entries[key] = json.dumps(damaged)
        with pytest.raises(StoreError):
            TransactionBook(journal)


@pytest.mark.parametrize("change", [{"hash": "00" * 32}, {"raw": "02"}, {"root_hash": "01" * 32}])
def test_an_entry_that_contradicts_itself_is_never_handed_out(change: dict[str, str]) -> None:
    journal = MemoryJournal()
    TransactionBook(journal).add(booked(ROOTS[1], 0))
    [(key, entry)] = journal.items()
    journal.entries[key] = json.dumps({**entry, **change})
    book = TransactionBook(journal)
    with pytest.raises(StoreError):
        book.newest_at(0)
    with pytest.raises(StoreError):
        book.of_root(bytes.fromhex(change.get("root_hash", ROOTS[1].hex())))


def test_a_gap_in_the_journal_is_never_filled_over_another_entry() -> None:
    journal = MemoryJournal()
    book = TransactionBook(journal)
    for nonce in range(3):
        book.add(booked(ROOTS[0], nonce))
    del journal.entries[min(journal.entries)]
    TransactionBook(journal).add(booked(ROOTS[0], 3))
    assert [entry["nonce"] for _, entry in journal.items()] == [1, 2, 3]


def test_other_entries_of_the_journal_are_left_alone() -> None:
    journal = MemoryJournal()
    journal.put("something:else", {"a": 1})
    book = TransactionBook(journal)
    book.add(booked(ROOTS[0], 0))
    assert journal.get("something:else") == {"a": 1}
    assert len(TransactionBook(journal).of_root(ROOTS[0])) == 1
