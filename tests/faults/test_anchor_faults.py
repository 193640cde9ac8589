"""The fault table of the anchorer: every write failed, and every write failed but persisted.

Each row runs a whole round (log, two backends, a token into the log, a publisher) with one write of
the round store going wrong, either with an error or with the death of the process and a restart
from the file. At the end everything must be final, published and in the log, nothing may have been
sent that was not on disk at that moment, and nothing twice without a look-up in between.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anchor.errors import BackendUnavailableError, StoreError, StoreUnavailableError
from anchor.formats.encoding import base64_text
from anchor.ports import Health, Phase
from anchor.service.anchorer import Anchorer
from anchor.stores.round_store import SqliteRoundStore
from tests.fakes.backends import (
    Crash,
    DisciplinedBackend,
    FaultyRounds,
    OutsideWorld,
    ScriptedBackend,
    final,
)
from tests.fakes.clock import FakeClock
from tests.fakes.memory_log import MemoryLog

TOKEN_DIGEST = hashlib.sha256(b"token").digest()


def stamp(round_, attempt):
    return final(round_, attempt, kind="rfc3161", token=base64_text(b"token"))


class FakePublisher:
    """Remembers what it was given; refuses the first time."""

    name = "ipfs"

    def __init__(self) -> None:
        self.published: dict[int, list[str]] = {}
        self.refusals = 1

    def publish(self, round_, attempts) -> dict[str, Any]:
        if self.refusals:
            self.refusals -= 1
            raise BackendUnavailableError("busy")
        assert all(a.phase is Phase.FINAL for a in attempts.values())
        self.published[round_.tree_size] = sorted(attempts)
        return {"cid": f"cid of {sorted(attempts)}"}

    def health(self) -> Health:
        return Health(ok=True)


class Scene:
    """Everything around one anchorer that dies and comes back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.log = MemoryLog()
        self.world = OutsideWorld()
        self.publisher = FakePublisher()
        self.sends_without_disk: list[str] = []
        self.store = SqliteRoundStore(path)
        self.faulty = FaultyRounds(self.store)
        self.restarts = 0
        self.open()

    def open(self, **faults) -> None:
        self.faulty = FaultyRounds(self.store, **faults)
        self.evm = DisciplinedBackend(self.world, self.store.attempt, self.clock.now)
        self.evm.sends_without_disk = self.sends_without_disk
        self.tsa = ScriptedBackend("rfc3161:x", then=stamp)
        self.anchorer = Anchorer(
            self.log.tree,
            self.faulty,
            [self.evm, self.tsa],
            self.clock,
            submit_digest=self.log.submit,
            publisher=self.publisher,
            jitter=lambda: 0.0,
        )

    def restart(self, **faults) -> None:
        self.restarts += 1
        self.store.close()
        self.store = SqliteRoundStore(self.path)
        self.clock.restart()
        self.open(**faults)

    def run(self, turns: int = 30, *, then: dict[str, Any] | None = None) -> None:
        """Do what the threads do, turn by turn, until nothing is left to do."""
        for _ in range(turns):
            try:
                for work in (
                    lambda: self.anchorer.run_once(self.evm.name),
                    lambda: self.anchorer.run_once(self.tsa.name),
                    self.anchorer.run_chores,
                    self.anchorer.run_publisher,
                ):
                    with contextlib.suppress(StoreError):  # the thread tries again
                        work()
            except Crash:
                faults, then = then or {}, None
                self.restart(**faults)
            self.clock.advance(10.0)

    def check(self) -> None:
        covering = self.store.first_rounds_covering(2)
        assert {name: a.phase for name, (_, a) in covering.items()} == {
            "evm:1": Phase.FINAL,
            "rfc3161:x": Phase.FINAL,
        }
        for round_ in self.store.rounds():
            attempts = self.store.attempts(round_.tree_size)
            assert all(a.phase is Phase.FINAL for a in attempts.values())
            if attempts:
                assert self.publisher.published[round_.tree_size] == sorted(attempts)
                published = self.store.meta(f"ipfs:{round_.tree_size}")
                assert published["backends"] == sorted(attempts)
        assert self.store.meta("ipfs.unfinished") == {"tree_sizes": []}
        assert self.world.sent_blindly() == []
        assert self.sends_without_disk == []
        assert self.log.entries.count(TOKEN_DIGEST) == 1
        assert self.store.meta("tokens")["waiting"] == []


@pytest.fixture
def scene(tmp_path):
    one = Scene(tmp_path / "r.db")
    one.log.grow(3)
    yield one
    one.store.close()


def test_without_faults_everything_is_done_once(scene):
    scene.run()
    scene.check()
    assert list(scene.world.sent.values()) == [1]
    # The table below must not be shorter than the way of a round.
    assert len(scene.faulty.writes) >= 16
    assert {w.split()[0] for w in scene.faulty.writes} == {
        "add_round",
        "put_meta",
        "record_commit",
        "set_attempt",
    }


ROWS = range(24)


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "persisted"])
@pytest.mark.parametrize("row", ROWS)
def test_one_write_that_fails_is_made_good(scene, row, persisted):
    scene.open(fail_at=row, persisted=persisted, fault=StoreUnavailableError)
    scene.run()
    scene.check()
    assert list(scene.world.sent.values()) == [1]


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "persisted"])
@pytest.mark.parametrize("row", ROWS)
def test_a_disk_that_is_full_for_a_while_loses_nothing(scene, row, persisted):
    scene.open(fail_at=row, persisted=persisted, fault=StoreUnavailableError, times=7)
    scene.run(turns=60)
    scene.check()
    assert list(scene.world.sent.values()) == [1]


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "persisted"])
@pytest.mark.parametrize("row", ROWS)
def test_a_crash_at_a_write_loses_nothing_and_sends_nothing_twice(scene, row, persisted):
    scene.open(fail_at=row, persisted=persisted, fault=Crash)
    scene.run()
    scene.check()
    assert all(count == 1 for count in scene.world.sent.values())
    assert scene.restarts == (1 if row < len(_plain_writes(scene)) else 0)


def _plain_writes(scene: Scene) -> range:
    """The writes of a run without faults; the rows beyond them crash nothing."""
    plain = Scene(scene.path.parent / "plain.db")
    plain.log.grow(3)
    plain.run()
    plain.store.close()
    return range(len(plain.faulty.writes))


def test_two_crashes_anywhere_lose_nothing(tmp_path):
    draw = random.Random(23)
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        one = Scene(folder / "r.db")
        one.log.grow(3)
        second = {
            "fail_at": draw.randrange(12),
            "persisted": draw.random() < 0.5,
            "fault": Crash,
        }
        one.open(fail_at=draw.randrange(16), persisted=draw.random() < 0.5, fault=Crash)
        one.run(then=second)
        one.check()
        assert all(count == 1 for count in one.world.sent.values())
        one.store.close()


def test_a_crash_between_sending_and_storing_is_followed_by_a_look_up(scene):
    scene.evm.crash_after_send = True
    scene.run()
    assert scene.restarts == 1
    scene.check()
    assert list(scene.world.sent.values()) == [1]


def test_a_backend_that_sends_blindly_would_be_noticed(scene):
    """The table is worth something only if its own check can fail."""
    scene.world.look_up = lambda _id: False  # type: ignore[method-assign]
    scene.evm.crash_after_send = True
    scene.run()
    assert scene.world.sent_blindly() != []


# -- a real process, really killed -----------------------------------------------------------------

_CHILD = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from anchor.service.anchorer import Anchorer
from anchor.service.anchorer_settings import AnchorerSettings
from anchor.stores.round_store import SqliteRoundStore
from tests.fakes.backends import DisciplinedBackend
from tests.fakes.memory_log import MemoryLog

folder, wanted = Path(sys.argv[1]), int(sys.argv[2])

class FileWorld:
    def __init__(self):
        self.out = os.open(folder / "world", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    def _lines(self):
        return (folder / "world").read_text().splitlines()
    def send(self, message_id):
        os.write(self.out, f"send {message_id}\\n".encode())
    def look_up(self, message_id):
        os.write(self.out, f"look_up {message_id}\\n".encode())
        return f"send {message_id}" in self._lines()

class Backend(DisciplinedBackend):
    def advance(self, round_, attempt):
        # Nothing waits here: a test may not take hours.
        after = super().advance(round_, attempt)
        return after.to(after.phase, retry_at=None)

rounds = SqliteRoundStore(folder / "rounds.db")
log = MemoryLog()
backend = Backend(FileWorld(), rounds.attempt, lambda: datetime.now(UTC))
backend.interval_s = 0.0
anchorer = Anchorer(log.tree, rounds, [backend], settings=AnchorerSettings(retry_base_s=0.01))
newest = rounds.rounds(limit=1)
log.grow(newest[0].tree_size if newest else 1)
anchorer.start()
while True:
    missing = anchorer.wait_final(len(log.entries), 60)
    if missing:
        sys.exit(f"stuck: {anchorer.status()}")
    if backend.sends_without_disk:
        sys.exit(f"sent what was not on disk: {backend.sends_without_disk}")
    sys.stdout.write(f"{len(log.entries)}\\n")
    sys.stdout.flush()
    if len(log.entries) >= wanted:
        break
    log.grow(1)
    anchorer.wake()
anchorer.stop()
rounds.close()
"""


def run_child(folder: Path, root: Path, wanted: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(folder), str(wanted)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def test_sigkill_at_any_moment_loses_no_round_and_sends_nothing_twice(tmp_path, project_root):
    draw = random.Random(5)
    acknowledged = 0
    for _ in range(5):
        child = run_child(tmp_path, project_root, 10**6)
        assert child.stdout is not None
        for _ in range(draw.randrange(1, 12)):
            acknowledged = max(acknowledged, int(child.stdout.readline()))
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=60)
    child = run_child(tmp_path, project_root, acknowledged + 3)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors
    rounds = SqliteRoundStore(tmp_path / "rounds.db")
    for round_ in rounds.rounds(limit=10_000):
        attempt = rounds.attempt(round_.tree_size, "evm:1")
        assert attempt is not None
        assert attempt.phase is Phase.FINAL
    newest = rounds.rounds(limit=1)[0].tree_size
    assert newest >= acknowledged + 3
    rounds.close()
    world = OutsideWorld()
    for line in (tmp_path / "world").read_text().splitlines():
        action, message_id = line.split(" ", 1)
        world.send(message_id) if action == "send" else world.look_up(message_id)
    assert world.sent_blindly() == []
    assert all(count == 1 for count in world.sent.values())
