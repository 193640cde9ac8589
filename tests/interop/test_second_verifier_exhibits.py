"""Both verifiers find the same in every tampered exhibit, and refuse the same zip files.

The cases are those of ``tests/exhibit_tampering.py`` (as changed; with manifests recomputed by an
adversary; without a signature) and of ``tests/zip_attacks.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anchor import limits
from anchor.formats.encoding import utc_text
from tests import exhibit_tampering, exhibit_work, exhibits, zip_attacks
from tests.parts.second_verifier import VITE, SecondVerifier
from tests.vectors import test_exhibit_vectors

pytestmark = pytest.mark.second_verifier

CHUNKS = 4
NOW = utc_text(exhibits.NOW)
FOLDER = "cat-pendant.exhibit"


@pytest.fixture(scope="module")
def second(require: Any, tmp_path_factory: Any) -> Iterator[SecondVerifier]:
    require(VITE.is_file(), f"the second verifier's packages are not installed: {VITE}")
    verifier = SecondVerifier(tmp_path_factory.mktemp("runner"))
    yield verifier
    verifier.close()


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> exhibits.VaultCase:
    return exhibits.make_vault(tmp_path_factory.mktemp("vault"), 1)


@pytest.fixture(scope="module")
def whole(case, tmp_path_factory) -> exhibit_tampering.Files:
    made, _ = exhibits.export(case, tmp_path_factory.mktemp("out"))
    return exhibit_tampering.files_of(made.path)


def findings(answer: dict[str, Any]) -> dict[str, Any]:
    """Return of the second verifier's answer what two verifiers must agree on."""
    records = (answer["records"] or {"records": []})["records"]
    return {
        **{name: answer[name] for name in ("status", "exit_status", "bundle", "signed_by")},
        "findings": [
            {name: finding[name] for name in ("step", "status", "code", "path")}
            for finding in answer["findings"]
        ],
        "records": [{"seq": each["record"]["seq"], "status": each["status"]} for each in records],
    }


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_tampered_exhibit(second, case, whole, tmp_path: Path, chunk: int):
    judge, path = case.judge(), tmp_path / "x.exhibit.zip"
    cases = list(exhibit_tampering.rounds(whole))[chunk::CHUNKS]
    assert len(cases) > 150
    for what, files in cases:
        exhibit_tampering.write_zip(path, files, FOLDER)
        answer = second.ask_exhibit(path, case.policy_bytes, NOW)
        wanted = exhibit_tampering.summary(exhibit_tampering.judged(files, judge, FOLDER))
        assert findings(answer) == wanted, what


def test_every_meddled_container(second, case, tmp_path: Path):
    path = tmp_path / "x.exhibit.zip"
    for what, data, code in zip_attacks.attacks():
        path.write_bytes(data)
        answer = second.ask_exhibit(path, case.policy_bytes, NOW)
        assert answer.get("unreadable") == code, what


def test_proofs_that_ask_for_too_much_work(second, case, whole, tmp_path: Path):
    path = tmp_path / "x.exhibit.zip"
    files = exhibit_work.heavy(whole, limits.MAX_EXHIBIT_UNITS // exhibit_work.UNITS + 2)
    exhibit_tampering.write_zip(path, files, FOLDER)
    answer = second.ask_exhibit(path, case.policy_bytes, NOW)
    verdict = exhibit_tampering.judged(files, case.judge(), FOLDER)
    assert findings(answer) == exhibit_tampering.summary(verdict)
    codes = [each["attestations"][0]["code"] for each in answer["records"]["records"]]
    assert codes == [each.rows[0].judgement.code for each in verdict.records.verdicts]
    assert codes.count("limit.work") == 2


@pytest.mark.parametrize("path", test_exhibit_vectors.VECTORS, ids=lambda path: path.name)
def test_every_old_exhibit(second, path: Path):
    wanted, policy = test_exhibit_vectors.wanted_of(path)
    answer = second.ask_exhibit(path, policy, wanted["now"].replace("+00:00", "Z"))
    for name, value in findings(answer).items():
        assert value == wanted[name], name
    assert answer["files"] == wanted["files"]
    assert answer["records"]["complete_up_to"] == wanted["complete_up_to"]
    bounds = [each["existed_before"]["headline"] for each in answer["records"]["records"]]
    assert bounds == [
        None if each is None else each.replace("+00:00", "Z") for each in wanted["existed_before"]
    ]
