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
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    # Annotations only: the ports must stay importable without the service's extras.
    import numpy as np
    from numpy.typing import NDArray

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

    ``append``, ``commit`` and ``rollback`` belong to one thread. Everything else may be called from
    any thread at any time, sees only what is committed, and never waits for the writer.
    """

    @property
    def committed(self) -> CommittedTree | None:
        """Return the newest committed tree, or None for a log that was never committed."""

    def find(self, digest: bytes) -> int | None:
        """Return the first leaf index of a 32-byte digest in the committed tree, or None."""

    def find_many(self, digests: bytes) -> NDArray[np.int64]:
        """Return the leaf index of each digest (32·n bytes in, n numbers out), -1 where absent."""

    def append(self, digests: bytes) -> AppendedTree:
        """Append the digests (32·n bytes) that the log does not hold, in order, each once; durable.

        A digest that is in the log, or earlier in the same call, gets the index it has there. When
        nothing is new the tree returned is the committed one and there is nothing to commit.

        Raises:
            StoreUnavailableError: the disk is full, failing or below its reserve; nothing was
                appended and the store is as it was. The same call may succeed later.
            LogIntegrityError: what is on disk contradicts the committed tree; never go on.
        """

    def commit(self, tree: CommittedTree) -> None:
        """Make the checkpoint of the appended tree durable; the new digests are now in the log.

        Raises:
            StoreUnavailableError: not acknowledged. Either the appended digests are dropped again,
                or (the write was reported as failed and is there after all) ``committed`` is now
                this tree: it is never both, and submitting the same digests again is safe.
            LogIntegrityError: the tree is not the appended one.
        """

    def rollback(self) -> None:
        """Drop whatever was appended since the last commit."""

    def keep(self, tree: CommittedTree) -> None:
        """Keep a committed checkpoint for good (one that a round hands out); durable on return.

        Raises:
            LogIntegrityError: its root hash is not the root of that size.
        """

    def checkpoints(self) -> Sequence[CommittedTree]:
        """Return the newest checkpoint and those kept, by ascending tree size.

        Those of rounds are kept, and the first one past each multiple of 65,536 leaves.
        """

    def entry(self, leaf_index: int) -> bytes:
        """Return the 32-byte digest at ``leaf_index``; NotFoundError past the committed size."""

    def inclusion_path(self, leaf_index: int, tree_size: int) -> list[bytes]:
        """Return the RFC 6962 audit path, leaf's sibling first, in the first ``tree_size`` leaves.

        Any ``tree_size`` with ``leaf_index < tree_size <= committed size``, else NotFoundError.
        """

    def consistency_path(self, old_size: int, new_size: int) -> list[bytes]:
        """Return the RFC 6962 consistency proof; ``0 < old_size <= new_size <= committed``.

        Raises:
            NotFoundError: the sizes are not in that order.
        """

    def root_hash(self, tree_size: int) -> bytes:
        """Return the root hash of the first ``tree_size`` leaves; NotFoundError past the log."""

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Return ``width`` hashes of a tile, ``1 <= width <= 256``; NotFoundError if not there."""

    def read_entries(self, index: int, width: int) -> bytes:
        """Return the entry bundle (C2SP tlog-tiles: uint16 length before each entry)."""

    def close(self) -> None:
        """Release files and locks; safe to call twice."""


@dataclass(frozen=True, slots=True)
class AppendedTree:
    """What the tree is after an append: not signed, not committed.

    Attributes:
        tree_size: leaves, those appended included.
        root_hash: 32 bytes.
        leaf_indices: uint64, one for each digest of the call, in its order.
        created: bool, True where the call itself added the leaf.
    """

    tree_size: int
    root_hash: bytes
    leaf_indices: NDArray[np.uint64]
    created: NDArray[np.bool_]


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

    A backend may skip phases, and go back from any but the last two: what was confirmed may be
    reorganised away.
    """

    SCHEDULED = "scheduled"
    PREPARED = "prepared"
    SUBMITTED = "submitted"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    FINAL = "final"
    FAILED = "failed"


# Each phase is in one of these: on its way out, promised or seen outside, at its end.
IN_FLIGHT_PHASES = frozenset({Phase.SCHEDULED, Phase.PREPARED, Phase.SUBMITTED})
AWAITED_PHASES = frozenset({Phase.PENDING, Phase.CONFIRMED})
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
            BackendRejectedError, BackendProtocolError: this attempt cannot go on as it is. It is
                failed at once, and a fresh round follows; from ``pending`` on it is asked again
                first, with long waits, since one bad answer does not undo a promise.
            LogIntegrityError: our own log contradicts itself; everything stops.
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

    def newest_final_round_of(self, backend: str) -> Round | None:
        """Return the newest round that is final for this backend."""

    def first_rounds_covering(self, leaf_index: int) -> dict[str, tuple[Round, Attempt]]:
        """Return, by backend, the first round that covers the leaf.

        The first final one if there is any, else the first that is not failed.
        """

    def journal(self, backend: str) -> Journal:
        """Return the backend's journal."""

    def put_meta(self, key: str, value: Json) -> None:
        """Store one small object by key (IPFS publication of a round, operator decisions)."""

    def meta(self, key: str) -> Json | None:
        """Return the object stored by key, or None."""

    def record_commit(self, tree_size: int, committed_at: datetime) -> None:
        """Remember that the log was seen with at least ``tree_size`` leaves at that time.

        A size that is there already keeps its first time.
        """

    def thin_commits(self, before: datetime) -> None:
        """Keep only the greatest size of each minute among the commits seen before that time."""

    def accepted_by(self, leaf_index: int) -> datetime | None:
        """Return the first recorded time at which the log had that leaf; None if none is known.

        Our own clock's word: bookkeeping, no evidence.
        """

    def close(self) -> None:
        """Release the files."""


class RoundPublisher(Protocol):
    """Puts a round where anybody can fetch it by content: an IPFS node, a mirror.

    Attributes:
        name: unique and stable (``ipfs``); the result is kept as the round's meta
            ``<name>:<tree_size>``.
    """

    name: str

    def publish(self, round_: Round, attempts: Mapping[str, Attempt]) -> Json:
        """Publish the round with the attestations of its final attempts; safe to repeat.

        Called again whenever one more attempt of the round became final.

        Raises:
            BackendUnavailableError: call again later.
            BackendRejectedError, BackendProtocolError: the peer misbehaves; tried again, rarely.
        """

    def health(self) -> Health:
        """Return the last known state without talking to anybody."""
