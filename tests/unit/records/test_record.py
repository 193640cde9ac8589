"""A record: what is open, what is hidden, and what it may not say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from anchor.errors import FormatError, UnsupportedVersionError, VerificationError
from anchor.records.kinds import ENVELOPE, KINDS
from anchor.records.record import (
    MEDIA_TYPE,
    SCHEMA,
    Actor,
    Beacon,
    Capture,
    Record,
    build_record,
    parse_record,
)
from anchor.records.sdjwt import Disclosure, make_disclosure, sign_sd_jwt
from tests.recorder import CAPTURE, CREATOR, START, Project, file_entry, salts, whole_project

PROJECT = whole_project()
GENERATION = PROJECT.records[5]


def resigned(
    record: Record,
    *disclosures: Disclosure,
    drop: tuple[str, ...] = (),
    media_type: str = MEDIA_TYPE,
    **changes: Any,
) -> str:
    """Return the record with other open fields or disclosures, signed by its creator."""
    payload = {**record.sd_jwt.open_fields, **changes}
    payload = {name: value for name, value in payload.items() if name not in drop}
    kept = disclosures or record.sd_jwt.disclosures
    signed = sign_sd_jwt(payload, kept, CREATOR.private.sign, media_type=media_type)
    return signed.serialize()


def false(code: str, *args: Any, **changes: Any) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_record(resigned(*args, **changes))
    assert caught.value.code == code


def test_what_was_built_is_what_is_read() -> None:
    for record in PROJECT.records:
        assert parse_record(record.sd_jwt.serialize()) == record


def test_the_parts() -> None:
    assert GENERATION.seq == 5
    assert GENERATION.kind is KINDS["generation"]
    assert GENERATION.actor == Actor(CREATOR.thumbprint, "author")
    assert GENERATION.claimed_time == datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
    assert GENERATION.capture == CAPTURE
    assert GENERATION.fields == {"parents": ["4"], "outputs": 2}
    assert GENERATION.files[0] == file_entry("two", name="cat.png")
    assert GENERATION.files.keys() == {0, 1}
    assert GENERATION.withheld == 0
    assert list(PROJECT.records[6].references()) == [5, 3, 5]
    assert GENERATION.place.prev == PROJECT.records[4].digest
    assert GENERATION.place.key_records == 1


def test_what_is_withheld_is_counted_and_not_there() -> None:
    text = GENERATION.sd_jwt.showing(lambda name: name == "file.1").serialize()
    record = parse_record(text)
    assert record.withheld == 3
    assert record.fields == {}
    assert record.files.keys() == {1}
    assert "cat.png" not in text
    assert record.digest == GENERATION.digest


def test_everything_of_the_open_part_is_in_the_table_and_never_hidden() -> None:
    for record in PROJECT.records:
        names = {row.name for row in (*ENVELOPE, *record.kind.open_fields)}
        assert set(record.sd_jwt.open_fields) == names
        assert not names & set(record.sd_jwt.disclosed_fields)
        bare = parse_record(record.sd_jwt.showing(lambda _: False).serialize())
        assert bare.sd_jwt.open_fields == record.sd_jwt.open_fields


# -- refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"schema": "vestige-record/2"}, {"schema": 1}])
def test_another_version(change: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedVersionError):
        parse_record(resigned(GENERATION, **change))
    with pytest.raises(UnsupportedVersionError):
        parse_record(resigned(GENERATION, media_type="JWT"))


@pytest.mark.parametrize("name", [row.name for row in ENVELOPE])
def test_nothing_of_the_open_part_may_be_missing_or_hidden(name: str) -> None:
    with pytest.raises(FormatError):
        parse_record(resigned(GENERATION, drop=(name,)))
    value = GENERATION.sd_jwt.open_fields[name]
    hidden = make_disclosure(bytes(16), name, value)
    with pytest.raises(FormatError):
        parse_record(resigned(GENERATION, hidden, drop=(name,), hidden=1, files=0))


@pytest.mark.parametrize(
    "change",
    [
        {"project": "00" * 15},
        {"project": "AA" * 16},
        {"seq": -1},
        {"seq": True},
        {"seq": "5"},
        {"prev": "00" * 31},
        {"head": None},
        {"count": 5.0},
        {"kind": "novel"},
        {"kind": ["note"]},
        {"kind": None},
        {"actor": {"key": "00" * 32}},
        {"actor": {"key": "00" * 32, "role": "king"}},
        {"actor": {"key": "00" * 32, "role": "author", "name": "x"}},
        {"actor": []},
        {"claimed_time": "2026-11-23 09:05:00"},
        {"claimed_time": "2026-11-23T09:05:00+01:00"},
        {"clock_source": "Sun dial"},
        {"utc_offset_minutes": 841},
        {"utc_offset_minutes": -841},
        {"utc_offset_minutes": False},
        {"capture": {"mode": "telepathy", "client": "x", "lag_s": 0}},
        {"capture": {"mode": "manual", "client": "x"}},
        {"capture": {"mode": "manual", "client": "x", "lag_s": -1}},
        {"tier": "T5"},
        {"late": 0},
        {"not_before": {}},
        {"not_before": [{"source": "moon", "phase": 1}]},
        {"not_before": [{"source": "bitcoin", "height": 1}]},
        {"not_before": [{"source": ["bitcoin"], "height": 1, "hash": "00" * 32}]},
        {"not_before": [{"source": "bitcoin", "height": 1, "hash": "00" * 32, "round": 2}]},
        {"not_before": [{"source": "evm", "number": 1, "hash": "00" * 32}]},
        {"not_before": [{"source": "drand", "round": 1, "hash": "00" * 32}]},
        {"not_before": [{"source": "drand", "round": 1, "randomness": "00" * 32}] * 9},
        {"iss": "https://issuer.example"},
        {"width": 2},
        {"files": -1},
    ],
)
def test_an_open_part_of_another_form(change: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        parse_record(resigned(GENERATION, **change))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("novel", "x"),
        ("seed", 7),
        ("seed", "07"),
        ("seed", "1e9"),
        ("seed", "٣"),
        ("steps", "20"),
        ("width", -1),
        ("settings", {"a": "b"}),
        ("settings", [["a", 1]]),
        ("settings", [["a"]]),
        ("models", [{"name": 1}]),
        ("parents", "4"),
        ("parents", ["04"]),
        ("parents", ["4.01"]),
        ("parents", ["4.1.1"]),
        ("started", "now"),
        ("file.0", {"role": "output"}),
        ("file.0", file_entry("x", sha256="00")),
        ("file.0", file_entry("x", path="/etc/passwd")),
        ("file.00", file_entry("x")),
        ("file.-1", file_entry("x")),
        ("file.x", file_entry("x")),
        ("file.0", file_entry("x", role="Output")),
        ("note", None),
    ],
)
def test_a_hidden_field_of_another_form(name: str, value: Any) -> None:
    disclosure = make_disclosure(bytes(16), name, value)
    with pytest.raises(FormatError):
        parse_record(resigned(GENERATION, disclosure, hidden=1, files=1))


def test_what_it_states_of_itself_must_hold() -> None:
    false("record.count", GENERATION, count=4)
    false("record.count", GENERATION, seq=6)
    false("record.count", GENERATION, key_records=6)
    false("record.hidden_count", GENERATION, hidden=3)
    false("record.hidden_count", GENERATION, hidden=5)
    false("record.file_count", GENERATION, files=1)
    false("record.file_count", GENERATION, files=3)


def test_a_file_that_is_not_shown_may_still_be_one() -> None:
    signed = resigned(GENERATION, files=2)
    text = parse_record(signed).sd_jwt.showing(lambda name: name == "file.0").serialize()
    assert parse_record(text).files.keys() == {0}


@pytest.mark.parametrize("target", ["5", "6", "5.0", "999999999999999"])
def test_a_record_refers_only_to_earlier_ones(target: str) -> None:
    disclosure = make_disclosure(bytes(16), "parents", [target])
    false("record.forward_reference", GENERATION, disclosure, hidden=1, files=0)


def test_an_import_is_always_late() -> None:
    project = Project()
    project.genesis()
    with pytest.raises(VerificationError, match="always late"):
        project.add("import", {"made_at": "2024"})
    assert project.add("import", {"made_at": "2024"}, late=True).sd_jwt.payload["late"] is True


# -- building --------------------------------------------------------------------------------------


def build(kind: str = "note", **changes: Any) -> Record:
    project = Project()
    project.genesis()
    options: dict[str, Any] = {
        "actor": Actor(CREATOR.thumbprint, "author"),
        "claimed_time": START,
        "capture": CAPTURE,
        "fields": {"text": "x"},
        "new_salt": salts(),
        "sign": CREATOR.private.sign,
    }
    return build_record(project.tip.place, kind, **{**options, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "novel"},
        {"fields": {}},
        {"fields": {"text": 1}},
        {"fields": {"text": None}},
        {"fields": {"text": "x", "why": "y"}},
        {"fields": {"text": "x", "file.0": file_entry("x")}},
        {"fields": {"text": "x", "seq": 7}},
        {"files": [{"role": "output"}]},
        {"tier": "T9"},
        {"utc_offset_minutes": 10_000},
        {"clock_source": "?"},
        {"actor": Actor(b"short", "author")},
        {"capture": Capture("manual", "x", -5)},
        {"not_before": [Beacon("bitcoin", 1, b"short")]},
        {"new_salt": lambda: bytes(15)},
    ],
)
def test_nothing_is_signed_that_could_not_be_read(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        build(**changes)


def test_a_broken_source_of_randomness_signs_nothing() -> None:
    with pytest.raises(FormatError, match="a salt came twice"):
        build(fields={"text": "x", "note": "y"}, new_salt=lambda: bytes(16))


def test_a_clock_without_a_zone_is_no_time() -> None:
    with pytest.raises(ValueError, match="zone"):
        build(claimed_time=datetime(2026, 11, 23))  # noqa: DTZ001


def test_fields_that_are_none_are_left_out() -> None:
    assert build(fields={"text": "x", "note": None}).withheld == 0
    assert build(fields={"text": "x", "note": None}).sd_jwt.payload["hidden"] == 1


def test_every_field_has_a_salt_of_its_own() -> None:
    salts_used = [d.salt for record in PROJECT.records for d in record.sd_jwt.disclosures]
    assert len(set(salts_used)) == len(salts_used)
    assert min(map(len, salts_used)) == 16


@pytest.mark.parametrize(
    "beacon",
    [
        Beacon("bitcoin", 900_000, bytes(range(32))),
        Beacon("evm", 7, bytes(range(32)), chain_id=1),
        Beacon("drand", 1000, bytes(range(32))),
    ],
)
def test_beacons_are_written_and_read(beacon: Beacon) -> None:
    assert build(not_before=[beacon]).not_before == (beacon,)


def test_a_prompt_of_five_megabytes_is_carried() -> None:
    text = "a very long cat 猫 " * 250_000
    record = build(fields={"text": text})
    assert parse_record(record.sd_jwt.serialize()).fields["text"] == text


def test_the_text_is_one_line_of_ascii() -> None:
    text = PROJECT.records[0].sd_jwt.serialize()
    assert re.fullmatch(r"[A-Za-z0-9_.~-]+", text)
    assert SCHEMA not in text
