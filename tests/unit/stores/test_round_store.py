from __future__ import annotations

import random
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from anchor.errors import LogIntegrityError, StoreError
from anchor.ports import Attempt, Phase, Round
from anchor.stores.round_store import SqliteRoundStore

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def round_of(size: int, *, root: bytes | None = None, created_at: datetime = NOON) -> Round:
    return Round(size, root or size.to_bytes(32, "big"), f"log\n{size}\n", created_at)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rounds.db"


@pytest.fixture
def store(path):
    opened = SqliteRoundStore(path)
    yield opened
    opened.close()


def reopen(store: SqliteRoundStore, path: Path) -> SqliteRoundStore:
    store.close()
    return SqliteRoundStore(path)


FULL_ATTEMPT = Attempt(
    phase=Phase.PENDING,
    data={"nonce": 2**70, "text": "\ud800 ünï\x00", "none": None, "list": [1, {"a": True}]},
    attestations=({"kind": "evm", "root_hash": "00" * 32}, {"kind": "witness"}),
    retry_at=NOON + timedelta(microseconds=1),
    note="waits for “block 5”",
    expected_at=NOON + timedelta(days=1),
    failures=3,
)


def test_everything_survives_closing_and_opening(store, path):
    store.add_round(round_of(5))
    store.set_attempt(5, "evm:1", FULL_ATTEMPT)
    store.journal("evm:1").put("7", {"raw": "00ff"})
    store.put_meta("ipfs:5", {"cid": "bafk"})
    store.record_commit(5, NOON)
    again = reopen(store, path)
    assert again.rounds() == [round_of(5)]
    assert again.attempt(5, "evm:1") == FULL_ATTEMPT
    assert again.journal("evm:1").items() == [("7", {"raw": "00ff"})]
    assert again.meta("ipfs:5") == {"cid": "bafk"}
    assert again.accepted_by(4) == NOON
    again.close()


def test_the_file_is_private(store, path):
    store.put_meta("k", {})
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in path.parent.glob("rounds.db*"))


def test_adding_a_round_again_changes_nothing(store):
    store.add_round(round_of(5))
    store.add_round(round_of(5, created_at=NOON + timedelta(hours=1)))
    assert store.rounds() == [round_of(5)]


def test_the_same_size_with_another_root_stops_the_log(store):
    store.add_round(round_of(5))
    with pytest.raises(LogIntegrityError) as caught:
        store.add_round(round_of(5, root=b"\xff" * 32))
    assert caught.value.code == "log.integrity.round_root"
    assert store.round_at(5) == round_of(5)


def test_rounds_come_newest_first_in_pages(store):
    for size in (3, 1, 7, 5):
        store.add_round(round_of(size))
    assert [r.tree_size for r in store.rounds()] == [7, 5, 3, 1]
    assert [r.tree_size for r in store.rounds(limit=2)] == [7, 5]
    assert [r.tree_size for r in store.rounds(limit=2, before_size=5)] == [3, 1]
    assert store.rounds(limit=0) == []
    assert store.round_at(4) is None


def test_times_in_other_zones_come_back_as_the_same_moment(store):
    east = NOON.astimezone(timezone(timedelta(hours=8)))
    store.add_round(round_of(5, created_at=east))
    found = store.round_at(5)
    assert found is not None
    assert found.created_at == NOON
    assert found.created_at.tzinfo is UTC


def test_time_without_a_zone_is_refused(store):
    with pytest.raises(TypeError):
        store.add_round(round_of(5, created_at=NOON.replace(tzinfo=None)))


def test_attempt_needs_its_round(store):
    with pytest.raises(StoreError):
        store.set_attempt(5, "evm:1", Attempt())
    assert store.attempt(5, "evm:1") is None


def test_attempt_is_replaced_whole(store):
    store.add_round(round_of(5))
    store.set_attempt(5, "evm:1", FULL_ATTEMPT)
    store.set_attempt(5, "evm:1", Attempt(Phase.FAILED, note="gone"))
    assert store.attempt(5, "evm:1") == Attempt(Phase.FAILED, note="gone")
    assert store.attempts(5) == {"evm:1": Attempt(Phase.FAILED, note="gone")}


@pytest.mark.parametrize("value", [{"x": float("nan")}, {"x": b"bytes"}, {"x": {1, 2}}])
def test_what_is_not_json_is_refused_before_anything_is_written(store, value):
    store.add_round(round_of(5))
    with pytest.raises((TypeError, ValueError)):
        store.set_attempt(5, "evm:1", Attempt(data=value))
    assert store.attempt(5, "evm:1") is None


def test_open_attempts_are_those_not_terminal_oldest_first(store):
    for size, phase in (
        (9, Phase.PENDING),
        (2, Phase.FINAL),
        (4, Phase.CONFIRMED),
        (6, Phase.FAILED),
    ):
        store.add_round(round_of(size))
        store.set_attempt(size, "calendar:a", Attempt(phase))
    store.set_attempt(2, "calendar:b", Attempt())
    found = store.open_attempts("calendar:a")
    assert [(r.tree_size, a.phase) for r, a in found] == [(4, Phase.CONFIRMED), (9, Phase.PENDING)]
    assert store.open_attempts("nobody") == []


def test_newest_rounds_of_a_backend(store):
    for size, phase in ((3, Phase.FINAL), (5, Phase.FINAL), (8, Phase.FAILED)):
        store.add_round(round_of(size))
        store.set_attempt(size, "evm:1", Attempt(phase))
    store.add_round(round_of(9))
    assert store.newest_round_of("evm:1") == round_of(8)
    assert store.newest_final_round_of("evm:1") == round_of(5)
    assert store.newest_round_of("evm:2") is None
    assert store.newest_final_round_of("evm:2") is None


def test_journals_are_apart_and_replace_by_key(store):
    one, two = store.journal("evm:1"), store.journal("evm:2")
    one.put("b", {"n": 1})
    one.put("a", {"n": 2})
    one.put("b", {"n": 3})
    assert one.items() == [("a", {"n": 2}), ("b", {"n": 3})]
    assert one.get("b") == {"n": 3}
    assert two.get("b") is None
    assert two.items() == []


def test_meta_is_replaced_by_key(store):
    assert store.meta("k") is None
    store.put_meta("k", {"n": 1})
    store.put_meta("k", {"n": 2})
    assert store.meta("k") == {"n": 2}


def test_first_rounds_covering_agrees_with_a_plain_search(store):
    draw = random.Random(20261123)
    backends = ["calendar:a", "evm:1", "rfc3161:x"]
    table: dict[str, dict[int, Phase]] = {name: {} for name in backends}
    for size in sorted(draw.sample(range(1, 60), 25)):
        store.add_round(round_of(size))
        for name in backends:
            if draw.random() < 0.7:
                phase = draw.choice([Phase.FINAL, Phase.FAILED, Phase.PENDING, Phase.SCHEDULED])
                table[name][size] = phase
                store.set_attempt(size, name, Attempt(phase, note=f"{name} {size}"))
    for leaf in range(62):
        wanted: dict[str, int] = {}
        for name in backends:
            covering = {s: p for s, p in table[name].items() if s > leaf and p is not Phase.FAILED}
            final = [s for s, p in covering.items() if p is Phase.FINAL]
            if covering:
                wanted[name] = min(final or covering)
        found = store.first_rounds_covering(leaf)
        assert {name: r.tree_size for name, (r, _) in found.items()} == wanted
        assert all(a.note == f"{name} {r.tree_size}" for name, (r, a) in found.items())


def test_accepted_by_is_the_first_time_the_leaf_was_seen(store):
    store.record_commit(3, NOON)
    store.record_commit(3, NOON + timedelta(hours=9))
    store.record_commit(8, NOON + timedelta(seconds=1))
    assert store.accepted_by(0) == NOON
    assert store.accepted_by(2) == NOON
    assert store.accepted_by(3) == NOON + timedelta(seconds=1)
    assert store.accepted_by(8) is None


def test_thinning_keeps_the_greatest_size_of_each_minute(store):
    minute = NOON.replace(second=0, microsecond=0)
    for second in range(0, 180, 10):
        store.record_commit(second + 1, minute + timedelta(seconds=second))
    store.thin_commits(minute + timedelta(seconds=120))
    seen = [store.accepted_by(leaf) for leaf in range(171)]
    # Two whole minutes are thinned to their last commit, the third is untouched.
    assert set(seen[:51]) == {minute + timedelta(seconds=50)}
    assert set(seen[51:111]) == {minute + timedelta(seconds=110)}
    assert seen[111] == minute + timedelta(seconds=120)
    assert len(set(seen)) == 2 + 6
    assert store.accepted_by(171) is None


def test_thinning_never_makes_a_leaf_look_older(store):
    draw = random.Random(7)
    times = [NOON + timedelta(seconds=draw.randrange(600)) for _ in range(80)]
    for size, time in enumerate(sorted(times), start=1):
        store.record_commit(size, time)
    before = [store.accepted_by(leaf) for leaf in range(80)]
    store.thin_commits(NOON + timedelta(seconds=400))
    for leaf in range(80):
        after = store.accepted_by(leaf)
        assert after is not None
        assert after >= before[leaf]


_WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from anchor.ports import Attempt, Phase, Round
from anchor.stores.round_store import SqliteRoundStore

store = SqliteRoundStore(Path(sys.argv[1]))
newest = store.rounds(limit=1)
size = newest[0].tree_size if newest else 1
while True:
    store.add_round(Round(size, size.to_bytes(32, "big"), "c", datetime.now(UTC)))
    store.journal("evm:1").put(str(size), {"n": size})
    store.set_attempt(size, "evm:1", Attempt(Phase.PREPARED, data={"n": size}))
    sys.stdout.write(f"{size}\\n")
    sys.stdout.flush()
    size += 1
"""


def test_what_was_acknowledged_is_there_after_sigkill(tmp_path, project_root):
    path = tmp_path / "rounds.db"
    draw = random.Random(99)
    acknowledged = 0
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=project_root,
        )
        assert child.stdout is not None
        for _ in range(draw.randrange(5, 60)):
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines()
        child.wait(30)
        child.stdout.close()
        acknowledged = max([acknowledged, *(int(line) for line in rest if line.isdigit())])
        store = SqliteRoundStore(path)
        sizes = {r.tree_size for r in store.rounds(limit=100_000)}
        assert set(range(1, acknowledged + 1)) <= sizes <= set(range(1, acknowledged + 2))
        for size in range(1, acknowledged + 1):
            assert store.attempt(size, "evm:1") == Attempt(Phase.PREPARED, data={"n": size})
            assert store.journal("evm:1").get(str(size)) == {"n": size}
        store.close()
