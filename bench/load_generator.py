"""A load generator: many connections, one request at a time on each, as fast as answers come.

``wrk`` (Debian: ``apt install wrk``) is used where it is installed: it needs least of the machine.
Else a generator in Python takes its place, in a process of its own, on ready-made bytes and with a
parser that looks at the status and the length alone; it needs about as much of a core as the
service itself, so that figures taken with it are lower than those taken with wrk.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_LUA = """
local hexes = {}
for i = 0, 255 do hexes[i] = string.format("%02x", i) end
local file = io.open("/dev/urandom", "rb")
local prefix = ""
for c in file:read(10):gmatch(".") do prefix = prefix .. hexes[c:byte()] end
file:close()
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local n = 0
request = function()
  n = n + 1
  return wrk.format(nil, nil, nil,
    '{"digests":["' .. prefix .. string.format("%044x", n) .. '"]}')
end
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %f %f %f %d\\n", summary.requests, summary.duration,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
    + summary.errors.status,
    latency:percentile(50), latency:percentile(99), latency.max, 0))
end
"""


@dataclass
class Load:
    """What came of one run; ``failed`` counts everything but a 200."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


def find_wrk() -> str | None:
    return os.environ.get("WRK") or shutil.which("wrk")


def run_load(url: str, path: str, *, connections: int, seconds: float, pin: str | None) -> Load:
    """Send single-digest submissions, each digest another one, for some seconds."""
    wrk = find_wrk()
    command = ["taskset", "-c", pin] if pin else []
    if wrk is None:
        command += [sys.executable, "-m", "bench.load_generator", url, path]
        command += [str(connections), str(seconds)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return Load(**json.loads(output))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_LUA)
        script.flush()
        command += [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"]
        command += ["-s", script.name, url + path]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+)", output)
    if found is None:
        raise SystemExit(f"wrk said: {output}")
    requests, duration, failed, p50, p99, most = map(float, found.groups())
    return Load(int(requests), duration / 1e6, int(failed), p50 / 1e3, p99 / 1e3, most / 1e3)


# -- the generator in Python -----------------------------------------------------------------------


class _Connection(asyncio.Protocol):
    def __init__(self, head: bytes, deadline: float, latencies: list[float]) -> None:
        self._head = head
        self._deadline = deadline
        self._latencies = latencies
        self._buffer = b""
        self._number = 0
        self._prefix = os.urandom(12).hex()
        self.failed = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._ask()

    def _ask(self) -> None:
        self._number += 1
        digest = self._prefix + format(self._number, "040x")
        self._asked_at = time.perf_counter()
        self._transport.write(b'%b{"digests":["%b"]}' % (self._head, digest.encode()))

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        start = self._buffer.lower().find(b"content-length:") + 15
        length = int(self._buffer[start : self._buffer.find(b"\r\n", start)])
        if len(self._buffer) < end + 4 + length:
            return
        now = time.perf_counter()
        self._latencies.append(now - self._asked_at)
        self.failed += not self._buffer.startswith(b"HTTP/1.1 200 ")
        self._buffer = b""
        if now < self._deadline:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.failed += exc is not None
        self.done.set_result(None)


async def _generate(url: str, path: str, connections: int, seconds: float) -> Load:
    host, _, port = url.removeprefix("http://").rpartition(":")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: 80\r\n\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    started = time.perf_counter()
    made = [
        (
            await loop.create_connection(
                lambda: _Connection(head, started + seconds, latencies), host, int(port)
            )
        )[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.done for connection in made))
    elapsed = time.perf_counter() - started
    latencies.sort()
    return Load(
        len(latencies),
        elapsed,
        sum(connection.failed for connection in made),
        latencies[len(latencies) // 2] * 1e3,
        latencies[int(len(latencies) * 0.99)] * 1e3,
        latencies[-1] * 1e3,
    )


def main() -> None:
    import uvloop

    url, path, connections, seconds = sys.argv[1:]
    load = uvloop.run(_generate(url, path, int(connections), float(seconds)))
    print(json.dumps(asdict(load)))


def describe() -> str:
    wrk = find_wrk()
    return "wrk" if wrk else "the generator in Python (bench/load_generator.py)"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    main()
