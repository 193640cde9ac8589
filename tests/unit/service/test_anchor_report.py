"""Status, metrics and the named alarms."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from anchor.errors import BackendRejectedError, BackendUnavailableError, OverloadedError
from anchor.formats.encoding import base64_text
from anchor.ports import Health, Phase
from anchor.service.alarm_rules import AlarmLimits
from anchor.service.anchorer import Anchorer
from anchor.service.anchorer_settings import AnchorerSettings
from anchor.service.metrics import render_metrics
from anchor.stores.round_store import SqliteRoundStore
from tests.fakes.backends import FaultyRounds, HangingBackend, ScriptedBackend, final
from tests.fakes.clock import FakeClock
from tests.fakes.memory_log import MemoryLog

AWAY = BackendUnavailableError("no answer")


class Scene:
    def __init__(self, path) -> None:
        self.log = MemoryLog()
        self.clock = FakeClock()
        self.store = SqliteRoundStore(path)
        self.events: list = []

    def open(self, *backends, rounds=None, **more) -> Anchorer:
        self.anchorer = Anchorer(
            self.log.tree,
            rounds or self.store,
            backends,
            self.clock,
            self.events.append,
            jitter=lambda: 0.0,
            **more,
        )
        return self.anchorer

    def names(self) -> list[tuple[str, str]]:
        return [(a.name.value, a.backend) for a in self.anchorer.alarms()]

    def turn(self, seconds: float = 1.0) -> None:
        for name in self.anchorer.backend_names:
            self.anchorer.run_once(name)
        self.anchorer.run_chores()
        self.clock.advance(seconds)


@pytest.fixture
def scene(tmp_path):
    one = Scene(tmp_path / "r.db")
    yield one
    one.store.close()


# -- the oldest unanchored digest ------------------------------------------------------------------


def test_age_of_the_oldest_unanchored_digest_counts_from_its_acceptance(scene):
    backend = ScriptedBackend(answers=[AWAY] * 1000)
    anchorer = scene.open(backend)
    assert anchorer.status()["oldest_unanchored"] is None
    scene.log.grow(3)
    scene.turn(100.0)
    scene.log.grow(3)
    scene.turn(100.0)
    oldest = anchorer.status()["oldest_unanchored"]
    assert oldest == {"leaf_index": 0, "accepted_at": "2026-11-23T12:00:00Z", "age_s": 200.0}
    backend.answers = []
    scene.clock.advance(300.0)
    anchorer.run_once(backend.name)  # size 3 goes through, and size 6 right after it
    assert anchorer.status()["oldest_unanchored"] is None


def test_a_new_digest_is_as_old_as_itself_not_as_the_last_round(scene):
    backend = ScriptedBackend(interval_s=3600.0)
    anchorer = scene.open(backend)
    scene.log.grow(1)
    scene.turn(3000.0)
    scene.log.grow(1)
    scene.turn(7.0)
    assert anchorer.status()["oldest_unanchored"]["age_s"] == 7.0


def test_old_unanchored_digest_is_an_alarm_and_ends(scene):
    backend = ScriptedBackend(then=AWAY, interval_s=60.0)
    anchorer = scene.open(backend)
    scene.log.grow(1)
    scene.turn(599.0)
    assert ("old_unanchored_digest", "") not in scene.names()
    scene.turn(2.0)
    anchorer.run_chores()
    assert ("old_unanchored_digest", "") in scene.names()
    backend.then = final
    scene.clock.advance(300.0)
    scene.turn()
    assert scene.names() == []
    told = [(e.kind, e.name) for e in scene.events if e.kind.startswith("alarm")]
    assert ("alarm", "old_unanchored_digest") in told
    assert ("alarm_over", "old_unanchored_digest") in told


def test_tokens_waiting_for_their_round_are_not_unanchored_digests(scene):
    tsa = ScriptedBackend(
        then=lambda r, a: final(r, a, kind="rfc3161", token=base64_text(b"t%d" % r.tree_size))
    )
    anchorer = scene.open(tsa, submit_digest=scene.log.submit)
    scene.log.grow(1)
    for _ in range(30):
        scene.turn(600.0)
    assert len(scene.log.entries) == 2
    assert anchorer.status()["oldest_unanchored"] is None
    assert scene.names() == []


def test_each_backend_shows_its_own_oldest_digest(scene):
    quick, slow = ScriptedBackend("rfc3161:x"), ScriptedBackend("evm:1", "evm", then=AWAY)
    anchorer = scene.open(quick, slow)
    scene.log.grow(2)
    scene.turn(50.0)
    shown = {b["name"]: b["oldest_unanchored"] for b in anchorer.status()["backends"]}
    assert shown["rfc3161:x"] is None
    assert shown["evm:1"]["age_s"] == 50.0


def test_age_is_never_negative_under_a_clock_that_went_back(scene):
    anchorer = scene.open(ScriptedBackend(then=AWAY))
    scene.log.grow(1)
    scene.turn()
    scene.clock.jump_wall(-3600.0)
    assert anchorer.status()["oldest_unanchored"]["age_s"] == 0.0


# -- alarms of one backend -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "alarm"),
    [("low_funds", "low_funds"), ("fee_ceiling", "fee_ceiling"), ("silent", "silent_calendar")],
)
def test_flag_in_the_health_is_an_alarm(scene, flag, alarm):
    backend = ScriptedBackend("evm:1", "evm")
    scene.open(backend)
    scene.log.grow(1)
    backend.shown = Health(ok=False, note="0.001 ether left", detail={flag: True})
    scene.turn()
    assert (alarm, "evm:1") in scene.names()
    assert scene.anchorer.alarms()[0].note == "0.001 ether left"
    backend.shown = Health(ok=True, detail={flag: False})
    scene.turn()
    assert scene.names() == []


@pytest.mark.parametrize(
    ("family", "alarm"), [("bitcoin", "silent_calendar"), ("evm", "backend_unavailable")]
)
def test_a_backend_that_only_fails_is_an_alarm_after_a_while(scene, family, alarm):
    backend = ScriptedBackend("x:y", family, then=AWAY)
    scene.open(backend)
    scene.log.grow(1)
    scene.turn(899.0)
    assert (alarm, "x:y") not in scene.names()
    scene.turn(2.0)
    assert (alarm, "x:y") in scene.names()


def test_one_failure_after_long_silence_is_no_alarm_yet(scene):
    backend = ScriptedBackend("calendar:a", "bitcoin")
    scene.open(backend)
    scene.log.grow(1)
    scene.turn(86_400.0)
    backend.then = AWAY
    scene.log.grow(1)
    scene.turn(5.0)
    assert ("silent_calendar", "calendar:a") not in scene.names()


def test_an_answer_between_the_failures_starts_the_count_anew(scene):
    waiting = []

    def pending(_round, attempt):
        waiting.append(1)
        return attempt.to(Phase.PENDING, retry_at=scene.clock.now() + timedelta(seconds=10))

    backend = ScriptedBackend("calendar:a", "bitcoin", [AWAY, pending, AWAY], then=AWAY)
    scene.open(backend)
    scene.log.grow(1)
    scene.turn(800.0)
    scene.turn(10.0)
    assert waiting
    scene.turn(800.0)
    assert ("silent_calendar", "calendar:a") not in scene.names()


def test_a_backend_that_calls_itself_unwell_is_an_alarm_after_a_while(scene):
    backend = ScriptedBackend(
        "calendar:a",
        "bitcoin",
        then=lambda _r, a: a.to(Phase.PENDING, retry_at=scene.clock.now() + timedelta(seconds=60)),
    )
    backend.shown = Health(ok=False, note="answers with another block")
    scene.open(backend)
    scene.log.grow(1)
    scene.turn(1000.0)
    assert ("silent_calendar", "calendar:a") in scene.names()


def test_rounds_that_fail_in_a_row_are_an_alarm(scene):
    backend = ScriptedBackend("evm:1", "evm", then=BackendRejectedError("unknown contract"))
    scene.open(backend)
    scene.log.grow(1)
    for _ in range(2):
        scene.turn(3600.0)
    assert ("rounds_failing", "evm:1") not in scene.names()
    scene.turn(3600.0)
    (alarm,) = [a for a in scene.anchorer.alarms() if a.name == "rounds_failing"]
    assert "unknown contract" in alarm.note
    assert scene.anchorer.status()["backends"][0]["state"] == "failing"


def test_an_attempt_long_past_its_time_is_overdue(scene):
    backend = ScriptedBackend(
        "calendar:a",
        "bitcoin",
        then=lambda _r, a: a.to(
            Phase.PENDING,
            retry_at=scene.clock.now() + timedelta(hours=1),
            expected_at=a.expected_at or scene.clock.now() + timedelta(hours=12),
        ),
    )
    scene.open(backend, settings=AnchorerSettings(alarms=AlarmLimits(unanchored_s=10**9)))
    scene.log.grow(1)
    scene.turn(35 * 3600.0)
    scene.turn()
    assert scene.names() == []
    scene.clock.advance(2 * 3600.0)
    scene.turn()
    assert scene.names() == [("overdue", "calendar:a")]


def test_a_step_that_does_not_come_back_is_an_alarm(tmp_path):
    clock, log = FakeClock(), MemoryLog()
    store = SqliteRoundStore(tmp_path / "r.db")
    backend = HangingBackend()
    anchorer = Anchorer(log.tree, store, [backend], clock)
    anchorer.start()
    log.grow(1)
    anchorer.wake()
    assert backend.inside.wait(30)
    clock.advance(299.0)
    assert "hanging" not in [a.name for a in anchorer.alarms()]
    clock.advance(2.0)
    assert "hanging" in [a.name for a in anchorer.alarms()]
    backend.let_go.set()
    assert anchorer.stop(30.0) == []
    store.close()


def test_a_store_that_refuses_is_an_alarm(scene):
    backend = ScriptedBackend()
    rounds = FaultyRounds(scene.store, fail_at=2, times=1000)
    scene.open(backend, rounds=rounds)
    scene.log.grow(1)
    scene.anchorer.run_once(backend.name)
    assert ("store", backend.name) in scene.names()
    (attempt,) = scene.anchorer.status()["backends"][0]["attempts"]
    assert (attempt["phase"], attempt["stored"]) == ("final", False)
    rounds.fail_at = None
    scene.clock.advance(2.0)
    scene.anchorer.run_once(backend.name)
    assert scene.names() == []
    assert len(backend.calls) == 1


def test_tokens_that_the_log_refuses_are_an_alarm(scene):
    def refuse(_digest: bytes) -> int:
        raise OverloadedError("quota")

    tsa = ScriptedBackend(
        then=lambda r, a: final(r, a, kind="rfc3161", token=base64_text(b"t%d" % r.tree_size))
    )
    limits = AnchorerSettings(alarms=AlarmLimits(tokens=2))
    scene.open(tsa, submit_digest=refuse, settings=limits)
    for _ in range(2):
        assert scene.names() == []
        scene.log.grow(1)
        scene.turn(60.0)
    assert scene.names() == [("tokens_waiting", "")]
    assert scene.anchorer.status()["tokens_waiting"] == 2


def test_a_submission_of_tokens_that_times_out_stops_no_chores(scene):
    def slow(_digest: bytes) -> int:
        raise TimeoutError

    tsa = ScriptedBackend(then=lambda r, a: final(r, a, kind="rfc3161", token=base64_text(b"t")))
    anchorer = scene.open(tsa, submit_digest=slow)
    scene.log.grow(1)
    scene.turn(60.0)
    assert anchorer.run_chores() == 1.0
    assert anchorer.status()["tokens_waiting"] == 1


def test_health_that_raises_is_shown_and_stops_nothing(scene):
    backend = ScriptedBackend()

    def broken() -> Health:
        raise RuntimeError("no health")

    backend.health = broken  # type: ignore[method-assign]
    scene.open(backend)
    scene.log.grow(1)
    scene.turn()
    shown = scene.anchorer.status()["backends"][0]["health"]
    assert shown["ok"] is False
    assert "RuntimeError" in shown["note"]
    assert scene.store.attempt(1, backend.name).phase is Phase.FINAL


def test_an_alarm_keeps_its_first_time(scene):
    backend = ScriptedBackend("evm:1", "evm")
    backend.shown = Health(ok=False, detail={"low_funds": True})
    scene.open(backend)
    scene.turn(100.0)
    (alarm,) = scene.anchorer.status()["alarms"]
    assert alarm["since"] == "2026-11-23T12:00:00Z"
    scene.turn(100.0)
    assert scene.anchorer.status()["alarms"] == [alarm]
    assert [e.kind for e in scene.events] == ["alarm"]


@pytest.mark.parametrize(
    ("backends", "limit_s"),
    [
        ([ScriptedBackend("a", "rfc3161", interval_s=60)], 600),
        ([ScriptedBackend("a", "evm", interval_s=3600)], 3 * 5400),
        (
            [ScriptedBackend("a", "evm", interval_s=3600), ScriptedBackend("b", interval_s=600)],
            3 * 610,
        ),
        ([ScriptedBackend("a", "witness", interval_s=float("inf"))], 864_000),
    ],
)
def test_the_limit_on_age_follows_the_quickest_backend(backends, limit_s):
    assert AlarmLimits().unanchored_limit_s(backends) == limit_s
    assert AlarmLimits(unanchored_s=5.0).unanchored_limit_s(backends) == 5.0


# -- status and metrics ----------------------------------------------------------------------------


def test_status_is_json_and_tells_the_last_final_round_also_after_a_restart(scene):
    backend = ScriptedBackend("witness:w", "witness", interval_s=float("inf"))
    tsa = ScriptedBackend()
    anchorer = scene.open(tsa, backend)
    scene.log.grow(4)
    scene.turn()
    status = json.loads(json.dumps(anchorer.status(), allow_nan=False))
    assert status["tree_size"] == 4
    assert status["fatal"] is None
    shown = {b["name"]: b for b in status["backends"]}
    assert shown["witness:w"]["next_round_at"] is None
    assert shown[tsa.name]["last_final"] == {
        "tree_size": 4,
        "round_created_at": "2026-11-23T12:00:00Z",
        "at": "2026-11-23T12:00:00Z",
    }
    again = scene.open(tsa, backend).status()
    assert again["backends"][0]["last_final"]["tree_size"] == 4
    assert again["backends"][0]["last_final"]["at"] is None


def test_metrics_hold_every_alarm_name_and_the_backends_numbers(scene):
    backend = ScriptedBackend("evm:1", "evm", [AWAY])
    backend.shown = Health(
        ok=False, detail={"low_funds": True, "balance_wei": "1" + "0" * 18, "address": "0xab"}
    )
    anchorer = scene.open(backend)
    scene.log.grow(4)
    scene.turn(30.0)
    lines = render_metrics(anchorer.metrics()).splitlines()
    assert "vestige_log_tree_size 4" in lines
    assert "vestige_oldest_unanchored_age_seconds 30" in lines
    assert 'vestige_alarm{alarm="low_funds",backend="evm:1"} 1' in lines
    assert 'vestige_alarm{alarm="silent_calendar",backend=""} 0' in lines
    labels = 'backend="evm:1",family="evm"'
    assert f'vestige_backend_detail{{{labels},key="balance_wei"}} 1000000000000000000' in [
        line.replace("1e+18", "1000000000000000000") for line in lines
    ]
    assert not any("address" in line for line in lines)
    assert f'vestige_backend_steps_total{{{labels},outcome="retry"}} 1' in lines
    assert f"vestige_backend_final_tree_size{{{labels}}} 0" in lines
    assert f"vestige_backend_healthy{{{labels}}} 0" in lines
    assert f"vestige_backend_unanchored_age_seconds{{{labels}}} 30" in lines
