"""Every vector of records gives the verdict that it demands, on disk as well as made afresh."""

from __future__ import annotations

import json
from typing import Any

import pytest

from anchor.errors import FormatError, VerificationError
from anchor.verify.report import records_to_json
from tests.vectors.generate_records import MAKERS
from tests.vectors.record_vectors import FOLDER, judge_vector

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def check(vector: dict[str, Any]) -> None:
    expect = vector["expect"]
    if "refused" in expect:
        with pytest.raises({"format": FormatError, "false": VerificationError}[expect["refused"]]):
            judge_vector(vector)
        return
    report = records_to_json(judge_vector(vector), steps=True)
    for name, wanted in expect.items():
        if name == "records":
            for seq, row in wanted.items():
                check_record(report, int(seq), row)
        elif name == "forks":
            assert [(f["status"], f["code"]) for f in report["forks"]] == [tuple(w) for w in wanted]
        else:
            assert report[name] == wanted, (name, report["reason"])


def check_record(report: dict[str, Any], seq: int, row: dict[str, Any]) -> None:
    verdict = next(each for each in report["records"] if each["record"]["seq"] == seq)
    found = {f["code"]: f["status"] for f in verdict["record"]["findings"]}
    beacons = [(b["status"], b["code"], b["not_before"]) for b in verdict["record"]["beacons"]]
    for name, wanted in row.items():
        if name == "findings":
            assert {code: found.get(code) for code in wanted} == wanted, found
        elif name == "beacons":
            assert beacons == [tuple(each) for each in wanted]
        elif name in ("lag_s", "original", "withheld_fields"):
            assert verdict["record"][name] == wanted
        elif name == "headline":
            assert verdict["existed_before"]["headline"] == wanted
        else:
            assert verdict.get(name) == wanted, (name, verdict["reason"])


def test_every_maker_has_a_file_and_every_file_a_maker() -> None:
    assert sorted(MAKERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_vector_on_disk(name: str) -> None:
    check(json.loads((FOLDER / f"{name}.json").read_text()))


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_vector_made_afresh(name: str) -> None:
    check(json.loads(json.dumps(MAKERS[name]())))
