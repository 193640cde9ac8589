"""The demo, as it is run: one command, everything left behind, every proof verified offline."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from anchor.errors import LogIntegrityError
from anchor.formats.ots.codec import parse_detached
from anchor.proof.codec import parse_proof
from anchor.proof.policy import parse_policy
from anchor_api.demo import demo
from anchor_api.demo.offline import run_offline
from anchor_api.demo.samples import sample_images


def vestige(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "anchor.cli", *map(str, words)],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> tuple[Path, str]:
    """Run the demo once; return its folder and what it said."""
    folder = tmp_path_factory.mktemp("demo") / "kept"
    ran = vestige("demo", "--keep", folder, folder=folder.parent)
    assert (ran.returncode, ran.stderr) == (0, "")
    return folder, ran.stdout


def test_the_next_commands_can_be_typed_as_they_stand(told):
    folder, text = told
    lines = [line.strip() for line in text.partition("\nNext\n")[2].splitlines()]
    for line in lines[:4]:
        done = subprocess.run(["sh", "-c", line], cwd=folder.parent, capture_output=True)
        assert done.returncode == 0, line
        assert done.stdout
    assert " verify " in lines[0]
    assert " inspect " in lines[1]
    assert " log --vault " in lines[3]
    assert done.stdout.count("✓ verified".encode()) == 5
    ots = next(line for line in lines if line.startswith("ots "))
    assert ots.endswith("# pip install opentimestamps-client")


def test_story_has_its_parts_in_order(told):
    _, text = told
    parts = [
        "vestige demo: the whole job",
        "started",
        "recorded    5 records",
        "stamped     3 files: pebbles.png, ridges-at-dusk.png, windows-at-night.png",
        "upgraded",
        "stopped",
        "exhibit     demo.exhibit.zip",
        "by a process that can open no socket",
        "pebbles.png existed before 20",
        "And with one byte changed",
        "Where everything is:",
        "Next",
        "what a test policy verifies shows nothing to anybody else",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.count("✕ failed") == 3
    sentences = [line for line in text.splitlines() if ".png existed before " in line]
    sentences += [line for line in text.splitlines() if line.startswith("demo.exhibit.zip: ")]
    assert len(sentences) == 4
    assert all(line.endswith("✓ verified") for line in sentences)
    assert "RFC 3161" in text
    assert "demo chain" in text


def test_proofs_verify_again_from_what_it_left_behind(told):
    folder, _ = told
    for path in sorted((folder / "files").glob("*.png")):
        ran = run_offline(
            ["verify", path.name, "--policy", str(folder / "policy.json"), "--json"],
            folder=folder / "files",
        )
        assert ran.status == 0
        families = {row["family"] for row in ran.json["attestations"]}
        assert families == {"rfc3161", "evm"}
        assert {row["status"] for row in ran.json["attestations"]} == {"verified"}
        assert ran.json["log"]["status"] == "verified"
        assert ran.json["policy"]["class"] == "test"


def test_the_exhibit_is_whole_and_its_vault_can_be_looked_at(told):
    folder, _ = told
    words = ["verify", "demo.exhibit.zip", "--policy", str(folder / "policy.json"), "--json"]
    verdict = run_offline(words, folder=folder).json
    assert (verdict["status"], verdict["findings"]) == ("verified", [])
    assert verdict["records"]["complete_up_to"] == 4
    with zipfile.ZipFile(folder / "demo.exhibit.zip") as file:
        names = {Path(name).name for name in file.namelist()}
    assert {"verify.html", "exhibit.pdf"} <= names
    ran = vestige("log", "--vault", folder / "project", folder=folder)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) >= 5


def test_changed_copies_fail(told):
    folder, _ = told
    changed = [*(folder / "tampered").glob("*.png"), *(folder / "tampered").glob("*.zip")]
    assert len(changed) == 3
    for path in changed:
        words = ["verify", path.name, "--policy", str(folder / "policy.json")]
        assert run_offline(words, folder=folder / "tampered").status == 1


def test_shipped_policy_verifies_nothing_of_it(told):
    folder, _ = told
    ran = run_offline(["verify", "pebbles.png"], folder=folder / "files")
    assert ran.status == 4
    assert "existed before" not in ran.lines[0]


def test_policy_is_a_test_policy_that_pins_only_the_blocks_of_the_proofs(told):
    folder, _ = told
    policy = parse_policy((folder / "policy.json").read_bytes())
    assert policy.policy_class == "test"
    assert policy.calendars == ()
    (chain,) = policy.chains
    assert chain.chain_class == "test"
    assert chain.sources == ()
    assert len(chain.pinned) >= 1


def test_ots_file_is_the_way_from_the_file_to_the_entry(told):
    folder, _ = told
    for path in (folder / "files").glob("*.png"):
        detached = parse_detached(path.with_name(path.name + ".ots").read_bytes())
        proof = parse_proof(path.with_name(path.name + ".proof").read_bytes())
        (promise,) = detached.tree.paths()
        assert detached.file_digest == hashlib.sha256(path.read_bytes()).digest()
        assert promise.message == proof.digest


@pytest.mark.ots_client
def test_stock_client_reads_the_ots_file(told, require):
    folder, _ = told
    ots = Path(sys.executable).with_name("ots")
    require(ots.exists(), "the stock ots client is missing (PyPI opentimestamps-client)")
    done = subprocess.run(
        [str(ots), "info", "pebbles.png.ots"],
        cwd=folder / "files",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PendingAttestation('http://127.0.0.1:" in done.stdout


@pytest.mark.openssl
def test_openssl_line_that_it_prints_verifies_the_token(told, require):
    require(shutil.which("openssl"), "the openssl command is missing (Debian: apt install openssl)")
    folder, text = told
    line = next(line.strip() for line in text.splitlines() if "openssl ts -verify" in line)
    done = subprocess.run(
        line, shell=True, cwd=folder.parent, capture_output=True, text=True, check=False
    )
    assert "Verification: OK" in done.stdout + done.stderr


def test_folder_that_holds_something_is_refused(told):
    folder, _ = told
    ran = vestige("demo", "--keep", folder, folder=folder.parent)
    assert ran.returncode == 5
    assert "is not empty" in ran.stderr


def test_own_files_are_copied_and_their_folder_left_alone(tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("a letter")
    (mine / "empty.txt").write_text("")
    keep = tmp_path / "keep"
    words = [str(mine / "letter.txt"), str(mine / "empty.txt"), "--keep", str(keep), "--json"]
    assert demo(words) == 0
    value = json.loads(capsys.readouterr().out)
    assert sorted(path.name for path in mine.iterdir()) == ["empty.txt", "letter.txt"]
    assert [verdict["status"] for verdict in value["verdicts"]] == ["verified", "verified"]
    assert [verdict["status"] for verdict in value["tampered"]] == ["failed"] * 3
    (handed,) = value["exhibit"]["verdicts"]
    assert (handed["status"], handed["files"]) == ("verified", {"shown": 2, "withheld": 0})
    assert value["exit_status"] == 0
    assert (keep / "files" / "letter.txt.proof").is_file()


def test_missing_file_is_told_before_anything_is_started(tmp_path):
    ran = vestige("demo", "none.txt", "--keep", "kept", folder=tmp_path)
    assert ran.returncode == 5
    assert "there is no such file" in ran.stderr


def test_offline_process_cannot_open_a_socket(tmp_path):
    words = ["admin", "status", "--server", "http://127.0.0.1:9"]
    with pytest.raises(LogIntegrityError, match="offline means offline: socket"):
        run_offline(words, folder=tmp_path)


def test_samples_are_small_png_files_that_are_always_the_same():
    images = sample_images()
    assert len(images) == 3
    for name, data in images.items():
        assert name.endswith(".png")
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        assert data.endswith(b"IEND\xaeB`\x82")
        assert len(data) < 60_000
    assert images == sample_images()
