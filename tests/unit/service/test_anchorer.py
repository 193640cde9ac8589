"""Rounds, waits and answers of the anchorer, with a clock that the test moves."""

from __future__ import annotations

import hashlib
import math
import queue
from datetime import timedelta

import pytest

from anchor.errors import (
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
    LogIntegrityError,
    NotFoundError,
)
from anchor.formats.encoding import base64_text
from anchor.ports import Attempt, CommittedTree, Phase
from anchor.service.anchorer import Anchorer
from anchor.service.anchorer_settings import AnchorerSettings
from anchor.stores.round_store import SqliteRoundStore
from tests.fakes.backends import HangingBackend, ScriptedBackend, final
from tests.fakes.clock import FakeClock
from tests.fakes.memory_log import MemoryLog


class Scene:
    """A log, a store, a clock and an anchorer over some backends."""

    def __init__(self, path) -> None:
        self.path = path
        self.log = MemoryLog()
        self.clock = FakeClock()
        self.rounds = SqliteRoundStore(path)
        self.events: list = []
        self.anchorer: Anchorer

    def open(self, *backends, **more) -> Anchorer:
        more.setdefault("jitter", lambda: 0.0)
        self.anchorer = Anchorer(
            self.log.tree, self.rounds, backends, self.clock, self.events.append, **more
        )
        return self.anchorer

    def reopen(self, *backends, **more) -> Anchorer:
        self.rounds.close()
        self.rounds = SqliteRoundStore(self.path)
        return self.open(*backends, **more)

    def sizes(self) -> list[int]:
        return sorted(r.tree_size for r in self.rounds.rounds())


@pytest.fixture
def scene(tmp_path):
    one = Scene(tmp_path / "rounds.db")
    yield one
    one.rounds.close()


# -- which rounds ----------------------------------------------------------------------------------


def test_no_round_for_an_empty_log(scene):
    backend = ScriptedBackend()
    anchorer = scene.open(backend)
    assert anchorer.run_once(backend.name) == 1.0
    scene.log.add()  # commits the empty tree
    anchorer.run_once(backend.name)
    assert backend.calls == []
    assert scene.sizes() == []


def test_the_first_digest_gets_a_round_at_once_and_with_the_newest_tree(scene):
    backend = ScriptedBackend()
    anchorer = scene.open(backend)
    scene.log.grow(5)
    anchorer.run_once(backend.name)
    tree = scene.log.tree()
    round_ = scene.rounds.round_at(5)
    assert (round_.root_hash, round_.checkpoint) == (tree.root_hash, tree.checkpoint)
    assert round_.created_at == scene.clock.now()
    assert scene.rounds.attempt(5, backend.name).phase is Phase.FINAL


def test_no_round_for_an_unchanged_root_however_long(scene):
    backend = ScriptedBackend()
    anchorer = scene.open(backend)
    scene.log.grow(5)
    for _ in range(4):
        anchorer.run_once(backend.name)
        scene.clock.advance(7 * 86400)
    assert backend.sizes == [5]
    assert anchorer.force() == {backend.name: "unchanged"}
    anchorer.run_once(backend.name)
    assert scene.sizes() == [5]


def test_the_next_round_waits_for_the_interval_and_takes_all_that_came(scene):
    backend = ScriptedBackend(interval_s=60.0)
    anchorer = scene.open(backend)
    scene.log.grow(1)
    anchorer.run_once(backend.name)
    scene.log.grow(1)
    assert anchorer.run_once(backend.name) == 60.0
    scene.clock.advance(59.0)
    scene.log.grow(1)
    assert anchorer.run_once(backend.name) == 1.0
    scene.clock.advance(1.0)
    anchorer.run_once(backend.name)
    assert scene.sizes() == [1, 3]


def test_force_replaces_the_interval_but_not_the_gap(scene):
    backend = ScriptedBackend(interval_s=3600.0, min_gap_s=10.0)
    anchorer = scene.open(backend)
    scene.log.grow(1)
    anchorer.run_once(backend.name)
    scene.log.grow(1)
    assert anchorer.force(backend.name) == {backend.name: "scheduled"}
    assert anchorer.run_once(backend.name) == 10.0
    assert scene.sizes() == [1]
    scene.clock.advance(10.0)
    anchorer.run_once(backend.name)
    assert scene.sizes() == [1, 2]
    scene.log.grow(1)
    scene.clock.advance(3599.0)
    anchorer.run_once(backend.name)
    assert scene.sizes() == [1, 2]


def test_force_on_an_empty_log_does_nothing(scene):
    backend = ScriptedBackend()
    anchorer = scene.open(backend)
    assert anchorer.force() == {backend.name: "empty"}


def test_unknown_backend_is_not_found(scene):
    anchorer = scene.open(ScriptedBackend())
    for call in (anchorer.run_once, anchorer.force):
        with pytest.raises(NotFoundError):
            call("evm:77")
    with pytest.raises(NotFoundError):
        anchorer.wait_final(1, 0.0, ["evm:77"])


def test_two_backends_of_one_name_are_refused(scene):
    with pytest.raises(ConfigError):
        scene.open(ScriptedBackend("a"), ScriptedBackend("a"))


def test_backends_that_take_the_same_tree_share_the_round(scene):
    one, two = ScriptedBackend("evm:1", "evm"), ScriptedBackend("evm:2", "evm")
    anchorer = scene.open(one, two)
    scene.log.grow(3)
    anchorer.run_once("evm:1")
    scene.clock.advance(5.0)
    anchorer.run_once("evm:2")
    assert scene.sizes() == [3]
    assert set(scene.rounds.attempts(3)) == {"evm:1", "evm:2"}


def test_no_new_round_while_the_last_is_on_its_way_out(scene):
    backend = ScriptedBackend(then=BackendUnavailableError("away"))
    anchorer = scene.open(backend)
    scene.log.grow(1)
    for _ in range(20):
        anchorer.run_once(backend.name)
        scene.log.grow(1)
        scene.clock.advance(600.0)
    assert scene.sizes() == [1]
    assert anchorer.force() == {backend.name: "in_flight"}
    backend.then = final
    anchorer.run_once(backend.name)
    assert scene.sizes() == [1, 21]
    assert scene.rounds.attempt(21, backend.name).phase is Phase.FINAL


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.CONFIRMED])
def test_a_promise_does_not_hold_up_the_next_round(scene, phase):
    def promised(_round, attempt):
        return attempt.to(phase, retry_at=scene.clock.now() + timedelta(hours=12))

    backend = ScriptedBackend("calendar:a", "bitcoin", then=promised, interval_s=3600.0)
    anchorer = scene.open(backend)
    for _ in range(3):
        scene.log.grow(1)
        anchorer.run_once(backend.name)
        scene.clock.advance(3600.0)
    assert scene.sizes() == [1, 2, 3]
    assert [a.phase for _, a in scene.rounds.open_attempts(backend.name)] == [phase] * 3


# -- witnesses -------------------------------------------------------------------------------------


def test_a_witness_takes_each_round_of_anybody_and_none_by_itself(scene):
    tsa = ScriptedBackend("rfc3161:x", interval_s=60.0)
    witness = ScriptedBackend("witness:w", "witness", interval_s=math.inf)
    anchorer = scene.open(tsa, witness)
    scene.log.grow(1)
    anchorer.run_once("witness:w")
    assert witness.sizes == []
    for _ in range(3):
        anchorer.run_once("rfc3161:x")
        scene.log.grow(1)
        anchorer.run_once("witness:w")
        scene.clock.advance(60.0)
    assert witness.sizes == tsa.sizes == [1, 2, 3]


def test_a_witness_that_failed_takes_the_newest_round_again_after_a_wait(scene):
    tsa = ScriptedBackend("rfc3161:x")
    witness = ScriptedBackend(
        "witness:w", "witness", [BackendRejectedError("no")], interval_s=math.inf
    )
    anchorer = scene.open(tsa, witness)
    scene.log.grow(1)
    anchorer.run_once("rfc3161:x")
    anchorer.run_once("witness:w")
    anchorer.run_once("witness:w")
    assert len(witness.calls) == 1
    scene.clock.advance(30.0)
    anchorer.run_once("witness:w")
    assert scene.rounds.attempt(1, "witness:w").phase is Phase.FINAL


def test_a_witness_alone_makes_rounds_at_its_own_interval(scene):
    witness = ScriptedBackend("witness:w", "witness", interval_s=600.0)
    anchorer = scene.open(witness)
    scene.log.grow(1)
    anchorer.run_once("witness:w")
    scene.log.grow(1)
    anchorer.run_once("witness:w")
    assert scene.sizes() == [1]
    scene.clock.advance(600.0)
    anchorer.run_once("witness:w")
    assert scene.sizes() == [1, 2]


# -- failures --------------------------------------------------------------------------------------


def test_retries_wait_longer_and_longer_and_then_go_through(scene):
    backend = ScriptedBackend(answers=[BackendUnavailableError("away")] * 4)
    anchorer = scene.open(backend)
    scene.log.grow(1)
    waits = []
    for _ in range(4):
        waits.append(anchorer.run_once(backend.name))
        scene.clock.advance(waits[-1])
    assert waits == [2.0, 4.0, 8.0, 16.0]
    anchorer.run_once(backend.name)
    attempt = scene.rounds.attempt(1, backend.name)
    assert (attempt.phase, attempt.failures) == (Phase.FINAL, 0)


def test_a_failed_round_is_followed_by_a_fresh_one_of_the_same_root(scene):
    backend = ScriptedBackend(answers=[BackendRejectedError("no")] * 2, interval_s=3600.0)
    anchorer = scene.open(backend)
    scene.log.grow(4)
    anchorer.run_once(backend.name)
    assert scene.rounds.attempt(4, backend.name).phase is Phase.FAILED
    assert scene.rounds.attempt(4, backend.name).note == "no"
    scene.clock.advance(29.0)
    anchorer.run_once(backend.name)
    assert len(backend.calls) == 1
    scene.clock.advance(1.0)
    anchorer.run_once(backend.name)
    scene.clock.advance(60.0)
    anchorer.run_once(backend.name)
    assert [attempt.phase for _, attempt in backend.calls] == [Phase.SCHEDULED] * 3
    assert scene.rounds.attempt(4, backend.name).phase is Phase.FINAL


def test_a_failed_round_is_followed_by_the_newer_tree_if_there_is_one(scene):
    backend = ScriptedBackend(answers=[BackendRejectedError("no")])
    anchorer = scene.open(backend)
    scene.log.grow(4)
    anchorer.run_once(backend.name)
    scene.log.grow(1)
    scene.clock.advance(30.0)
    anchorer.run_once(backend.name)
    assert scene.rounds.attempt(4, backend.name).phase is Phase.FAILED
    assert scene.rounds.attempt(5, backend.name).phase is Phase.FINAL


def test_force_after_failures_tries_again_at_once(scene):
    backend = ScriptedBackend(answers=[BackendUnavailableError("away")] * 6)
    anchorer = scene.open(backend)
    scene.log.grow(1)
    for _ in range(6):
        scene.clock.advance(anchorer.run_once(backend.name))
    scene.clock.advance(-60.0)
    anchorer.run_once(backend.name)
    assert len(backend.calls) == 6
    anchorer.force(backend.name)
    anchorer.run_once(backend.name)
    assert scene.rounds.attempt(1, backend.name).phase is Phase.FINAL


def test_a_backend_that_always_wants_the_next_step_starves_nobody(scene):
    counter = iter(range(10_000))

    def restless(_round, attempt):
        return attempt.to(Phase.PENDING, data={"n": next(counter)})

    backend = ScriptedBackend(then=restless)
    anchorer = scene.open(backend)
    scene.log.grow(1)
    assert anchorer.run_once(backend.name) == 1.0
    assert len(backend.calls) == 32


def test_a_bug_is_visible_and_the_next_step_goes_on(scene):
    backend = ScriptedBackend(answers=[KeyError("oops")])
    anchorer = scene.open(backend)
    scene.log.grow(1)
    anchorer.run_once(backend.name)
    (state,) = anchorer.status()["backends"]
    assert state["state"] == "bug"
    assert "KeyError" in state["last_error"]
    assert [a.name for a in anchorer.alarms()] == ["bug"]
    scene.clock.advance(2.0)
    anchorer.run_once(backend.name)
    assert anchorer.status()["backends"][0]["state"] == "idle"
    assert anchorer.alarms() == []


# -- the log contradicts itself --------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["smaller", "other root"])
def test_a_log_that_is_not_what_was_anchored_stops_everything(scene, bad):
    backend = ScriptedBackend()
    scene.log.grow(5)
    scene.open(backend).run_once(backend.name)
    if bad == "smaller":
        scene.log = MemoryLog()
        scene.log.grow(4)
    else:
        scene.log = MemoryLog()
        scene.log.add(*(bytes([n]) * 32 for n in range(5)))
    anchorer = scene.reopen(backend)
    with pytest.raises(LogIntegrityError):
        anchorer.run_once(backend.name)
    assert anchorer.fatal is not None
    assert scene.events[-1].kind == "fatal"
    assert anchorer.status()["fatal"]["code"] == anchorer.fatal.code
    assert "log_integrity" in [a.name for a in anchorer.alarms()]
    with pytest.raises(LogIntegrityError):
        anchorer.wait_final(9, 0.0)


def test_a_round_of_another_root_by_another_backend_stops_everything(scene):
    one = ScriptedBackend("evm:1", "evm")
    scene.log.grow(3)
    scene.open(one).run_once("evm:1")
    scene.log = MemoryLog()
    scene.log.add(*(bytes([n]) * 32 for n in range(3)))
    anchorer = scene.reopen(ScriptedBackend("evm:2", "evm"))
    with pytest.raises(LogIntegrityError):
        anchorer.run_once("evm:2")


def test_log_integrity_error_of_a_backend_stops_everything(scene):
    backend = ScriptedBackend(answers=[LogIntegrityError("the witness saw another root")])
    anchorer = scene.open(backend)
    scene.log.grow(1)
    with pytest.raises(LogIntegrityError):
        anchorer.run_once(backend.name)
    assert scene.rounds.attempt(1, backend.name) == Attempt()


# -- clocks ----------------------------------------------------------------------------------------


def test_wall_clock_that_jumps_back_delays_neither_rounds_nor_retries(scene):
    backend = ScriptedBackend(answers=[BackendUnavailableError("away")], interval_s=60.0)
    anchorer = scene.open(backend)
    scene.log.grow(1)
    assert anchorer.run_once(backend.name) == 2.0
    scene.clock.jump_wall(-6 * 3600.0)
    scene.clock.advance(2.0)
    anchorer.run_once(backend.name)
    assert scene.rounds.attempt(1, backend.name).phase is Phase.FINAL
    scene.log.grow(1)
    scene.clock.jump_wall(-6 * 3600.0)
    scene.clock.advance(60.0)
    anchorer.run_once(backend.name)
    assert scene.sizes() == [1, 2]


def test_wall_clock_that_jumps_forward_hurries_nothing(scene):
    backend = ScriptedBackend(interval_s=3600.0)
    anchorer = scene.open(backend)
    scene.log.grow(1)
    anchorer.run_once(backend.name)
    scene.log.grow(1)
    scene.clock.jump_wall(365 * 86400.0)
    anchorer.run_once(backend.name)
    assert scene.sizes() == [1]


def test_restart_under_a_clock_that_went_back_waits_at_most_an_hour(scene):
    def later(_round, attempt):
        return attempt.to(Phase.PENDING, retry_at=scene.clock.now() + timedelta(hours=2))

    backend = ScriptedBackend("calendar:a", "bitcoin", [later], interval_s=3600.0)
    scene.log.grow(1)
    scene.open(backend).run_once(backend.name)
    scene.clock.jump_wall(-48 * 3600.0)
    scene.clock.restart()
    anchorer = scene.reopen(backend)
    scene.log.grow(1)
    assert anchorer.run_once(backend.name) == 3600.0
    scene.clock.advance(3600.0)
    anchorer.run_once(backend.name)
    assert scene.rounds.attempt(1, backend.name).phase is Phase.FINAL
    assert scene.rounds.attempt(2, backend.name).phase is Phase.FINAL


def test_restart_remembers_how_long_ago_the_last_round_was(scene):
    backend = ScriptedBackend(interval_s=3600.0)
    scene.log.grow(1)
    scene.open(backend).run_once(backend.name)
    scene.clock.advance(3000.0)
    scene.clock.restart()
    anchorer = scene.reopen(backend)
    scene.log.grow(1)
    assert anchorer.run_once(backend.name) == pytest.approx(600.0)
    assert scene.sizes() == [1]
    scene.clock.advance(600.0)
    anchorer.run_once(backend.name)
    assert scene.sizes() == [1, 2]


# -- our own tokens --------------------------------------------------------------------------------


def stamped(number):
    def answer(round_, attempt):
        text = base64_text(b"token %d of %d" % (number, round_.tree_size))
        return final(round_, attempt, kind="rfc3161", token=text)

    return answer


def test_tokens_enter_the_log_and_do_not_keep_the_authority_busy(scene):
    tsa = ScriptedBackend("rfc3161:x", then=stamped(1))
    anchorer = scene.open(tsa, submit_digest=scene.log.submit)
    scene.log.grow(3)
    for _ in range(50):
        anchorer.run_once(tsa.name)
        anchorer.run_chores()
        scene.clock.advance(3600.0)
    assert tsa.sizes == [3]
    assert scene.log.entries[3:] == [hashlib.sha256(b"token 1 of 3").digest()]
    scene.log.grow(1)
    anchorer.run_once(tsa.name)
    assert tsa.sizes == [3, 5]


def test_two_authorities_do_not_keep_each_other_busy(scene):
    one = ScriptedBackend("rfc3161:a", then=stamped(1))
    two = ScriptedBackend("rfc3161:b", then=stamped(2))
    anchorer = scene.open(one, two, submit_digest=scene.log.submit)
    scene.log.grow(1)
    for _ in range(20):
        for name in ("rfc3161:a", "rfc3161:b"):
            anchorer.run_once(name)
            anchorer.run_chores()
        scene.clock.advance(600.0)
    assert (one.sizes, two.sizes) == ([1], [2])
    assert len(scene.log.entries) == 3


def test_other_families_take_a_round_for_tokens_alone_once_a_day(scene):
    tsa = ScriptedBackend("rfc3161:x", then=stamped(1))
    evm = ScriptedBackend("evm:1", "evm", interval_s=3600.0)
    anchorer = scene.open(tsa, evm, submit_digest=scene.log.submit)
    scene.log.grow(1)
    hours = 0
    while len(evm.sizes) < 2:
        for name in (tsa.name, evm.name):
            anchorer.run_once(name)
        anchorer.run_chores()
        scene.clock.advance(3600.0)
        hours += 1
        assert hours < 48
    assert hours == 25
    assert evm.sizes == [1, 2]
    for _ in range(72):
        anchorer.run_once(evm.name)
        scene.clock.advance(3600.0)
    assert evm.sizes == [1, 2]


def test_force_takes_a_round_for_tokens_alone(scene):
    tsa = ScriptedBackend("rfc3161:x", then=stamped(1))
    evm = ScriptedBackend("evm:1", "evm", interval_s=3600.0)
    anchorer = scene.open(tsa, evm, submit_digest=scene.log.submit)
    scene.log.grow(1)
    anchorer.run_once(evm.name)
    anchorer.run_once(tsa.name)
    anchorer.run_chores()
    assert anchorer.force("evm:1") == {"evm:1": "scheduled"}
    anchorer.run_once(evm.name)
    assert evm.sizes == [1, 2]


# -- threads ---------------------------------------------------------------------------------------


def test_a_hanging_backend_delays_no_other(tmp_path):
    log = MemoryLog()
    rounds = SqliteRoundStore(tmp_path / "r.db")
    hanging, well = HangingBackend(), ScriptedBackend("rfc3161:x")
    anchorer = Anchorer(log.tree, rounds, [hanging, well])
    anchorer.start()
    log.grow(1)
    anchorer.wake()
    assert hanging.inside.wait(30)
    assert anchorer.wait_final(1, 30.0, ["rfc3161:x"]) == []
    assert anchorer.wait_final(1, 0.0) == ["test:hangs"]
    states = {b["name"]: b for b in anchorer.status()["backends"]}
    assert states["test:hangs"]["state"] == "working"
    assert anchorer.stop(0.05) == ["test:hangs"]
    hanging.let_go.set()
    # The step that was still out is stored when it comes back.
    assert anchorer.stop(30.0) == []
    assert rounds.attempt(1, "test:hangs").phase is Phase.FINAL
    rounds.close()


def test_threads_carry_a_round_to_final_and_stop_cleanly(tmp_path):
    log = MemoryLog()
    rounds = SqliteRoundStore(tmp_path / "r.db")
    steps = [lambda r, a: a.to(Phase.PREPARED), lambda r, a: a.to(Phase.PENDING)]
    backend = ScriptedBackend(answers=steps)
    events: queue.Queue = queue.Queue()
    anchorer = Anchorer(log.tree, rounds, [backend], on_event=events.put, submit_digest=log.submit)
    assert not anchorer.running
    anchorer.start()
    assert anchorer.running
    with pytest.raises(RuntimeError):
        anchorer.start()
    log.grow(2)
    anchorer.wake()
    assert anchorer.wait_final(2, 30.0) == []
    assert anchorer.stop(30.0) == []
    assert not anchorer.running
    seen = []
    while not events.empty():
        event = events.get()
        seen.append((event.kind, event.phase))
    assert seen[:4] == [
        ("round", Phase.SCHEDULED),
        ("attempt", Phase.PREPARED),
        ("attempt", Phase.PENDING),
        ("attempt", Phase.FINAL),
    ]
    rounds.close()


def test_log_integrity_error_in_one_thread_ends_all(tmp_path):
    log = MemoryLog()
    rounds = SqliteRoundStore(tmp_path / "r.db")
    bad = ScriptedBackend("test:bad", "evm", [LogIntegrityError("two roots")])
    fatal: queue.Queue = queue.Queue()
    anchorer = Anchorer(
        log.tree,
        rounds,
        [bad, ScriptedBackend("test:good", "evm")],
        on_event=lambda e: fatal.put(e) if e.kind == "fatal" else None,
    )
    anchorer.start()
    log.grow(1)
    anchorer.wake()
    assert fatal.get(timeout=30).note == "two roots"
    assert anchorer.stop(30.0) == []
    assert not anchorer.running
    rounds.close()


def test_a_listener_that_raises_stops_no_round(scene):
    def listener(_event):
        raise RuntimeError("nobody listens")

    backend = ScriptedBackend()
    anchorer = Anchorer(scene.log.tree, scene.rounds, [backend], scene.clock, listener)
    scene.log.grow(1)
    anchorer.run_once(backend.name)
    assert scene.rounds.attempt(1, backend.name).phase is Phase.FINAL
    assert [(a.name, a.backend) for a in anchorer.alarms()] == [("bug", "listener")]


def test_tree_that_cannot_be_read_is_a_visible_stumble_of_the_thread(tmp_path):
    rounds = SqliteRoundStore(tmp_path / "r.db")
    log = MemoryLog()
    log.grow(1)
    failing = iter(range(5))

    def log_tree() -> CommittedTree | None:
        if next(failing, None) is not None:
            raise OSError("disk")
        return log.tree()

    backend = ScriptedBackend()
    settings = AnchorerSettings(retry_base_s=0.01, retry_max_s=0.02)
    anchorer = Anchorer(log_tree, rounds, [backend], settings=settings)
    anchorer.start()
    assert anchorer.wait_final(1, 30.0) == []
    assert next(failing, None) is None
    assert anchorer.stop(30.0) == []
    rounds.close()
