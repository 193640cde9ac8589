"""A whole process, recorded as it happens, disclosed in part, verified from that part alone.

Forty iterations: prompts by hand, images as a web UI writes them into a folder that the real
``vestige watch`` looks after, choices, edits, a final work, all sent to a real service. Part of it
is handed over. Whoever has only that part can verify it, count what is withheld, and guess nothing.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from anchor.cli import main
from anchor.errors import VerificationError
from anchor.formats.encoding import base64url, parse_base64url
from anchor.proof.codec import parse_proof
from anchor.proof.policy import parse_policy
from anchor.records.chain import Stub
from anchor.records.record import Record, parse_record
from anchor.records.sdjwt import make_disclosure
from anchor.vault import Vault
from anchor.verify import Judge, ProvenRecord, RecordsVerdict, judge_records
from tests.e2e.recorder_service import Served, recorder_service
from tests.e2e.watch_process import Watch

ITERATIONS = 40
ADJECTIVES = ("cute", "sad", "small", "black", "angry", "sleeping", "silver")
ANIMALS = ("cat", "dog", "bird", "fox", "whale", "horse")
SEEDS = range(1000, 1000 + ITERATIONS)
REASONS = ("the light", "the pose", "the colours", "the line of the back")


def prompt_of(number: int) -> str:
    """Return one of few prompts that anybody would think of."""
    return f"a {ADJECTIVES[number % 7]} {ANIMALS[number % 6]}"


@dataclass(frozen=True)
class Made:
    """What the creator has at the end: the vault, and the pictures by iteration."""

    work: Path
    policy: Path
    images: tuple[bytes, ...]


@pytest.fixture
def made(tmp_path: Path, monkeypatch, capsys) -> Iterator[Made]:
    """Record the process against a real service and the real watcher."""
    for name in ("state", "data"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    (tmp_path / "passphrase").write_text("correct horse")
    monkeypatch.setenv("VESTIGE_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    threshold = gc.get_threshold()
    with recorder_service(tmp_path) as service:
        monkeypatch.setenv("VESTIGE_POLICY", str(tmp_path / "policy.json"))
        work = tmp_path / "cats"
        work.mkdir()
        monkeypatch.chdir(work)
        say("init", "--recovery", tmp_path / "recovery.txt", "--server", service.url)
        images = tuple(_record_all(work))
        _prove_all(service)
        capsys.readouterr()
        gc.set_threshold(*threshold)
        yield Made(work, tmp_path / "policy.json", images)


def say(*words: object) -> None:
    status = main([str(word) for word in words])
    assert status == 0, words


def _record_all(work: Path) -> Iterator[bytes]:
    folder = work / "outputs"
    folder.mkdir()
    say("idea", "a series of animals, each in one mood", "--offline")
    watching = Watch(work, str(folder))
    try:
        watching.until("watching")
        for number in range(ITERATIONS):
            say("prompt", prompt_of(number), "--negative", "blurry", "--offline")
            yield _generate(folder, number)
            newest = watching.until("recorded", number + 1)[-1]["record"]["seq"]
            if number % 8 == 7:
                reason = REASONS[number // 8 % len(REASONS)]
                say("select", newest, "--from", newest, newest - 2, "--why", reason, "--offline")
                retouched = work / f"retouched {number}.png"
                Image.new("RGB", (8, 8), (number, 1, 2)).save(retouched)
                say("edit", newest, retouched, "--app", "Krita", "--did", "ears", "--offline")
        assert watching.stop() == 0
    finally:
        watching.end()
    say("final", "retouched 39.png", "--human", "the ears", "--generated", "the rest", "--offline")
    say("close", "--yes", "--statement", "done")


def _generate(folder: Path, number: int) -> bytes:
    """Write one image as a web UI does, with its settings in it."""
    info = PngInfo()
    info.add_text(
        "parameters",
        f"{prompt_of(number)}\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, "
        f"Seed: {SEEDS[number]}, Size: 8x8, Model: sea, Version: v1.10.1",
    )
    path = folder / f"{number:05}.png"
    Image.new("RGB", (8, 8), (number, number * 3, 7)).save(path, pnginfo=info)
    return path.read_bytes()


def _prove_all(service: Served) -> None:
    say("send")
    service.anchor()
    say("send")


# -- handing over ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Handed:
    """A folder that somebody gets, and what the creator knows to be left out of it."""

    folder: Path
    whole: tuple[Record, ...]
    stubs: tuple[int, ...]
    withheld_fields: int


def _shown(record: Record) -> bool | None:
    """Return whether a record is shown with everything, bare, or (None) as a stub."""
    if record.kind.name in ("genesis", "selection", "final", "close"):
        return True
    if record.seq % 3 == 0:
        return None
    return record.seq % 5 == 0


@pytest.fixture
def handed(made: Made, tmp_path: Path) -> Handed:
    """Hand over records with all, some or no fields, stubs, and the proofs of those shown."""
    folder = tmp_path / "handed"
    folder.mkdir()
    whole, stubs, withheld = [], [], 0
    with Vault.open(made.work) as vault:
        for seq in range(vault.size):
            record = vault.read(seq)
            whole.append(record)
            shown = _shown(record)
            if shown is None:
                stub = {"seq": seq, "kind": record.kind.name, "digest": record.digest.hex()}
                (folder / f"{seq:08}.stub.json").write_text(json.dumps(stub))
                stubs.append(seq)
                continue
            part = record.sd_jwt.showing(lambda _, shown=shown: bool(shown))
            withheld += len(part.hidden_digests) - len(part.disclosures)
            (folder / f"{seq:08}.sdjwt").write_text(part.serialize())
            proof = vault.layout.proof(seq).read_bytes()
            (folder / f"{seq:08}.proof").write_bytes(proof)
    return Handed(folder, tuple(whole), tuple(stubs), withheld)


def verify_folder(folder: Path, policy: Path) -> RecordsVerdict:
    """Judge what was handed over: nothing but these files and the verifier's own policy."""
    items: list[ProvenRecord | Stub] = []
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".stub.json"):
            value = json.loads(path.read_text())
            items.append(Stub(value["seq"], value["kind"], bytes.fromhex(value["digest"])))
        elif path.suffix == ".sdjwt":
            proof = parse_proof(path.with_suffix(".proof").read_bytes())
            items.append(ProvenRecord(parse_record(path.read_bytes()), proof))
    return judge_records(items, Judge(parse_policy(policy.read_bytes()), now=datetime.now(UTC)))


def test_a_process_of_forty_iterations_disclosed_in_part_is_verified_counted_and_not_guessed(
    made: Made, handed: Handed, monkeypatch, tmp_path: Path
) -> None:
    """One process, since recording it takes a while: verified, counted, tampered with, attacked."""
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "another person"))
    assert len([r for r in handed.whole if r.kind.name == "generation"]) == ITERATIONS
    assert len([r for r in handed.whole if r.kind.name == "prompt"]) == ITERATIONS
    _assert_what_was_captured(handed)
    _assert_verified_and_counted(made, handed)
    _assert_nothing_left_out_unseen(made, handed, tmp_path)
    _assert_nothing_withheld_is_there(made, handed)
    _assert_no_dictionary_opens_anything(made, handed)


def _assert_what_was_captured(handed: Handed) -> None:
    runs = [record for record in handed.whole if record.kind.name == "generation"]
    for number, record in enumerate(runs):
        assert record.fields["positive"] == prompt_of(number)
        assert record.fields["seed"] == str(SEEDS[number])
        assert record.capture.mode == "watch_folder"
        assert record.capture.lag_s <= 60


def _assert_verified_and_counted(made: Made, handed: Handed) -> None:
    verdict = verify_folder(handed.folder, made.policy)
    assert verdict.status == "verified", verdict.reason
    assert verdict.exit_status == 0
    last = len(handed.whole) - 1
    assert verdict.report.complete_up_to == last
    assert verdict.report.closed
    assert verdict.withheld_records == len(handed.stubs) > 20
    assert verdict.withheld_fields == handed.withheld_fields > 100
    assert f"complete up to record {last} " in verdict.statement
    assert f"{len(handed.stubs)} of them withheld" in verdict.statement
    for item in verdict.verdicts:
        assert item.headline is not None
        assert item.headline.existed_before <= datetime.now(UTC)


def _assert_nothing_left_out_unseen(made: Made, handed: Handed, tmp_path: Path) -> None:
    """Leave a stub out, change one, or swap two records: it shows each time."""

    def changed(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for path in handed.folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        return folder

    folder = changed("one left out")
    (folder / f"{handed.stubs[4]:08}.stub.json").unlink()
    verdict = verify_folder(folder, made.policy)
    assert verdict.status == "not_checked"
    assert "1 records are not listed" in verdict.statement

    folder = changed("another in its place")
    path = folder / f"{handed.stubs[4]:08}.stub.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "digest": hashlib.sha256(b"another").hexdigest()}))
    assert verify_folder(folder, made.policy).status == "failed"

    folder = changed("a proof of another record")
    first, second = sorted(folder.glob("*.proof"))[:2]
    second.write_bytes(first.read_bytes())
    assert verify_folder(folder, made.policy).status == "failed"


# -- guessing --------------------------------------------------------------------------------------


def _withheld_disclosures(handed: Handed) -> list[tuple[str, object, str]]:
    """Return name, value and salt of every field that was not handed over."""
    found = []
    for record in handed.whole:
        if _shown(record) is not True:
            found += [(d.name, d.value, base64url(d.salt)) for d in record.sd_jwt.disclosures]
    return found


def _everything_in(folder: Path) -> bytes:
    """Return all bytes handed over, with each base64url part of a record decoded as well."""
    parts = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        parts.append(data)
        if path.suffix == ".sdjwt":
            for text in re.split(r"[.~]", data.decode()):
                if text:
                    parts.append(parse_base64url(text, max_bytes=len(text), what="part"))
    return b"\n".join(parts)


def _assert_nothing_withheld_is_there(made: Made, handed: Handed) -> None:
    everything = _everything_in(handed.folder)
    shown = {
        json.dumps(d.value)
        for record in handed.whole if _shown(record)
        for d in record.sd_jwt.disclosures
    }  # fmt: skip
    looked_for = 0
    for name, value, salt in _withheld_disclosures(handed):
        assert salt.encode() not in everything, name
        texts = [value] if isinstance(value, str) else []
        if isinstance(value, dict):
            texts = [value["sha256"], value["sha3_256"]]
        for text in texts:
            # A short or common text may well stand elsewhere; a prompt, digest or reason may not.
            if len(text) > 5 and not any(text in other for other in shown):
                looked_for += 1
                assert text.encode() not in everything, (name, text)
    assert looked_for > 60


def _targets(handed: Handed) -> set[str]:
    """Return every digest that an attacker could try to hit, in base64url."""
    found = {base64url(bytes.fromhex(text)) for text in re.findall(
        r"[0-9a-f]{64}", _everything_in(handed.folder).decode("latin-1")
    )}  # fmt: skip
    for path in handed.folder.glob("*.sdjwt"):
        record = parse_record(path.read_bytes())
        found |= {base64url(record.digest), *record.sd_jwt.hidden_digests}
    return found


def _guesses(made: Made) -> Iterator[tuple[str, object]]:
    """Yield what the attacker thinks likely; all true values are among it."""
    for adjective, animal in product(ADJECTIVES, ANIMALS):
        for name in ("positive", "text", "note"):
            yield name, f"a {adjective} {animal}"
    for seed in SEEDS:
        yield "seed", str(seed)
    for reason in REASONS:
        yield "why", reason
    for name, value in (("negative", "blurry"), ("sampler", "Euler a"), ("steps", 20),
                        ("tool", "AUTOMATIC1111"), ("app", "Krita"), ("operations", ["ears"]),
                        ("text", "a series of animals, each in one mood")):  # fmt: skip
        yield name, value
    for number, data in enumerate(made.images):
        entry = {
            "role": "output", "media_type": "image/png", "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "sha3_256": hashlib.sha3_256(data).hexdigest(), "name": f"outputs/{number:05}.png",
        }  # fmt: skip
        yield "file.0", entry


def _hashes(name: str, value: object, salts: Sequence[bytes]) -> Iterator[str]:
    """Yield every digest of a guess: bare, as JSON, and as a disclosure under each salt."""
    text = value if isinstance(value, str) else json.dumps(value)
    bare = [text, json.dumps(value), json.dumps([name, value]), f"{name}{text}", f"{name}={text}"]
    for item in bare:
        data = item.encode()
        for hashed in (hashlib.sha256, hashlib.sha3_256):
            yield base64url(hashed(data).digest())
            yield base64url(hashed(b"\0" + data).digest())
    for salt in salts:
        yield make_disclosure(salt, name, value).digest
        yield base64url(hashlib.sha256(salt + text.encode()).digest())


def _assert_no_dictionary_opens_anything(made: Made, handed: Handed) -> None:
    """The attacker knows every true value and has the images; without the salts that is no use."""
    targets = _targets(handed)
    records = [parse_record(path.read_bytes()) for path in sorted(handed.folder.glob("*.sdjwt"))]
    known = [d.salt for record in records for d in record.sd_jwt.disclosures]
    nearby = [bytes(16), bytes.fromhex(records[0].place.project), *(r.digest[:16] for r in records)]
    salts = [*known[::7], *nearby]
    tried = 0
    shown = {d.digest for record in records for d in record.sd_jwt.disclosures}
    shown_files = {
        bytes.fromhex(entry[kind])
        for record in records for entry in record.files.values() for kind in ("sha256", "sha3_256")
    }  # fmt: skip
    open_already = shown | {base64url(digest) for digest in shown_files}
    for name, value in _guesses(made):
        for digest in _hashes(name, value, salts):
            tried += 1
            assert digest not in targets - open_already, (name, value)
    assert tried > 20_000

    # The attack itself works: with the salts, which the creator kept, every guess is found.
    withheld = {(name, json.dumps(value)) for name, value, _ in _withheld_disclosures(handed)}
    guessed = {(name, json.dumps(value)) for name, value in _guesses(made)}
    hit = 0
    for record in handed.whole:
        if _shown(record) is False:
            for disclosure in record.sd_jwt.disclosures:
                if (disclosure.name, json.dumps(disclosure.value)) in guessed:
                    hit += (
                        make_disclosure(disclosure.salt, disclosure.name, disclosure.value).digest
                        in targets
                    )
    assert hit > 40
    assert len(withheld & guessed) > 40
    _assert_no_disclosure_can_be_made_up(records)


def _assert_no_disclosure_can_be_made_up(records: Sequence[Record]) -> None:
    bare = next(record for record in records if record.withheld and not record.sd_jwt.disclosures)
    made_up = make_disclosure(os.urandom(16), "positive", "a cute cat").text
    with pytest.raises(VerificationError):
        parse_record(f"{bare.sd_jwt.jwt}~{made_up}~")
