"""A record's JSON is bounded before it is read, over all of its parts."""

from __future__ import annotations

import json

import pytest

from anchor import limits
from anchor.errors import LimitExceededError
from anchor.formats.encoding import base64url, count_json_values
from anchor.records.sdjwt import Disclosure, make_disclosure, parse_sd_jwt, sign_sd_jwt


def signed(disclosures: list[Disclosure]) -> str:
    return sign_sd_jwt({"a": 1}, disclosures, lambda _data: bytes(64), media_type="x").serialize()


def filled(number: int, values: int) -> Disclosure:
    """Return a disclosure that counts for so many values."""
    return make_disclosure(bytes([number]) * 16, f"n{number}", [1] * (values - 3))


def test_counting_looks_past_strings():
    assert count_json_values(b'{"a,[{\\"":[1,"\\\\",{}]}', 9) == 5
    assert count_json_values(b"[[],[]]", 9) == 4


def test_as_many_values_as_may_be_are_read_and_one_more_is_not():
    # Header and payload hold 2 and 4 of their own, and one for each disclosure after the first.
    most = limits.MAX_RECORD_JSON_VALUES - 7
    text = signed([filled(1, most // 2), filled(2, most - most // 2)])
    assert len(parse_sd_jwt(text).disclosures) == 2
    with pytest.raises(LimitExceededError) as caught:
        signed([filled(1, most // 2), filled(2, most - most // 2 + 1)])
    assert caught.value.code == "format.json.values"


@pytest.mark.parametrize("unit", ['{"a":1},', "{},", "[],"])
def test_a_flood_of_values_is_refused_before_it_is_read(unit: str):
    header = base64url(json.dumps({"alg": "EdDSA", "typ": "x"}).encode())
    payload = base64url(f'{{"a":[{unit * 2_000_000}1]}}'.encode())
    with pytest.raises(LimitExceededError) as caught:
        parse_sd_jwt(f"{header}.{payload}.{'A' * 86}~")
    assert caught.value.code == "format.json.values"


def test_refusing_a_flood_takes_little_memory():
    import tracemalloc

    header = base64url(json.dumps({"alg": "EdDSA", "typ": "x"}).encode())
    flood = b'{"a":[' + b'{"a":1},' * 2_000_000 + b"1]}"
    text = f"{header}.{base64url(flood)}.{'A' * 86}~"
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceededError):
            parse_sd_jwt(text)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(flood)
    finally:
        tracemalloc.stop()
