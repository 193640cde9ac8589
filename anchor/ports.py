"""What the service needs from the outside, as protocols; the adapters implement them.

Each method's docstring is a contract: durable when, atomic what, retried by whom. Only values of
the kernel and of this module cross a port; third-party types and exceptions stay in the adapter.

Two families of adapter:

* ``anchor/stores``: :class:`LogStore` (the entries, the lookup by digest, the greatest checkpoint)
  and :class:`RoundStore` (rounds, attempts, attestations, the journals of the backends);
* ``anchor/backends``: :class:`AnchorBackend`, one instance for each outside party.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

# A JSON object as it is stored and shown: plain dict, list, str, int, bool, None.
Json = dict[str, Any]


# -- the log ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommittedTree:
    """The newest tree that was signed and made durable.

    Attributes:
        tree_size: number of leaves.
        root_hash: 32 bytes, RFC 6962 root of those leaves.
        checkpoint: the signed note, byte for byte, with the log's own signature line only.
    """

    tree_size: int
    root_hash: bytes
    checkpoint: str


class LogStore(Protocol):
    """The log's entries, the lookup by digest, and the greatest checkpoint. One writer at a time.

    The writer's order is fixed: ``append`` (durable on return, not yet part of the log) →
    sign outside → ``commit`` (durable on return; the commit point). Opening the store drops
    whatever was appended and not committed: no signature over it has left the process.
    """

    @property
    def committed(self) -> CommittedTree | None:
        """Return the newest committed tree, or None for a log that was never committed."""

    def find(self, digests: Sequence[bytes]) -> list[int | None]:
        """Return the leaf index of each digest, or None; committed and appended ones alike.

        Safe to call from any thread. The first index that the log gave is the one returned.
        """

    def append(self, digests: Sequence[bytes]) -> AppendedTree:
        """Append digests known to be new, in order, and make them durable.

        Raises:
            StoreUnavailableError: the disk is full or read-only; nothing was appended, and the
                store is as it was before the call.
        """

    def commit(self, tree: CommittedTree) -> None:
        """Make the checkpoint of the appended tree durable; the new digests are now in the log.

        Raises:
            StoreUnavailableError: not committed; the appended digests are dropped again.
            LogIntegrityError: the size is smaller than the committed one, or equal with another
                root.
        """

    def rollback(self) -> None:
        """Drop whatever was appended since the last commit."""

    def entry(self, leaf_index: int) -> bytes:
        """Return the 32-byte digest at ``leaf_index``; NotFoundError past the committed size."""

    def inclusion_path(self, leaf_index: int, tree_size: int) -> list[bytes]:
        """Return the RFC 6962 audit path, leaf's sibling first, in the first ``tree_size`` leaves.

        Any ``tree_size`` with ``leaf_index < tree_size <= committed size``.
        """

    def consistency_path(self, old_size: int, new_size: int) -> list[bytes]:
        """Return the RFC 6962 consistency proof; ``0 < old_size <= new_size <= committed``."""

    def root_hash(self, tree_size: int) -> bytes:
        """Return the root hash of the first ``tree_size`` leaves."""

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Return ``width`` hashes of a tile, ``1 <= width <= 256``; NotFoundError if not there."""

    def read_entries(self, index: int, width: int) -> bytes:
        """Return the entry bundle (C2SP tlog-tiles: uint16 length before each entry)."""

    def checkpoints(self) -> Sequence[CommittedTree]:
        """Return the checkpoints kept for rounds and receipts, oldest first."""

    def close(self) -> None:
        """Release files and locks; safe to call twice."""


@dataclass(frozen=True, slots=True)
class AppendedTree:
    """What the tree is after an append: not signed, not committed."""

    tree_size: int
    root_hash: bytes


# -- anchoring -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Round:
    """One root handed to the backends. A backend may skip rounds; it never gets size 0.

    Attributes:
        tree_size: identifies the round; one root hash a size.
        root_hash: 32 bytes, what every backend stamps.
        checkpoint: the log's signed note over that root (no cosignatures).
        created_at: when the service made the round, aware UTC; no evidence, only bookkeeping.
    """

    tree_size: int
    root_hash: bytes
    checkpoint: str
    created_at: datetime


class Phase(enum.StrEnum):
    """How far one backend is with one round.

    ``scheduled`` → ``prepared`` (what will be sent is on disk) → ``submitted`` → ``pending``
    (promised) → ``confirmed`` (there, may still be reorganised away) → ``final``; or ``failed``.
    """

    SCHEDULED = "scheduled"
    PREPARED = "prepared"
    SUBMITTED = "submitted"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    FINAL = "final"
    FAILED = "failed"


TERMINAL_PHASES = frozenset({Phase.FINAL, Phase.FAILED})


@dataclass(frozen=True, slots=True)
class Attempt:
    """The persisted state of one backend for one round.

    Attributes:
        phase: see :class:`Phase`.
        data: the backend's own JSON, opaque to everybody else.
        attestations: proof-file attestation objects (``docs/spec/proof.md``), replaced whole.
        retry_at: do not call before this time (aware UTC), or None for at once.
        note: one line for people: what it waits for, or the last error.
        expected_at: when a final state is usual, or None.
        failures: consecutive retryable failures; the anchorer keeps it.
    """

    phase: Phase = Phase.SCHEDULED
    data: Json = field(default_factory=dict)
    attestations: tuple[Json, ...] = ()
    retry_at: datetime | None = None
    note: str = ""
    expected_at: datetime | None = None
    failures: int = 0

    def to(self, phase: Phase, **changes: Any) -> Attempt:
        """Return a copy in another phase with other fields changed."""
        return replace(self, phase=phase, **changes)


class Journal(Protocol):
    """A small durable map that one backend keeps across rounds (EVM: every transaction signed)."""

    def put(self, key: str, value: Json) -> None:
        """Store; durable on return. StoreUnavailableError if it is not."""

    def get(self, key: str) -> Json | None:
        """Return the value or None."""

    def items(self) -> list[tuple[str, Json]]:
        """Return everything, by key."""


@dataclass(frozen=True, slots=True)
class Health:
    """What people and metrics see of one backend.

    ``detail`` holds small JSON values such as ``{"balance_wei": "…", "low_funds": true}``.
    """

    ok: bool
    note: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


class AnchorBackend(Protocol):
    """One outside party that stamps roots.

    ``advance`` is called by the anchorer in a thread of this backend alone, with the attempt as it
    is on disk. It does at most one side effect, one that is safe to repeat: whatever must be on
    disk before the effect is returned as an earlier attempt (``prepared``) or put in the journal
    first. The anchorer persists what is returned and calls again, at once or at ``retry_at``, until
    the phase is terminal.

    Attributes:
        name: unique and stable, ``<kind>:<which>`` (``rfc3161:digicert``, ``evm:1``,
            ``calendar:alice.btc.calendar.opentimestamps.org``, ``witness:NAME``).
        family: ``rfc3161``, ``evm``, ``bitcoin`` or ``witness``.
        interval_s: a round is wanted this long after the last one.
        min_gap_s: never two rounds closer than this.
    """

    name: str
    family: str
    interval_s: float
    min_gap_s: float

    def advance(self, round_: Round, attempt: Attempt) -> Attempt:
        """Take one step.

        Raises:
            BackendUnavailableError, ReorgError: call again later; nothing changed.
            BackendRejectedError, BackendProtocolError: this attempt cannot go on as it is.
        """

    def health(self) -> Health:
        """Return the last known state without talking to anybody."""


class RoundStore(Protocol):
    """Rounds, attempts and journals; every write is durable on return."""

    def add_round(self, round_: Round) -> None:
        """Add a round; adding the same size and root again changes nothing.

        Raises:
            LogIntegrityError: the size is there with another root.
        """

    def rounds(self, *, limit: int = 50, before_size: int | None = None) -> list[Round]:
        """Return rounds, newest first."""

    def round_at(self, tree_size: int) -> Round | None:
        """Return the round of exactly that size."""

    def set_attempt(self, tree_size: int, backend: str, attempt: Attempt) -> None:
        """Store the attempt (insert or replace)."""

    def attempt(self, tree_size: int, backend: str) -> Attempt | None:
        """Return one attempt."""

    def attempts(self, tree_size: int) -> dict[str, Attempt]:
        """Return the attempts of one round, by backend name."""

    def open_attempts(self, backend: str) -> list[tuple[Round, Attempt]]:
        """Return the attempts of one backend that are not terminal, oldest round first."""

    def newest_round_of(self, backend: str) -> Round | None:
        """Return the newest round that this backend has an attempt for."""

    def first_rounds_covering(self, leaf_index: int) -> dict[str, tuple[Round, Attempt]]:
        """Return, by backend, the first round that covers the leaf: the first final one if any,
        else the first that is not failed."""

    def journal(self, backend: str) -> Journal:
        """Return the backend's journal."""

    def put_meta(self, key: str, value: Json) -> None:
        """Store one small object by key (IPFS publication of a round, operator decisions)."""

    def meta(self, key: str) -> Json | None:
        """Return the object stored by key, or None."""

    def close(self) -> None:
        """Release the files."""


# -- sources of outside facts ----------------------------------------------------------------------


class BitcoinHeaderSource(Protocol):
    """Where Bitcoin headers come from: a node, or several explorers that must agree."""

    name: str

    def fetch_headers(self, first_height: int, count: int) -> list[bytes]:
        """Return ``count`` consecutive 80-byte headers; BackendUnavailableError if not there."""

    def fetch_tip_height(self) -> int:
        """Return the height of the best chain."""


class EvmHeaderSource(Protocol):
    """Confirms that a block hash is canonical on an EVM chain."""

    name: str

    def fetch_block_hash(self, number: int) -> bytes:
        """Return the canonical hash (32 bytes) at that height."""
