"""A party that is out of reach is told of once, and once more when it is back."""

from __future__ import annotations

import logging

import pytest

from anchor.errors import BackendRejectedError, BackendUnavailableError
from anchor.ports import Phase
from anchor.service.anchorer import Anchorer
from anchor.stores.round_store import SqliteRoundStore
from tests.fakes.backends import ScriptedBackend
from tests.fakes.clock import FakeClock
from tests.fakes.memory_log import MemoryLog

AWAY = BackendUnavailableError("tsa.example did not answer: its name cannot be found (no network?)")
TROUBLE = f"rfc3161:one: no round gets through (trying again): {AWAY.message}"
BACK = "rfc3161:one: rounds get through again"


class Scene:
    """One backend that plays its answers, over a log that grows."""

    def __init__(self, path, answers) -> None:
        self.log, self.clock, self.rounds = MemoryLog(), FakeClock(), SqliteRoundStore(path)
        self.backend = ScriptedBackend("rfc3161:one", answers=answers, interval_s=10.0)
        self.anchorer = Anchorer(
            self.log.tree, self.rounds, [self.backend], self.clock, jitter=lambda: 0.0
        )

    def run(self, turns: int) -> None:
        for _ in range(turns):
            self.log.grow(1)
            self.anchorer.run_once(self.backend.name)
            self.clock.advance(3600.0)


@pytest.fixture
def play(tmp_path, caplog):
    """Return what is logged while a backend plays these answers."""
    stores = []

    def lines(answers, turns: int) -> list[str]:
        scene = Scene(tmp_path / "rounds.db", answers)
        stores.append(scene.rounds)
        with caplog.at_level(logging.WARNING):
            scene.run(turns)
        assert not scene.backend.answers, "every answer was asked for"
        return [record.getMessage() for record in caplog.records if record.name == "vestige"]

    yield lines
    for store in stores:
        store.close()


def test_many_failures_are_one_line_and_the_recovery_is_another(play):
    assert play([AWAY] * 6, 10) == [TROUBLE, BACK]


def test_a_party_that_always_answers_is_not_told_of(play):
    assert play([], 5) == []


def test_trouble_that_comes_back_is_told_of_again(play):
    def through(round_, attempt):
        return ScriptedBackend().then(round_, attempt)

    assert play([AWAY, AWAY, through, AWAY], 6) == [TROUBLE, BACK, TROUBLE, BACK]


def test_a_step_that_leaves_nothing_outside_is_no_recovery(play):
    def prepared(_round, attempt):
        return attempt.to(Phase.PREPARED)

    no = BackendRejectedError("no")
    told = "rfc3161:one: no round gets through (trying again): no"
    assert play([no, prepared, no], 2) == [told]
