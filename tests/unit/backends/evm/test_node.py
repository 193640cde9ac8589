"""What nodes say when they refuse a transaction, and what it means."""

from __future__ import annotations

import pytest

from anchor.backends.evm.node import (
    InsufficientFundsError,
    NonceTooLowError,
    UnderpricedError,
    refusal_of,
)
from anchor.errors import BackendRejectedError

WORDS = {
    "already known": None,  # geth, reth
    "AlreadyKnown": None,  # nethermind
    "Known transaction": None,  # besu
    "transaction already imported": None,  # anvil
    "nonce too low": NonceTooLowError,
    "nonce too low: next nonce 5, tx nonce 4": NonceTooLowError,
    "Nonce too low": NonceTooLowError,
    "OldNonce, Current nonce: 5, nonce of rejected tx: 4": NonceTooLowError,
    "replacement transaction underpriced": UnderpricedError,
    "transaction underpriced": UnderpricedError,
    "max fee per gas less than block base fee": UnderpricedError,
    "FeeTooLowToCompete": UnderpricedError,
    "unknown transaction type": BackendRejectedError,
    "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)": BackendRejectedError,
    "insufficient funds for gas * price + value": InsufficientFundsError,
    "Insufficient funds for gas * price + value": InsufficientFundsError,
    "Upfront cost exceeds account balance": InsufficientFundsError,
    "intrinsic gas too low": BackendRejectedError,
    "": BackendRejectedError,
}


@pytest.mark.parametrize("words", WORDS)
def test_refusals(words: str) -> None:
    refusal = refusal_of(words)
    expected = WORDS[words]
    if expected is None:
        assert refusal is None
    else:
        assert type(refusal) is expected


def test_a_nodes_words_are_cleaned() -> None:
    refusal = refusal_of("bad \x1b[31m words " + "x" * 500)
    assert refusal is not None
    assert "\x1b" not in refusal.message
    assert len(refusal.message) < 300
