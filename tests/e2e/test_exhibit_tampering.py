"""A vault of 40 iterations: every file of its exhibit is tampered with once, every change is named.

The ways take turns over the files of each kind; ``tests/unit/exhibit/test_tampering.py`` goes every
way with every file of a smaller one.
"""

from __future__ import annotations

import pytest

from tests import exhibit_tampering as tampering
from tests import exhibits

CHUNKS = 8


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> exhibits.VaultCase:
    return exhibits.make_vault(tmp_path_factory.mktemp("forty"), 40)


@pytest.fixture(scope="module")
def files(case, tmp_path_factory) -> tampering.Files:
    made, _ = exhibits.export(case, tmp_path_factory.mktemp("out"))
    return tampering.files_of(made.path)


@pytest.fixture(scope="module")
def turns(files) -> list[tampering.Tampering]:
    """Return one case for each file: of those that there are for it, another one each time."""
    found: dict[str, list[tampering.Tampering]] = {}
    for each in tampering.tamperings(files):
        if each.path in files:
            found.setdefault(each.path, []).append(each)
    return [ways[number % len(ways)] for number, ways in enumerate(found.values())]


def test_every_file_has_its_turn_and_every_way_is_gone(files, turns):
    assert {each.path for each in turns} == set(files)
    assert len(files) > 450
    ways = {each.name.split(" ")[0] for each in turns}
    assert {"byte", "without", "claimed_time", "root_hash", "leaf_index", "disclosed"} <= ways


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_change_is_named(case, turns, chunk: int):
    judge = case.judge()
    for number, each in enumerate(turns[chunk::CHUNKS]):
        # Every other one by an adversary who recomputes the manifests.
        again = tampering.recomputed(each) if number % 2 else None
        verdict = tampering.judged(again or each.files, judge)
        assert verdict.exit_status in (1, 4), each.name
        if again is None or each.deep:
            assert verdict.exit_status == 1, each.name
            assert tampering.names(verdict, each.named), each.name
        else:
            codes = {finding.code for finding in verdict.findings}
            assert codes & {"exhibit.signature", "exhibit.unsigned"}, each.name
