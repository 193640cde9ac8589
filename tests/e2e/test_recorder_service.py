"""The recorder's commands with a real service: sent at once, queued while it is away, verified."""

from __future__ import annotations

import gc
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from anchor.cli import main
from tests.e2e.recorder_service import Served, recorder_service

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def run(capsys, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "passphrase").write_text("correct horse")
    monkeypatch.setenv("VESTIGE_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    threshold = gc.get_threshold()

    def run_command(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        said = capsys.readouterr()
        return status, said.out, said.err

    yield run_command
    gc.set_threshold(*threshold)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with recorder_service(tmp_path) as made:
        yield made


def test_what_is_recorded_is_sent_queued_and_verified(
    run, served: Served, tmp_path: Path, monkeypatch
):
    work = tmp_path / "cats"
    work.mkdir()
    monkeypatch.chdir(work)
    policy = tmp_path / "policy.json"
    status, out, err = run("init", "--recovery", tmp_path / "key.txt", "--server", served.url)
    assert status == 0, err
    assert f"1 record sent to {served.url}" in err
    status, out, err = run("prompt", "a cat on a roof", "--json")
    value = json.loads(out)
    assert (value["sent"], value["queued"]) == ([1], 0)
    (beacon,) = value["records"][0]["not_before"]
    assert beacon["source"] == "bitcoin"

    served.go_away()
    for number in range(3):
        (work / f"{number}.png").write_bytes(PNG + b"%d" % number)
    status, out, err = run("add", "0.png", "1.png", "2.png")
    assert status == 0, err
    assert "3 records queued" in err
    status, out, err = run("note", "offline too")
    assert status == 0
    assert "4 records queued, to be sent with a later one" in err
    assert "did not answer a moment ago" in err, "it is not asked again at once"
    assert run("send")[0] == 5

    served.come_back()
    status, out, err = run("send", "--policy", policy)
    assert status == 0, err
    assert out.startswith("4 records sent, 0 queued")
    status, out, err = run("note", "online again", "--json")
    assert json.loads(out)["sent"] == [6], "the service is asked again once it has answered"

    served.anchor()
    status, out, err = run("send", "--policy", policy, "--json")
    value = json.loads(out)
    assert (value["exit_status"], value["errors"]) == (0, [])
    # Which proofs still had something to fetch depends on when the rounds ran; all are asked below.
    assert set(value["upgraded"]) <= set(range(7))
    status, out, err = run("rebuild", "--policy", policy, "--originals", "--json")
    value = json.loads(out)
    assert (value["problems"], value["complete_up_to"], value["proofs"]) == ([], 6, 7)
    status, out, err = run("log", "--policy", policy)
    assert out.count("✓ verified") == 7
    assert err == ""
    status, out, err = run("status", "--policy", policy, "--json")
    value = json.loads(out)
    assert (value["queued"], value["proofs"], value["open_proofs"]) == (0, {"verified": 7}, 0)
    status, out, err = run("show", "2", "--policy", policy)
    assert "existed before" in out
    assert "bitcoin" in out


def test_a_vault_is_moved_away_and_still_verifies_there(
    run, served: Served, tmp_path: Path, monkeypatch
):
    """The folder alone, on a machine without keys, state or service."""
    work = tmp_path / "cats"
    work.mkdir()
    run("init", work, "--recovery", tmp_path / "key.txt", "--server", served.url)
    run("note", "one", "--vault", work)
    served.anchor()
    run("send", "--vault", work, "--policy", tmp_path / "policy.json")
    served.go_away()
    shutil.copytree(work, tmp_path / "archive")
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "other machine"))
    monkeypatch.delenv("VESTIGE_PASSPHRASE_FILE")
    os.unlink(tmp_path / "archive" / ".vestige" / "index.sqlite")
    status, out, _ = run(
        "log", "--vault", tmp_path / "archive", "--policy", tmp_path / "policy.json"
    )
    assert status == 0
    assert out.count("✓ verified") == 2
    served.come_back()
