"""A running ``vestige watch`` in a process of its own, and what it says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path


class Watch:
    """A running ``vestige watch --json``."""

    def __init__(self, work: Path, *words: str) -> None:
        self.events: list[dict] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "anchor.cli", "watch", *words, "--json", "--vault", str(work)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def named(self, name: str) -> list[dict]:
        return [event for event in list(self.events) if event["event"] == name]

    def until(self, name: str, count: int = 1, timeout_s: float = 120.0) -> list[dict]:
        deadline = time.monotonic() + timeout_s
        while len(self.named(name)) < count:
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline, Counter(event["event"] for event in self.events)
            time.sleep(0.02)
        return self.named(name)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        status = self.process.wait(60)
        self._reader.join(10)
        return status

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        self._reader.join(10)
        self.process.stdout.close()
        self.process.stderr.close()
