"""A real writer, killed with SIGKILL at random moments, again and again.

What it acknowledged before it died is in the log afterwards, at the index it said; its checkpoints
verify, and no two of one size have different roots, over all its lives. The random moments cover
opening, writing, committing and merging. A kill takes the process and not the page cache; what a
power cut does is in the fault table.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from anchor.stores.packed import fsck
from tests.fakes.log import SIGNER, digests, open_log

_KILLS = 40
_LONGEST_LIFE_S = 0.25


class Writer:
    """The parent's end of ``sigkill_writer``."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.sigkill_writer", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=root,
            text=True,
        )

    def live_and_die(self, seed: str, life_s: float) -> Iterator[str]:
        """Start a writer, kill it after ``life_s``, and yield what it said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{seed}\n")
        self._process.stdin.flush()
        word, number = self._process.stdout.readline().split()
        assert word == "pid"
        time.sleep(life_s)
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(number), signal.SIGKILL)
        for line in self._process.stdout:
            if line.startswith("end "):
                assert int(line.split()[1]) == signal.SIGKILL, "the writer died of something else"
                return
            if not line.endswith("}\n") and line.startswith("ack"):
                # Cut by the kill: it must be the last one.
                assert next(self._process.stdout).startswith("end ")
                return
            if line.strip():
                yield line
        pytest.fail("the writer's parent is gone")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def test_writer_killed_at_random_moments_loses_nothing_it_acknowledged(
    tmp_path: Path, project_root: Path
) -> None:
    folder = tmp_path / "log"
    dice = random.Random(2026)
    known: dict[bytes, int] = {}
    roots: dict[int, bytes] = {}
    sizes: list[int] = []
    n_acks = 0
    writer = Writer(folder, project_root)
    try:
        for kill in range(_KILLS):
            for line in writer.live_and_die(str(kill), dice.random() * _LONGEST_LIFE_S):
                word, rest = line.split(" ", 1)
                if word == "open":
                    sizes.append(int(rest))
                    # Everything signed before is covered by what is found after the restart.
                    assert sizes[-1] >= max(roots, default=0)
                    continue
                assert word == "ack"
                n_acks += 1
                _remember(json.loads(rest), known, roots)
    finally:
        writer.close()
    # The test must have tested something: lives long enough to work, and growth over restarts.
    assert n_acks > _KILLS
    assert len(set(sizes)) > _KILLS // 4
    log = open_log(folder)
    assert log.find_many(b"".join(known)).tolist() == list(known.values())
    for size, root in roots.items():
        assert log.root_hash(size) == root
    report = fsck(log, note_key=SIGNER.note_key)
    assert report.problems == []
    assert report.tree_size >= max(roots)
    log.close()


def _remember(ack: dict, known: dict[bytes, int], roots: dict[int, bytes]) -> None:
    start, indices = ack["start"], ack["indices"]
    for i, index in enumerate(indices):
        one = digests([(start + i) % 40_000])
        assert known.setdefault(one, index) == index, "a digest has two indices"
    checkpoint = SIGNER.verify(ack["checkpoint"])
    assert max(indices) < checkpoint.tree_size
    before = roots.setdefault(checkpoint.tree_size, checkpoint.root_hash)
    assert before == checkpoint.root_hash, "the log signed two trees of one size"
