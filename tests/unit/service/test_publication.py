from __future__ import annotations

from typing import Any

import pytest

from anchor.errors import BackendProtocolError
from anchor.ports import Attempt, Health, Phase, Round
from anchor.service.backoff import Backoff
from anchor.service.publication import Publication, publication_of
from anchor.stores.round_store import SqliteRoundStore
from tests.fakes.clock import START, FakeClock


class Publisher:
    name = "ipfs"

    def __init__(self) -> None:
        self.calls: list[tuple[int, list[str]]] = []
        self.raises: list[BaseException] = []

    def publish(self, round_, attempts) -> dict[str, Any]:
        if self.raises:
            raise self.raises.pop(0)
        self.calls.append((round_.tree_size, sorted(attempts)))
        return {"cid": f"cid{len(self.calls)}"}

    def health(self) -> Health:
        return Health(ok=True)


class Scene:
    def __init__(self, path) -> None:
        self.rounds = SqliteRoundStore(path)
        self.publisher = Publisher()
        self.events: list = []
        self.open()

    def open(self) -> None:
        self.publication = Publication(
            self.publisher,
            self.rounds,
            FakeClock(),
            Backoff(2.0, 300.0, lambda: 0.0),
            self.events.append,
        )

    def put(self, size: int, name: str, phase: Phase) -> None:
        self.rounds.add_round(Round(size, size.to_bytes(32, "big"), "note", START))
        self.rounds.set_attempt(size, name, Attempt(phase))

    def unfinished(self) -> list[int]:
        return self.rounds.meta("ipfs.unfinished")["tree_sizes"]


@pytest.fixture
def scene(tmp_path):
    one = Scene(tmp_path / "r.db")
    yield one
    one.rounds.close()


def test_a_round_is_published_once_for_each_backend_that_became_final(scene):
    scene.put(3, "a", Phase.FINAL)
    scene.put(3, "b", Phase.PENDING)
    scene.publication.expect(3)
    scene.publication.changed(3)
    assert scene.publication.run_once() == 60.0
    scene.publication.changed(3)  # nothing new
    scene.publication.run_once()
    scene.put(3, "b", Phase.FINAL)
    scene.publication.changed(3)
    scene.publication.run_once()
    assert scene.publisher.calls == [(3, ["a"]), (3, ["a", "b"])]
    assert publication_of(scene.rounds, "ipfs", 3) == {
        "cid": "cid2",
        "backends": ["a", "b"],
        "published_at": "2026-11-23T12:00:00Z",
    }
    assert [(e.kind, e.tree_size) for e in scene.events] == [("published", 3)] * 2
    assert scene.unfinished() == []


def test_a_crash_after_the_last_backend_became_final_forgets_nothing(scene):
    scene.put(3, "a", Phase.FINAL)
    scene.put(3, "b", Phase.PENDING)
    scene.publication.expect(3)
    scene.publication.changed(3)
    scene.publication.run_once()
    assert scene.unfinished() == [3]  # b may still become final
    scene.publication.expect(3)
    scene.put(3, "b", Phase.FINAL)
    scene.open()  # the process died before anybody said "changed"
    scene.publication.run_once()
    assert scene.publisher.calls[-1] == (3, ["a", "b"])
    assert scene.unfinished() == []


def test_a_round_whose_other_attempts_failed_is_done(scene):
    scene.put(3, "a", Phase.FINAL)
    scene.put(3, "b", Phase.PENDING)
    scene.publication.expect(3)
    scene.publication.changed(3)
    scene.publication.run_once()
    scene.put(3, "b", Phase.FAILED)
    scene.publication.changed(3)
    scene.publication.run_once()
    assert scene.publisher.calls == [(3, ["a"])]
    assert scene.unfinished() == []


def test_a_round_that_is_not_final_yet_is_not_published(scene):
    scene.put(3, "a", Phase.SUBMITTED)
    scene.publication.expect(3)
    scene.publication.changed(3)
    scene.publication.run_once()
    assert scene.publisher.calls == []
    assert scene.unfinished() == [3]


def test_a_round_that_nobody_expects_is_not_published(scene):
    scene.put(3, "a", Phase.FAILED)
    scene.publication.changed(3)
    scene.publication.run_once()
    assert scene.publisher.calls == []


def test_the_oldest_goes_first_and_a_failure_waits_longer_each_time(scene):
    for size in (9, 3, 6):
        scene.put(size, "a", Phase.FINAL)
        scene.publication.expect(size)
        scene.publication.changed(size)
    scene.publisher.raises = [BackendProtocolError("nonsense"), RuntimeError("oops")]
    assert scene.publication.run_once() == 2.0
    assert scene.publication.last_error == "nonsense"
    assert scene.publication.run_once() == 4.0
    assert scene.publication.last_error == "bug: RuntimeError: oops"
    assert (scene.publication.failures, scene.publication.waiting) == (2, 3)
    assert scene.publication.run_once() == 60.0
    assert [size for size, _ in scene.publisher.calls] == [3, 6, 9]
    assert (scene.publication.failures, scene.publication.last_error) == (0, "")


def test_the_death_of_the_process_is_not_caught_and_not_forgotten(scene):
    scene.put(3, "a", Phase.FINAL)
    scene.publication.expect(3)
    scene.publication.changed(3)
    scene.publisher.raises = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        scene.publication.run_once()
    scene.publication.run_once()
    assert scene.publisher.calls == [(3, ["a"])]
