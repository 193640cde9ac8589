"""Every verdict vector gives the verdict that it demands, fresh ones as well as those on disk."""

from __future__ import annotations

import json
from typing import Any

import pytest

from anchor.errors import FormatError
from anchor.verify import Verdict
from anchor.verify.report import verdict_to_json
from tests.vectors.generate import MAKERS
from tests.vectors.verdict_vectors import FOLDER, judge_vector

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def check(verdict: Verdict, expect: dict[str, Any]) -> None:
    report = verdict_to_json(verdict, steps=True)
    flat = {
        "status": report["status"],
        "exit_status": report["exit_status"],
        "headline": report["existed_before"]["headline"],
        "answer": report.get("answer"),
        "log": report["log"]["status"],
        "log_code": report["log"]["code"],
        "leaf_index": report["log"]["leaf_index"],
    }
    for name, wanted in expect.items():
        if name == "rows":
            rows = [(row["status"], row["code"]) for row in report["attestations"]]
            assert sorted(rows) == sorted((row["status"], row["code"]) for row in wanted)
        elif name == "trust":
            assert wanted in report["headline"]["trust"]
        else:
            assert flat[name] == wanted, (name, report)


def run(vector: dict[str, Any]) -> None:
    refused = vector["expect"].get("refused")
    if refused is None:
        check(judge_vector(vector), vector["expect"])
        return
    with pytest.raises(FormatError) as caught:
        judge_vector(vector)
    assert caught.value.code == refused


def test_every_maker_has_a_file_and_every_file_a_maker() -> None:
    assert sorted(MAKERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_vector_on_disk(name: str) -> None:
    vector = json.loads((FOLDER / f"{name}.json").read_text())
    run(vector)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_vector_made_afresh(name: str) -> None:
    vector = json.loads(json.dumps(MAKERS[name]()))
    run(vector)
