"""The commands in a vault's README do what it says, with nothing of ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from anchor.client.known_logs import KnownLogs
from anchor.client.service_client import ServiceClient
from anchor.client.state_folder import state_folder
from anchor.vault import Attachment, Draft, Recorder, Sender, Vault
from anchor.vault.genesis import begin_project
from anchor.vault.key_store import KeyStore
from anchor.vault.signer import Signer
from anchor.vault.system_keyring import SystemKeyring
from tests.e2e.http_service import POLICY
from tests.fakes.vestige_service import FakeVestige
from tests.unit.vault.conftest import START, FakeKeyring

_TOOLS = ("sh", "jq", "sha256sum", "base64", "cut", "tr", "sed", "awk", "find")


@pytest.fixture
def vault(tmp_path: Path, monkeypatch, require):
    for tool in _TOOLS:
        require(shutil.which(tool), f"no {tool} on this machine")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    backend = FakeKeyring()
    store = KeyStore(keyring=lambda: SystemKeyring(backend))
    with Vault.init(tmp_path) as vault:
        signer = begin_project(
            vault, store, fields={"title": "Katzen, 猫 und \"mehr\""},
            recovery=Signer.generate().thumbprint,
        ).signer  # fmt: skip
        recorder = Recorder(vault, signer)
        for number in range(3):
            files = (Attachment("sketch", data=b"%d" % number, name="a.txt"),)
            recorder.append(Draft("sketch", {}, files))
        fake = FakeVestige()
        with ServiceClient("http://log.example", transport=fake.transport()) as service:
            logs = KnownLogs(state_folder(), POLICY)
            Sender(vault, service, POLICY, logs, lambda: START).send()
        yield vault


def commands(vault: Vault) -> list[str]:
    """Return the indented commands, each of one or more lines, in order."""
    text = vault.layout.readme.read_text()
    tail = text[text.index("Show the signed part") :]
    return [
        match[0]
        for match in re.finditer(r"(?:^  \S.*\n(?:^    .*\n|^  done\n)*)", tail, re.MULTILINE)
    ]


def run(vault: Vault, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command], cwd=vault.layout.root, capture_output=True, text=True, check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip


def test_each_command_in_the_readme_gives_what_it_says(vault: Vault):
    signed, fields, digest, proven, originals = commands(vault)
    record = vault.read(0)
    assert json.loads(run(vault, signed).stdout) == record.sd_jwt.payload
    lines = run(vault, fields).stdout.splitlines()
    shown = {name: value for _, name, value in map(json.loads, lines)}
    assert shown == record.sd_jwt.disclosed_fields
    assert run(vault, digest).stdout.split()[0] == record.digest.hex()
    assert run(vault, proven).stdout.strip() == record.digest.hex()
    assert vault.read(1).place.prev == record.digest
    good = run(vault, originals)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    path = next(path for path in vault.layout.objects.rglob("*") if path.is_file())
    path.chmod(0o644)
    path.write_bytes(b"changed")
    bad = run(vault, originals)
    assert "FAILED" in bad.stdout


def test_the_readme_names_every_folder_and_file_of_the_vault(vault: Vault):
    text = vault.layout.readme.read_text()
    for path in vault.layout.root.iterdir():
        name = path.name + "/" if path.is_dir() else path.name
        named = name in text or any(
            name.endswith(suffix) for suffix in (".lock", "-wal", "-shm", "README.txt")
        )
        assert named, name
