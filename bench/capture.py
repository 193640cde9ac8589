"""What capturing images costs: digests and metadata of files of 2 MB, with confined readers.

The images are PNG files of random pixels with the text of a web UI, written to a folder of their
own and read once before, so that the disk plays no part. Yardsticks of the same run: the two
digests alone, the metadata alone in this process, and an empty reader's start.

    python -m bench.capture
    python -m bench.capture --files 1000 --workers 2
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from anchor.capture import CaptureLimits, CapturePool, FileDigests
from anchor.capture.file_bytes import FileBytes
from anchor.capture.parse import parse_metadata

_SIDE = 816
_INFO = (
    "a cat on a mat, number {}\nNegative prompt: a dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, "
    "Seed: {}, Size: 816x816, Model hash: c0d1994c73, Model: sd15, Version: v1.10.1"
)


def make_image(path: Path, number: int) -> None:
    """Write a PNG of about 2 MB in chunks of 8 KiB, as libpng does."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + os.urandom(_SIDE * 3) for _ in range(_SIDE))
    data = zlib.compress(rows, 1)
    info = _INFO.format(number, number).encode()
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0))
        + chunk(b"tEXt", b"parameters\0" + info)
        + b"".join(chunk(b"IDAT", data[i : i + 8192]) for i in range(0, len(data), 8192))
        + chunk(b"IEND", b"")
    )


def hash_file(path: Path) -> None:
    """Hash a file as capture does, and do nothing else."""
    with path.open("rb") as file:
        FileDigests.of_descriptor(file.fileno())


def parse_file(path: Path) -> None:
    """Read a file's metadata in this process, and do nothing else."""
    limits = CaptureLimits()
    with path.open("rb") as file:
        data = FileBytes.of_descriptor(file.fileno(), max_read_bytes=limits.read_bytes)
        if parse_metadata(data, limits)[0].tool != "AUTOMATIC1111":
            raise SystemExit(f"{path}: not read")


def timed(what: str, paths: list[Path], threads: int, work: Callable[[Path], object]) -> None:
    """Print what one kind of work costs for all files."""
    with ThreadPoolExecutor(threads) as executor:
        start = time.perf_counter()
        for _ in executor.map(work, paths):
            pass
        took_s = time.perf_counter() - start
    rate = len(paths) / took_s
    print(f"{what:<44} {1000 * took_s / len(paths):>7.2f} ms a file {rate:>8.0f} files/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vestige-bench-") as folder:
        paths = [Path(folder) / f"{number}.png" for number in range(options.files)]
        for number, path in enumerate(paths):
            make_image(path, number)
        size = sum(path.stat().st_size for path in paths) / len(paths)
        print(
            f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
        )
        print(f"{len(paths)} PNG files of {size / 1e6:.2f} MB, {options.workers} workers")
        for path in paths:
            hashlib.sha256(path.read_bytes())
        timed("SHA-256 and SHA3-256 alone, one thread", paths, 1, hash_file)
        timed("metadata alone, in this process", paths, 1, parse_file)
        known = FileDigests(0, "", "")
        with CapturePool(1) as pool:
            start = time.perf_counter()
            pool.read(paths[0], digests=known)
            took_s = time.perf_counter() - start
            print(f"{'start of a reader and its first file':<44} {1000 * took_s:>7.0f} ms")
            timed("metadata alone, confined, one thread", paths, 1,
                  lambda path: pool.read(path, digests=known))  # fmt: skip
            timed("digests and metadata, one worker", paths, 1, pool.read)
        with CapturePool(options.workers) as pool:
            for path in paths[: options.workers]:
                pool.read(path)
            timed(f"digests and metadata, {options.workers} workers and threads", paths,
                  options.workers, pool.read)  # fmt: skip


if __name__ == "__main__":
    main()
