"""What opposing counsel tries against a recorded process, tried against the real program.

One test for each attack that has a technical counter in the recorder's program; the attacks on
records as such are in ``tests/unit/records/test_attacks.py``, those on times in the verdict
vectors. ``docs/threat-model.md`` names for each attack the tests that try it, and the last test
here sees that they exist.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from anchor.cli import main
from anchor.errors import StoreConflictError
from anchor.records.chain import verify_chain
from anchor.records.record import Beacon, Place, Record
from anchor.records.seed import beacon_seed
from anchor.vault import Draft, KeyStore, Recorder, Vault
from anchor.vault.check import check_vault
from anchor.vault.key_records import signing_key
from anchor.vault.recovery_key import store_recovery
from anchor.vault.signer import Signer
from tests.e2e.recorder_service import Served, recorder_service
from tests.unit.vault.conftest import FakeKeyring

PROMPT = "a sleeping cat made of amber, seen from below"


class Creator:
    """A person at a keyboard: commands in a folder of an own, and what they leave there."""

    def __init__(self, work: Path, capsys: Any) -> None:
        self.work = work
        self._capsys = capsys

    def run(self, *words: object) -> tuple[int, str]:
        """Run one command; return its exit status and everything it said."""
        status = main([str(word) for word in words])
        said = self._capsys.readouterr()
        return status, said.out + said.err

    def said(self, *words: object) -> dict[str, Any]:
        """Return what a command says with ``--json``; it must work."""
        status = main([*(str(word) for word in words), "--json"])
        said = self._capsys.readouterr()
        assert status == 0, said
        value = json.loads(said.out)
        assert isinstance(value, dict)
        return value

    def records(self) -> list[Record]:
        """Return all records; their chain holds."""
        with Vault.open(self.work) as vault:
            found = [vault.read(seq) for seq in vault.files.numbers()]
        assert verify_chain(found).complete_up_to == len(found) - 1
        return found

    def image(self, name: str, **texts: str) -> Path:
        """Write an image with texts in it."""
        info = PngInfo()
        for key, text in texts.items():
            info.add_text(key, text)
        path = self.work / name
        colour = tuple(hashlib.sha256(name.encode()).digest()[:3])
        Image.new("RGB", (8, 8), colour).save(path, pnginfo=info)
        return path


@pytest.fixture
def creator(tmp_path: Path, monkeypatch, capsys) -> Iterator[Creator]:
    import keyring

    backend = FakeKeyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    for name in ("state", "data"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    monkeypatch.setenv("VESTIGE_OFFLINE", "1")
    threshold = gc.get_threshold()
    work = tmp_path / "cats"
    work.mkdir()
    monkeypatch.chdir(work)
    person = Creator(work, capsys)
    assert person.run("init", "--recovery", tmp_path / "recovery.txt")[0] == 0
    yield person
    gc.set_threshold(*threshold)


@pytest.fixture
def service(creator: Creator, tmp_path: Path, monkeypatch) -> Iterator[Served]:
    """A real service that the creator's commands send to."""
    with recorder_service(tmp_path) as served:
        monkeypatch.delenv("VESTIGE_OFFLINE")
        monkeypatch.setenv("VESTIGE_POLICY", str(tmp_path / "policy.json"))
        monkeypatch.setenv("VESTIGE_SERVER", served.url)
        yield served


# -- time ------------------------------------------------------------------------------------------


def test_backdated_content(creator: Creator) -> None:
    """An old file, or one whose clock was set back, is brought in as if it were made just now."""
    long_ago = (datetime.now(UTC) - timedelta(days=400)).timestamp()
    for name in ("old.png", "renamed.png"):
        os.utime(creator.image(name), (long_ago, long_ago))
    creator.said("add", "old.png")
    creator.said("add", "renamed.png", "--as", "generation")
    imported, claimed = creator.records()[1:]
    assert imported.kind.name == "import"
    for record in (imported, claimed):
        assert record.sd_jwt.payload["late"] is True
        assert record.capture.lag_s >= 399 * 86400
        assert datetime.now(UTC) - record.claimed_time < timedelta(minutes=5)


def test_before_is_not_after(creator: Creator) -> None:
    """A seed is said to come from a block, at a place that it was not derived for."""
    beacon = Beacon("bitcoin", 900_000, bytes(range(32)))
    with Vault.open(creator.work) as vault:
        signer = _signer(vault)
        recorder = Recorder(vault, signer, beacons=lambda: [beacon])
        place = Place(vault.project.id, vault.size, None, b"", 0)
        seed = beacon_seed(place, beacon)
        fields = {"seed": str(seed), "seed_origin": "beacon"}
        recorder.append(Draft("note", {"text": "another step comes between"}))
        with pytest.raises(StoreConflictError, match="made for number 1"):
            recorder.append(Draft("generation", fields), at_seq=1)
        assert seed != beacon_seed(Place(place.project, 2, None, b"", 0), beacon)
        assert seed != beacon_seed(Place("ee" * 16, 1, None, b"", 0), beacon)
    assert [record.kind.name for record in creator.records()] == ["genesis", "note"]


def _signer(vault: Vault) -> Signer:
    return signing_key(vault, KeyStore())


def test_service_clock(creator: Creator, service: Served) -> None:
    """The log alone took the record, at whatever time it says: that dates nothing."""
    assert creator.said("prompt", PROMPT)["sent"]
    row = creator.said("log")["records"][0]
    assert row["proof"]["status"] in ("pending", "not_checked")
    assert row["proof"]["existed_before"] is None
    service.service.anchorer.force()
    assert not service.service.anchorer.wait_final(2, 60, None)
    creator.said("send")
    assert creator.said("log")["records"][0]["proof"]["existed_before"] is not None


# -- who -------------------------------------------------------------------------------------------


def test_identity_not_proven(creator: Creator, tmp_path: Path) -> None:
    """Somebody who may write into the folder signs a record with a key that nothing binds."""
    creator.said("note", "mine")
    with Vault.open(creator.work) as vault:
        stranger = Recorder(vault, Signer.generate())
        with pytest.raises(StoreConflictError) as caught:
            stranger.append(Draft("note", {"text": "not mine"}))
        assert caught.value.code == "keys.not_in_force"
    # Past the program, into the folder itself: the record of another project, by another key.
    other = tmp_path / "other"
    other.mkdir()
    assert creator.run("init", other, "--recovery", tmp_path / "r2.txt")[0] == 0
    theirs = (other / ".vestige" / "records" / "00000000.sdjwt").read_bytes()
    place = creator.work / ".vestige" / "records" / "00000001.sdjwt"
    place.chmod(0o644)
    place.write_bytes(theirs)
    status, text = creator.run("rebuild")
    assert status != 0
    assert "record" in text


def test_key_stolen(creator: Creator, tmp_path: Path) -> None:
    """The thief has the signing key and makes up a recovery key; the creator ends the former."""
    stolen = creator.records()[0].actor.key
    store_recovery(tmp_path / "thief.txt", Signer.generate())
    for verb in (("rotate",), ("revoke", stolen.hex())):
        status, text = creator.run("keys", *verb, "--recovery", tmp_path / "thief.txt")
        assert status != 0
        assert "not the recovery key of the project" in text
    day = "2026-01-01"
    creator.said("keys", "rotate", "--recovery", tmp_path / "recovery.txt", "--compromised-at", day)
    report = verify_chain(creator.records())
    assert report.compromised == {stolen: datetime(2026, 1, 1, tzinfo=UTC)}
    creator.said("note", "with the new key")
    assert creator.records()[-1].actor.key != stolen
    # The thief goes on with the stolen key, past the program's own look at what is in force.
    with Vault.open(creator.work) as vault:
        thief = Recorder(vault, KeyStore().signer(stolen))
        with pytest.raises(StoreConflictError) as caught:
            thief.append(Draft("note", {"text": "not the creator's"}))
    assert caught.value.code == "keys.not_in_force"


def test_metadata_forged(creator: Creator) -> None:
    """PNG text says that a platform made the image years ago: that is what the file says."""
    texts = {
        "Description": "a cat --v 5 Job ID: 0b9a7bf0-0f9a-4c8e-9d3c-1f7e6a1c2b3d",
        "Author": "somebody",
        "Creation Time": "Mon, 02 Jan 2023 10:00:00 GMT",
    }
    creator.image("forged.png", **texts)
    creator.said("add", "forged.png")
    record = creator.records()[-1]
    assert record.fields["job"].startswith("0b9a7bf0")
    assert record.sd_jwt.payload["tier"] == "T1", "metadata that anybody can edit"
    assert datetime.now(UTC) - record.claimed_time < timedelta(minutes=5)
    assert record.fields.get("started") is None


# -- the process -----------------------------------------------------------------------------------


def test_post_hoc_recreation(creator: Creator) -> None:
    """A run made again is to stand for the run itself, under each verb that could say so."""
    creator.image("first.png")
    creator.image("again.png")
    creator.said("add", "first.png")
    creator.said("record", "reproduction_test", "--on", "1", "--file", "again.png")
    size = len(creator.records())
    for words in (
        ("select", "2", "--from", "1", "2"),
        ("edit", "2.0", "first.png"),
        ("final", "first.png", "--from", "2"),
        ("record", "composite", "--on", "1", "2.0"),
        ("prompt", "a cat", "--set", "parents=2"),
    ):
        status, text = creator.run(*words)
        assert status != 0, words
        assert "can not stand for an original" in text, words
    assert len(creator.records()) == size
    assert creator.run("note", "it looks the same", "--on", "2")[0] == 0


def test_spoliation_missing_originals(creator: Creator) -> None:
    """An original is lost, another changed without its size: the vault says which."""
    for name in ("a.png", "b.png"):
        creator.image(name)
    creator.said("add", "a.png", "b.png")
    entries = [record.files[0] for record in creator.records()[1:]]
    with Vault.open(creator.work) as vault:
        lost, changed = (vault.objects.path(bytes.fromhex(item["sha256"])) for item in entries)
        assert check_vault(vault, originals=True).problems == ()
    (creator.work / "a.png").unlink()
    (creator.work / "b.png").unlink()
    for path, entry in ((lost, entries[0]), (changed, entries[1])):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    lost.unlink()
    changed.chmod(0o644)
    changed.write_bytes(bytes(changed.stat().st_size))
    status, text = creator.run("rebuild", "--originals")
    assert status == 1
    assert lost.name[:16] in text
    assert changed.name[:16] in text


def test_label_stripping(creator: Creator) -> None:
    """The label that names an image as generated stays in the bytes that are kept, and is read."""
    label = json.dumps({"Label": "1", "ContentProducer": "001191", "ProduceID": "42"})
    path = creator.image("labelled.png", AIGC=label)
    data = path.read_bytes()
    creator.said("add", "labelled.png")
    record = creator.records()[-1]
    with Vault.open(creator.work) as vault:
        kept = vault.objects.path(bytes.fromhex(record.files[0]["sha256"])).read_bytes()
    assert kept == data
    assert label.encode() in kept
    assert "ProduceID" in json.dumps(record.fields["settings"])


# -- ageing, privacy, words ------------------------------------------------------------------------


def test_hash_ageing(creator: Creator) -> None:
    """SHA-256 is doubted one day: each file has a digest of another construction beside it."""
    path = creator.image("a.png")
    creator.said("add", "a.png")
    creator.said("sketch", "a.png")
    for record in creator.records()[1:]:
        for entry in record.files.values():
            assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert entry["sha3_256"] == hashlib.sha3_256(path.read_bytes()).hexdigest()


def test_privacy(creator: Creator, service: Served, tmp_path: Path) -> None:
    """Whoever has the service's whole disk can find no prompt and no image by it."""
    path = creator.image("secret.png", parameters=f"{PROMPT}\nSteps: 20, Sampler: Euler a, Seed: 7")
    creator.said("prompt", PROMPT)
    assert creator.said("add", "secret.png")["queued"] == 0
    records = creator.records()
    stored = b"".join(
        item.read_bytes() for item in (tmp_path / "service").rglob("*") if item.is_file()
    )
    assert len(stored) > 1000
    guesses = [PROMPT.encode(), b"secret.png", path.read_bytes()]
    for text in (PROMPT.encode(), path.read_bytes(), json.dumps(PROMPT).encode()):
        guesses += [hashlib.sha256(text).digest(), hashlib.sha256(b"\0" + text).digest()]
    for record in records:
        for disclosure in record.sd_jwt.disclosures:
            guesses += [disclosure.salt, disclosure.text.encode(), disclosure.digest.encode()]
        guesses += [record.sd_jwt.jwt.encode(), record.place.project.encode()]
        # The record's digest is there, and over signed salts: who has no record can not make it.
        assert record.digest in stored
    for guess in guesses:
        assert guess not in stored
        assert guess.hex().encode() not in stored


_OVER_CLAIMS = re.compile(r"\b(guarantee\w*|legally binding|tamper-?proof|court-?proof)\b", re.I)


def test_marketing_over_claim(project_root: Path) -> None:
    """No text of the project promises what would impeach everything else in it."""
    texts = [project_root / "README.md"]
    for folder, pattern in (("docs", "*.md"), ("anchor", "*.py"), ("anchor", "*.md"),
                            ("integrations", "*.md"), ("integrations", "*.py")):  # fmt: skip
        texts += sorted((project_root / folder).rglob(pattern))
    found = {
        str(path.relative_to(project_root)): match[0]
        for path in texts
        if (match := _OVER_CLAIMS.search(path.read_text("utf-8"))) is not None
    }
    assert found == {}
    assert len(texts) > 100


# -- the table -------------------------------------------------------------------------------------


def test_the_threat_model_names_tests_that_exist(project_root: Path) -> None:
    text = (project_root / "docs" / "threat-model.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 25
    missing = [
        f"{path}::{name}" for path, name in named if name not in _tests_of(project_root / path)
    ]
    assert missing == []
    vectors = re.findall(r"`(tests/vectors/verdicts/[\w*]+\.json)`", text)
    assert vectors
    assert [name for name in vectors if not list(project_root.glob(name))] == []


def _tests_of(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text("utf-8"))
    return {item.name for item in tree.body if isinstance(item, ast.FunctionDef)}
