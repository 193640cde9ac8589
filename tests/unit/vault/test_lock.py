"""One holder at a time, among threads and processes; the end of a process lets go."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from anchor.errors import StoreConflictError
from anchor.vault.lock import held

_HOLDER = """
import sys, pathlib
from anchor.vault.lock import held
with held(pathlib.Path(sys.argv[1]), "is busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_in_the_process_is_refused_and_told_who_holds_it(tmp_path: Path):
    path = tmp_path / "watch.lock"
    with (
        held(path, "is watching"),
        pytest.raises(StoreConflictError) as caught,
        held(path, "is watching"),
    ):
        pass
    assert caught.value.code == "vault.locked"
    assert caught.value.message == f"another process ({os.getpid()}) is watching"
    with held(path, "is watching"):
        pass


def test_a_thread_waits_for_another(tmp_path: Path):
    path = tmp_path / "write.lock"
    order = []
    inside = threading.Event()

    def second():
        inside.set()
        with held(path, "is writing", wait_s=30):
            order.append("second")

    with held(path, "is writing"):
        thread = threading.Thread(target=second)
        thread.start()
        inside.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("end", ["kill", "close"])
def test_the_lock_of_another_process_ends_with_it(tmp_path: Path, end: str):
    path = tmp_path / "watch.lock"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreConflictError, match=f"{holder.pid}"), held(path, "is watching"):
            pass
        if end == "kill":
            holder.kill()
        else:
            holder.stdin.close()
        holder.wait()
        with held(path, "is watching"):
            pass


def test_an_error_inside_lets_go(tmp_path: Path):
    path = tmp_path / "write.lock"
    with pytest.raises(ZeroDivisionError), held(path, "is writing"):
        raise ZeroDivisionError
    with held(path, "is writing"):
        pass
