"""BER comes out as DER, or not at all."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.backends.ber import der_from_ber
from anchor.errors import FormatError, LimitExceededError, TrailingDataError, TruncatedError
from anchor.formats.der import der_sequence, parse_der, tlv


@pytest.mark.parametrize(
    ("ber", "der"),
    [
        ("0500", "0500"),
        ("30800000", "3000"),
        ("3080050030800500 0000 0000", "3006 0500 3002 0500"),
        ("30810405000500", "300405000500"),
        ("0484000000016a", "04016a"),
        ("2480 040161 0402 6263 0000", "0403616263"),
        ("2406 040161 2400 0400".replace("2406", "2407"), "040161"),
        ("2480 2480 040161 0000 040162 0000", "04026162"),
        ("a080 2480 040161 0000 0000", "a003 040161"),
    ],
)
def test_each_form_is_written_again(ber: str, der: str) -> None:
    assert der_from_ber(bytes.fromhex(ber)).hex() == der.replace(" ", "")


@pytest.mark.parametrize(
    ("ber", "error"),
    [
        ("", TruncatedError),
        ("30", TruncatedError),
        ("3080", TruncatedError),
        ("30800500", TruncatedError),
        ("0480 0000", FormatError),
        ("3003 040500", TruncatedError),
        ("3004 0402 aabb cc", TrailingDataError),
        ("3003 0402 aabb", FormatError),
        ("2480 020101 0000", FormatError),
        ("1f8100", FormatError),
        ("04ff", TruncatedError),
        ("0500 00", TrailingDataError),
        ("3080" * 40, LimitExceededError),
    ],
)
def test_what_is_none_is_refused(ber: str, error: type[FormatError]) -> None:
    with pytest.raises(error):
        der_from_ber(bytes.fromhex(ber))


values = st.recursive(
    st.binary(max_size=200).map(lambda data: (0x04, data)),
    lambda inner: st.tuples(st.sampled_from([0x30, 0x31, 0xA0]), st.lists(inner, max_size=4)),
    max_leaves=12,
)


def write(value, *, indefinite: bool) -> bytes:
    tag, content = value
    if isinstance(content, bytes):
        half = len(content) // 2
        if indefinite:
            return b"\x24\x80" + tlv(4, content[:half]) + tlv(4, content[half:]) + b"\x00\x00"
        return tlv(tag, content)
    members = b"".join(write(member, indefinite=indefinite) for member in content)
    return bytes((tag, 0x80)) + members + b"\x00\x00" if indefinite else tlv(tag, members)


@given(values)
def test_both_forms_of_a_value_come_out_as_its_der(value) -> None:
    der = write(value, indefinite=False)
    assert der_from_ber(der) == der
    assert der_from_ber(write(value, indefinite=True)) == der


@given(st.binary(max_size=200))
def test_whatever_comes_out_is_der(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        parse_der(der_from_ber(data), max_bytes=1 << 16, what="x")


def test_der_is_not_touched() -> None:
    der = der_sequence(tlv(0x04, bytes(300)), der_sequence())
    assert der_from_ber(der) == der
