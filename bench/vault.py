"""Rates of the recorder and times of its commands, on the disk of ``--folder``.

Records one at a time and in batches, images of 2 MB, then ``vestige log`` and ``status`` as
processes of their own on a vault of ``--records``, with proofs and without. With ``--large GIB`` a
sparse file of that size is recorded and the memory that it took is shown.

    python bench/vault.py
    python bench/vault.py --records 10000 --images 1000 --large 8
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from anchor.client.known_logs import KnownLogs
from anchor.client.service_client import ServiceClient
from anchor.client.state_folder import state_folder
from anchor.vault import Attachment, Draft, KeyStore, Recorder, Sender, Vault
from anchor.vault.check import check_vault
from anchor.vault.genesis import begin_project
from anchor.vault.signer import Signer

_IMAGE_BYTES = 2_000_000
_RUNS = 7


def begun(work: Path) -> tuple[Vault, Signer]:
    store = KeyStore(place="file", ask=lambda _which: b"correct horse")
    vault = Vault.init(work)
    recovery = Signer.generate().thumbprint
    return vault, begin_project(vault, store, fields={"title": "bench"}, recovery=recovery).signer


def rate(what: str, count: int, act: Callable[[], object]) -> None:
    start, busy = time.perf_counter(), time.process_time()
    act()
    took, busy = time.perf_counter() - start, time.process_time() - busy
    print(
        f"{what:46} {count / took:10,.1f} /s   {took:8.2f} s   processor {busy:.2f} s", flush=True
    )


def notes(count: int) -> list[Draft]:
    return [Draft("note", {"text": f"remark {number}"}) for number in range(count)]


def measure_records(recorder: Recorder) -> None:
    rate("records, each acknowledged by itself", 1000, lambda: [
        recorder.append(draft) for draft in notes(1000)
    ])  # fmt: skip
    rate("records, in one call", 1000, lambda: recorder.append_many(notes(1000)))


def measure_images(vault: Vault, recorder: Recorder, count: int) -> None:
    work = vault.layout.work
    for number in range(count):
        data = os.urandom(1000) * (_IMAGE_BYTES // 1000)
        (work / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n%d" % number + data)
    drafts = [
        Draft("generation", {"tool": "bench"}, (Attachment("output", work / f"{number}.png"),))
        for number in range(count)
    ]
    rate(f"images of 2 MB ({count})", count, lambda: recorder.append_many(drafts))
    for number in range(count):
        (work / f"{number}.png").unlink()


def measure_large(vault: Vault, recorder: Recorder, gib: float) -> None:
    path = vault.layout.work / "large.bin"
    with path.open("wb") as file:
        file.truncate(int(gib * (1 << 30)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    recorder.append(Draft("recording", {}, (Attachment("video", path),)))
    took = time.perf_counter() - start
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{f'a file of {gib:g} GiB':46} {gib * 1024 / took:10,.1f} MiB/s {took:6.2f} s")
    print(f"{'  memory taken by it':46} {more / 1024:10,.1f} MiB")


def command(folder: Path, *words: str) -> None:
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "anchor.cli", *words],
            cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        times.append(time.perf_counter() - start)
    name = f"vestige {' '.join(words)}"
    print(f"{name:46} {statistics.median(times):10.3f} s    best {min(times):.3f} s")


def measure_commands(vault: Vault) -> None:
    work = vault.layout.work
    print(f"\ncommands on {vault.size:,} records, median of {_RUNS}")
    command(work, "status")
    command(work, "log")
    command(work, "log", "--all")
    command(work, "note", "x", "--offline")
    start = time.perf_counter()
    vault.rebuild()
    print(f"{'index made anew':46} {time.perf_counter() - start:10.2f} s")
    start = time.perf_counter()
    problems = check_vault(vault).problems
    print(
        f"{'chain verified':46} {time.perf_counter() - start:10.2f} s    {len(problems)} problems"
    )


def send_all(vault: Vault, folder: Path) -> None:
    """Send everything to a real service in this process, so that there are proofs."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.e2e.http_service import POLICY, served

    with served(folder) as (server, _), ServiceClient(server.url) as client:
        logs = KnownLogs(state_folder(), POLICY)
        sender = Sender(vault, client, POLICY, logs, lambda: dt.datetime.now(dt.UTC))
        rate(f"records sent and their proofs written ({vault.size:,})", vault.size, sender.send)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--large", type=float, metavar="GIB")
    parser.add_argument("--folder", type=Path, help="where to work (default: the temporary folder)")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vestige-bench-", dir=args.folder))
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    os.environ["XDG_DATA_HOME"] = str(folder / "data")
    (folder / "passphrase").write_text("correct horse")
    os.environ["VESTIGE_PASSPHRASE_FILE"] = str(folder / "passphrase")
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.platform()}")
    try:
        (folder / "work").mkdir()
        vault, signer = begun(folder / "work")
        with vault:
            recorder = Recorder(vault, signer)
            measure_records(recorder)
            if args.images:
                measure_images(vault, recorder, args.images)
            if args.large:
                measure_large(vault, recorder, args.large)
            recorder.append_many(notes(max(args.records - vault.size, 0)))
            measure_commands(vault)
            print("\nwith a proof for each record")
            send_all(vault, folder / "service")
            measure_commands(vault)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
