from __future__ import annotations

from anchor.ports import Phase
from anchor.service.anchor_event import AnchorEvent
from anchor.service.expectation import Expectation, expectations_of
from anchor.service.worker_view import WorkerView
from tests.fakes.clock import START


def test_an_event_shows_what_it_has_and_nothing_else():
    assert AnchorEvent("fatal", START).as_json() == {"kind": "fatal", "at": "2026-11-23T12:00:00Z"}
    whole = AnchorEvent("attempt", START, "evm:1", 7, Phase.PENDING, "", "waits")
    assert whole.as_json() == {
        "kind": "attempt",
        "at": "2026-11-23T12:00:00Z",
        "backend": "evm:1",
        "tree_size": 7,
        "phase": "pending",
        "note": "waits",
    }
    assert AnchorEvent("alarm", START, name="bug").as_json()["name"] == "bug"


def test_expectations_add_the_usual_time_and_never_lie_in_the_past():
    views = [
        WorkerView("rfc3161:x", "rfc3161", next_round_at=START.replace(hour=1)),
        WorkerView("evm:1", "evm", next_round_at=START.replace(hour=13)),
        WorkerView("witness:w", "witness", next_round_at=None),
        WorkerView("other:o", "other", next_round_at=START),
    ]
    assert expectations_of(views, START) == [
        Expectation("rfc3161:x", "rfc3161", START.replace(second=10)),
        Expectation("evm:1", "evm", START.replace(hour=13, minute=30)),
        Expectation("witness:w", "witness", None),
        Expectation("other:o", "other", START.replace(hour=13)),
    ]
