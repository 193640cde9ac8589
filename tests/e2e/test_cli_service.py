"""Transcripts: the command line in processes of its own, against the real service.

The service has a chain in this process and a time-stamping authority on loopback, as in the demo.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from anchor.cli import main
from anchor.client.service_client import ServiceClient
from anchor.config.force_wish import ForceWishes
from anchor.formats.ots.codec import parse_detached
from anchor.proof.codec import parse_proof
from anchor_api.demo.demo_policy import demo_policy
from anchor_api.demo.stage import Stage


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass
class Terminal:
    """A folder to work in and a state folder, with the service's address in the environment."""

    folder: Path
    url: str
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: object) -> Ran:
        """Run a command in this process."""
        self.capsys.readouterr()
        status = main([str(word) for word in words])
        said = self.capsys.readouterr()
        return Ran(status, said.out, said.err)

    def shell(self, *words: object, **environment: str) -> Ran:
        """Run a command in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "anchor.cli", *map(str, words)],
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def policy(self, stage: Stage) -> Path:
        proofs = [parse_proof(path.read_bytes()) for path in self.folder.rglob("*.proof")]
        path = self.folder / "policy.json"
        path.write_bytes(demo_policy(stage, proofs))
        return path


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as running:
        yield running


@pytest.fixture
def vestige(stage: Stage, tmp_path: Path, capsys, monkeypatch) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VESTIGE_SERVER", stage.url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
    return Terminal(tmp_path, stage.url, capsys)


def test_stamp_upgrade_verify(stage: Stage, vestige: Terminal):
    vestige.file("cat.png", "a cat")
    stamped = vestige.shell("stamp", "cat.png")
    assert (stamped.status, stamped.err) == (0, "")
    assert stamped.out.startswith("cat.png.proof  entry ")

    policy = vestige.policy(stage)
    fresh = vestige("verify", "cat.png", "--policy", policy)
    assert fresh.status == 3
    assert "authority demo; usually within a minute" in fresh.out

    stage.service.anchorer.force()
    waited = vestige.shell("stamp", "cat.png", "--wait", "final", "--timeout", 60)
    assert waited.status == 0
    assert "was stamped before, kept" in waited.out
    policy = vestige.policy(stage)
    verified = vestige.shell("verify", "cat.png", "--policy", policy)
    assert (verified.status, verified.err) == (0, "")
    lines = verified.out.splitlines()
    assert lines[0].startswith("cat.png existed before 20")
    assert lines[0].endswith("✓ verified")
    assert sum("RFC 3161" in line for line in lines) == 2
    assert any(line.startswith("  demo chain  before") for line in lines)

    again = vestige("upgrade", "cat.png")
    assert again.status == 0
    assert "nothing new; complete" in again.out

    vestige.file("cat.png", "a dog")
    assert vestige("verify", "cat.png", "--policy", policy).status == 1


def test_upgrade_alone_fetches_everything(stage: Stage, vestige: Terminal):
    vestige.file("cat.png", "another cat")
    assert vestige("stamp", "cat.png").status == 0
    size = stage.service.committed.tree_size
    stage.service.anchorer.force()
    assert stage.service.anchorer.wait_final(size, 60) == []
    upgraded = vestige("upgrade", "cat.png.proof", "--json")
    assert upgraded.status == 0
    (result,) = upgraded.json["proofs"]
    assert set(result["gained"]) == {"evm", "rfc3161"}
    assert result["complete"] is True


def test_folder_by_the_thousand_is_one_request_and_can_be_repeated(vestige: Terminal):
    for number in range(1100):
        vestige.file(f"pictures/{number % 7}/{number}.png", f"picture {number}")
    first = vestige("stamp", "pictures")
    assert (first.status, first.err) == (0, "")
    assert first.out == "1,100 stamped, 0 were stamped before\n"
    proofs = list((vestige.folder / "pictures").rglob("*.proof"))
    assert len(proofs) == 1100
    (vestige.folder / "pictures/0/0.png.proof").unlink()
    again = vestige("stamp", "pictures", "--json").json
    assert sum(item["kept"] for item in again["files"]) == 1099
    path = vestige.folder / "pictures/3/10.png"
    proof = parse_proof(path.with_name("10.png.proof").read_bytes())
    digest = hashlib.sha256(path.read_bytes()).digest()
    assert proof.digest == hashlib.sha256(digest + proof.opening).digest()


def test_given_digest_is_in_the_log_as_it_is(vestige: Terminal):
    digest = hashlib.sha256(b"a record").hexdigest()
    ran = vestige("stamp", "--digest", digest, "--json")
    assert ran.json["files"][0]["digest"] == digest
    assert (vestige.folder / f"{digest}.proof").is_file()
    assert vestige("stamp", "--digest", digest).out.endswith("kept\n")
    assert vestige("stamp", "--digest", digest[:-1]).status == 2


def test_bare_warns_and_submits_the_files_own_digest(vestige: Terminal):
    vestige.file("bare", "bare")
    ran = vestige("stamp", "bare", "--bare", "--json")
    assert "whoever has a file can look it up" in ran.err
    assert ran.json["files"][0]["digest"] == hashlib.sha256(b"bare").hexdigest()


def test_one_file_that_fails_does_not_stop_the_rest(vestige: Terminal):
    vestige.file("good", "good")
    os.mkfifo(vestige.folder / "pipe")
    ran = vestige("stamp", "none", "pipe", "good")
    assert ran.status == 5
    assert "good.proof  entry" in ran.out
    assert ran.err.count("vestige: error:") == 2


def test_ots_is_promised_when_no_calendar_has_attested(vestige: Terminal):
    vestige.file("cat.png", "ots cat")
    ran = vestige("stamp", "cat.png", "--ots")
    assert ran.status == 3
    assert (vestige.folder / "cat.png.proof").is_file()
    assert not (vestige.folder / "cat.png.ots").exists()
    assert "vestige upgrade --ots" in ran.err


def test_waiting_ends_at_the_timeout_and_keeps_the_receipt(stage: Stage, vestige: Terminal):
    vestige.file("cat.png", "impatient cat")
    ran = vestige("stamp", "cat.png", "--wait", "final", "--timeout", 0)
    assert ran.status in (0, 3)
    assert (vestige.folder / "cat.png.proof").is_file()


def test_service_that_is_not_there_is_status_5(vestige: Terminal):
    vestige.file("cat.png", "a cat")
    ran = vestige.shell("admin", "status", VESTIGE_SERVER="http://127.0.0.1:9")
    assert ran.status == 5
    assert "vestige: hint: is the service running?" in ran.err


def test_log_that_was_replaced_is_refused_and_both_checkpoints_are_kept(
    stage: Stage, vestige: Terminal, tmp_path_factory
):
    vestige.file("a", "a")
    assert vestige("stamp", "a").status == 0
    (state,) = (vestige.folder / ".state").rglob("*.json")
    value = json.loads(state.read_text())
    origin, size, _ = value["checkpoint"].split("\n")[:3]
    signer = stage.service.signer
    forked = signer.sign(int(size), hashlib.sha256(b"another history").digest())
    state.write_text(json.dumps({**value, "checkpoint": forked}))
    vestige.file("b", "b")
    ran = vestige("stamp", "b")
    assert ran.status == 1
    assert "does not show that it agrees" in ran.err
    assert not (vestige.folder / "b.proof").exists()
    assert len(list((vestige.folder / ".state").rglob("*.checkpoint"))) == 2
    assert origin in ran.err


# -- admin -----------------------------------------------------------------------------------------


def test_admin_status_and_rounds(stage: Stage, vestige: Terminal):
    vestige.file("x", "x")
    vestige("stamp", "x")
    size = stage.service.committed.tree_size
    stage.service.anchorer.force()
    assert stage.service.anchorer.wait_final(size, 60) == []
    status = vestige("admin", "status")
    assert status.status == 0
    assert "rfc3161:demo" in status.out
    assert vestige("admin", "status", "--json").json["log"]["origin"] == stage.service.signer.origin
    rounds = vestige("admin", "rounds", "--limit", 1)
    assert rounds.status == 0
    assert rounds.out.startswith("size ")
    assert "final" in rounds.out


def test_admin_reads_the_data_folder_beside_the_running_service(stage: Stage, vestige: Terminal):
    vestige.file("y", "y")
    vestige("stamp", "y")
    data = stage.service.settings.data
    size = stage.service.committed.tree_size
    checked = vestige("admin", "fsck", "--data", data, "--json")
    assert (checked.status, checked.json["status"]) == (0, "verified")
    assert checked.json["tree_size"] == size
    shown = vestige("admin", "checkpoints", "--data", data, "--json").json["checkpoints"]
    assert shown[-1]["tree_size"] == size
    copy = vestige.folder / "copy"
    assert vestige("admin", "backup", copy, "--data", data).status == 0
    assert vestige("admin", "fsck", "--data", copy).status == 0
    assert (copy / "rounds.sqlite").is_file()
    assert not (copy / "log.key").exists()
    assert vestige("admin", "backup", copy, "--data", data).status == 5
    exported = vestige("admin", "export-tiles", vestige.folder / "tiles", "--data", data)
    assert exported.status == 0
    assert (vestige.folder / "tiles/checkpoint").read_text().startswith(shown[-1]["checkpoint"][:9])
    entries = copy / "log" / "entries"
    with entries.open("r+b") as file:
        file.write(b"\xff")
    broken = vestige("admin", "fsck", "--data", copy)
    assert broken.status == 1
    assert vestige("admin", "fsck", "--data", vestige.folder / "none").status == 5


def test_admin_force_is_heard_by_the_service_of_the_data_folder(stage: Stage, vestige: Terminal):
    data = stage.service.settings.data
    vestige.file("z", "z")
    vestige("stamp", "z")
    size = stage.service.committed.tree_size  # a round's tokens become entries after it
    with ForceWishes(data, stage.service.anchorer.force):
        ran = vestige("admin", "force", "--data", data)
        assert ran.status == 0
        assert "rfc3161:demo" in ran.out
        assert vestige("admin", "force", "nobody", "--data", data).status == 5
    assert stage.service.anchorer.wait_final(size, 60) == []


# -- the stock client ------------------------------------------------------------------------------


def test_ots_of_a_calendars_attestation_is_read_back(stage: Stage, vestige: Terminal):
    """The chain has no calendar here; one is put into the proof as an upgrade would."""
    from dataclasses import replace

    from anchor.formats.merkle import leaf_hash, root_from_inclusion
    from anchor.proof.codec import serialize_proof
    from tests.evidence import pending_attestation

    path = vestige.file("cat.png", "calendar cat")
    vestige("stamp", "cat.png")
    proof_path = vestige.folder / "cat.png.proof"
    proof = parse_proof(proof_path.read_bytes())
    inclusion = proof.inclusions[0]
    root = root_from_inclusion(
        leaf_hash(proof.digest), inclusion.leaf_index, inclusion.tree_size, inclusion.hashes
    )
    promised = replace(proof, attestations=(pending_attestation(root),))
    proof_path.write_bytes(serialize_proof(promised))
    ran = vestige("upgrade", "cat.png", "--ots")
    assert ran.status == 0
    detached = parse_detached((vestige.folder / "cat.png.ots").read_bytes())
    assert detached.file_digest == hashlib.sha256(path.read_bytes()).digest()
    assert vestige("verify", "cat.png.ots").status == 3


def test_two_hundred_upgrades_in_a_growing_log(stage: Stage, vestige: Terminal):
    vestige.file("cat.png", "a cat in a log that grows")
    assert vestige("stamp", "cat.png").status == 0
    path = vestige.folder / "cat.png.proof"
    sizes = []
    with ServiceClient(stage.url) as others:
        for number in range(200):
            others.submit([hashlib.sha256(f"growing {number}".encode()).digest()])
            ran = vestige("upgrade", "cat.png")
            assert (ran.status, ran.err) == (0, "")
            sizes.append(max(i.tree_size for i in parse_proof(path.read_bytes()).inclusions))
    assert sizes == sorted(set(sizes))
    proof = parse_proof(path.read_bytes())
    needed = {getattr(a, "root_hash", None) for a in proof.attestations} - {None}
    assert len(proof.inclusions) <= len(needed) + 1
    assert vestige("verify", "cat.png", "--policy", vestige.policy(stage)).status in (0, 3)


def test_upgrading_a_folder_takes_all_the_proofs_in_it(stage: Stage, vestige: Terminal):
    for number in range(600):
        vestige.file(f"many/{number:03}.txt", f"one of many: {number}")
    assert vestige("stamp", "many").status == 0
    stage.service.anchorer.force()
    last = vestige("stamp", "many/599.txt", "--wait", "final", "--timeout", 60)
    assert last.status == 0
    ran = vestige("upgrade", "many", "--json")
    assert ran.status == 0
    assert sum(item["changed"] for item in ran.json["proofs"]) == 599
    assert all(item["complete"] for item in ran.json["proofs"])
    again = vestige("upgrade", "many")
    assert again.out == "600 proofs: 0 say more now, 0 failed\n"
