"""Exhibits that were handed over: every later verifier finds in them what the first one found."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from anchor.exhibit.contents import read_contents
from anchor.exhibit.judge import judge_exhibit
from anchor.exhibit.zip_container import ZipContainer
from anchor.proof.policy import parse_policy
from anchor.verify.judge import Judge
from tests.vectors.generate_exhibit import FOLDER, expected

VECTORS = sorted(FOLDER.glob("*.exhibit.zip"))


def wanted_of(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return what must be found in an exhibit, and the policy's bytes."""
    stem = path.name.removesuffix(".exhibit.zip")
    policy = (FOLDER / f"{stem}.policy.json").read_bytes()
    return json.loads((FOLDER / f"{stem}.json").read_text()), policy


def test_there_is_one():
    assert VECTORS


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_an_old_exhibit_shows_what_it_always_showed(path: Path):
    wanted, policy = wanted_of(path)
    judge = Judge(parse_policy(policy), now=datetime.fromisoformat(wanted.pop("now")))
    contents = read_contents(ZipContainer(io.BytesIO(path.read_bytes())))
    assert expected(judge_exhibit(contents, lambda _items: judge)) == wanted
