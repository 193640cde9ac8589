"""DER: one way to write each value, and every other way refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from anchor.errors import FormatError, LimitExceededError, TrailingDataError, TruncatedError
from anchor.formats.der import (
    SEQUENCE,
    Element,
    der_integer,
    der_oid,
    der_sequence,
    der_set,
    parse_der,
    tlv,
)
from anchor.limits import MAX_DER_DEPTH


def parse(text: str) -> Element:
    return parse_der(bytes.fromhex(text), max_bytes=1 << 20, what="x")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "020100"),
        (127, "02017f"),
        (128, "02020080"),
        (256, "02020100"),
        (-1, "0201ff"),
        (-128, "020180"),
        (-129, "0202ff7f"),
        (2**64, "0209010000000000000000"),
    ],
)
def test_integers(value: int, text: str) -> None:
    assert der_integer(value).hex() == text
    assert parse(text).integer("x") == value


@pytest.mark.parametrize("text", ["0200", "02020001", "0202ffff", "0202007f", "0241" + "01" * 65])
def test_integers_in_other_forms_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse(text).integer("x")


@pytest.mark.parametrize(
    ("dotted", "text"),
    [
        ("0.0", "060100"),
        ("1.2.840.113549", "06062a864886f70d"),
        ("2.5.29.37", "0603551d25"),
        ("2.999.3", "0603883703"),
        ("2.16.840.1.101.3.4.2.1", "0609608648016503040201"),
        ("1.2.3.16384", "06052a03818000"),
    ],
)
def test_object_identifiers(dotted: str, text: str) -> None:
    assert der_oid(dotted).hex() == text
    assert parse(text).oid("x") == dotted


@pytest.mark.parametrize("text", ["0600", "060180", "06022a80", "06032a8001", "0641" + "2a" * 65])
def test_object_identifiers_in_other_forms_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse(text).oid("x")


@pytest.mark.parametrize("dotted", ["3.1", "1.40", "1.2.-3", "a.b"])
def test_what_is_no_object_identifier_is_not_written(dotted: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        der_oid(dotted)


def test_lengths() -> None:
    for size in (0, 1, 127, 128, 255, 256, 65535, 65536):
        data = tlv(0x04, bytes(size))
        assert parse_der(data, max_bytes=1 << 20, what="x").octets("x") == bytes(size)
    assert tlv(0x04, bytes(128))[:3].hex() == "048180"
    assert tlv(0x04, bytes(256))[:4].hex() == "04820100"


@pytest.mark.parametrize(
    "text",
    [
        "048000",  # indefinite
        "30800000",
        "048101ff",  # long form where the short one does
        "0482000100",  # a leading zero octet
        "04850000000001" + "ff",
        "04ff" + "00" * 127,
        "1f8100",  # a tag number over 30
    ],
)
def test_other_lengths_and_tags_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse(text)


@pytest.mark.parametrize("text", ["", "04", "0401", "048180", "0484ffffffff00"])
def test_cut_bytes_are_told_as_such(text: str) -> None:
    with pytest.raises(TruncatedError):
        parse(text)


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(TrailingDataError):
        parse("050000")


def test_size_is_checked_before_anything_is_read() -> None:
    with pytest.raises(LimitExceededError):
        parse_der(bytes(11), max_bytes=10, what="x")


def test_depth_and_number_of_members_are_limited() -> None:
    data = der_sequence()
    for _ in range(MAX_DER_DEPTH + 1):
        data = der_sequence(data)
    element = parse_der(data, max_bytes=1 << 20, what="x")
    for _ in range(MAX_DER_DEPTH):
        element = element.members(SEQUENCE, "x").take()
    with pytest.raises(LimitExceededError):
        element.members(SEQUENCE, "x")
    with pytest.raises(LimitExceededError):
        parse_der(der_sequence(b"\x05\x00" * 1025), max_bytes=1 << 20, what="x").members(0x30, "x")


def test_members_are_taken_in_order_and_all() -> None:
    members = parse(der_sequence(der_integer(1), b"\x05\x00").hex()).members(SEQUENCE, "x")
    assert members.take_if(0x05) is None
    assert members.take().integer("x") == 1
    with pytest.raises(TrailingDataError):
        members.end()
    with pytest.raises(FormatError):
        members.take(0x04)
    assert [m.tag for m in members.rest()] == [0x05]
    members.end()
    assert members.take_if(0x05) is None
    with pytest.raises(TruncatedError):
        members.take()


def test_a_member_that_is_longer_than_its_parent_is_cut() -> None:
    with pytest.raises(TruncatedError):
        parse("3003040500").members(SEQUENCE, "x")


def test_sets_are_written_sorted() -> None:
    assert der_set([der_integer(2), der_integer(1)]) == der_set([der_integer(1), der_integer(2)])
    assert der_set([der_integer(2), der_integer(1)]).hex() == "3106020101020102"


@pytest.mark.parametrize(("text", "value"), [("010100", False), ("0101ff", True)])
def test_booleans(text: str, value: bool) -> None:
    assert parse(text).boolean("x") is value


@pytest.mark.parametrize("text", ["0100", "010101", "01020000", "0201ff"])
def test_other_booleans_are_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse(text).boolean("x")


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("20261123100208Z", 0),
        ("20261123100208.5Z", 500_000),
        ("20261123100208.123456Z", 123_456),
        ("20261123100208.1234561Z", 123_457),  # an upper bound: up, never down
        ("20261123100208.000Z", 0),
    ],
)
def test_times(text: str, micros: int) -> None:
    element = parse_der(tlv(0x18, text.encode()), max_bytes=99, what="x")
    assert element.generalized_time("x") == datetime(2026, 11, 23, 10, 2, 8, micros, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "20261123100208",
        "202611231002Z",
        "20261123100208+0100",
        "20261123100208.Z",
        "20261123100208,5Z",
        "20261123100208.1234567890123Z",
        "20261323100208Z",
        "20260230100208Z",
        "20261123240000Z",
        "20261123100260Z",
        "00001123100208Z",
        "2026112310020٨Z",
        "99991231235959.9999999Z",
    ],
)
def test_other_times_are_refused(text: str) -> None:
    element = parse_der(tlv(0x18, text.encode()), max_bytes=99, what="x")
    with pytest.raises(FormatError):
        element.generalized_time("x")


def test_bit_strings_are_whole_octets() -> None:
    assert parse("030300abcd").bits("x").hex() == "abcd"
    for text in ("0300", "030201fe", "030108"):
        with pytest.raises(FormatError):
            parse(text).bits("x")
