"""Upgrade proofs: fetch what was added since, keep what was there, believe none of it unjudged.

Rules:

* Where to ask comes from the person's settings, never from the proof: the service, and, when it has
  gone, the calendars that the policy lists.
* What comes back is judged under the policy before it is merged. An inclusion that leads nowhere
  and an attestation that fails are dropped; nothing in the old proof is.
* Every checkpoint that the service shows is compared with the newest one remembered.
* The file is replaced atomically, and only if it says more than before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from anchor import limits
from anchor.client.calendar_answers import CalendarAnswers
from anchor.client.known_logs import KnownLogs
from anchor.client.local_file import load_bytes, write_atomically
from anchor.client.service_client import ServiceClient
from anchor.errors import (
    BackendProtocolError,
    BackendUnavailableError,
    NotFoundError,
    UsageError,
    VerificationError,
    VestigeError,
)
from anchor.proof.codec import parse_proof, serialize_proof
from anchor.proof.merge import merge_proofs
from anchor.proof.policy import Policy
from anchor.proof.proof import Attestation, Inclusion, Proof
from anchor.verify.inclusion import CheckpointReader, reach_root
from anchor.verify.judge import Judge
from anchor.verify.verdict import Status, Verdict


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What became of one proof.

    Attributes:
        path: the proof file.
        proof: what it says now.
        verdict: on what it says now, without the file.
        gained: attestations that were not there, or not as full, before.
        dropped: what came back and was false, in words.
        changed: the file was replaced.
    """

    path: Path
    proof: Proof
    verdict: Verdict
    gained: tuple[Attestation, ...]
    dropped: tuple[str, ...]
    changed: bool

    @property
    def complete(self) -> bool:
        """Return whether nothing is pending any more."""
        statuses = [row.status for row in self.verdict.rows]
        return bool(statuses) and Status.PENDING not in statuses


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
        self._reader = CheckpointReader(policy)
        self._judge = Judge(policy, now=now)
        self._service = service
        self._logs = logs
        self._calendars = calendars or CalendarAnswers(policy)
        self._observed: set[str] = set()

    def upgrade(self, path: Path) -> Upgraded:
        """Upgrade one proof file.

        Raises:
            NotFoundError, StoreError, FormatError: the file cannot be read or replaced.
            BackendError: neither the service nor a calendar answers.
            VerificationError: what the service shows contradicts itself or what it showed before.
        """
        older = parse_proof(load_bytes(path, max_bytes=limits.MAX_PROOF_BYTES, what="proof"))
        newer = self._fetch(older)
        sound, dropped = self.sound(newer)
        merged = merge_proofs(older, sound)
        changed = merged != older
        if changed:
            write_atomically(path, serialize_proof(merged))
        known = set(older.attestations)
        return Upgraded(
            path,
            merged,
            self._judge.verify_proof(merged),
            tuple(a for a in merged.attestations if a not in known and a.kind != "expected"),
            dropped,
            changed,
        )

    def sound(self, proof: Proof) -> tuple[Proof, tuple[str, ...]]:
        """Return the proof without what is false, and what that was.

        Raises:
            VerificationError: no inclusion is true.
        """
        dropped: list[str] = []
        inclusions = self._true_inclusions(proof, dropped)
        if not inclusions:
            raise VerificationError(
                f"no inclusion in the answer is true: {'; '.join(dropped)}",
                code="verify.answer",
            )
        verdict = self._judge.verify_proof(replace(proof, inclusions=inclusions))
        failed = {row.attestation for row in verdict.rows if row.status is Status.FAILED}
        dropped += [
            f"{row.family}: {row.judgement.reason}"
            for row in verdict.rows
            if row.status is Status.FAILED
        ]
        kept = tuple(a for a in proof.attestations if a not in failed)
        return replace(proof, inclusions=inclusions, attestations=kept), tuple(dropped)

    def _true_inclusions(self, proof: Proof, dropped: list[str]) -> tuple[Inclusion, ...]:
        inclusions = []
        for inclusion in proof.inclusions:
            try:
                reach_root(proof.digest, inclusion, self._reader)
            except VestigeError as error:
                dropped.append(f"inclusion in the tree of size {inclusion.tree_size}: {error}")
            else:
                inclusions.append(inclusion)
        return tuple(inclusions)

    # -- asking ------------------------------------------------------------------------------------

    def _fetch(self, older: Proof) -> Proof:
        if self._service is None:
            return self._ask_calendars(older, None)
        try:
            newer = self._service.fetch_proof(older.digest)
        except (BackendUnavailableError, NotFoundError) as error:
            return self._ask_calendars(older, error)
        if newer.digest != older.digest:
            raise BackendProtocolError("the service answers with the proof of another digest")
        self._observe(self._service, newer.inclusions)
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

    def _observe(self, service: ServiceClient, inclusions: Sequence[Inclusion]) -> None:
        for inclusion in sorted(inclusions, key=lambda item: -item.tree_size):
            note = inclusion.checkpoint
            if note is not None and note not in self._observed:
                self._logs.observe(
                    note, offered_key=service.fetch_log_key, fetch_tile=service.fetch_tile
                )
                self._observed.add(note)
