"""Bulk over HTTP: from the socket to a signed checkpoint, beside an in-memory RFC 6962 tree.

The service is ``vestige serve`` as it is, on a fresh data folder and without outside parties. Raw
bodies of a million digests go through loopback; the clock runs from the first byte sent to the last
byte of the answer. The yardstick is the tree that ``bench.log_bulk`` builds over the same digests
in the same run: hashlib alone, nothing stored; before and after, so that a machine that is busy
with other things shows. Afterwards digests are looked up over HTTP at once.

    python -m bench.http_bulk
    python -m bench.http_bulk --bodies 50
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
    parser.add_argument("--lookups", type=int, default=1500)
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
        asked = sample(options)
        standing = ask(client, url, "", asked)
        proof = ask(client, url, "/proof", asked)
        peak = memory_mib(url)
    tree = sum(trees) / len(trees)
    total = options.bodies * options.digests / sum(options.digests / rate for rate in rates)
    print(machine())
    print(f"| bulk over HTTP, bodies of {options.digests:,} digests | digests/s | |")
    print("|---|---|---|")
    print(f"| in-memory tree | {tree:,.0f} | {', '.join(f'{t:,.0f}' for t in trees)} |")
    shown = rates if len(rates) <= 8 else [*rates[:3], *rates[-3:]]
    each = ", ".join(f"{rate:,.0f}" for rate in shown)
    print(f"| socket to signed checkpoint | {total:,.0f} | {each} |")
    print(f"\nratio {total / tree:.2f} of the in-memory tree; peak memory {peak:.0f} MiB")
    print(f"at {options.bodies * options.digests:,} digests, one connection:")
    print(f"where a digest stands: p50 {standing[0]:.1f} ms, p99 {standing[1]:.1f} ms")
    print(f"the proof of a digest: p50 {proof[0]:.1f} ms, p99 {proof[1]:.1f} ms")


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


def sample(options: argparse.Namespace) -> list[tuple[int, bytes]]:
    """Return leaf indices with their digests, of the first, a middle and the last body."""
    dice = np.random.default_rng(7)
    found = []
    for body in {0, options.bodies // 2, options.bodies - 1}:
        start = body * options.digests
        digests = made_digests(start, options.digests)
        found += [
            (start + number, digests[32 * number : 32 * number + 32])
            for number in dice.integers(0, options.digests, options.lookups // 3).tolist()
        ]
    dice.shuffle(found)
    return found


def ask(
    client: httpx.Client, url: str, rest: str, asked: list[tuple[int, bytes]]
) -> tuple[float, float]:
    """Ask for each digest once; return p50 and p99 in milliseconds."""
    times = []
    for leaf_index, digest in asked:
        started = time.perf_counter()
        answer = client.get(f"{url}/v1/digests/{digest.hex()}{rest}")
        times.append(time.perf_counter() - started)
        value = answer.json()
        found = value["inclusions"][-1] if rest else value
        if found["leaf_index"] != leaf_index:
            sys.exit("lookup is wrong")
    times.sort()
    return times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3


if __name__ == "__main__":
    main()
