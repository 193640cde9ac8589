"""The service as one object: what the shells call, started and stopped in the right order.

:func:`anchor.config.wiring.build_service` makes it. It holds no rules of its own but the order:

* start: the log is compared with every checkpoint known outside it, then the anchorer begins;
* stop: the sequencer answers what is queued, the anchorer ends its steps, the files are closed.

Everything is safe for threads. Reads work before ``start`` and while the log takes no writes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from anchor.config.backends import Outside
from anchor.config.kept_checkpoint import KeptCheckpoint
from anchor.config.settings import Settings
from anchor.errors import BackendError, NotFoundError
from anchor.formats.note import parse_note
from anchor.ports import CommittedTree, Json, LogStore, RoundStore
from anchor.proof.codec import proof_from_json
from anchor.proof.policy import Policy
from anchor.proof.proof import Proof
from anchor.service.anchor_event import AnchorEvent
from anchor.service.anchorer import Anchorer
from anchor.service.calendar_protocol import CalendarProtocol
from anchor.service.metrics import Sample
from anchor.service.proofs import ProofAssembler
from anchor.service.publication import publication_of
from anchor.service.sequencer import Sequencer, Submission
from anchor.service.signer import LogSigner
from anchor.service.standing import Standings

_log = logging.getLogger(__name__)

_ROUNDS_COMPARED: Final = 200
_STOP_S: Final = 10.0

Listener = Callable[[AnchorEvent], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a service is made of.

    Attributes:
        settings: as given.
        store: the log.
        rounds: the anchorer's memory.
        signer: the log's key.
        sequencer: the one writer of the log.
        anchorer: hands roots to the backends; it must tell :attr:`Service.tell` of its events.
        policy: under which verdicts are given.
        outside: the publisher, the beacons and what else stands outside.
        calendar: the calendar protocol, or None where it is switched off.
        kept: the checkpoint kept outside the data folder, or None for a service made for an
            occasion, which believes its own disk.
    """

    settings: Settings
    store: LogStore
    rounds: RoundStore
    signer: LogSigner
    sequencer: Sequencer
    anchorer: Anchorer
    policy: Policy
    outside: Outside
    calendar: CalendarProtocol | None = None
    kept: KeptCheckpoint | None = None


class Service:
    """The log, the anchorer and what is asked of them.

    Args:
        parts: see :class:`Parts`.
        events: tells listeners of the anchorer's events.
    """

    def __init__(self, parts: Parts, events: EventFan) -> None:
        self.settings = parts.settings
        self.store = parts.store
        self.rounds = parts.rounds
        self.signer = parts.signer
        self.sequencer = parts.sequencer
        self.anchorer = parts.anchorer
        self.policy = parts.policy
        self.beacons = parts.outside.beacons
        self.calendar = parts.calendar
        self.events = events
        self._parts = parts
        self._lock = threading.Lock()
        self._state = "built"
        expectations = parts.anchorer.expectations
        self._proofs = ProofAssembler(parts.store, parts.rounds, expectations)
        self._standings = Standings(parts.store, parts.rounds, expectations)

    # -- running -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Compare the log with what is known outside it, then begin to anchor; once."""
        with self._lock:
            if self._state != "built":
                raise RuntimeError(f"the service is {self._state}")
            self._state = "started"
        contradicted = self._compare()
        if self._parts.kept is not None:
            self._parts.kept.start()
        # A log that is not the one that others have seen hands out no more roots.
        if not contradicted:
            self.anchorer.start()

    def stop(self) -> None:
        """Answer what is queued, end what is under way, close the files; safe to call twice."""
        with self._lock:
            if self._state == "stopped":
                return
            self._state = "stopped"
        self.sequencer.close()
        busy = self.anchorer.stop(_STOP_S)
        if busy:
            _log.warning("still waiting for an outside system, given up: %s", ", ".join(busy))
        if self._parts.kept is not None:
            self._parts.kept.stop()
        for close in self._parts.outside.closes:
            close()
        self.rounds.close()
        self.store.close()

    def _compare(self) -> bool:
        """Return whether what is known elsewhere contradicts the log; it then takes no writes."""
        # Rounds lie on the same disk, but in another file: they show a log put back by itself.
        known = [r.checkpoint for r in self.rounds.rounds(limit=_ROUNDS_COMPARED)]
        outside = self._outside_checkpoints()
        self.sequencer.check_against([*known, *outside])
        contradicted = self.sequencer.read_only_reason is not None
        if self._parts.kept is not None and not (contradicted or self.settings.log.trust_own_disk):
            self.sequencer.check_against(outside, needed=True)
        if self.sequencer.read_only_reason is not None:
            _log.error("the log takes no writes: %s", self.sequencer.read_only_reason)
        return contradicted

    def _outside_checkpoints(self) -> list[str]:
        texts = [] if self._parts.kept is None else self._parts.kept.read()
        for fetch in self._parts.outside.checkpoints:
            try:
                found = fetch(self.signer.origin)
            except BackendError as exc:
                _log.warning("a checkpoint known outside could not be fetched: %s", exc.message)
                continue
            if found is not None:
                texts.append(found)
        return texts

    # -- what is asked -----------------------------------------------------------------------------

    @property
    def committed(self) -> CommittedTree | None:
        """Return the newest committed tree."""
        return self.store.committed

    async def submit(self, digests: bytes) -> Submission:
        """Sequence digests; see :meth:`anchor.service.sequencer.Sequencer.submit`."""
        return await self.sequencer.submit(digests)

    def standing(self, digest: bytes) -> Json:
        """Return where a digest stands; NotFoundError if the log does not have it."""
        return self._standings.standing(digest)

    def proof(self, digest: bytes) -> Proof:
        """Return the proof of a digest as it is now; NotFoundError if the log does not have it."""
        return proof_from_json(self._proofs.assemble(digest))

    def checkpoint(self) -> str:
        """Return the newest checkpoint with the cosignatures known for it.

        Raises:
            NotFoundError: the log is empty.
        """
        tree = self.store.committed
        if tree is None:
            raise NotFoundError("the log is empty", code="not_found.checkpoint")
        note = parse_note(tree.checkpoint)
        for attempt in self.rounds.attempts(tree.tree_size).values():
            for attestation in attempt.attestations:
                if attestation.get("kind") == "witness":
                    cosigned = parse_note(str(attestation["checkpoint"]))
                    if cosigned.text == note.text:
                        note = note.adding(*cosigned.signatures)
        return note.serialize()

    def publication(self, tree_size: int) -> Json | None:
        """Return what the publisher said of a round (an IPFS node: its CID), or None."""
        publisher = self._parts.outside.publisher
        if publisher is None:
            return None
        found = publication_of(self.rounds, publisher.name, tree_size)
        return None if found is None else {"publisher": publisher.name, **found}

    def status(self) -> Json:
        """Return the state of the log and of every backend as one JSON object."""
        tree = self.store.committed
        return {
            "log": {
                "origin": self.signer.origin,
                "key": self.signer.note_key.text,
                "tree_size": tree.tree_size if tree else 0,
                "root_hash": tree.root_hash.hex() if tree else None,
                "read_only": self.sequencer.read_only_reason,
            },
            "policy": {"name": self.policy.name, "sha256": self.policy.sha256.hex()},
            "anchoring": self.anchorer.status(),
            "checkpoint_outside": None if self._parts.kept is None else self._parts.kept.state(),
        }

    def metrics(self) -> list[Sample]:
        """Return the samples of the log and of every backend."""
        figures = self.sequencer.figures
        read_only = float(self.sequencer.read_only_reason is not None)
        samples = [
            Sample("vestige_log_read_only", "1 while no writes are taken", "gauge", read_only),
            Sample(
                "vestige_log_pending_bytes",
                "Bytes of submissions not answered yet",
                "gauge",
                figures.pending_bytes,
            ),
            Sample(
                "vestige_log_last_commit_seconds",
                "Duration of the last commit",
                "gauge",
                figures.last_commit_s,
            ),
        ]
        counters = (
            ("commits", "Commits", figures.n_commits),
            ("created", "Leaves made", figures.n_created),
            ("repeated", "Digests submitted that the log had", figures.n_repeated),
            ("failed_batches", "Batches that failed", figures.n_failed_batches),
        )
        samples.extend(
            Sample(f"vestige_log_{name}_total", text, "counter", value)
            for name, text, value in counters
        )
        return [*samples, *self.anchorer.metrics()]

    def now(self) -> datetime:
        """Return the time that verdicts are given at."""
        return datetime.now(UTC)


class EventFan:
    """Passes the anchorer's events on to whoever listens; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()

    def __call__(self, event: AnchorEvent) -> None:
        """Tell every listener; what one raises does not keep it from the others."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - whatever it was, the others are told
                _log.exception("a listener failed")

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; call what is returned to remove it."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def remove() -> None:
            with self._lock:
                self._listeners = tuple(kept for kept in self._listeners if kept is not listener)

        return remove
