"""One spelling for every value, limits before work, and nothing but FormatError for bad input."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from anchor import limits
from anchor.errors import FormatError, LimitExceededError, NonCanonicalError
from anchor.formats.encoding import (
    base64_text,
    base64url,
    parse_base64,
    parse_base64url,
    parse_decimal,
    parse_hex,
    parse_hexes,
    parse_json,
    parse_utc,
    parse_utf8,
    utc_text,
)

NOT_STRINGS = [None, 0, 1.5, True, b"00", [], {}]


def read_json(text, max_bytes=1 << 20):
    return parse_json(text, max_bytes=max_bytes, what="document")


# -- hexadecimal -----------------------------------------------------------------------------------


def test_hex_is_read():
    assert parse_hex("00ff7a") == b"\x00\xff\x7a"
    assert parse_hex("") == b""
    assert parse_hex("ab" * 32, n_bytes=32) == b"\xab" * 32


@pytest.mark.parametrize("text", ["AB", "aB", "0A"])
def test_hex_in_upper_case_is_not_canonical(text):
    with pytest.raises(NonCanonicalError, match="lower case"):
        parse_hex(text)


@pytest.mark.parametrize("text", ["0", "0g", "0x00", " 00", "00 ", "0 0", "0\n0", "٠٠", "é0"])
def test_what_is_not_hex_is_refused(text):
    with pytest.raises(FormatError) as caught:
        parse_hex(text)
    assert type(caught.value) is FormatError


@pytest.mark.parametrize("value", NOT_STRINGS)
def test_hex_of_another_type_is_refused(value):
    with pytest.raises(FormatError, match="nonce is not a string"):
        parse_hex(value, what="nonce")


@pytest.mark.parametrize("digits", [0, 62, 63, 65, 66])
def test_hex_of_another_length_is_refused(digits):
    with pytest.raises(FormatError, match=f"has {digits} characters, wanted 64"):
        parse_hex("0" * digits, n_bytes=32, what="digest")


def test_hex_has_a_limit():
    assert parse_hex("00" * 64, max_bytes=64) == bytes(64)
    with pytest.raises(LimitExceededError):
        parse_hex("00" * 65, max_bytes=64)


# -- base64 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\xfb", b"\xfb\xff", b"\xfb\xff\xbf", bytes(range(256))])
def test_base64_round_trip(data):
    assert parse_base64(base64_text(data), max_bytes=len(data), what="x") == data
    assert parse_base64url(base64url(data), max_bytes=len(data), what="x") == data


def test_the_two_alphabets_are_not_mixed_up():
    assert base64_text(b"\xfb\xff\xbf") == "+/+/"
    assert base64url(b"\xfb\xff\xbf") == "-_-_"
    with pytest.raises(FormatError):
        parse_base64("-_-_", max_bytes=9, what="x")
    with pytest.raises(FormatError):
        parse_base64url("+/+/", max_bytes=9, what="x")


@pytest.mark.parametrize(
    "text", ["AB==", "AAB=", "AA=", "AA", "AA===", "AA==AA==", "A", "=", "AA==\n", " AA==", "AÄ=="]
)
def test_base64_with_a_second_spelling_is_refused(text):
    with pytest.raises(FormatError):
        parse_base64(text, max_bytes=100, what="x")


@pytest.mark.parametrize("text", ["AB", "AAB", "AA==", "AA=", "A", "AAAAA", "AA\n", " AA", "AÄ"])
def test_base64url_with_a_second_spelling_is_refused(text):
    with pytest.raises(FormatError):
        parse_base64url(text, max_bytes=100, what="x")


def test_spare_bits_are_named_as_non_canonical():
    with pytest.raises(NonCanonicalError):
        parse_base64("AB==", max_bytes=100, what="x")
    with pytest.raises(NonCanonicalError):
        parse_base64url("AB", max_bytes=100, what="x")


@pytest.mark.parametrize("value", NOT_STRINGS)
def test_base64_of_another_type_is_refused(value):
    for parse in (parse_base64, parse_base64url):
        with pytest.raises(FormatError, match="is not a string"):
            parse(value, max_bytes=9, what="x")


@pytest.mark.parametrize("n_bytes", [0, 1, 2, 3, 31, 32, 33, 34, 35])
def test_base64_limit_is_exact(n_bytes):
    for parse, write in ((parse_base64, base64_text), (parse_base64url, base64url)):
        assert parse(write(bytes(n_bytes)), max_bytes=n_bytes, what="x") == bytes(n_bytes)
        with pytest.raises(LimitExceededError):
            parse(write(bytes(n_bytes + 1)), max_bytes=n_bytes, what="x")


def test_base64_limit_is_checked_before_the_text_is_looked_at():
    for parse in (parse_base64, parse_base64url):
        with pytest.raises(LimitExceededError):
            parse("!" * 49, max_bytes=33, what="x")
        with pytest.raises(FormatError, match="is not base64"):
            parse("!" * 48, max_bytes=33, what="x")


# -- UTF-8 and decimals ----------------------------------------------------------------------------


def test_utf8_limit_counts_bytes():
    assert parse_utf8("é", max_bytes=2, what="x") == "é"
    for data in ("é", "é".encode(), "ab"):
        with pytest.raises(LimitExceededError):
            parse_utf8(data, max_bytes=1, what="x")


@pytest.mark.parametrize("data", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", "\ud800", b"\xe2\x82"])
def test_what_is_not_utf8_is_refused(data):
    with pytest.raises(FormatError, match="UTF-8"):
        parse_utf8(data, max_bytes=100, what="x")


def test_decimals():
    assert [parse_decimal(t, maximum=100, what="x") for t in ("0", "7", "100")] == [0, 7, 100]
    for text in ("", "00", "07", "-1", "+1", "1 ", "1_0", "0x1", "1.0", "１", "٣", "1\n"):
        with pytest.raises(FormatError):
            parse_decimal(text, maximum=100, what="x")
    for text in ("101", "1" + "0" * 10_000):
        with pytest.raises(LimitExceededError):
            parse_decimal(text, maximum=100, what="x")


# -- JSON ------------------------------------------------------------------------------------------


def test_json_is_read():
    text = ' {"a": [1, -2, true, false, null, "\\u00e9\\ud83d\\ude00"], "b": {}} \n'
    wanted = {"a": [1, -2, True, False, None, "é😀"], "b": {}}
    assert read_json(text) == wanted
    assert read_json(text.encode()) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[1,]",
        "{'a':1}",
        '{"a":1,}',
        '{"a"}',
        "[1] []",
        "nul",
        "01",
        "+1",
        "/**/1",
        '"\x01"',
        '"\\x"',
        '"a',
        "]",
        "[" * 5,
        "\x00",
    ],
)
def test_what_is_not_json_is_refused(text):
    with pytest.raises(FormatError, match="document is not JSON"):
        read_json(text)


@pytest.mark.parametrize("text", ["1.0", "1e2", "[0.5]", "NaN", "[Infinity]", "-Infinity", "1E400"])
def test_json_numbers_are_integers(text):
    with pytest.raises(FormatError) as caught:
        read_json(text)
    assert caught.value.code == "format.json.number"


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '[{"x":{"b":1,"c":2,"\\u0062":3}}]'])
def test_a_member_name_twice_is_refused(text):
    with pytest.raises(NonCanonicalError) as caught:
        read_json(text)
    assert caught.value.code == "format.json.duplicate_name"


def test_json_integers_are_those_that_every_reader_holds_exactly():
    most = 2**53 - 1
    assert read_json(f"[{most},{-most},0]") == [most, -most, 0]
    for text in (str(most + 1), str(-most - 1), "9" * 5000, "-" + "9" * 5000):
        with pytest.raises(LimitExceededError):
            read_json(text)
    with pytest.raises(NonCanonicalError):
        read_json("-0")


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\udc00"', '{"\\uDFFF":1}', '["\\ude00\\ud83d"]'])
def test_half_a_surrogate_pair_is_refused(text):
    with pytest.raises(FormatError) as caught:
        read_json(text)
    assert caught.value.code == "format.json.surrogate"


def test_an_escaped_backslash_before_u_is_no_surrogate():
    assert read_json('"\\\\ud800"') == "\\ud800"


def test_json_is_utf8_without_a_mark():
    for data in (b"\xff", b'"\xed\xa0\x80"', '"a"'.encode("utf-16"), '"\ud800"'):
        with pytest.raises(FormatError, match="UTF-8"):
            read_json(data)
    for data in ("\ufeff1", "\ufeff1".encode()):
        with pytest.raises(NonCanonicalError, match="byte order mark"):
            read_json(data)


def test_json_depth_is_counted_before_the_text_is_read():
    deepest = limits.MAX_JSON_DEPTH
    for left, right in (("[", "]"), ('{"a":', "}")):
        assert read_json(left * deepest + "1" + right * deepest)
        for levels in (deepest + 1, 10_000, 300_000):
            with pytest.raises(LimitExceededError) as caught:
                read_json(left * levels + "1" + right * levels, max_bytes=8 << 20)
            assert caught.value.code == "format.json.depth"
    with pytest.raises(LimitExceededError):
        read_json("[" * 100_000)


def test_brackets_in_strings_are_not_depth():
    text = "[" * 200 + '"' + "\\" + "{" * 99
    assert read_json('["' + "[" * 200 + '\\"' + "{" * 200 + '\\\\"]')
    assert read_json('{"' + "[" * 200 + '":1}')
    with pytest.raises(FormatError):
        read_json('["' + text)


@pytest.mark.parametrize(
    ("left", "right"), [("[[],", "]"), ("[{},", "]"), ('{"a":[],"b":', "}"), ('{"a":{},"b":', "}")]
)
def test_siblings_that_close_do_not_hide_depth(left, right):
    levels = limits.MAX_JSON_DEPTH - 1  # the siblings in the innermost one are the last level
    assert read_json(left * levels + "1" + right * levels)
    with pytest.raises(LimitExceededError):
        read_json(left * (levels + 1) + "1" + right * (levels + 1))


def test_many_siblings_are_not_depth():
    assert read_json("[" + ",".join(["[{}]"] * 10_000) + "]")


@pytest.mark.parametrize(
    "text",
    [
        '"' + '\\"' * 200_000,
        '"' * 200_001,
        '"\\' * 200_000,
        "[" + '"\\\\' * 200_000,
    ],
    ids=["escaped-quotes", "quotes", "quote-backslash", "backslashes"],
)
def test_hostile_strings_take_linear_time(text):
    with pytest.raises(FormatError):
        read_json(text)


def test_json_has_a_limit():
    assert read_json("[1]", max_bytes=3) == [1]
    for text in ("[11]", b"[11]", '"é"'):
        with pytest.raises(LimitExceededError):
            read_json(text, max_bytes=3)


# -- times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-23T10:02:08Z", datetime(2026, 11, 23, 10, 2, 8, tzinfo=UTC)),
        ("2024-02-29T00:00:00.5Z", datetime(2024, 2, 29, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("1999-12-31T23:59:59.000001Z", datetime(1999, 12, 31, 23, 59, 59, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_utc_round_trip(text, value):
    assert parse_utc(text) == value
    assert parse_utc(text).tzinfo is UTC
    assert utc_text(value) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T10:02:08",
        "2026-11-23T10:02:08+00:00",
        "2026-11-23 10:02:08Z",
        "2026-11-23t10:02:08z",
        "2026-11-23T10:02Z",
        "2026-11-23T10:02:08.Z",
        "2026-11-23T10:02:08.1234567Z",
        "2026-11-23T10:02:08,5Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "２026-11-23T10:02:08Z",
        "2026-11-23T10:02:08Z\n",
        "-026-11-23T10:02:08Z",
    ],
)
def test_other_times_are_refused(text):
    with pytest.raises(FormatError):
        parse_utc(text)


def test_a_fraction_has_one_spelling():
    for text in ("2026-11-23T10:02:08.0Z", "2026-11-23T10:02:08.50Z"):
        with pytest.raises(NonCanonicalError):
            parse_utc(text)


def test_utc_text_converts_zones_and_refuses_to_guess():
    there = timezone(timedelta(hours=5, minutes=30))
    assert utc_text(datetime(2026, 1, 1, 3, 0, tzinfo=there)) == "2025-12-31T21:30:00Z"
    with pytest.raises(ValueError, match="without a zone"):
        utc_text(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("value", NOT_STRINGS)
def test_a_time_of_another_type_is_refused(value):
    with pytest.raises(FormatError, match="is not a string"):
        parse_utc(value)


@pytest.mark.parametrize(
    "items",
    [
        [],
        ["00" * 4],
        ["00112233", "44556677"],
        ["0011223", "044556677"],
        ["00112233", "4455667G"],
        ["00112233", "4455 67 "],
        ["00112233", "4455667A"],
        ["00112233", 7],
        ["00112233", None],
        ["00112233", "4455667é"],
        ["0011 233", "44556677"],
    ],
)
def test_many_hexadecimal_strings_read_as_each_alone(items: list[object]) -> None:
    def each() -> list[bytes] | str:
        try:
            return [parse_hex(item, n_bytes=4) for item in items]
        except FormatError as error:
            return error.message

    try:
        found: list[bytes] | str = parse_hexes(items, 4)
    except FormatError as error:
        found = error.message
    assert found == each()
