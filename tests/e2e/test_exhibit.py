"""An exhibit of a vault whose proofs come from the real service: its own authority and chain."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchor.cli import main
from anchor.client.known_logs import KnownLogs
from anchor.client.service_client import ServiceClient
from anchor.proof.policy import parse_policy
from anchor_api.demo.demo_policy import demo_policy
from anchor_api.demo.project import DemoProject
from anchor_api.demo.samples import sample_images
from anchor_api.demo.stage import Stage
from tests.unit.exhibit.test_check_text import blocks, check_all, unpacked
from tests.unit.exhibit.test_pdf import certificate_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with a vault, its keys, and the policy under which its proofs verify."""
    root = tmp_path_factory.mktemp("served")
    paths = []
    for name, data in sample_images().items():
        (root / name).write_bytes(data)
        paths.append(root / name)
    with Stage(root) as stage:
        project = DemoProject(root, paths)
        trusted = parse_policy(demo_policy(stage, ()))
        logs = KnownLogs(root / "state", trusted)
        with ServiceClient(stage.url) as client:
            project.send(client, trusted, logs)
            size = stage.service.committed.tree_size
            stage.service.anchorer.force()
            assert stage.service.anchorer.wait_final(size, 60) == []
            proofs = project.upgrade(client, trusted, logs)
            (root / "policy.json").write_bytes(demo_policy(stage, proofs))
    shutil.copytree(root / "keys", root / "data" / "vestige" / "keys")
    (root / "passphrase").write_text("vestige demo")
    return root


@pytest.fixture
def vestige(folder, capsys, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("VESTIGE_PASSPHRASE_FILE", str(folder / "passphrase"))
    monkeypatch.setenv("VESTIGE_POLICY", str(folder / "policy.json"))

    def run(*words: object) -> tuple[int, dict, str]:
        status = main([*map(str, words), "--json"])
        said = capsys.readouterr()
        return status, json.loads(said.out), said.err

    return run


def test_from_the_service_to_the_court(folder, vestige, tmp_path):
    out = tmp_path / "out"
    status, made, err = vestige("export", "kitten", "--vault", folder / "project", "--out", out)
    assert (status, err) == (0, "")
    assert (made["status"], made["open_proofs"]) == ("verified", [])
    status, verdict, _ = vestige("verify", made["path"])
    assert (status, verdict["status"], verdict["findings"]) == (0, "verified", [])
    families = {
        row["family"] for each in verdict["records"]["records"] for row in each["attestations"]
    }
    assert families == {"rfc3161", "evm"}
    assert verdict["records"]["complete_up_to"] == 4
    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert vestige("verify", made["path"], "--before", before)[0] == 0
    bag = unpacked(Path(made["path"]), tmp_path / "unpacked")
    assert (bag / "data" / "exhibit.pdf").read_bytes().startswith(b"%PDF-")
    done = subprocess.run(
        [sys.executable, "-m", "bagit", "--validate", str(bag)], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_check_md_says_can_be_done(folder, vestige, tmp_path, require):
    for tool in ("openssl", "xxd", "awk"):
        require(shutil.which(tool), f"{tool} is not installed")
    words = ("--vault", folder / "project", "--out", tmp_path, "--no-pdf")
    _, made, _ = vestige("export", "kitten", *words)
    bag = unpacked(Path(made["path"]), tmp_path / "unpacked")
    assert check_all(bag) >= 8
    commands = "\n".join(blocks(bag))
    assert "openssl ts -verify" in commands
    assert ".transaction.rlp" in commands


def test_a_certificate_signs_a_copy_of_the_printed_exhibit(folder, vestige, tmp_path, monkeypatch):
    certificate, _ = certificate_file(tmp_path, b"secret")
    (tmp_path / "secret").write_text("secret\n")
    monkeypatch.setenv("VESTIGE_PDF_PASSPHRASE_FILE", str(tmp_path / "secret"))
    words = ("--vault", folder / "project", "--out", tmp_path, "--pdf-certificate", certificate)
    status, made, err = vestige("export", "kitten", *words)
    assert status == 0, err
    assert made["signed_pdf"] == str(tmp_path / "kitten.exhibit.pdf")
    signed = (tmp_path / "kitten.exhibit.pdf").read_bytes()
    bag = unpacked(Path(made["path"]), tmp_path / "unpacked")
    assert signed.startswith((bag / "data" / "exhibit.pdf").read_bytes())
    assert b"/ByteRange" in signed
    (tmp_path / "secret").write_text("wrong")
    status, value, _ = vestige("export", "other", *words)
    assert (status, value["error"]["code"]) == (2, "exhibit.certificate")
