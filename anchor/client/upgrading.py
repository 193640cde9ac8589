"""Upgrade proofs: fetch what was added since, keep what was there, believe none of it unjudged.

Rules:

* Where to ask comes from the person's settings, never from the proof: the service, and, when it has
  gone, the calendars that the policy lists.
* What comes back is judged under the policy before it is merged. An inclusion that leads nowhere
  and an attestation that fails are dropped; nothing in the old proof is. What cannot be judged
  today is never folded into what is there (:mod:`anchor.proof.fold`).
* Every checkpoint that the service shows is compared with the newest one remembered, and so are the
  old proof's of the same log before one of them gives way to a newer one.
* The file is replaced atomically, and only if it says more than before; what it said stays beside
  it as ``NAME.proof.bak``. A new guess of when something will come is not worth a write.
* Many proofs are asked for at once. They are judged and written one after the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from anchor import limits
from anchor.client.calendar_answers import CalendarAnswers
from anchor.client.known_logs import KnownLogs
from anchor.client.local_file import keep_beside, load_bytes, sync_folder, write_atomically
from anchor.client.service_client import ServiceClient
from anchor.client.soundness import Soundness
from anchor.errors import (
    BackendProtocolError,
    BackendUnavailableError,
    FormatError,
    NotFoundError,
    SignatureError,
    UsageError,
    VestigeError,
)
from anchor.proof.codec import ProofReader, serialize_proof
from anchor.proof.merge import checkpoint_in, merge_judged
from anchor.proof.policy import Policy
from anchor.proof.proof import Attestation, ExpectedAttestation, Inclusion, Proof
from anchor.verify.judge import Judge
from anchor.verify.verdict import Status, Verdict

BACKUP_SUFFIX: Final = ".bak"
_IN_FLIGHT: Final = 16
_WRITERS: Final = 16
_GIVE_UP_AFTER: Final = 16
# So many answers may wait to be judged.
_AHEAD: Final = 64


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What became of one proof.

    Attributes:
        path: the proof file.
        proof: what it says now.
        verdict: on what it says now, without the file.
        gained: attestations that were not there, or not as full, before.
        dropped: what came back and was false, in words.
        left_out: what came back, contradicts what is there, and cannot be judged, in words.
        changed: the file was replaced.
    """

    path: Path
    proof: Proof
    verdict: Verdict
    gained: tuple[Attestation, ...]
    dropped: tuple[str, ...]
    left_out: tuple[str, ...]
    changed: bool

    @property
    def complete(self) -> bool:
        """Return whether nothing is pending any more."""
        statuses = [row.status for row in self.verdict.rows]
        return bool(statuses) and Status.PENDING not in statuses


@dataclass(frozen=True, slots=True)
class _Answer:
    """A proof as it was read, and what the service has for it, or why it has nothing."""

    older: Proof
    newer: Proof | None
    silent: VestigeError | None


class Upgrader:
    """Upgrades proofs under one policy.

    Args:
        policy: what is believed.
        now: aware UTC.
        service: where to ask, or None where there is none.
        logs: what is remembered of logs.
        calendars: asked where the service does not answer; None makes the policy's.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        now: datetime,
        service: ServiceClient | None,
        logs: KnownLogs,
        calendars: CalendarAnswers | None = None,
    ) -> None:
        self._judge = Judge(policy, now=now)
        self._soundness = Soundness(policy, self._judge)
        self._service = service
        self._logs = logs
        self._calendars = calendars or CalendarAnswers(policy)
        self._observed: set[str] = set()
        self._apart: set[str] = set()
        self._silent: BackendUnavailableError | None = None
        self._unanswered = 0
        self._files = ProofReader()

    def upgrade(self, path: Path) -> Upgraded:
        """Upgrade one proof file.

        Raises:
            NotFoundError, StoreError, FormatError: the file cannot be read or replaced.
            BackendError: neither the service nor a calendar answers.
            VerificationError: what the service shows contradicts itself or what it showed before.
        """
        upgraded = self._judged(path, self._gather(path))
        if upgraded.changed:
            self._replace(upgraded)
            sync_folder(path.parent)
        return upgraded

    def upgrade_many(self, paths: Iterable[Path]) -> Iterator[tuple[Path, Upgraded | VestigeError]]:
        """Upgrade proof files; yield each, in order, with what became of it or why not.

        A service that did not answer for sixteen in a row is asked for no further one.
        """
        folders: set[Path] = set()
        with ThreadPoolExecutor(_IN_FLIGHT) as asking, ThreadPoolExecutor(_WRITERS) as writing:
            coming: deque[tuple[Path, Future[_Answer]]] = deque()
            going: deque[tuple[Path, Future[Upgraded | VestigeError]]] = deque()
            for path in (*paths, None):
                if path is not None:
                    coming.append((path, asking.submit(self._gather, path)))
                while coming and (path is None or len(coming) > _AHEAD):
                    going.append(self._written(*coming.popleft(), writing, folders))
                    if len(going) > _AHEAD:
                        named, found = going.popleft()
                        yield named, found.result()
            for named, found in going:
                yield named, found.result()
        for folder in folders:
            sync_folder(folder)

    def _written(
        self,
        path: Path,
        coming: Future[_Answer],
        writing: ThreadPoolExecutor,
        folders: set[Path],
    ) -> tuple[Path, Future[Upgraded | VestigeError]]:
        """Judge what came; let the file be replaced while the next one is judged."""
        found: Future[Upgraded | VestigeError] = Future()
        try:
            upgraded = self._judged(path, coming.result())
        except VestigeError as error:
            found.set_result(error)
            return path, found
        if not upgraded.changed:
            found.set_result(upgraded)
            return path, found
        folders.add(path.parent)
        return path, writing.submit(self._replaced, upgraded)

    def _replace(self, upgraded: Upgraded) -> None:
        """Replace the file, and keep what it said beside it."""
        data = serialize_proof(upgraded.proof, reader=self._files)
        keep_beside(upgraded.path, BACKUP_SUFFIX)
        write_atomically(upgraded.path, data, durable_name=False)

    def _replaced(self, upgraded: Upgraded) -> Upgraded | VestigeError:
        try:
            self._replace(upgraded)
        except VestigeError as error:
            return error
        return upgraded

    # -- asking, by several threads ----------------------------------------------------------------

    def _gather(self, path: Path) -> _Answer:
        """Read a proof and fetch the newer one; no judgement, no memory."""
        older = self._files.parse(load_bytes(path, max_bytes=limits.MAX_PROOF_BYTES, what="proof"))
        if self._service is None or self._silent is not None:
            return _Answer(older, None, self._silent)
        try:
            newer = self._service.fetch_proof(older.digest, reader=self._files)
        except BackendUnavailableError as error:
            self._unanswered += 1
            if self._unanswered >= _GIVE_UP_AFTER:
                self._silent = error
            return _Answer(older, None, error)
        except NotFoundError as error:
            return _Answer(older, None, error)
        self._unanswered = 0
        return _Answer(older, newer, None)

    # -- judging, by one ---------------------------------------------------------------------------

    def _judged(self, path: Path, answer: _Answer) -> Upgraded:
        older = answer.older
        newer = self._newer(answer)
        if _lasting(newer) == _lasting(older):
            verdict = self._judge.verify_proof(older)
            return Upgraded(path, older, verdict, (), (), (), changed=False)
        sound, dropped = self._soundness.sound(newer)
        every = replace(older, inclusions=(*older.inclusions, *sound.inclusions))
        merged = merge_judged(
            older,
            sound,
            confirmed=self._soundness.confirmer(every),
            consistent=self._observed,
        )
        proof = merged.proof
        known = set(older.attestations)
        return Upgraded(
            path,
            proof,
            self._judge.verify_proof(proof),
            tuple(a for a in proof.attestations if a not in known and a.kind != "expected"),
            dropped,
            merged.left_out,
            _lasting(proof) != _lasting(older),
        )

    def _newer(self, answer: _Answer) -> Proof:
        older, newer = answer.older, answer.newer
        if newer is None or self._service is None:
            return self._ask_calendars(older, answer.silent)
        if newer.digest != older.digest:
            raise BackendProtocolError("the service answers with the proof of another digest")
        self._observe(self._service, older, newer)
        return replace(newer, opening=older.opening)

    def _ask_calendars(self, older: Proof, silent: VestigeError | None) -> Proof:
        """Go on without the service, if there is anything to ask a calendar of the policy for."""
        newer, answered = self._calendars.ask(older)
        if not answered:
            raise silent or UsageError(
                "there is no service to ask, and nothing that a calendar of the policy could add",
                code="usage.server",
                hint="--server names the service",
            )
        return newer

    def _observe(self, service: ServiceClient, older: Proof, newer: Proof) -> None:
        """Compare with what is remembered each checkpoint that was not compared yet.

        The newer proof's are the service's word, so that each must hold. The older one's may be of
        a time before a log's key was changed; then they are kept beside the newer ones.
        """
        origins = set()
        for note in _notes(newer.inclusions):
            if note not in self._observed:
                self._logs.observe(
                    note, offered_key=service.fetch_log_key, fetch_tile=service.fetch_tile
                )
                self._observed.add(note)
            origins.add(_origin(note))
        for note in _notes(older.inclusions):
            if note in self._observed or note in self._apart or _origin(note) not in origins:
                continue
            try:
                self._logs.observe(
                    note, offered_key=service.fetch_log_key, fetch_tile=service.fetch_tile
                )
                self._observed.add(note)
            except (SignatureError, FormatError):
                self._apart.add(note)


def _notes(inclusions: Sequence[Inclusion]) -> list[str]:
    """Return the checkpoints, those of the greatest trees first."""
    ordered = sorted(inclusions, key=lambda item: -item.tree_size)
    return [item.checkpoint for item in ordered if item.checkpoint is not None]


def _origin(note: str) -> str | None:
    checkpoint = checkpoint_in(note)
    return None if checkpoint is None else checkpoint.origin


def _lasting(proof: Proof) -> tuple[object, ...]:
    """Return what a proof says, without order and without the service's guesses of what is next."""
    expected = {(a.family, a.by) for a in proof.attestations if isinstance(a, ExpectedAttestation)}
    evidence = {a for a in proof.attestations if not isinstance(a, ExpectedAttestation)}
    return proof.digest, proof.opening, set(proof.inclusions), evidence, expected
