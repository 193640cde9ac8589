"""The lookup by digest: sorted runs, the newest in memory, older ones in mapped files.

The runs partition the committed leaves: run after run, each covering the leaves that follow the one
before. New leaves come as a small run in memory; runs are merged so that each is larger than all
newer ones together, small ones at once, the rest in a thread of the index's own. From about a
million leaves on a run is written to a file. ``MANIFEST.json`` names the files; it is replaced
atomically after they are durable, and whatever it does not name is removed at the next start.

Readers take the tuple of runs as it is, without a lock, and never wait.

The index is derived data. What is not in a file yet is read from the entries at the next start, and
a manifest or file that is missing or of the wrong size means that all of it is built again. A
failing disk under the index never fails a commit: the runs stay in memory and writing is tried
again later. An index that is behind the tree, since memory was short, catches up from the entries
before anything is appended: it must know every leaf, or a digest would get a second one.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anchor.stores.packed.digest_key import SEED_BYTES, DigestKey
from anchor.stores.packed.disk import Disk, translated_errors
from anchor.stores.packed.index_run import IndexRun
from anchor.stores.packed.merge_plan import next_merge
from anchor.stores.packed.packed_file import RECORD_BYTES, PackedFile

_log = logging.getLogger(__name__)

_MANIFEST: Final = "MANIFEST.json"
_MANIFEST_VERSION: Final = 1
# Runs that together are no larger than this are merged by whoever adds to them.
_INLINE_KEYS: Final = 1 << 15
# From this many keys on the runs in memory become a file: 12 MiB of memory, and the most that is
# read again at the next start.
DEFAULT_FILE_KEYS: Final = 1 << 20
_REBUILD_KEYS: Final = 1 << 20
# A reader beside the writer may find a file gone that the manifest named a moment ago.
_LOAD_ATTEMPTS: Final = 3
_RETRY_AFTER_S: Final = 10.0
# Positions have 32 bits.
MAX_POSITIONS: Final = 2**32


class DigestIndex:
    """The index of one log.

    Args:
        folder: holds the run files and the manifest; made if it is not there.
        entries: the digests, against which every candidate is checked.
        disk: where writes go.
        read_only: keep everything that is not in a file in memory, and change no file.
        file_keys: keys from which on a run is written to a file.
    """

    def __init__(
        self,
        folder: Path,
        entries: PackedFile,
        disk: Disk,
        *,
        read_only: bool = False,
        file_keys: int = DEFAULT_FILE_KEYS,
    ) -> None:
        self._folder = folder
        self._entries = entries
        self._disk = disk
        self._read_only = read_only
        self._file_keys = file_keys
        self._runs: tuple[IndexRun, ...] = ()
        self._key = DigestKey(secrets.token_bytes(SEED_BYTES))
        self._merging_before = 0
        self._wake = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def size(self) -> int:
        """Return the number of leaves covered."""
        runs = self._runs
        return runs[-1].end if runs else 0

    @property
    def runs(self) -> tuple[IndexRun, ...]:
        """The runs, oldest first, as they are now."""
        return self._runs

    # -- opening and closing -------------------------------------------------------------------

    def open(self, tree_size: int) -> None:
        """Load the files, then add the committed leaves that are in none of them.

        Raises:
            StoreUnavailableError: the folder or the entries cannot be read.
        """
        if not self._read_only:
            with translated_errors(f"make {self._folder}"):
                self._folder.mkdir(exist_ok=True)
        if tree_size:
            self._load_files(tree_size)
        self._build_up(tree_size)
        if not self._read_only:
            self._remove_strangers()

    def rebuild(self, tree_size: int) -> None:
        """Build everything again from the first ``tree_size`` entries, under a new seed.

        Lookups find less until it returns; nobody may add meanwhile.
        """
        self._stop()
        self._forget()
        self._build_up(tree_size)
        self._remove_strangers()

    def close(self) -> None:
        """Stop the merging thread; safe to call twice."""
        self._stop()

    def _stop(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._closing = False

    def _forget(self) -> None:
        self._runs = ()
        self._key = DigestKey(secrets.token_bytes(SEED_BYTES))

    def _build_up(self, tree_size: int) -> None:
        """Add what is missing, merging as it goes; no thread of the index may run."""
        while self._add_next(tree_size):
            if not self._read_only:
                self._settle()

    def _add_next(self, tree_size: int) -> bool:
        """Add some of the missing leaves from the entries; return whether there were any."""
        first = self.size
        count = min(_REBUILD_KEYS, tree_size - first)
        if count > 0:
            keys = self._key.keys(self._entries.read(first, count))
            self._append_run(IndexRun.from_keys(first, keys))
        return count > 0

    def _settle(self) -> None:
        """Do all the merging that is due, here and now; a failing disk leaves it for later."""
        try:
            while self._step():
                pass
        except OSError as exc:
            _log.warning("digest index could not be written: %s", exc)

    # -- lookups -------------------------------------------------------------------------------

    def keys(self, digests: bytes) -> NDArray[np.uint64]:
        """Return the keys of the digests, for :meth:`find_many` and :meth:`add`."""
        return self._key.keys(digests)

    def find(self, digest: bytes) -> int | None:
        """Return the first leaf index of one digest, or None."""
        key = self._key.key(digest)
        for run in self._runs:
            slot = run.slot_of(key)
            while slot is not None and slot < len(run) and int(run.keys[slot]) == key:
                position = int(run.positions[slot])
                if self._entries.read(position, 1) == digest:
                    return position
                slot += 1
        return None

    def find_many(
        self, digests: bytes, keys: NDArray[np.uint64] | None = None
    ) -> NDArray[np.int64]:
        """Return the first leaf index of each digest, -1 where absent."""
        wanted = self._key.keys(digests) if keys is None else keys
        found = np.full(len(wanted), -1, dtype=np.int64)
        rows = np.frombuffer(digests, dtype=np.uint8).reshape(-1, RECORD_BYTES)
        # In the order of their keys, so that each run is walked from one end to the other.
        order = wanted.argsort()
        needles = wanted[order]
        for run in self._runs:
            hits, slots = run.slots_of(needles)
            if len(hits):
                self._check(run, slots, order[hits], rows, found)
                absent = found[order] < 0
                order, needles = order[absent], needles[absent]
                if not len(order):
                    break
        return found

    def _check(
        self,
        run: IndexRun,
        slots: NDArray[np.int64],
        which: NDArray[np.int64],
        rows: NDArray[np.uint8],
        found: NDArray[np.int64],
    ) -> None:
        """Compare candidates with their entries; go on along equal keys where they differ."""
        while len(slots):
            positions = run.positions[slots].astype(np.int64)
            equal = (self._entries.gather(positions) == rows[which]).all(axis=1)
            found[which[equal]] = positions[equal]
            keys = run.keys[slots[~equal]]
            slots, which = slots[~equal] + 1, which[~equal]
            inside = slots < len(run)
            slots, which, keys = slots[inside], which[inside], keys[inside]
            same = run.keys[slots] == keys
            slots, which = slots[same], which[same]

    # -- growing -------------------------------------------------------------------------------

    def add(self, first: int, keys: NDArray[np.uint64]) -> None:
        """Add the keys of committed leaves from ``first`` on; merging goes on in a thread.

        Where leaves before ``first`` are missing, all are read from the entries instead. A failure,
        such as MemoryError, leaves the index as it was: :meth:`catch_up` before the next append.
        """
        if first == self.size:
            self._append_run(IndexRun.from_keys(first, keys))
        self.catch_up(first + len(keys))

    def catch_up(self, tree_size: int) -> None:
        """Add the committed leaves that are missing, if any; whoever adds calls it, nobody else."""
        while self._add_next(tree_size):
            pass
        if self._due() is not None:
            self._start()

    def _append_run(self, run: IndexRun) -> None:
        with self._wake:
            runs = [*self._runs, run]
            while len(runs) > 1 and self._merges_inline(runs[-2], runs[-1]):
                runs[-2:] = [IndexRun.merged(runs[-2:])]
            self._runs = tuple(runs)
            self._wake.notify_all()

    def _merges_inline(self, older: IndexRun, newer: IndexRun) -> bool:
        free = older.path is None and older.first >= self._merging_before
        return free and len(older) < 2 * len(newer) and len(older) + len(newer) <= _INLINE_KEYS

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._merge_until_closed, name="digest-index", daemon=True
            )
            self._thread.start()

    def _merge_until_closed(self) -> None:
        while not self._closing:
            try:
                if self._step():
                    continue
            except Exception:  # noqa: BLE001 - whatever it was, it must not end the thread
                # Nothing depends on this merge: lookups go on over the runs as they are.
                _log.exception("digest index could not be merged; trying again later")
                with self._wake:
                    self._wake.wait_for(lambda: self._closing, _RETRY_AFTER_S)
                continue
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._due() is not None)

    def _due(self) -> tuple[int, bool] | None:
        return next_merge(self._runs, file_keys=self._file_keys, inline_keys=_INLINE_KEYS)

    def _step(self) -> bool:
        """Do one merge that is due; return whether there was one. OSError: all is as before."""
        with self._wake:
            job = self._due()
            if job is None:
                return False
            start, to_file = job
            older, before = self._runs[:start], self._runs[start:]
            # Whoever adds meanwhile leaves these runs alone.
            self._merging_before = before[-1].end
        try:
            run = self._write_run(older, before) if to_file else IndexRun.merged(before)
            self._swap(before, run)
        finally:
            self._merging_before = 0
        if to_file:
            # Readers that still hold a run that was merged keep its mapping.
            self._remove_strangers()
        return True

    def _write_run(self, older: Sequence[IndexRun], before: Sequence[IndexRun]) -> IndexRun:
        name = f"run-{before[0].first}-{before[-1].end}-{secrets.token_hex(4)}"
        path = self._folder / name
        try:
            run = IndexRun.write_merged(before, path, self._disk)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        # From here on the manifest may name the file, even if writing it fails.
        self._write_manifest([*older, run])
        return run

    def _swap(self, before: Sequence[IndexRun], after: IndexRun) -> None:
        with self._wake:
            runs = self._runs
            start = next(i for i, run in enumerate(runs) if run.first == after.first)
            stop = start + len(before)
            self._runs = (*runs[:start], after, *runs[stop:])

    # -- files ---------------------------------------------------------------------------------

    def _load_files(self, tree_size: int) -> None:
        """Load what the manifest names; nothing if that cannot be done."""
        for _ in range(_LOAD_ATTEMPTS):
            try:
                self._load(tree_size)
            except FileNotFoundError as exc:
                problem: Exception = exc  # not written yet; or merged away by the writer beside us
            except (OSError, ValueError, KeyError, TypeError) as exc:
                problem = exc
                break
            else:
                return
        absent = not (self._folder / _MANIFEST).exists()
        _log.info("digest index: %s, built from the log", "none yet" if absent else problem)

    def _load(self, tree_size: int) -> None:
        manifest: dict[str, Any] = json.loads((self._folder / _MANIFEST).read_bytes())
        if manifest["version"] != _MANIFEST_VERSION:
            message = f"manifest version {manifest['version']}, wanted {_MANIFEST_VERSION}"
            raise ValueError(message)
        runs: list[IndexRun] = []
        for item in manifest["runs"]:
            name, first, end = item["file"], item["first"], item["end"]
            # A reader beside the service may find a manifest newer than its tree.
            too_new = end > tree_size and not self._read_only
            if too_new or not (runs[-1].end if runs else 0) == first < end or "/" in name:
                message = f"run {name!r} from {first} to {end} does not fit a log of {tree_size}"
                raise ValueError(message)
            runs.append(IndexRun.load(self._folder / name, first, end))
        self._key = DigestKey(bytes.fromhex(manifest["seed"]))
        self._runs = tuple(runs)

    def _write_manifest(self, runs: Sequence[IndexRun]) -> None:
        """Name the run files that count; durable on return. OSError: the old names still count."""
        items = [
            {"first": run.first, "end": run.end, "file": run.path.name}
            for run in runs
            if run.path is not None
        ]
        manifest = {"version": _MANIFEST_VERSION, "seed": self._key.seed.hex(), "runs": items}
        draft = self._folder / f"{_MANIFEST}.new"
        # The run's own name first, so that the manifest never names a file that is not there.
        self._disk.flush_folder(self._folder)
        descriptor = self._disk.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            self._disk.write_at(descriptor, json.dumps(manifest, indent=1).encode(), 0)
            self._disk.flush(descriptor)
        finally:
            os.close(descriptor)
        self._disk.replace(draft, self._folder / _MANIFEST)
        self._disk.flush_folder(self._folder)

    def _remove_strangers(self) -> None:
        """Remove what a crash between a run and its manifest left behind."""
        named = {run.path.name for run in self._runs if run.path is not None}
        for path in self._folder.glob("run-*"):
            if path.name not in named:
                path.unlink(missing_ok=True)
