"""Run ``vestige verify`` in a process of its own that can open no socket.

The refusal is an audit hook (PEP 578), which cannot be taken off again; besides, the process looks
at the end whether any network code was loaded. So what it says rests on files alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anchor.cli._output import COLUMNS_VARIABLE
from anchor.errors import LogIntegrityError

_CHILD: Final = """
import sys

def refuse(event, _arguments):
    if event.startswith("socket."):
        raise RuntimeError("offline means offline: " + event)

sys.addaudithook(refuse)
from anchor.cli import main
status = main(sys.argv[1:])
network = {"httpx", "ssl", "asyncio", "http.client", "urllib.request", "web3", "fastapi"}
loaded = sorted(network & set(sys.modules))
if loaded:
    sys.stderr.write("network code was loaded: " + ", ".join(loaded) + "\\n")
    status = 70
sys.exit(status)
"""
_NETWORK_LOADED: Final = 70


@dataclass(frozen=True, slots=True)
class OfflineRun:
    """What one run said: its exit status and its lines."""

    status: int
    lines: tuple[str, ...]

    @property
    def json(self) -> Any:
        """Return the object that it wrote under ``--json``."""
        return json.loads("\n".join(self.lines))


def run_offline(words: Sequence[str], *, folder: Path, columns: int | None = None) -> OfflineRun:
    """Run the command line offline.

    Args:
        words: from the verb on.
        folder: where it runs.
        columns: how wide its lines may be; None sets no bound.

    Raises:
        LogIntegrityError: the process loaded network code, so that its word is not what it seems.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VESTIGE_")}
    if columns is not None:
        environment[COLUMNS_VARIABLE] = str(columns)
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *words],
        cwd=folder,
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    if done.returncode == _NETWORK_LOADED:
        raise LogIntegrityError(f"verification is not offline: {done.stderr.strip()}")
    return OfflineRun(done.returncode, tuple((done.stdout + done.stderr).splitlines()))
