"""Bulk rate of the log, from digests in memory to a signed checkpoint, beside its yardstick.

The yardstick is an in-memory RFC 6962 tree over the same digests in the same run: leaf hashes and
node hashes with hashlib, nothing stored. Then lookups and inclusion proofs at that size, bytes on
disk and memory. With ``--preload N`` the log holds N digests before anything is measured.

    python -m bench.log_bulk --digests 8000000
    python -m bench.log_bulk --digests 8000000 --preload 50000000 --folder /var/tmp/log
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256, shake_256
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor.formats.merkle import leaf_hash, verify_inclusion
from anchor.service.sequencer import Sequencer
from anchor.service.signer import LogSigner
from anchor.stores.packed import PackedLog

_SUBMISSION = 1_000_000


def made_digests(first: int, count: int) -> bytes:
    """Return digests that are random and can be made again: SHAKE of a counter, 1 M at a time."""
    parts = [
        shake_256(b"bench %d" % block).digest(32 * _SUBMISSION)
        for block in range(first // _SUBMISSION, -(-(first + count) // _SUBMISSION))
    ]
    offset = first % _SUBMISSION * 32
    return b"".join(parts)[offset : offset + 32 * count]


def in_memory_tree(digests: bytes) -> bytes:
    """Return the root; plain hashlib, a list a level."""
    level = [sha256(b"\x00" + digests[i : i + 32]).digest() for i in range(0, len(digests), 32)]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = iter(level)
        level = [sha256(b"\x01" + a + b).digest() for a, b in zip(pairs, pairs, strict=False)]
        level += odd
    return level[0]


def rates_of(call: Callable[[bytes], object], digests: bytes) -> tuple[float, float]:
    """Return digests a second of one call, by the clock and by the processor time of all threads.

    On a machine that does other things beside, only the second says something.
    """
    started, used = time.perf_counter(), time.process_time()
    call(digests)
    count = len(digests) / 32
    return count / (time.perf_counter() - started), count / (time.process_time() - used)


def bulk_and_yardstick(sequencer: Sequencer, first: int, count: int) -> list[str]:
    """Take turns, a million digests each, so that both meet the same machine."""
    bulk, tree = [], []
    for start in range(first, first + count, _SUBMISSION):
        digests = made_digests(start, min(_SUBMISSION, first + count - start))
        tree.append(rates_of(in_memory_tree, digests))
        created = sequencer.figures.n_created
        bulk.append(rates_of(sequencer.submit_blocking, digests))
        if sequencer.figures.n_created != created + len(digests) // 32:
            sys.exit("digests repeat: the folder holds another run")
    again, _ = rates_of(sequencer.submit_blocking, made_digests(first, min(count, _SUBMISSION)))
    lines = []
    for by, name in enumerate(("clock", "processor time")):
        trees, bulks = [rates[by] for rates in tree], [rates[by] for rates in bulk]
        ratios = [one / other for one, other in zip(bulks, trees, strict=True)]
        lines += [
            row(f"in-memory tree, by {name}", trees, ",.0f"),
            row(f"bulk to signed checkpoint, by {name}", bulks, ",.0f"),
            row(f"bulk as a part of the tree, by {name}", ratios, ".2f"),
        ]
    lines.append(f"| the same digests again | {again:,.0f} | |")
    return lines


def row(name: str, numbers: list[float], form: str) -> str:
    low, high = min(numbers), max(numbers)
    return f"| {name} | {statistics.median(numbers):{form}} | {low:{form}} to {high:{form}} |"


def percentiles(call: Callable[[int], object], items: list[int]) -> str:
    """Return p50 and p99 in milliseconds over one call an item, by clock and processor time."""
    by_clock, by_processor = [], []
    for item in items:
        started, used = time.perf_counter(), time.thread_time()
        call(item)
        by_clock.append((time.perf_counter() - started) * 1e3)
        by_processor.append((time.thread_time() - used) * 1e3)
    p50, p99 = (statistics.quantiles(by_clock, n=100)[i] for i in (49, 98))
    processor = statistics.quantiles(by_processor, n=100)[98]
    return f"p50 {p50:.3f} ms, p99 {p99:.3f} ms | p99 by processor time {processor:.3f} ms"


def memory_mib() -> dict[str, float]:
    """Return this process's memory: resident in all, its own, and pages of files it has mapped."""
    wanted = {"VmRSS": "rss", "RssAnon": "anonymous", "RssFile": "mapped files", "VmHWM": "peak"}
    found = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in wanted:
            found[wanted[name]] = int(value.split()[0]) / 1024
    return found


def disk_bytes(folder: Path) -> dict[str, int]:
    sizes = {"entries": 0, "level": 0, "index": 0, "other": 0}
    for path in folder.rglob("*"):
        if path.is_file():
            kind = path.name.split("-")[0]
            kind = "index" if path.parent.name == "index" else kind
            sizes[kind if kind in sizes else "other"] += path.stat().st_blocks * 512
    return sizes


def proofs_and_lookups(log: PackedLog, n_samples: int) -> list[str]:
    size = log.size
    dice = np.random.default_rng(7)
    leaves = dice.integers(0, size, n_samples).tolist()
    entries = {leaf: log.entry(leaf) for leaf in leaves}
    root = log.root_hash(size)
    absent = [int.from_bytes(os.urandom(8), "big") for _ in range(n_samples)]

    def prove(leaf: int) -> None:
        log.inclusion_path(leaf, size)

    def look_up_and_prove(leaf: int) -> None:
        index = log.find(entries[leaf])
        if index != leaf:
            sys.exit("lookup is wrong")
        log.inclusion_path(index, size)

    rows = []
    for name, call, items in (
        ("lookup, present", lambda leaf: log.find(entries[leaf]), leaves),
        ("lookup, absent", lambda number: log.find(sha256(b"%d" % number).digest()), absent),
        ("inclusion path", prove, leaves),
        ("lookup and path", look_up_and_prove, leaves),
    ):
        rows.append(f"| {name} | {percentiles(call, items)} |")
    for leaf in leaves[:100]:
        verify_inclusion(leaf_hash(entries[leaf]), leaf, size, log.inclusion_path(leaf, size), root)
    return rows


def preload(sequencer: Sequencer, log: PackedLog, count: int) -> None:
    have = log.size
    started = time.perf_counter()
    while have < count:
        step = min(_SUBMISSION, count - have)
        sequencer.submit_blocking(made_digests(have, step))
        have += step
        if have % (10 * _SUBMISSION) == 0:
            print(f"  preloaded {have:,} in {time.perf_counter() - started:.0f} s", flush=True)


def machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--digests", type=int, default=8_000_000)
    parser.add_argument("--preload", type=int, default=0)
    parser.add_argument("--samples", type=int, default=5_000)
    parser.add_argument("--folder", type=Path, help="kept, and used again; else a temporary one")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="log-bulk-"))
    try:
        run(options, folder)
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


def run(options: argparse.Namespace, folder: Path) -> None:
    signer = LogSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)), "bench.example/log")
    log = PackedLog(folder)
    sequencer = Sequencer(log, signer)
    print(f"{machine()}, {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC")
    preload(sequencer, log, options.preload)
    first = log.size
    lines = bulk_and_yardstick(sequencer, first, options.digests)
    print(f"\n| at {first:,} digests stored, digests a second | median | all submissions |")
    print("|---|---|---|")
    print("\n".join(lines))
    runs = log.index.runs
    print(f"| index | {len(runs)} runs | {', '.join(f'{len(run):,}' for run in runs)} |")
    for row in proofs_and_lookups(log, options.samples):
        print(row)
    memory = memory_mib()
    print("| memory | " + f"{memory['rss']:.0f} MiB resident | ", end="")
    print(", ".join(f"{name} {value:.0f}" for name, value in memory.items()) + " |")
    sequencer.close()
    log.close()
    sizes = disk_bytes(folder)
    per_digest = {name: size / log.size for name, size in sizes.items()}
    print(f"| disk | {sum(per_digest.values()):.1f} bytes a digest | ", end="")
    print(", ".join(f"{name} {value:.2f}" for name, value in per_digest.items()) + " |")
    started = time.perf_counter()
    PackedLog(folder).close()
    print(f"| close and open again | {time.perf_counter() - started:.2f} s | |")


if __name__ == "__main__":
    main()
