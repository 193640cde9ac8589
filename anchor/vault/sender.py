"""The queue: records without a proof are sent, proofs that can grow are upgraded.

The queue is the absence of files, so nothing can be lost from it: a record is queued until its
proof is there. What is sent is the digest of the record's own file, never what the index holds for
it. What was sent twice has one place in the log. One process sends at a time; another one finds
that it has nothing to do. A proof is only written after its receipt was verified
(:mod:`anchor.client.stamping`), and only replaced by one that says more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from anchor.client.known_logs import KnownLogs
from anchor.client.service_client import ServiceClient
from anchor.client.stamping import CHUNK_FILES, Stampable, Stamper
from anchor.client.upgrading import Upgrader
from anchor.errors import (
    BackendUnavailableError,
    IncompleteProofError,
    StoreConflictError,
    VestigeError,
)
from anchor.proof.policy import Policy
from anchor.vault.index import ProofState
from anchor.vault.lock import held
from anchor.vault.proof_states import PolicySource, refresh_states, scan_proofs
from anchor.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Sent:
    """What one run did.

    Attributes:
        sent: numbers of the records that have a proof now.
        queued: how many still have none.
        upgraded: numbers of the records whose proof says more now.
        failures: what could not be done, by record number; None is of the run as a whole.
    """

    sent: tuple[int, ...] = ()
    queued: int = 0
    upgraded: tuple[int, ...] = ()
    failures: tuple[tuple[int | None, VestigeError], ...] = ()


class Sender:
    """Sends one vault's records to one service.

    Args:
        vault: open.
        service: where to.
        policy: under which receipts and proofs are believed.
        logs: what is remembered of logs.
        now: aware UTC.
    """

    def __init__(
        self,
        vault: Vault,
        service: ServiceClient,
        policy: Policy,
        logs: KnownLogs,
        now: Callable[[], datetime],
    ) -> None:
        self._vault = vault
        self._service = service
        self._policy = policy
        self._logs = logs
        self._now = now

    def send(self, *, step: Callable[[int], None] = lambda _n: None) -> Sent:
        """Send every record that has no proof, in requests of up to 10,000.

        Receipts are verified; what the proofs show is judged when somebody asks.

        Args:
            step: told how many more were dealt with.

        Raises:
            BackendError: the service does not answer or misbehaves; what was sent before is kept.
            VerificationError: what it shows contradicts itself or what it showed before.
            StoreError: the vault takes no proofs.
        """
        with self._sending():
            sent: list[int] = []
            failures: list[tuple[int | None, VestigeError]] = []
            queued = self._queue()
            for start in range(0, len(queued), CHUNK_FILES):
                for seq, error in self._submit(queued[start : start + CHUNK_FILES]):
                    if error is None:
                        sent.append(seq)
                    else:
                        failures.append((seq, error))
                    step(1)
            return Sent(tuple(sent), len(queued) - len(sent), (), tuple(failures))

    def upgrade(self, *, step: Callable[[int], None] = lambda _n: None) -> Sent:
        """Fetch what was added to each proof that is not complete. Errors as :meth:`send`.

        One proof's failure stops no other; a service that does not answer stops all.
        """
        with self._sending():
            states = self._refresh()
            upgrader = Upgrader(
                self._policy, now=self._now(), service=self._service, logs=self._logs
            )
            changed: list[int] = []
            failures: list[tuple[int | None, VestigeError]] = []
            for seq in open_proofs(states):
                try:
                    if upgrader.upgrade(self._vault.layout.proof(seq)).changed:
                        changed.append(seq)
                except BackendUnavailableError:
                    self._refresh()
                    raise
                except VestigeError as error:
                    failures.append((seq, error))
                step(1)
            self._refresh()
            return Sent(upgraded=tuple(changed), failures=tuple(failures))

    # -- the parts ---------------------------------------------------------------------------------

    def _queue(self) -> list[int]:
        self._vault.refresh()
        self._vault.mend_index()
        return scan_proofs(self._vault).queued(self._vault.size)

    def _submit(self, numbers: Sequence[int]) -> Iterator[tuple[int, VestigeError | None]]:
        items, by_path = [], {}
        for seq in numbers:
            try:
                digest = self._vault.chained(seq).digest
            except VestigeError as error:
                yield seq, error
                continue
            path = self._vault.layout.proof(seq)
            by_path[path] = seq
            items.append(Stampable(None, path, digest, None))
        for stamped in Stamper(self._service, self._logs).submit(items):
            yield by_path[stamped.proof_path], stamped.error

    def _refresh(self) -> dict[int, ProofState]:
        return refresh_states(self._vault, PolicySource.of(self._policy), self._now())

    @contextlib.contextmanager
    def _sending(self) -> Iterator[None]:
        layout = self._vault.layout
        try:
            with held(layout.lock("send"), f"is sending what is in {layout.root}"):
                yield
        except StoreConflictError as error:
            if error.code != "vault.locked":
                raise
            raise IncompleteProofError(error.message, code="vault.sending") from error


def open_proofs(states: dict[int, ProofState]) -> list[int]:
    """Return the numbers of records whose proof can still grow."""
    return sorted(seq for seq, state in states.items() if not state.complete)
