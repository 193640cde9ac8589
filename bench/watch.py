"""How long after its last write an image has its record, for images that come all at once.

A process of its own writes the images, as a generator does; a watcher in this one records them.
Every image is timed from its own last write. The best of several runs is what the program costs;
the others show what else the machine did.

    python -m bench.watch
    python -m bench.watch --images 2000 --kilobytes 20 --runs 5
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

from anchor.capture import CapturePool
from anchor.vault import KeyStore, Recorder, Vault
from anchor.vault.genesis import begin_project
from anchor.vault.signer import Signer
from anchor.vault.watching.watcher import Happening, Watcher

_START_S = 0.5
_INFO = (
    "a cat on a mat, number {}\nNegative prompt: a dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, "
    "Seed: {}, Size: 512x512, Model hash: c0d1994c73, Model: sd15, Version: v1.10.1"
)


def begun(work: Path) -> tuple[Vault, Signer]:
    """Make a project with a key of its own."""
    work.mkdir()
    store = KeyStore(place="file", ask=lambda _which: b"correct horse")
    vault = Vault.init(work)
    recovery = Signer.generate().thumbprint
    return vault, begin_project(vault, store, fields={"title": "bench"}, recovery=recovery).signer


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def drop(folder: Path, images: int, kilobytes: int) -> None:
    """Wait for a line, then write all images; print when the last byte of each was written."""
    header = struct.pack(">IIBBBBB", 512, 512, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    pixels = os.urandom(1000 * kilobytes)
    end = b"".join(chunk(b"IDAT", pixels[at : at + 8192]) for at in range(0, len(pixels), 8192))
    end += chunk(b"IEND", b"")
    print("ready", flush=True)
    sys.stdin.readline()
    times = []
    for number in range(images):
        info = chunk(b"tEXt", b"parameters\0" + _INFO.format(number, number).encode())
        (folder / f"{number}.png").write_bytes(start + info + end)
        times.append(time.monotonic())
    print(*times)


def measure(folder: Path, images: int, kilobytes: int, *, poll: bool) -> float:
    """Have images dropped while a watcher runs; return the longest time to a record, in seconds."""
    vault, signer = begun(folder / "work")
    work = vault.layout.work
    told: dict[str, float] = {}
    stop = threading.Event()

    def tell(happening: Happening) -> None:
        told[happening.path.name] = time.monotonic()
        if len(told) == images:
            stop.set()

    dropping = subprocess.Popen(
        [sys.executable, "-m", "bench.watch", "--drop", str(work), str(images), str(kilobytes)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    if dropping.stdin is None or dropping.stdout is None or not dropping.stdout.readline():
        raise SystemExit("the process that writes the images did not start")
    with vault, CapturePool() as pool:
        pool.start()
        recorder = Recorder(vault, signer)
        watcher = Watcher(vault, recorder, pool, [work], tell=tell, poll=poll)
        watching = threading.Thread(target=watcher.run, args=(stop,))
        watching.start()
        time.sleep(_START_S)
        busy = time.process_time()
        dropping.stdin.write("go\n")
        dropping.stdin.flush()
        watching.join()
        busy = time.process_time() - busy
    written = [float(word) for word in dropping.communicate()[0].split()]
    lags = sorted(told[f"{number}.png"] - at for number, at in enumerate(written))
    print(
        f"{images:6,} images of {kilobytes} kB, written in {written[-1] - written[0]:.2f} s; "
        f"from last write to record: median {statistics.median(lags):.2f} s, "
        f"99 % {lags[int(len(lags) * 0.99)]:.2f} s, longest {lags[-1]:.2f} s; "
        f"processor time {busy:.2f} s, readers not counted",
        flush=True,
    )
    return lags[-1]


def main() -> None:
    """Measure, or (as the process that writes) write the images."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1, 100, 2000])
    parser.add_argument("--kilobytes", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--poll", action="store_true", help="look for changes instead of listening")
    parser.add_argument("--drop", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.drop:
        drop(Path(args.drop[0]), int(args.drop[1]), int(args.drop[2]))
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.platform()}")
    for images in args.images:
        longest = []
        for _ in range(args.runs):
            folder = Path(tempfile.mkdtemp(prefix="vestige-bench-"))
            os.environ["XDG_STATE_HOME"] = str(folder / "state")
            os.environ["XDG_DATA_HOME"] = str(folder / "data")
            try:
                longest.append(measure(folder, images, args.kilobytes, poll=args.poll))
            finally:
                shutil.rmtree(folder)
        print(f"{images:6,} images: best of {args.runs} runs, longest {min(longest):.2f} s")


if __name__ == "__main__":
    main()
