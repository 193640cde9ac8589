"""How long after its last write an image has its record, for images that come all at once.

python bench/watch.py
python bench/watch.py --images 2000 --kilobytes 100
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

from anchor.capture import CapturePool
from anchor.vault import KeyStore, Recorder, Vault
from anchor.vault.genesis import begin_project
from anchor.vault.signer import Signer
from anchor.vault.watching.watcher import Happening, Watcher

_START_S = 0.5


def begun(work: Path) -> tuple[Vault, Signer]:
    work.mkdir()
    store = KeyStore(place="file", ask=lambda _which: b"correct horse")
    vault = Vault.init(work)
    recovery = Signer.generate().thumbprint
    return vault, begin_project(vault, store, fields={"title": "bench"}, recovery=recovery).signer


def measure(folder: Path, images: int, kilobytes: int, *, poll: bool) -> None:
    """Drop the images in one go while a watcher runs; print when their records were there."""
    vault, signer = begun(folder / "work")
    written: dict[str, float] = {}
    lags: list[float] = []
    stop = threading.Event()

    def tell(happening: Happening) -> None:
        lags.append(time.monotonic() - written[happening.path.name])
        if len(lags) == images:
            stop.set()

    def drop() -> None:
        time.sleep(_START_S)
        rest = os.urandom(1000) * kilobytes
        for number in range(images):
            path = vault.layout.work / f"{number}.png"
            path.write_bytes(b"\x89PNG\r\n\x1a\n%d" % number + rest)
            written[path.name] = time.monotonic()

    with vault, CapturePool() as pool:
        recorder = Recorder(vault, signer)
        watcher = Watcher(vault, recorder, pool, [vault.layout.work], tell=tell, poll=poll)
        dropping = threading.Thread(target=drop)
        start, busy = time.monotonic(), time.process_time()
        dropping.start()
        watcher.run(stop)
        took, busy = time.monotonic() - start - _START_S, time.process_time() - busy
    lags.sort()
    print(f"{images:,} images of {kilobytes} kB: {took:.2f} s, {images / took:,.0f} /s, ", end="")
    print(f"processor time {busy:.2f} s (readers not counted)")
    print(f"from write to record: median {statistics.median(lags):.2f} s, ", end="")
    print(f"99 % {lags[int(len(lags) * 0.99)]:.2f} s, longest {lags[-1]:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[1, 100, 2000])
    parser.add_argument("--kilobytes", type=int, default=20)
    parser.add_argument("--poll", action="store_true")
    args = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.platform()}")
    for images in args.images:
        folder = Path(tempfile.mkdtemp(prefix="vestige-bench-"))
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        os.environ["XDG_DATA_HOME"] = str(folder / "data")
        try:
            measure(folder, images, args.kilobytes, poll=args.poll)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
