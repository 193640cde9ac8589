"""Whatever is done to a record, it is refused or not verified; and no bytes break the readers."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from anchor.errors import FormatError, VerificationError
from anchor.formats.encoding import base64url
from anchor.records.chain import Stub, verify_chain
from anchor.records.record import Record, parse_record
from anchor.records.sdjwt import parse_disclosure, parse_sd_jwt
from anchor.verify import ProvenRecord, Status, judge_records
from tests.recorder import CREATOR, THIEF, Project, judge, proven, stub, whole_project
from tests.unit.records.test_record import resigned
from tests.unit.records.test_sdjwt import forged

PROJECT = whole_project()
RECORDS = PROJECT.records
LISTED = proven(RECORDS)
JUDGE = judge()
TARGET = 5
TEXT = RECORDS[TARGET].sd_jwt.serialize()
ASCII = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~="

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def read(data: str | bytes) -> Record | None:
    try:
        return parse_record(data)
    except (FormatError, VerificationError):
        return None


def claims_nothing_new(record: Record | None) -> None:
    """A record that was not there before is not verified in the place of the honest one."""
    if record is None:
        return
    honest = RECORDS[TARGET]
    if record.sd_jwt.jwt == honest.sd_jwt.jwt:
        shown = {(d.name, d.salt) for d in record.sd_jwt.disclosures}
        assert shown <= {(d.name, d.salt) for d in honest.sd_jwt.disclosures}
        return
    items = [*LISTED]
    items[TARGET] = ProvenRecord(record, LISTED[TARGET].proof)
    verdict = judge_records(items, JUDGE)
    assert verdict.status is not Status.VERIFIED


# -- any bytes -------------------------------------------------------------------------------------


@given(st.binary(max_size=200) | st.text(ASCII, max_size=200) | st.text(max_size=50))
def test_any_bytes(data: str | bytes) -> None:
    for parse in (parse_sd_jwt, parse_record):
        with suppress(FormatError, VerificationError):
            parse(data)
    with suppress(FormatError):
        parse_disclosure(data if isinstance(data, str) else data.decode("latin-1"))


@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "_sd"]), VALUES) | VALUES, VALUES)
def test_any_json_in_the_parts(header: Any, payload: Any) -> None:
    text = forged(base64url(json.dumps(header).encode()), base64url(json.dumps(payload).encode()))
    assert read(text) is None


@given(st.sampled_from(sorted(RECORDS[TARGET].sd_jwt.open_fields)), VALUES)
def test_any_value_in_any_open_field(name: str, value: Any) -> None:
    try:
        text = resigned(RECORDS[TARGET], **{name: value})
    except FormatError:
        return
    read(text)


@given(st.sampled_from(range(4)), VALUES)
def test_any_value_in_any_disclosure(position: int, value: Any) -> None:
    disclosures = list(RECORDS[TARGET].sd_jwt.disclosures)
    part = json.dumps([base64url(bytes(16)), disclosures[position].name, value])
    text = base64url(part.encode())
    disclosures[position] = replace(disclosures[position], text=text)
    with suppress(FormatError, VerificationError):
        read(resigned(RECORDS[TARGET], *disclosures))


# -- a record that was good ------------------------------------------------------------------------


@given(st.integers(0, len(TEXT) - 1), st.sampled_from(ASCII))
@settings(max_examples=400)
def test_one_character_changed(position: int, character: str) -> None:
    text = TEXT[:position] + character + TEXT[position + 1 :]
    if text != TEXT:
        claims_nothing_new(read(text))
        changed = read(text)
        assert changed is None or changed.sd_jwt.jwt != RECORDS[TARGET].sd_jwt.jwt


@given(st.integers(0, len(TEXT) - 1))
@settings(max_examples=100)
def test_cut_short(length: int) -> None:
    claims_nothing_new(read(TEXT[:length]))


@given(st.text(ASCII, min_size=1, max_size=20), st.booleans())
@settings(max_examples=60)
def test_padded(tail: str, front: bool) -> None:
    assert read(tail + TEXT if front else TEXT + tail) is None


@given(st.permutations(TEXT.split("~")[1:-1]), st.integers(0, 4))
@settings(max_examples=40)
def test_disclosures_moved_and_left_out(disclosures: list[str], kept: int) -> None:
    record = read("~".join((TEXT.split("~")[0], *disclosures[:kept], "")))
    assert record is not None
    assert record.digest == RECORDS[TARGET].digest
    assert record.withheld == 4 - min(kept, 4)


@given(
    st.sampled_from(sorted(RECORDS[TARGET].sd_jwt.open_fields)),
    st.sampled_from(sorted(RECORDS[TARGET].sd_jwt.open_fields)),
    st.integers(0, len(RECORDS) - 1),
)
@settings(max_examples=150)
def test_signed_again_with_other_values_by_the_creator(
    source: str, target: str, other: int
) -> None:
    """Not even the creator can change a record that is anchored: its proof is of the old one."""
    value = RECORDS[other].sd_jwt.open_fields.get(source)
    try:
        text = resigned(RECORDS[TARGET], **{target: value})
    except FormatError:
        return
    claims_nothing_new(read(text))


@given(st.integers(0, 8), st.sampled_from([CREATOR, THIEF]))
@settings(max_examples=30)
def test_signed_again_by_somebody(seq: int, key: Any) -> None:
    project = Project(key=key, records=RECORDS[:seq])
    if seq:
        project.note("instead")
    else:
        project.genesis(title="instead")
    items = [*LISTED]
    items[seq] = ProvenRecord(project.records[seq], LISTED[seq].proof)
    assert judge_records(items, JUDGE).status is Status.FAILED


# -- lists -----------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from("rsx-")), max_size=14))
@settings(max_examples=200)
def test_any_list_of_the_records(choices: list[tuple[int, str]]) -> None:
    """Whatever is shown, withheld, repeated or left out: complete means every place listed."""
    items: list[Record | Stub] = [RECORDS[8]]
    wrong = set()
    for seq, how in choices:
        if how == "x":
            items.append(Stub(seq, "note", bytes(32)))
            wrong.add(seq)
        elif how != "-":
            items.append(RECORDS[seq] if how == "r" else stub(RECORDS[seq]))
    report = verify_chain(items)
    listed = {item.seq for item in items}
    if report.complete_up_to is not None:
        assert listed >= set(range(9))
        assert {stub_.digest for stub_ in report.stubs if stub_.seq < 8}.isdisjoint({bytes(32)})
    assert report.missing == 9 - len(listed)
    if listed >= set(range(9)) and not wrong and RECORDS[0] in items:
        assert report.complete_up_to == 8


@given(st.integers(1, 8), st.integers(0, 3))
@settings(max_examples=30)
def test_more_evidence_never_makes_a_bound_later(seq: int, hours: int) -> None:
    early = proven([RECORDS[seq]], RECORDS[seq].claimed_time + timedelta(hours=hours))[0]
    items = [*LISTED]
    items[seq] = early
    verdict = judge_records(items, JUDGE).verdicts[seq]
    assert verdict.headline is not None
    assert verdict.record is not None
    assert verdict.record.lag_s == hours * 3600 + 1
