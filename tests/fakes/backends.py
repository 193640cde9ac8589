"""Backends that do as they are told, and a store that fails when it is told.

* :class:`ScriptedBackend` plays a list of answers: attempts, exceptions, functions.
* :class:`DisciplinedBackend` keeps to the port's contract in front of an :class:`OutsideWorld` that
  counts what reaches it, so that a test can tell whether anything was sent twice.
* :class:`FaultyRounds` stands in front of a round store and fails its n-th write, before or after
  it was made, with an error or with the death of the process (:class:`Crash`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from anchor.errors import BackendUnavailableError, StoreUnavailableError
from anchor.ports import Attempt, Health, Journal, Phase, Round, RoundStore


class Crash(BaseException):
    """The process dies here; nothing may catch it but the test."""


def attestation(round_: Round, kind: str = "test", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "root_hash": round_.root_hash.hex(), **more}


def final(round_: Round, attempt: Attempt, **more: Any) -> Attempt:
    return attempt.to(Phase.FINAL, attestations=(attestation(round_, **more),))


Answer = Attempt | BaseException | Callable[[Round, Attempt], Any]


class ScriptedBackend:
    """Plays its answers one after the other; then every step is ``then`` (final, if not given)."""

    def __init__(
        self,
        name: str = "test:one",
        family: str = "rfc3161",
        answers: Sequence[Answer] = (),
        *,
        then: Answer | None = None,
        interval_s: float = 60.0,
        min_gap_s: float = 0.0,
    ) -> None:
        self.name = name
        self.family = family
        self.interval_s = interval_s
        self.min_gap_s = min_gap_s
        self.answers = list(answers)
        self.then: Answer = then if then is not None else final
        self.calls: list[tuple[int, Attempt]] = []
        self.shown = Health(ok=True)

    def advance(self, round_: Round, attempt: Attempt) -> Attempt:
        self.calls.append((round_.tree_size, attempt))
        answer = self.answers.pop(0) if self.answers else self.then
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Attempt):
            return answer
        return answer(round_, attempt)

    def health(self) -> Health:
        return self.shown

    @property
    def sizes(self) -> list[int]:
        """The tree sizes asked for, each once, in order."""
        return list(dict.fromkeys(size for size, _ in self.calls))


class HangingBackend(ScriptedBackend):
    """Does not come back until the test lets it."""

    def __init__(self, name: str = "test:hangs", family: str = "evm", **more: Any) -> None:
        super().__init__(name, family, **more)
        self.inside = threading.Event()
        self.let_go = threading.Event()

    def advance(self, round_: Round, attempt: Attempt) -> Attempt:
        self.inside.set()
        self.let_go.wait(60)
        return super().advance(round_, attempt)


class OutsideWorld:
    """What really reached the outside: how often each message was sent and looked up."""

    def __init__(self) -> None:
        self.sent: dict[str, int] = {}
        self.looked_up: dict[str, int] = {}
        self.history: list[tuple[str, str]] = []

    def send(self, message_id: str) -> None:
        self.sent[message_id] = self.sent.get(message_id, 0) + 1
        self.history.append(("send", message_id))

    def look_up(self, message_id: str) -> bool:
        self.looked_up[message_id] = self.looked_up.get(message_id, 0) + 1
        self.history.append(("look_up", message_id))
        return message_id in self.sent

    def sent_blindly(self) -> list[str]:
        """Ids sent a second time without a look-up since the time before."""
        wrong = []
        known: dict[str, str] = {}
        for action, message_id in self.history:
            if action == "send" and known.get(message_id) == "send":
                wrong.append(message_id)
            known[message_id] = action
        return wrong


class DisciplinedBackend:
    """scheduled → prepared (id on disk) → look up, send → submitted → pending → confirmed → final.

    Every send checks that the id is on disk at that moment: this is the promise of the anchorer.
    """

    def __init__(
        self,
        world: OutsideWorld,
        on_disk: Callable[[int, str], Attempt | None],
        clock_now: Callable[[], datetime],
        name: str = "evm:1",
    ) -> None:
        self.name = name
        self.family = "evm"
        self.interval_s = 60.0
        self.min_gap_s = 0.0
        self._world = world
        self._on_disk = on_disk
        self._now = clock_now
        self._serial = 0
        self.sends_without_disk: list[str] = []
        self.crash_after_send = False

    def advance(self, round_: Round, attempt: Attempt) -> Attempt:
        if attempt.phase is Phase.SCHEDULED:
            self._serial += 1
            message_id = f"{round_.tree_size}#{id(self)}#{self._serial}"
            return attempt.to(Phase.PREPARED, data={"id": message_id})
        if attempt.phase is Phase.PREPARED:
            self._send(round_, attempt)
            return attempt.to(Phase.SUBMITTED)
        if attempt.phase is Phase.SUBMITTED:
            if not self._world.look_up(attempt.data["id"]):
                raise BackendUnavailableError("not seen yet")
            return attempt.to(Phase.PENDING, retry_at=self._now() + timedelta(seconds=5))
        if attempt.phase is Phase.PENDING:
            return attempt.to(Phase.CONFIRMED, retry_at=None)
        return final(round_, attempt)

    def _send(self, round_: Round, attempt: Attempt) -> None:
        message_id = attempt.data["id"]
        stored = self._on_disk(round_.tree_size, self.name)
        if stored is None or stored.phase is not Phase.PREPARED or stored.data != attempt.data:
            self.sends_without_disk.append(message_id)
        if not self._world.look_up(message_id):
            self._world.send(message_id)
            if self.crash_after_send:
                self.crash_after_send = False
                raise Crash

    def health(self) -> Health:
        return Health(ok=True)


class FaultyRounds:
    """A round store whose n-th write fails.

    Args:
        rounds: the store behind.
        fail_at: which write, from 0; None for never.
        persisted: whether the write is made all the same.
        fault: what is raised instead of an answer.
    """

    def __init__(
        self,
        rounds: RoundStore,
        *,
        fail_at: int | None = None,
        persisted: bool = False,
        fault: type[BaseException] = StoreUnavailableError,
        times: int = 1,
    ) -> None:
        self._rounds = rounds
        self.fail_at = fail_at
        self.persisted = persisted
        self.fault = fault
        self.times = times
        self.writes: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rounds, name)

    def journal(self, backend: str) -> Journal:
        return self._rounds.journal(backend)

    def _write(self, what: str, make: Callable[[], None]) -> None:
        number = len(self.writes)
        self.writes.append(what)
        failing = self.fail_at is not None and self.fail_at <= number < self.fail_at + self.times
        if not failing:
            make()
            return
        if self.persisted:
            make()
        raise self.fault(f"write {number} ({what}) failed")

    def add_round(self, round_: Round) -> None:
        self._write("add_round", lambda: self._rounds.add_round(round_))

    def set_attempt(self, tree_size: int, backend: str, attempt: Attempt) -> None:
        self._write(
            f"set_attempt {attempt.phase}",
            lambda: self._rounds.set_attempt(tree_size, backend, attempt),
        )

    def put_meta(self, key: str, value: dict[str, Any]) -> None:
        self._write(f"put_meta {key}", lambda: self._rounds.put_meta(key, value))

    def record_commit(self, tree_size: int, committed_at: datetime) -> None:
        self._write("record_commit", lambda: self._rounds.record_commit(tree_size, committed_at))
