"""The second verifier says the same of records and exhibits, whole and changed in one place."""

from __future__ import annotations

import base64
import copy
import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anchor.errors import VestigeError
from anchor.exhibit.verdict import exhibit_to_json
from anchor.formats.encoding import utc_text
from anchor.verify.report import records_to_json
from tests import zip_attacks
from tests.exhibits import NOW, VaultCase, export, make_vault, verify
from tests.parts.second_verifier import VITE, SecondVerifier
from tests.vectors.record_vectors import FOLDER, judge_vector

VECTORS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
MUTATIONS = 120


@pytest.fixture(scope="module")
def second(tmp_path_factory, require) -> Iterator[SecondVerifier]:
    require(VITE.exists(), "the second verifier's packages are missing (make web)")
    process = SecondVerifier(tmp_path_factory.mktemp("runner"))
    yield process
    process.close()


def plain(value: Any) -> Any:
    """Return a verdict without its words and its steps: a code says the same in fewer."""
    if isinstance(value, dict):
        left_out = ("reason", "trust", "steps", "proved", "asserted", "not_checked", "policy")
        return {name: plain(item) for name, item in value.items() if name not in left_out}
    return [plain(item) for item in value] if isinstance(value, list) else value


def first_of_records(vector: dict[str, Any]) -> dict[str, Any]:
    try:
        return plain(records_to_json(judge_vector(vector), steps=True))
    except VestigeError:
        return {"unreadable": True}


def second_of_records(second: SecondVerifier, vector: dict[str, Any]) -> dict[str, Any]:
    said = second.ask_records(vector)
    assert "crashed" not in said, said
    return {"unreadable": True} if "unreadable" in said else plain(said)


@pytest.mark.parametrize("name", VECTORS)
def test_the_whole_verdict_on_a_vector_of_records(second: SecondVerifier, name: str):
    assert second_of_records(second, VECTORS[name]) == first_of_records(VECTORS[name])


def mutated(vector: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return a vector with one thing of one item changed."""
    changed = copy.deepcopy(vector)
    items = changed["items"]
    item = rng.choice([each for each in items if "record" in each])
    kind = rng.choice(("character", "payload", "disclosure", "proof", "order", "stub", "gone"))
    jwt, *disclosures = item["record"].split("~")
    header, payload, signature = (*jwt.split("."), "", "")[:3]
    if kind == "character":
        at = rng.randrange(len(item["record"]))
        item["record"] = item["record"][:at] + rng.choice("AZaz09-_.~") + item["record"][at + 1 :]
    elif kind == "payload" and payload:
        fields = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        name = rng.choice(sorted(fields))
        fields[name] = rng.choice((0, 1, None, True, "x", "idea", [], {}, "ff" * 32, fields[name]))
        raw = json.dumps(fields, separators=(",", ":")).encode()
        payload = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        item["record"] = "~".join((f"{header}.{payload}.{signature}", *disclosures))
    elif kind == "disclosure":
        rng.shuffle(disclosures)
        item["record"] = "~".join((jwt, *disclosures[rng.randrange(2) :]))
    elif kind == "proof":
        item["proof"] = rng.choice([each["proof"] for each in items if "record" in each])
    elif kind == "order":
        rng.shuffle(items)
    elif kind == "stub":
        digest = rng.randbytes(32).hex()
        items[items.index(item)] = {"seq": rng.randrange(9), "kind": "idea", "digest": digest}
    else:
        items.remove(item)
    return changed


@pytest.mark.parametrize("seed", range(4))
def test_changed_records(second: SecondVerifier, seed: int):
    rng = random.Random(f"records {seed}")
    for _ in range(MUTATIONS // 4):
        name = rng.choice(sorted(VECTORS))
        vector = mutated(VECTORS[name], rng)
        assert second_of_records(second, vector) == first_of_records(vector), name


# -- exhibits --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> tuple[VaultCase, Path]:
    folder = tmp_path_factory.mktemp("small")
    case = make_vault(folder, 2)
    return case, export(case, folder / "out")[0].path


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> tuple[VaultCase, Path]:
    folder = tmp_path_factory.mktemp("large")
    case = make_vault(folder, 40)
    return case, export(case, folder / "out")[0].path


def both(second: SecondVerifier, path: Path, case: VaultCase) -> tuple[Any, Any]:
    """Return what the two verifiers say of an exhibit."""
    try:
        one = exhibit_to_json(verify(path, case))
    except VestigeError as error:
        # What is wrong in two ways may be refused for either.
        one = {"unreadable": error.code.split(".")[0]}
    other = second.ask_exhibit(path, case.policy_bytes, utc_text(NOW))
    assert "crashed" not in other, other
    if "unreadable" in other:
        other = {"unreadable": other["unreadable"].split(".")[0]}
    return ordered(plain(one)), ordered(plain(other))


def ordered(verdict: dict[str, Any]) -> dict[str, Any]:
    """Return the verdict with its findings in one order."""
    if "findings" in verdict:
        verdict["findings"].sort(key=lambda found: json.dumps(found, sort_keys=True))
    return verdict


def flipped(path: Path, name: str, out: Path, rng: random.Random) -> Path:
    """Write the exhibit with one bit of one file turned over; entries are stored."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(name)
        at = entry.header_offset + 30 + len(name.encode()) + rng.randrange(max(entry.file_size, 1))
    data[at] ^= 1 << rng.randrange(8)
    out.write_bytes(data)
    return out


def without(path: Path, name: str, out: Path) -> Path:
    """Write the exhibit without one file."""
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(out, "w") as less:
        for entry in whole.infolist():
            if entry.filename != name:
                less.writestr(entry, whole.read(entry))
    return out


def names_of(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [entry.filename for entry in archive.infolist() if entry.file_size]


def test_a_whole_exhibit(second: SecondVerifier, large: tuple[VaultCase, Path]):
    one, other = both(second, large[1], large[0])
    assert one["status"] == "verified"
    assert other == one


def test_every_file_of_an_exhibit_with_a_bit_turned_over(
    second: SecondVerifier, small: tuple[VaultCase, Path], tmp_path: Path
):
    case, path = small
    rng = random.Random("bits")
    for name in names_of(path):
        one, other = both(second, flipped(path, name, tmp_path / "x.exhibit.zip", rng), case)
        assert other == one, name
        assert one["status"] == "failed", name


def test_every_file_of_an_exhibit_left_out(
    second: SecondVerifier, small: tuple[VaultCase, Path], tmp_path: Path
):
    case, path = small
    for name in names_of(path):
        one, other = both(second, without(path, name, tmp_path / "x.exhibit.zip"), case)
        assert other == one, name
        inside = name.partition("/")[2]
        assert inside in [found["path"] for found in one["findings"]], name


def test_files_of_forty_iterations_each_changed(
    second: SecondVerifier, large: tuple[VaultCase, Path], tmp_path: Path
):
    case, path = large
    rng = random.Random("forty")
    for name in rng.sample(names_of(path), 10):
        one, other = both(second, flipped(path, name, tmp_path / "x.exhibit.zip", rng), case)
        assert other == one, name
        inside = name.partition("/")[2]
        assert inside in [found["path"] for found in one["findings"]] or "tagman" in name, name


def test_a_container_that_was_meddled_with(
    second: SecondVerifier, small: tuple[VaultCase, Path], tmp_path: Path
):
    case, path = small
    rng, whole = random.Random("container"), path.read_bytes()
    out = tmp_path / "x.exhibit.zip"
    directory = whole.index(b"PK\x01\x02")
    with zipfile.ZipFile(path) as archive:
        headers = [entry.header_offset for entry in archive.infolist()]
    for _ in range(300):
        data = bytearray(whole)
        place = rng.choice(("directory", "header", "end"))
        at = {
            "directory": rng.randrange(directory, len(data)),
            "header": rng.choice(headers) + rng.randrange(60),
            "end": len(data) - 1 - rng.randrange(22),
        }[place]
        data[at] = rng.choice((0, 1, 255, rng.randrange(256)))
        cut = rng.randrange(len(data)) if rng.random() < 0.05 else len(data)
        out.write_bytes(data[:cut])
        one, other = both(second, out, case)
        assert other == one


ATTACKS = list(zip_attacks.attacks())


@pytest.mark.parametrize(
    ("data", "code"), [attack[1:] for attack in ATTACKS], ids=[attack[0] for attack in ATTACKS]
)
def test_an_attack_on_the_container(second: SecondVerifier, tmp_path: Path, data: bytes, code: str):
    path = tmp_path / "x.exhibit.zip"
    path.write_bytes(data)
    policy = json.dumps({"version": 1, "name": "tests", "class": "test"}).encode()
    said = second.ask_exhibit(path, policy, utc_text(NOW))
    assert said.get("unreadable") == code, said
