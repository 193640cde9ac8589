"""What the recorder's guide shows can be done as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from anchor.cli.program import EXTERNAL_VERBS, VERBS
from anchor.vault import KeyStore, Vault
from anchor.vault.genesis import begin_project
from anchor.vault.signer import Signer
from tests.docs.errors_page import ROOT
from tests.unit.vault.conftest import FakeKeyring

GUIDE = (ROOT / "docs" / "guides" / "recorder.md").read_text()


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VESTIGE_OFFLINE", "1")
    import keyring

    backend = FakeKeyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_every_verb_that_the_guide_names_is_there():
    named = set(re.findall(r"vestige ([a-z]+)", GUIDE)) - {"watch", "export"}
    assert named <= {verb.name for verb in VERBS} | set(EXTERNAL_VERBS)


def test_the_first_example_can_be_given_as_it_stands(home: Path, capsys):
    from anchor.cli import main

    png = b"\x89PNG\r\n\x1a\n"
    work = home / "work"
    (work / "out").mkdir()
    for number in range(4):
        (work / "out" / f"{number}.png").write_bytes(png + b"%d" % number)
    for name in ("drawing.png", "retouched.png"):
        (work / name).write_bytes(png + name.encode())
    block = GUIDE.split("```")[1]
    shown = {}
    for line in block.splitlines():
        if not line.startswith("$ "):
            continue
        words = shlex.split(line.removeprefix("$ vestige "))
        words = [str(home / "recovery.txt") if "/media/" in word else word for word in words]
        if "out/*.png" in words:
            at = words.index("out/*.png")
            words[at : at + 1] = [f"out/{number}.png" for number in range(4)]
        assert main(words) == 0, (line, capsys.readouterr().err)
        shown[words[0]] = capsys.readouterr().out
    assert shown["init"].rstrip() in block, "the line of genesis is the one that is shown"
    first = shown["log"].splitlines()[0]
    assert first.startswith("●        10  ") or first.lstrip("● ").startswith("10")
    with Vault.open(work) as vault:
        assert vault.index.entry(10).kind == "final"


def test_the_program_in_the_guide_runs(home: Path):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    work = home / "work"
    (work / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n cat")
    with Vault.init(work) as vault:
        recovery = Signer.generate().thumbprint
        begin_project(vault, KeyStore(), fields={"title": "x"}, recovery=recovery)
    names: dict = {}
    exec(compile(code, "guide", "exec"), names)  # the guide is ours
    assert names["record"].fields["seed"] == "42"
    assert names["record"].sd_jwt.payload["tier"] == "T4"
