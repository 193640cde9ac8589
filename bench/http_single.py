"""One digest a request: the real service beside a bare FastAPI endpoint, from the same run.

The bare endpoint parses the same JSON into a model and stores nothing (uvicorn, uvloop, httptools,
one worker). The service is ``vestige serve`` as it is, on a fresh data folder and without outside
parties: every answer is flushed, sequenced and under a signed checkpoint. Both are asked in turns,
several times, so that a machine that is busy with other things shows; the load generator runs on
the same cores. Afterwards every digest is counted in the log.

    python -m bench.http_single
    python -m bench.http_single --connections 256 --seconds 10 --turns 5 --pin
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench.load_generator import Load, describe, run_load
from bench.log_bulk import machine

_PATH = "/v1/digests"
_BARE = """
import sys, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

class Submission(BaseModel):
    digests: list[str]

app = FastAPI()

@app.post("/v1/digests")
async def submit(submission: Submission):
    return {"received": len(submission.digests)}

uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="error", loop="uvloop",
            http="httptools")
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(command: list[str], port: int, pin: str | None, **more: str) -> Iterator[str]:
    """Run a server until the end of the block; yield its address once it answers."""
    pinned = ["taskset", "-c", pin] if pin else []
    child = subprocess.Popen(
        [*pinned, *command], stdout=subprocess.DEVNULL, env={**os.environ, **more}
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{url}/healthz")
                break
            time.sleep(0.05)
        yield url
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)


def bare(pin: str | None) -> contextlib.AbstractContextManager[str]:
    port = free_port()
    return server([sys.executable, "-c", _BARE, str(port)], port, pin)


def vestige(folder: Path, pin: str | None) -> contextlib.AbstractContextManager[str]:
    port = free_port()
    command = [str(Path(sys.executable).with_name("vestige")), "serve", "--quiet"]
    command += [f"--data={folder / 'data'}", f"--port={port}", "--calendars-urls="]
    command += ["--rfc3161-authorities=", "--log-disk-reserve-mb=0"]
    return server(command, port, pin, XDG_STATE_HOME=str(folder / "state"))


def row(name: str, loads: list[Load]) -> str:
    rates = [load.per_s for load in loads]
    each = ", ".join(f"{rate:,.0f}" for rate in rates)
    return (
        f"| {name} | {statistics.median(rates):,.0f} | "
        f"{statistics.median(load.p50_ms for load in loads):.1f} | "
        f"{statistics.median(load.p99_ms for load in loads):.1f} | "
        f"{max(load.max_ms for load in loads):.0f} | {each} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--pin", action="store_true", help="server on core 0, load on core 1")
    parser.add_argument("--folder", type=Path, help="where the data folder is made")
    options = parser.parse_args()
    server_pin, load_pin = ("0", "1") if options.pin else (None, None)

    def load(url: str, seconds: float) -> Load:
        found = run_load(url, _PATH, connections=options.connections, seconds=seconds, pin=load_pin)
        if found.failed:
            sys.exit(f"{found.failed} requests to {url} failed")
        return found

    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        with bare(server_pin) as bare_url, vestige(folder, server_pin) as url:
            warm = [load(bare_url, 1.5), load(url, 1.5)][1]
            bare_loads, loads = [], []
            for _ in range(options.turns):
                bare_loads.append(load(bare_url, options.seconds))
                loads.append(load(url, options.seconds))
            status = httpx.get(f"{url}/v1/status").json()
            size = status["log"]["tree_size"]
        sent = warm.requests + sum(found.requests for found in loads)
    ratio = statistics.median(
        ours.per_s / theirs.per_s for ours, theirs in zip(loads, bare_loads, strict=True)
    )
    print(f"{machine()}; load by {describe()}, {options.connections} connections", end="")
    print(", server on core 0, load on core 1" if options.pin else ", cores shared")
    print("\n| one digest a request | req/s | p50 ms | p99 ms | max ms | each turn |")
    print("|---|---|---|---|---|---|")
    print(row("bare FastAPI, stores nothing", bare_loads))
    print(row("vestige serve, durable and idempotent", loads))
    print(f"\nratio {ratio:.2f} of the bare endpoint (median of turns)")
    # wrk counts what was answered before its end; what came later is in the log too.
    late = size - sent
    print(f"{sent:,} answered, {size:,} in the log ({late} more were cut off by the end of a turn)")
    if not 0 <= late <= (options.turns + 1) * options.connections:
        sys.exit(json.dumps({"answered": sent, "in the log": size}))


if __name__ == "__main__":
    main()
