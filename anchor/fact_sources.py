"""Sources of outside facts, as protocols: blocks and rounds that are asked about.

The other ports are in :mod:`anchor.ports`.
"""

from __future__ import annotations

from typing import Protocol

from anchor.formats.drand import DrandRound


class BitcoinHeaderSource(Protocol):
    """Where Bitcoin headers come from: a node, or several explorers that must agree."""

    name: str

    def fetch_headers(self, first_height: int, count: int) -> list[bytes]:
        """Return ``count`` consecutive 80-byte headers; BackendUnavailableError if not there."""

    def fetch_tip_height(self) -> int:
        """Return the height of the best chain."""


class EvmHeaderSource(Protocol):
    """Confirms that a block hash is canonical on an EVM chain, and shows a block's header."""

    name: str

    def fetch_block_hash(self, number: int) -> bytes:
        """Return the canonical hash (32 bytes) at that height."""

    def fetch_raw_header(self, number: int, block_hash: bytes) -> bytes:
        """Return the RLP of the header at that height, which has that hash (checked here).

        Raises:
            BackendUnavailableError: nobody shows one.
            BackendProtocolError: what is shown has another hash.
        """


class DrandSource(Protocol):
    """Where rounds of one drand network come from: a relay, or several that must agree."""

    name: str

    def fetch_round(self, number: int | None) -> DrandRound:
        """Return a round, or the newest for None; BackendUnavailableError if it is not there."""
