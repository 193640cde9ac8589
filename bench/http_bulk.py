"""Bulk over HTTP: from the socket to a signed checkpoint, beside an in-memory RFC 6962 tree.

The service is ``vestige serve`` as it is, on a fresh data folder and without outside parties. Raw
bodies of a million digests go through loopback; the clock runs from the first byte sent to the last
byte of the answer. The yardstick is the tree that ``bench.log_bulk`` builds over the same digests
in the same run: hashlib alone, nothing stored; before and after, so that a machine that is busy
with other things shows. Afterwards digests are looked up over HTTP at once.

    python -m bench.http_bulk
    python -m bench.http_bulk --bodies 8 --digests 1000000
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.note import parse_note
from bench.http_single import vestige
from bench.log_bulk import in_memory_tree, machine, made_digests

_RAW = {"content-type": "application/octet-stream"}
_CREATED = np.uint64(1 << 63)


def yardstick(digests: bytes) -> float:
    started = time.perf_counter()
    in_memory_tree(digests)
    return len(digests) / 32 / (time.perf_counter() - started)


def memory_mib(process_url: str) -> float:
    """Return the resident memory of the process that listens there."""
    port = int(process_url.rpartition(":")[2])
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        words = status.read_bytes().split(b"\0")
        if b"serve" in words and f"--port={port}".encode() in words:
            for line in (status.parent / "status").read_text().splitlines():
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) / 1024
    return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bodies", type=int, default=4)
    parser.add_argument("--digests", type=int, default=1_000_000, help="in each body")
    parser.add_argument("--lookups", type=int, default=500)
    parser.add_argument("--folder", type=Path, help="where the data folder is made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name, vestige(Path(name), None) as url:
        run(options, url)


def run(options: argparse.Namespace, url: str) -> None:
    with httpx.Client(timeout=300) as client:
        first = made_digests(0, options.digests)
        trees = [yardstick(first)]
        rates = []
        for body in range(options.bodies):
            digests = first if not body else made_digests(body * options.digests, options.digests)
            started = time.perf_counter()
            answer = client.post(f"{url}/v1/digests", content=digests, headers=_RAW)
            rates.append(options.digests / (time.perf_counter() - started))
            check(answer, body * options.digests, options.digests)
        trees.append(yardstick(first))
        times = look_up(client, url, first, min(options.lookups, options.digests))
        peak = memory_mib(url)
    tree = sum(trees) / len(trees)
    total = options.bodies * options.digests / sum(options.digests / rate for rate in rates)
    print(machine())
    print(f"| bulk over HTTP, bodies of {options.digests:,} digests | digests/s | |")
    print("|---|---|---|")
    print(f"| in-memory tree | {tree:,.0f} | {', '.join(f'{t:,.0f}' for t in trees)} |")
    each = ", ".join(f"{rate:,.0f}" for rate in rates)
    print(f"| socket to signed checkpoint | {total:,.0f} | {each} |")
    print(f"\nratio {total / tree:.2f} of the in-memory tree; peak memory {peak:.0f} MiB")
    print(f"lookup by digest over HTTP: p50 {times[0]:.1f} ms, p99 {times[1]:.1f} ms")


def check(answer: httpx.Response, first: int, count: int) -> None:
    if answer.status_code != 200:
        sys.exit(answer.text)
    numbers = np.frombuffer(answer.content, dtype=">u8").astype(np.uint64)
    if not (numbers & _CREATED).all():
        sys.exit("digests repeat")
    if not np.array_equal(numbers & ~_CREATED, np.arange(first, first + count, dtype=np.uint64)):
        sys.exit("leaf indices are not in order")
    note = base64.b64decode(answer.headers["vestige-checkpoint"])
    if parse_checkpoint(parse_note(note).text).tree_size < first + count:
        sys.exit("the checkpoint does not cover the digests")


def look_up(client: httpx.Client, url: str, digests: bytes, count: int) -> tuple[float, float]:
    times = []
    for number in np.random.default_rng(7).integers(0, len(digests) // 32, count).tolist():
        digest = digests[32 * number : 32 * number + 32]
        started = time.perf_counter()
        answer = client.get(f"{url}/v1/digests/{digest.hex()}")
        times.append(time.perf_counter() - started)
        if answer.json()["leaf_index"] != number:
            sys.exit("lookup is wrong")
    times.sort()
    return times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3


if __name__ == "__main__":
    main()
