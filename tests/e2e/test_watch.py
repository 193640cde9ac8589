"""``vestige watch`` in a process of its own: crowds, kills, second watchers, a service again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from anchor.records.chain import verify_chain
from anchor.vault import Vault
from tests.e2e.http_service import POLICY, served
from tests.e2e.watch_process import Watch

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def work(tmp_path: Path, monkeypatch) -> Path:
    """A folder with a vault, offline unless a test says otherwise."""
    for name in ("state", "data"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    (tmp_path / "passphrase").write_text("correct horse")
    monkeypatch.setenv("VESTIGE_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    monkeypatch.setenv("VESTIGE_OFFLINE", "1")
    folder = tmp_path / "cats"
    folder.mkdir()
    done = vestige("init", "--recovery", str(tmp_path / "recovery.txt"), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def watch(work: Path) -> Iterator:
    started: list[Watch] = []

    def start(*words: str) -> Watch:
        started.append(Watch(work, *words))
        started[-1].until("watching")
        return started[-1]

    yield start
    for item in started:
        item.end()


def vestige(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "anchor.cli", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def recorded(work: Path) -> Counter[str]:
    """Return how often each file name was recorded, after checking the whole chain."""
    with Vault.open(work) as vault:
        records = [vault.read(seq) for seq in vault.files.numbers()]
    assert verify_chain(records).complete_up_to == len(records) - 1
    made = [record for record in records if record.kind.name == "generation"]
    assert all(record.capture.mode == "watch_folder" for record in made)
    return Counter(entry["name"] for record in made for entry in record.files.values())


def drop(folder: Path, first: int, last: int) -> set[str]:
    names = {f"{number:05}.png" for number in range(first, last)}
    for name in sorted(names):
        (folder / name).write_bytes(PNG + name.encode())
    return names


def test_two_thousand_images_at_once_are_all_recorded_once(work: Path, watch):
    running = watch(str(work))
    names = drop(work, 0, 2000)
    running.until("recorded", 2000)
    assert running.stop() == 0
    assert running.named("stopped")[0]["recorded"] == 2000
    assert recorded(work) == Counter(names)


def test_a_second_watcher_is_told_who_watches_already(work: Path, watch):
    running = watch(str(work))
    second = vestige("watch", ".", cwd=work)
    assert second.returncode == 5
    assert f"another process ({running.process.pid}) is watching for" in second.stderr
    other = vestige("watch", ".", "--daemon", cwd=work)
    assert other.returncode == 5
    assert "is watching for" in other.stderr
    drop(work, 0, 1)
    running.until("recorded")


def test_killed_and_started_again_nothing_is_lost_and_nothing_is_there_twice(work: Path, watch):
    (work / "before.png").write_bytes(PNG + b"there before anything was watched")
    os.utime(work / "before.png", (1e9, 1e9))
    time.sleep(1.1)  # the mark is in whole seconds, and what was there must be older
    time.sleep(1.1)
    names: set[str] = set()
    for turn in range(3):
        running = watch(str(work))
        names |= drop(work, turn * 300, turn * 300 + 300)
        running.until("recorded", 40)
        running.stop(signal.SIGKILL)
        names |= drop(work, 10_000 + turn, 10_001 + turn)  # while nobody watches
    running = watch(str(work))
    deadline = time.monotonic() + 60
    while recorded(work).total() < len(names) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert running.stop() == 0
    assert recorded(work) == Counter(names)


def test_what_is_there_at_the_start_is_recorded_only_when_wanted(work: Path, watch):
    names = drop(work, 0, 3)
    running = watch(str(work))
    new = drop(work, 3, 4)
    running.until("recorded", 1)
    assert running.stop() == 0
    assert recorded(work) == Counter(new)
    running = watch(str(work), "--existing")
    running.until("recorded", 3)
    assert running.stop() == 0
    assert recorded(work) == Counter(names | new)


def test_offline_it_queues_and_a_service_gets_it_all(work: Path, watch, tmp_path, monkeypatch):
    monkeypatch.delenv("VESTIGE_OFFLINE")
    policy = {"version": 1, "name": POLICY.name, "class": "test"}
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    monkeypatch.setenv("VESTIGE_POLICY", str(tmp_path / "policy.json"))
    running = watch(str(work), "--server", "http://127.0.0.1:9")
    drop(work, 0, 5)
    running.until("recorded", 5)
    assert running.stop() == 0
    assert running.named("stopped")[0]["queued"] == 6
    with served(tmp_path / "service") as (server, _):
        running = watch(str(work), "--server", server.url)
        drop(work, 5, 7)
        running.until("recorded", 2)
        running.until("sent")
        assert running.stop() == 0
    assert running.named("stopped")[0]["queued"] == 0
    assert len(list((work / ".vestige" / "proofs").iterdir())) == 8


def test_in_the_background_it_records_and_ends_when_told(work: Path):
    started = vestige("watch", ".", "--daemon", "--json", cwd=work)
    assert started.returncode == 0, started.stderr
    said = json.loads(started.stdout)
    pid_file = work / ".vestige" / "watch.pid"
    try:
        assert int(pid_file.read_text()) == said["pid"]
        names = drop(work, 0, 3)
        deadline = time.monotonic() + 60
        while recorded(work).total() < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert recorded(work) == Counter(names)
    finally:
        os.kill(said["pid"], signal.SIGTERM)
    deadline = time.monotonic() + 60
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not pid_file.exists()
    assert "stopped" in Path(said["log"]).read_text()


def test_in_the_background_it_says_how_to_end_it_and_which_image_could_not_be_read(work: Path):
    started = vestige("watch", ".", "--daemon", cwd=work)
    assert started.returncode == 0, started.stderr
    number = int((work / ".vestige" / "watch.pid").read_text())
    log = work / ".vestige" / "watch.log"
    try:
        assert f"stop it with: kill {number}" in started.stderr
        (work / "broken.png").write_bytes(PNG + b"broken")
        deadline = time.monotonic() + 60
        while "record 1" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        os.kill(number, signal.SIGTERM)
    (line,) = [line for line in log.read_text().splitlines() if "record 1" in line]
    assert "no settings could be read: png: the file ends" in line


def test_the_unit_for_systemd_names_folder_and_vault(work: Path):
    done = vestige("watch", ".", "--systemd", cwd=work)
    assert done.returncode == 0
    assert f'"watch" "{work}" "--vault" "{work}"' in done.stdout
    assert "WantedBy=default.target" in done.stdout
    assert "VESTIGE_PASSPHRASE_FILE=" in done.stdout
