"""A terminal for the command line's tests: run ``vestige …`` in this process, keep what it said."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anchor.cli import main
from anchor.proof.codec import serialize_proof
from tests.evidence import Case, whole_case


@dataclass(frozen=True)
class Ran:
    """What one command gave."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch) -> Iterator[Run]:
    """Return ``run("verify", "cat.png")``; state goes to a folder of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    threshold = gc.get_threshold()

    def run_command(*words: object) -> Ran:
        status = main([str(word) for word in words])
        said = capsys.readouterr()
        return Ran(status, said.out, said.err)

    yield run_command
    gc.set_threshold(*threshold)


@dataclass(frozen=True)
class Desk:
    """A case on disk: ``cat.png``, ``cat.png.proof`` and ``policy.json``."""

    case: Case
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "cat.png"

    @property
    def proof(self) -> Path:
        return self.folder / "cat.png.proof"

    @property
    def policy(self) -> Path:
        return self.folder / "policy.json"

    def write_policy(self, **changes: Any) -> Path:
        value = {"version": 1, "name": "tests", "class": "test", **self.case.entries, **changes}
        self.policy.write_text(json.dumps(value))
        return self.policy

    def write_proof(self, proof) -> None:
        self.proof.write_bytes(serialize_proof(proof))


@pytest.fixture(scope="session")
def whole() -> Case:
    return whole_case()


@pytest.fixture
def desk(tmp_path: Path, whole: Case) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    made = Desk(whole, folder)
    made.file.write_bytes(b"a cat")
    made.write_proof(whole.proof)
    made.write_policy()
    return made
