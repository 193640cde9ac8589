"""What the commands say when somebody without a key wrote into the vault's folder."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from anchor.vault import Vault
from tests.unit.vault.conftest import FakeKeyring
from tests.unit.vault.planting import forged_record, plant

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def work(run, tmp_path: Path, monkeypatch) -> Path:
    """A folder with a vault, and the person in it; offline."""
    import keyring

    backend = FakeKeyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VESTIGE_OFFLINE", "1")
    folder = tmp_path / "cats"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert run("init", "--recovery", tmp_path / "recovery.txt").status == 0
    assert run("note", "mine").status == 0
    return folder


@pytest.mark.parametrize("kind", ["note", "key_bind", "close"])
def test_every_verb_names_a_planted_record(run, work: Path, kind: str):
    with Vault.open(work) as vault:
        path = plant(vault, forged_record(vault, kind))
    for words in (["log"], ["status"], ["keys", "list"], ["show", "2"], ["note", "x"], ["rebuild"]):
        ran = run(*words)
        assert ran.status == 5, words
        assert f"{path} is not signed by who may sign in this project" in ran.err
        assert f"move {path} to another folder" in ran.err
        assert ran.out == ""
    assert not (path.parent / "00000003.sdjwt").exists()
    path.unlink()
    assert run("note", "x").status == 0
    assert run("rebuild").status == 0


def test_a_file_with_a_row_in_the_index_alone_is_recorded(run, work: Path):
    data = PNG + b"cat"
    (work / "b.png").write_bytes(data)
    with sqlite3.connect(work / ".vestige" / "index.sqlite") as db:
        db.execute(
            "INSERT INTO file VALUES (1, 0, 'output', 'b.png', 'image/png', 11, ?)",
            (hashlib.sha256(data).digest(),),
        )
    db.close()
    ran = run("add", "b.png", "--as", "generation")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("record 2  generation")
    ran = run("add", "b.png")
    assert "b.png was recorded before, as 2.0" in ran.err


def test_lost_fields_make_the_check_of_a_vault_fail(run, work: Path):
    path = work / ".vestige" / "records" / "00000001.sdjwt"
    path.chmod(0o644)
    path.write_text(path.read_text().partition("~")[0] + "~")
    ran = run("rebuild", "--originals")
    assert ran.status == 1
    assert "record 1: 1 of its 1 hidden fields is gone from its file" in ran.err
    assert "✕ failed" in ran.out
