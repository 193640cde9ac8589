"""A project in a vault, with keys in a keyring that is a dictionary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from anchor.records.chain import ChainReport, verify_chain
from anchor.vault import Draft, KeyStore, Recorder, Vault
from anchor.vault.genesis import begin_project
from anchor.vault.signer import Signer
from anchor.vault.system_keyring import SystemKeyring

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@dataclass
class FakeKeyring:
    """A keyring of the system, in memory."""

    secrets: dict[tuple[str, str], str] = field(default_factory=dict)
    priority: float = 5

    def get_password(self, service: str, username: str) -> str | None:
        return self.secrets.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.secrets[service, username] = password


@dataclass
class Clock:
    """A clock that goes on one second with each look, and can be set."""

    time: datetime = START

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


@dataclass
class Project:
    """A project that was begun, and everything it was begun with."""

    vault: Vault
    store: KeyStore
    recovery: Signer
    signer: Signer
    clock: Clock

    @property
    def work(self) -> Path:
        return self.vault.layout.work

    def recorder(
        self, vault: Vault | None = None, signer: Signer | None = None, **more
    ) -> Recorder:
        return Recorder(vault or self.vault, signer or self.signer, now=self.clock, **more)

    def note(self, text: str = "a remark"):
        return self.recorder().append(Draft("note", {"text": text}))

    def write(self, name: str, data: bytes = b"\x89PNG\r\n\x1a\n a cat") -> Path:
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def chain(self) -> ChainReport:
        """Return what the records' kernel finds, from the files alone."""
        numbers = self.vault.files.numbers()
        return verify_chain([self.vault.read(seq) for seq in numbers])

    def assert_sound(self) -> ChainReport:
        report = self.chain()
        wrong = [
            (item.record.seq, found)
            for item in report.records
            for found in (item.signature, item.place)
            if found.word != "verified"
        ]
        assert not wrong
        assert report.complete_up_to == len(report.records) - 1
        return report


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State, data and cache folders of the test alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def keyring() -> FakeKeyring:
    return FakeKeyring()


@pytest.fixture
def store(keyring: FakeKeyring) -> KeyStore:
    return KeyStore(keyring=lambda: SystemKeyring(keyring))


BeginProject = Callable[..., Project]


@pytest.fixture
def begin(tmp_path: Path, store: KeyStore):
    """Return a function that begins a project in a folder."""
    opened: list[Vault] = []

    def begin_in(folder: str = "work", *, recovery: Signer | None = None) -> Project:
        work = tmp_path / folder
        work.mkdir(parents=True, exist_ok=True)
        vault = Vault.init(work)
        opened.append(vault)
        recovery = recovery or Signer.generate()
        clock = Clock()
        begun = begin_project(
            vault,
            store,
            fields={"title": folder},
            recovery=recovery.thumbprint,
            make_recorder=lambda vault, signer: Recorder(vault, signer, now=clock),
        )
        return Project(vault, store, recovery, begun.signer, clock)

    yield begin_in
    for vault in opened:
        vault.close()


@pytest.fixture
def project(begin: BeginProject) -> Project:
    return begin()
