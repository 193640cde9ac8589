"""Whatever is done to a proof file, it is refused, or its verdict claims nothing new."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from anchor.errors import FormatError
from anchor.proof.codec import parse_proof, serialize_proof
from anchor.verify import Judge, Status, Verdict
from tests.evidence import NOW, whole_case

CASE = whole_case()
DATA = serialize_proof(CASE.proof)
JUDGE = Judge(CASE.policy, now=NOW + timedelta(days=1))


def judge(data: bytes) -> Verdict:
    return JUDGE.verify_proof(parse_proof(data), file_digest=CASE.file_digest)


HONEST = judge(DATA)
HONEST_ROWS = {(row.family, row.attested_time) for row in HONEST.rows}


def claims_nothing_new(data: bytes) -> None:
    try:
        verdict = judge(data)
    except FormatError:
        return
    if verdict.status is not Status.VERIFIED:
        return
    assert {
        (row.family, row.attested_time) for row in verdict.rows if row.attested_time
    } <= HONEST_ROWS
    assert verdict.headline is not None
    assert HONEST.headline is not None
    assert verdict.headline.existed_before >= HONEST.headline.existed_before
    assert verdict.log.leaf_index in (None, HONEST.log.leaf_index)


def test_the_honest_proof_is_verified() -> None:
    assert HONEST.status is Status.VERIFIED
    assert HONEST.exit_status == 0


@given(st.integers(0, len(DATA) - 1), st.integers(0, 7))
@settings(max_examples=400)
def test_one_bit_flipped(position: int, bit: int) -> None:
    data = bytearray(DATA)
    data[position] ^= 1 << bit
    claims_nothing_new(bytes(data))


@given(st.integers(0, len(DATA)))
@settings(max_examples=60)
def test_cut_short(length: int) -> None:
    claims_nothing_new(DATA[:length])


@given(st.binary(min_size=1, max_size=40))
@settings(max_examples=60)
def test_padded(tail: bytes) -> None:
    claims_nothing_new(DATA + tail)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key in value for leaf in _leaves(value[key], (*path, key))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in _leaves(item, (*path, index))]
    return [path]


DOCUMENT = json.loads(DATA)
PLACES = _leaves(DOCUMENT)


@given(st.sampled_from(PLACES), st.sampled_from(PLACES))
@settings(max_examples=300)
def test_one_value_put_in_the_place_of_another(
    source: tuple[Any, ...], target: tuple[Any, ...]
) -> None:
    value = json.loads(DATA)
    taken: Any = value
    for key in source:
        taken = taken[key]
    place: Any = value
    for key in target[:-1]:
        place = place[key]
    place[target[-1]] = taken
    claims_nothing_new(json.dumps(value).encode())
