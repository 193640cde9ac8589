"""The depth of JSON, counted over its bytes, is the depth of the value that they hold."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anchor.errors import FormatError
from anchor.formats.encoding import _JSON_STEP, _json_depth
from anchor.proof.codec import ProofReader, parse_proof, serialize_proof
from tests.evidence import whole_case

_STRUCTURE = st.text(alphabet='[]{}"\\,:a \n‖', max_size=20)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _STRUCTURE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_STRUCTURE, inner, max_size=4),
    max_leaves=30,
)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(_VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_depth_of_bytes_is_depth_of_value(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert _json_depth(text.encode()) == depth_of(value)


def slow_depth(raw: bytes) -> int:
    """Count a character at a time; a string that does not end goes on to the end."""
    deepest = depth = place = 0
    inside = False
    while place < len(raw):
        byte = raw[place]
        if byte == ord("\\"):
            place += 1 if place + 1 < len(raw) else 0
        elif byte == ord('"'):
            inside = not inside
        elif not inside and byte in _JSON_STEP:
            depth += _JSON_STEP[byte]
            deepest = max(deepest, depth)
        place += 1
    return deepest


@given(st.binary(max_size=60) | st.text(alphabet='[]{}"\\a', max_size=60).map(str.encode))
@example(b'["[""]"]')
@example(b'[ "[[[')
@example(b'"""[')
@example(b'[\\"[')
def test_depth_of_anything_is_what_counting_each_byte_gives(raw):
    assert max(_json_depth(raw), 0) == slow_depth(raw)


def test_reader_that_remembers_gives_what_reading_alone_gives():
    case = whole_case()
    data = serialize_proof(case.proof)
    reader = ProofReader()
    assert reader.parse(data) == reader.parse(data) == parse_proof(data)
    first = reader.parse(data).attestations[0]
    assert reader.parse(data).attestations[0] is first
    # 1 and true are equal in Python and are not the same in JSON.
    other = re.sub(rb'"chain_id": \d+', b'"chain_id": 1', data)
    reader.parse(other)
    for wrong in (b'"chain_id": true', b'"chain_id": "1"'):
        with pytest.raises(FormatError, match="chain_id"):
            reader.parse(other.replace(b'"chain_id": 1', wrong))
