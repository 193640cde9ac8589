"""Runs anvil, a real EVM node, on a free port of this machine.

The binary comes from npm (`npm ci` in the project's root); ``VESTIGE_ANVIL`` or a copy on the
``PATH`` serves as well.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_ROOT = Path(__file__).resolve().parent.parent.parent
_FROM_NPM = _ROOT / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
_LISTENING = "Listening on "


def find_anvil() -> str | None:
    """Return the path of the anvil binary, or None."""
    named = os.environ.get("VESTIGE_ANVIL")
    if named:
        return named
    return str(_FROM_NPM) if _FROM_NPM.is_file() else shutil.which("anvil")


class Anvil:
    """One running node."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self._process = process
        self.url = url

    def rpc(self, method: str, *params: Any) -> Any:
        """Call a method; RuntimeError with the node's own words where it refuses."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        request = urllib.request.Request(
            self.url, data=body.encode(), headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        if "error" in answer:
            raise RuntimeError(answer["error"]["message"])
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        """Mine that many blocks."""
        self.rpc("anvil_mine", hex(blocks))

    def fund(self, address: bytes, wei: int) -> None:
        """Set the balance of an account."""
        self.rpc("anvil_setBalance", "0x" + address.hex(), hex(wei))

    def pause(self) -> None:
        """Stop the process where it is: it accepts connections and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the process."""
        self.resume()
        self._process.kill()
        self._process.wait(timeout=10)


@contextmanager
def running_anvil(require: Callable[[object, str], None], *arguments: str) -> Iterator[Anvil]:
    """Run a node for the time of a ``with``; skip the test where there is no anvil."""
    binary = find_anvil()
    require(binary, "no anvil: run `npm ci`, or put it on the PATH")
    # What it prints goes to a file: a pipe that nobody empties would stop it after a while.
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [str(binary), "--host", "127.0.0.1", "--port", "0", *arguments],
            stdout=said,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/")},
        )
        try:
            yield Anvil(process, "http://" + _read_address(process, said))
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(timeout=10)


def _read_address(process: subprocess.Popen[bytes], said: IO[str]) -> str:
    text = ""
    for _ in range(1000):
        said.seek(0)
        text = said.read()
        if _LISTENING in text and text.endswith("\n"):
            return text.rpartition(_LISTENING)[2].split()[0]
        if process.poll() is not None:
            break
        time.sleep(0.01)
    raise RuntimeError("anvil did not start: " + text[-500:])
