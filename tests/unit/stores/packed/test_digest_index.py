from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from anchor.stores.packed import PackedReader, digest_index, index_run
from anchor.stores.packed.digest_index import DigestIndex
from anchor.stores.packed.digest_key import DigestKey
from anchor.stores.packed.disk import Disk
from anchor.stores.packed.index_run import IndexRun
from anchor.stores.packed.merge_plan import next_merge
from anchor.stores.packed.packed_file import PackedFile
from tests.fakes.log import LogModel, append_and_commit, digest, digests, open_log, split


@pytest.fixture(autouse=True)
def small_merges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest_index, "_INLINE_KEYS", 64)
    monkeypatch.setattr(index_run, "_FILTER_FROM", 100)


class Bench:
    """An index over entries of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries = PackedFile(folder / "entries", Disk())
        self.size = 0
        self.index = self.open()

    def open(self, **options: bool) -> DigestIndex:
        index = DigestIndex(self.folder / "index", self.entries, Disk(), file_keys=1_000, **options)
        index.open(self.size)
        return index

    def reopen(self) -> None:
        self.index.close()
        self.index = self.open()

    def add(self, data: bytes) -> None:
        first = self.size
        self.entries.write(first, data)
        self.size += len(data) // 32
        self.index.add(first, self.index.keys(data))

    def settled(self) -> None:
        for _ in range(2_000):
            if self.index._due() is None and not self.index._merging_before:
                return
            time.sleep(0.002)
        raise AssertionError("merging did not end")

    def check(self) -> None:
        data = self.entries.read(0, self.size)
        assert self.index.find_many(data).tolist() == list(range(self.size))
        assert self.index.size == self.size
        assert self.index.runs[0].first == 0
        for older, newer in zip(self.index.runs, self.index.runs[1:], strict=False):
            assert older.end == newer.first

    def files(self) -> set[str]:
        return {path.name for path in (self.folder / "index").iterdir()}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.index.close()
    bench.entries.close()


# -- keys ------------------------------------------------------------------------------------------


def test_key_of_one_equals_key_of_many() -> None:
    key = DigestKey(bytes(range(32)))
    data = digests(range(300)) + bytes(32) + b"\xff" * 32
    assert [key.key(one) for one in split(data)] == key.keys(data).tolist()


def test_key_is_multilinear_over_all_words_with_its_seed() -> None:
    """Two 32-bit halves, each the high half of addend + Σ word · multiplier modulo 2**64."""
    import hashlib
    import struct

    seed = b"\x07" * 32
    numbers = struct.unpack("<18Q", hashlib.shake_256(b"digest index key" + seed).digest(18 * 8))
    words = struct.unpack("<8I", digest(3))
    halves = []
    for half in (0, 1):
        total = numbers[16 + half] + sum(
            word * numbers[2 * i + half] for i, word in enumerate(words)
        )
        halves.append((total & (2**64 - 1)) >> 32)
    assert DigestKey(seed).key(digest(3)) == halves[0] << 32 | halves[1]


@pytest.mark.parametrize("position", range(32))
def test_key_depends_on_every_byte_and_on_the_seed(position: int) -> None:
    one = digest(1)
    other = bytearray(one)
    other[position] ^= 1
    key = DigestKey(bytes(32))
    assert key.key(one) != key.key(bytes(other))
    assert DigestKey(bytes(31) + b"\x01").key(one) != key.key(one)


def test_keys_of_chosen_digests_are_spread_all_the_same() -> None:
    """Equal first, last or middle bytes, counters: no two keys are equal, top bits are even."""
    key = DigestKey(b"\x09" * 32)
    for where in (0, 8, 16, 24):
        data = b"".join(
            b"\xaa" * where + i.to_bytes(8, "little") + b"\xaa" * (24 - where)
            for i in range(20_000)
        )
        keys = key.keys(data)
        assert len(np.unique(keys)) == 20_000
        buckets = np.bincount((keys >> np.uint64(60)).astype(int), minlength=16)
        assert buckets.min() > 900
        assert buckets.max() < 1_700


# -- runs ------------------------------------------------------------------------------------------


def test_merged_run_is_the_same_in_memory_and_on_disk(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("anchor.stores.packed.index_run._PART_KEYS", 50)
    dice = np.random.default_rng(1)
    runs, first = [], 0
    for count in (500, 1, 37, 200):
        keys = dice.integers(0, 2**64, count, dtype=np.uint64)
        runs.append(IndexRun.from_keys(first, keys))
        first += count
    memory = IndexRun.merged(runs)
    disk = IndexRun.write_merged(runs, tmp_path / "run", Disk())
    assert (disk.first, disk.end, disk.path) == (0, first, tmp_path / "run")
    assert (disk.keys == memory.keys).all()
    assert (disk.positions == memory.positions).all()
    assert (np.diff(disk.keys.astype(object)) >= 0).all()
    assert sorted(disk.positions.tolist()) == list(range(first))
    assert (tmp_path / "run").stat().st_size == 12 * first + len(disk.filter)
    assert (disk.filter == memory.filter).all()


@pytest.mark.parametrize("count", [99, 100, 101, 1_024, 1_025, 5_000])
def test_filter_has_a_bit_for_every_key_and_few_others(tmp_path: Path, count: int) -> None:
    dice = np.random.default_rng(count)
    keys = dice.integers(0, 2**64, count, dtype=np.uint64)
    keys[:3] = [0, 2**64 - 1, 2**63]
    run = IndexRun.from_keys(0, keys)
    assert len(run.filter) == (0 if count < 100 else 2 ** (count - 1).bit_length())
    assert not len(run.filter) or 8 <= len(run.filter) * 8 / count <= 16
    ordered = np.sort(keys)
    which, slots = run.slots_of(ordered)
    assert which.tolist() == list(range(count))
    assert (run.keys[slots] == ordered).all()
    strangers = np.sort(dice.integers(0, 2**64, 10_000, dtype=np.uint64))
    assert run.slots_of(strangers)[0].tolist() == []
    assert [run.slot_of(int(key)) for key in strangers[:200]] == [None] * 200
    assert [run.slot_of(int(key)) for key in ordered] == slots.tolist()
    if len(run.filter):
        n_set = int(np.unpackbits(run.filter).sum())
        assert count * 0.9 < n_set <= count
        shift = 64 - (len(run.filter) * 8).bit_length() + 1
        for key in keys.tolist():
            assert run.filter[key >> shift >> 3] >> (key >> shift & 7) & 1


def test_filter_turns_strangers_away_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.default_rng(5)
    run = IndexRun.from_keys(0, dice.integers(0, 2**64, 4_096, dtype=np.uint64))
    searched: list[int] = []

    class Counting:
        def searchsorted(self, needles):
            searched.append(len(needles))
            return run.keys.searchsorted(needles)

        def __getitem__(self, slots):
            return run.keys[slots]

    counting = dataclasses.replace(run, keys=Counting())
    strangers = np.sort(dice.integers(0, 2**64, 10_000, dtype=np.uint64))
    assert counting.slots_of(strangers)[0].tolist() == []
    assert searched[0] < 1_500


def test_equal_keys_keep_the_order_of_their_leaves(tmp_path: Path) -> None:
    same = np.full(1_000, 7, dtype=np.uint64)
    runs = [IndexRun.from_keys(0, same), IndexRun.from_keys(1_000, same)]
    assert runs[0].positions.tolist() == list(range(1_000))
    assert IndexRun.merged(runs).positions.tolist() == list(range(2_000))
    written = IndexRun.write_merged(runs, tmp_path / "run", Disk())
    assert written.positions.tolist() == list(range(2_000))


def test_file_of_another_size_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(bytes(12 * 10 - 1))
    with pytest.raises(ValueError, match="119 bytes, wanted 120"):
        IndexRun.load(tmp_path / "run", 0, 10)


def run_of(count: int, first: int = 0, *, on_disk: bool = False) -> IndexRun:
    keys = np.arange(count, dtype=np.uint64)
    return IndexRun(
        first,
        first + count,
        keys,
        keys.astype(np.uint32),
        np.zeros(0, np.uint8),
        Path("x") if on_disk else None,
    )


@pytest.mark.parametrize(
    ("disk", "memory", "wanted"),
    [
        ([], [], None),
        ([], [50], None),
        ([], [30, 20], None),
        ([], [40, 50], (0, False)),
        ([], [400, 30], None),
        ([], [400, 100, 120], (1, False)),
        ([], [400, 100, 90], None),
        ([], [600, 400], (0, True)),
        ([5_000], [1_000], (1, True)),
        ([5_000, 900], [1_000], (1, True)),
        ([2_000, 900], [1_200], (0, True)),
        ([9_000, 5_000, 2_500], [900], None),
    ],
)
def test_next_merge_keeps_each_run_larger_than_all_newer_ones(disk, memory, wanted) -> None:
    runs, first = [], 0
    for count in disk:
        runs.append(run_of(count, first, on_disk=True))
        first += count
    for count in memory:
        runs.append(run_of(count, first))
        first += count
    assert next_merge(runs, file_keys=1_000, inline_keys=64) == wanted


# -- the index -------------------------------------------------------------------------------------


def test_every_digest_is_found_while_runs_come_and_merge(bench: Bench) -> None:
    first = 0
    for count in (1, 1, 2, 60, 500, 3, 900, 1, 1_200, 40, 2_000, 5_000, 1, 1):
        bench.add(digests(range(first, first + count)))
        first += count
        bench.check()
    assert bench.index.find_many(digests(range(first, first + 100))).tolist() == [-1] * 100
    bench.settled()
    bench.check()
    assert len(bench.index.runs) <= 6
    assert any(run.path for run in bench.index.runs)
    assert bench.files() == {"MANIFEST.json"} | {
        run.path.name for run in bench.index.runs if run.path
    }
    assert bench.index.find(digest(4_000)) == 4_000
    assert bench.index.find(digest(first)) is None


def test_single_adds_do_not_pile_up_runs(bench: Bench) -> None:
    for i in range(500):
        bench.add(digest(i))
        assert len(bench.index.runs) < 20
    bench.check()


def test_opening_again_reads_files_and_only_the_tail_of_the_entries(bench: Bench) -> None:
    bench.add(digests(range(5_000)))
    bench.settled()
    covered = bench.index.runs[-1].end
    bench.add(digests(range(5_000, 5_050)))
    before = {run.path for run in bench.index.runs}
    reads: list[tuple[int, int]] = []
    original = bench.entries.read
    bench.index.close()
    bench.entries.read = lambda first, count: reads.append((first, count)) or original(first, count)  # type: ignore[method-assign, func-returns-value]
    bench.index = bench.open()
    del bench.entries.read  # type: ignore[method-assign]
    assert reads == [(covered, 50)]
    assert {run.path for run in bench.index.runs} == before
    bench.check()


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "MANIFEST.json").unlink(),
        lambda folder: (folder / "MANIFEST.json").write_text("{"),
        lambda folder: (folder / "MANIFEST.json").write_text("[]"),
        lambda folder: (folder / "MANIFEST.json").write_bytes(b"\xff\xfe"),
        lambda folder: edit(folder, version=2),
        lambda folder: edit(folder, seed="zz"),
        lambda folder: edit(folder, seed=None),
        lambda folder: edit(folder, runs=[{"first": 0, "end": 99_999, "file": "run-x"}]),
        lambda folder: edit(folder, runs=[{"first": 1, "end": 5, "file": "run-x"}]),
        lambda folder: edit(folder, runs=[{"first": 0, "end": 5, "file": "../entries"}]),
        lambda folder: next(folder.glob("run-*")).unlink(),
        lambda folder: next(folder.glob("run-*")).write_bytes(b"short"),
    ],
)
def test_damaged_files_are_noticed_and_built_again(bench: Bench, damage) -> None:
    bench.add(digests(range(3_000)))
    bench.settled()
    bench.index.close()
    damage(bench.folder / "index")
    bench.index = bench.open()
    bench.check()
    bench.reopen()
    bench.check()
    assert len(bench.files()) == 1 + sum(run.path is not None for run in bench.index.runs)


def edit(folder: Path, **changes: object) -> None:
    path = folder / "MANIFEST.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_files_that_no_manifest_names_are_removed(bench: Bench) -> None:
    bench.add(digests(range(3_000)))
    bench.settled()
    (bench.folder / "index/run-0-9-deadbeef").write_bytes(b"left by a crash")
    bench.reopen()
    assert "run-0-9-deadbeef" not in bench.files()
    bench.check()


def test_rebuild_finds_the_same_under_another_seed(bench: Bench) -> None:
    bench.add(digests(range(3_500)))
    bench.settled()
    seed = bench.index._key.seed
    bench.index.rebuild(bench.size)
    assert bench.index._key.seed != seed
    bench.check()
    bench.add(digests(range(3_500, 5_000)))
    bench.settled()
    bench.check()
    bench.reopen()
    bench.check()


def test_repeated_entries_give_the_first_index_also_after_a_rebuild(bench: Bench) -> None:
    """A damaged log may hold a digest twice; lookups go to the first all the same."""
    bench.add(digests(range(700)))
    bench.add(digests(range(300, 900)))
    bench.add(digest(5) * 500)
    wanted = [*range(700), *range(1_100, 1_300)]
    for _ in range(2):
        assert bench.index.find_many(digests(range(900))).tolist() == wanted
        assert bench.index.find(digest(5)) == 5
        assert bench.index.find(digest(350)) == 350
        bench.index.rebuild(bench.size)
    bench.settled()
    assert bench.index.find_many(digests(range(900))).tolist() == wanted


class WeakKey(DigestKey):
    """Four keys for all digests: what an attacker who knew the seed could do."""

    def keys(self, data: bytes) -> np.ndarray:
        return super().keys(data) & np.uint64(3)

    def key(self, one: bytes) -> int:
        return super().key(one) & 3


def test_equal_keys_of_different_digests_are_told_apart_by_the_entry(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_index, "DigestKey", WeakKey)
    bench.reopen()
    for start in range(0, 400, 100):
        bench.add(digests(range(start, start + 100)))
        bench.check()
    assert bench.index.find_many(digests(range(350, 450))).tolist() == [
        *range(350, 400),
        *([-1] * 50),
    ]
    assert [bench.index.find(digest(i)) for i in (0, 399, 400)] == [0, 399, None]


def test_digests_with_equal_first_eight_bytes_cost_no_more_than_others(tmp_path: Path) -> None:
    """Counted in reads of entries, not in time: one candidate a hit, none for what is absent."""
    log = open_log(tmp_path / "log", index_file_keys=2_000)
    same = [b"\x00" * 8 + digest(i)[8:] for i in range(6_000)]
    for start in range(0, 4_000, 1_000):
        append_and_commit(log, b"".join(same[start : start + 1_000]))
    gathered: list[int] = []
    original = log.tree.entries.gather
    log.tree.entries.gather = lambda indices: gathered.append(len(indices)) or original(indices)  # type: ignore[method-assign, func-returns-value]
    found = log.find_many(b"".join(same))
    assert found.tolist() == [*range(4_000), *([-1] * 2_000)]
    assert sum(gathered) == 4_000
    del log.tree.entries.gather  # type: ignore[method-assign]
    model = LogModel()
    model.append(b"".join(same[:4_000]))
    model.check(log, sizes=[1, 999, 2_048])
    log.close()


def test_a_batch_of_one_digest_over_and_over_is_one_leaf(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    appended = append_and_commit(log, digest(1) * 5_000)
    assert appended.leaf_indices.tolist() == [0] * 5_000
    assert appended.created.sum() == 1
    log.close()


def test_readers_find_everything_while_runs_are_merged_under_them(bench: Bench) -> None:
    bench.add(digests(range(500)))
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            size = bench.index.size
            found = bench.index.find_many(digests(range(0, size, 97))).tolist()
            if found != list(range(0, size, 97)):
                wrong.append((size, found))
            if bench.index.find(digest(123)) != 123:
                wrong.append("single")

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for start in range(500, 12_000, 250):
        bench.add(digests(range(start, start + 250)))
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    bench.settled()
    bench.check()


def test_reader_beside_the_writer_sees_its_tree_and_changes_no_file(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log", index_file_keys=500)
    for start in range(0, 3_000, 300):
        append_and_commit(log, digests(range(start, start + 300)))
    reader = PackedReader(tmp_path / "log")
    append_and_commit(log, digests(range(3_000, 6_000)))
    names = sorted(path.name for path in (tmp_path / "log/index").iterdir())
    assert reader.size == 3_000
    assert reader.find_many(digests(range(3_000))).tolist() == list(range(3_000))
    late = PackedReader(tmp_path / "log")
    assert late.find(digest(5_999)) == 5_999
    late.close()
    reader.close()
    log.close()
    assert set(names) >= {"MANIFEST.json"}


# -- behind the tree -------------------------------------------------------------------------------


def failing_once(monkeypatch, target, name, error):
    """Make a class method fail the first time that it is called."""
    genuine = getattr(target, name)
    failed = []

    def once(*arguments):
        if not failed:
            failed.append(True)
            raise error
        return genuine(*arguments)

    monkeypatch.setattr(target, name, once)


@pytest.mark.parametrize("step", ["from_keys", "merged"])
def test_an_add_that_fails_leaves_no_false_positions(bench, monkeypatch, step):
    bench.add(digests(range(2)))
    failing_once(monkeypatch, IndexRun, step, MemoryError())
    with pytest.raises(MemoryError):
        bench.add(digests(range(2, 4)))
    assert bench.index.size == 2
    bench.add(digests(range(4, 6)))
    bench.check()


def test_catching_up_reads_what_is_missing(bench, monkeypatch):
    monkeypatch.setattr(digest_index, "_REBUILD_KEYS", 7)
    bench.add(digests(range(3)))
    failing_once(monkeypatch, IndexRun, "from_keys", MemoryError())
    with pytest.raises(MemoryError):
        bench.add(digests(range(3, 50)))
    bench.index.catch_up(bench.size)
    bench.check()
    bench.index.catch_up(bench.size)
    bench.check()
