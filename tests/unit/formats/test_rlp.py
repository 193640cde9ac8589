"""RLP: the examples of the specification, and one refusal for each way to write a value twice."""

from __future__ import annotations

import pytest

from anchor import limits
from anchor.errors import (
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    TrailingDataError,
    TruncatedError,
)
from anchor.formats.rlp import (
    parse_rlp_bytes,
    parse_rlp_integer,
    parse_rlp_list,
    rlp_decode,
    rlp_encode,
    rlp_integer,
)

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit"

EXAMPLES = [
    (b"dog", "83646f67"),
    ([b"cat", b"dog"], "c88363617483646f67"),
    (b"", "80"),
    ([], "c0"),
    (b"\x00", "00"),
    (b"\x0f", "0f"),
    (b"\x7f", "7f"),
    (b"\x80", "8180"),
    (b"\x04\x00", "820400"),
    ([[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0"),
    (LOREM, "b838" + LOREM.hex()),
    (bytes(55), "b7" + "00" * 55),
    (bytes(56), "b838" + "00" * 56),
    (bytes(256), "b90100" + "00" * 256),
    ([b"\x80"] * 28, "f838" + "8180" * 28),
]


def decode(data: bytes) -> object:
    return rlp_decode(data, max_bytes=1 << 20)


@pytest.mark.parametrize(("value", "encoded"), EXAMPLES)
def test_examples_both_ways(value: object, encoded: str) -> None:
    assert rlp_encode(value).hex() == encoded  # type: ignore[arg-type]
    assert decode(bytes.fromhex(encoded)) == value


REFUSED = [
    ("", TruncatedError),
    ("8161", NonCanonicalError),  # a byte below 0x80 needs no prefix
    ("8100", NonCanonicalError),
    ("b80100", NonCanonicalError),  # long form of a short length
    ("b837" + "00" * 55, NonCanonicalError),
    ("b90038" + "00" * 56, NonCanonicalError),  # a zero in front of the length
    ("b800", NonCanonicalError),
    ("f800", NonCanonicalError),
    ("f837" + "80" * 55, NonCanonicalError),
    ("f90038" + "80" * 56, NonCanonicalError),
    ("83646f", TruncatedError),
    ("b9", TruncatedError),
    ("b901", TruncatedError),
    ("b838" + "00" * 55, TruncatedError),
    ("bfffffffffffffffff", TruncatedError),
    ("ffffffffffffffffff", TruncatedError),
    ("c883636174", TruncatedError),
    ("c483636174", None),
    ("c383636174", TruncatedError),  # the list ends before its item
    ("c18361", TruncatedError),
    ("c1b8", TruncatedError),  # the item's length would lie past its list
    ("8080", TrailingDataError),
    ("c0c0", TrailingDataError),
    ("83646f6700", TrailingDataError),
    ("c28161", NonCanonicalError),
]


@pytest.mark.parametrize(("encoded", "error"), REFUSED)
def test_what_is_not_the_one_encoding(encoded: str, error: type[FormatError] | None) -> None:
    data = bytes.fromhex(encoded)
    if error is None:
        assert decode(data) == [b"cat"]
        return
    with pytest.raises(error):
        decode(data)


def test_nesting_stops_at_the_limit() -> None:
    value: list[object] = []
    for _ in range(limits.MAX_RLP_DEPTH - 1):
        value = [value]
    assert decode(rlp_encode(value)) == value  # type: ignore[arg-type]
    with pytest.raises(LimitExceededError):
        decode(rlp_encode([value]))  # type: ignore[list-item]


def test_ten_thousand_open_lists_are_an_error_not_a_crash() -> None:
    data = b""
    for _ in range(10_000):
        prefix = len(data)
        if prefix <= 55:
            data = bytes((0xC0 + prefix,)) + data
        else:
            digits = rlp_integer(prefix)
            data = bytes((0xF7 + len(digits),)) + digits + data
    with pytest.raises(LimitExceededError):
        decode(data)


def test_the_size_limit_is_checked_first() -> None:
    assert rlp_decode(b"\x82\x80\x80", max_bytes=3) == b"\x80\x80"
    with pytest.raises(LimitExceededError):
        rlp_decode(b"\x82\x80\x80", max_bytes=2)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 256, 2**64 - 1, 2**256 - 1])
def test_integers_both_ways(number: int) -> None:
    assert parse_rlp_integer(rlp_integer(number), "n", max_bytes=32) == number


def test_integers_have_no_leading_zero_and_a_bound() -> None:
    with pytest.raises(NonCanonicalError):
        parse_rlp_integer(b"\x00", "n", max_bytes=8)
    with pytest.raises(NonCanonicalError):
        parse_rlp_integer(b"\x00\x01", "n", max_bytes=8)
    with pytest.raises(FormatError):
        parse_rlp_integer(bytes([1] * 9), "n", max_bytes=8)
    with pytest.raises(FormatError):
        parse_rlp_integer([], "n", max_bytes=8)


def test_kinds_are_told_apart() -> None:
    with pytest.raises(FormatError, match="list wanted"):
        parse_rlp_list(b"", "x")
    with pytest.raises(FormatError, match="byte string wanted"):
        parse_rlp_bytes([], "x")
    with pytest.raises(FormatError, match="2 bytes, 3 wanted"):
        parse_rlp_bytes(b"ab", "x", n_bytes=3)
