"""The proofs of one exhibit get a bounded amount of work together."""

from __future__ import annotations

from typing import Any

import pytest

from anchor import limits
from anchor.exhibit.cost import unpaid_records
from anchor.verify.records import ProvenRecord
from tests import exhibit_tampering as tampering
from tests import exhibit_work

FIT = limits.MAX_EXHIBIT_UNITS // exhibit_work.UNITS


@pytest.fixture(scope="module")
def whole(exhibit) -> tampering.Files:
    return tampering.files_of(exhibit)


def judged(case: Any, files: tampering.Files) -> Any:
    return tampering.judged(files, case.judge())


def codes(verdict: Any) -> list[str]:
    return [each.rows[0].judgement.code for each in verdict.records.verdicts]


def test_as_many_proofs_as_the_units_pay_for_are_judged_in_order(case, whole):
    verdict = judged(case, exhibit_work.heavy(whole, FIT + 3))
    found = codes(verdict)
    assert found[FIT + 1 :] == ["limit.work"] * 3
    assert "limit.work" not in found[: FIT + 1]


def test_an_exhibit_of_what_is_usual_is_judged_whole(case, whole):
    assert "limit.work" not in codes(judged(case, whole))
    assert limits.MAX_EXHIBIT_UNITS > 1_000 * 20_000, "a proof of the examples costs 10,000"


def proven(files: tampering.Files) -> list[ProvenRecord]:
    from anchor.exhibit.agreement import compare_listing
    from anchor.exhibit.layout import LISTING
    from anchor.exhibit.listing import parse_listing

    contents = tampering.contents_of(files)
    agreement = compare_listing(contents, parse_listing(files[LISTING]))
    return [item for item in agreement.items if isinstance(item, ProvenRecord)]


def test_an_ots_file_counts_and_what_comes_after_the_end_is_left(whole):
    items = proven(exhibit_work.heavy(whole, 3))[1:]
    digests = [item.record.digest for item in items]
    units = exhibit_work.UNITS
    assert unpaid_records(items, {}, 3 * units) == set()
    assert unpaid_records(items, {}, 3 * units - 1) == {digests[2]}
    assert unpaid_records(items, {1: bytes(10)}, 3 * units) == {digests[2]}
    assert unpaid_records(items, {2: bytes(1 << 20)}, 2 * units) == set(digests[1:])


def test_what_is_paid_for_is_free_and_nothing_is_free_that_was_not(whole):
    items = proven(whole)
    first = items[0]
    assert unpaid_records([first, first, first], {}, 0) == {first.record.digest}
    assert unpaid_records(items, {}, 0) == {i.record.digest for i in items if i.proof is not None}
    cost = next(n for n in range(0, 1_000_000, 100) if not unpaid_records([first], {}, n))
    assert unpaid_records([first] * 9, {}, cost) == set()
