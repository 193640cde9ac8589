from __future__ import annotations

import base64
import contextlib
import hashlib
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anchor.errors import (
    DigestMismatchError,
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    UnsupportedVersionError,
)
from anchor.formats.cid import (
    DAG_JSON,
    RAW,
    Cid,
    cid_of,
    parse_cid,
    parse_cid_bytes,
    verify_block,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import multiformats_cid

HELLO = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"


def test_known_cid():
    assert cid_of(b"hello world").text == HELLO
    assert parse_cid(HELLO) == cid_of(b"hello world")


@given(st.binary(max_size=300), st.sampled_from([RAW, DAG_JSON]))
@example(b"", RAW)
def test_text_and_bytes_come_back(block, codec):
    cid = cid_of(block, codec)
    assert parse_cid(cid.text) == cid
    assert parse_cid_bytes(cid.binary) == cid
    verify_block(cid, block)


@given(st.binary(max_size=300), st.sampled_from([(RAW, "raw"), (DAG_JSON, "dag-json")]))
def test_an_independent_library_reads_and_writes_the_same(block, codec):
    number, name = codec
    cid = cid_of(block, number)
    theirs = multiformats_cid.from_string(cid.text)
    assert (theirs.version, theirs.codec) == (1, name)
    assert theirs.multihash == b"\x12\x20" + hashlib.sha256(block).digest()
    made = multiformats_cid.make_cid(1, name, b"\x12\x20" + cid.digest)
    assert made.buffer == cid.binary
    assert made.encode("base32").decode() == cid.text


@given(st.binary(min_size=1, max_size=100), st.integers(min_value=0))
def test_any_flipped_bit_is_another_block(block, position):
    cid = cid_of(block)
    changed = bytearray(block)
    changed[position // 8 % len(block)] ^= 1 << position % 8
    with pytest.raises(DigestMismatchError):
        verify_block(cid, bytes(changed))


@given(st.text())
@example("b")
@example("b" + "a" * 63)
@example("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5\u212a")
def test_any_text_is_a_cid_or_a_format_error(text):
    with contextlib.suppress(FormatError):
        assert parse_cid(text).text == text


@given(st.binary(max_size=80))
def test_any_bytes_are_a_cid_or_a_format_error(data):
    with contextlib.suppress(FormatError):
        assert parse_cid_bytes(data).binary == data


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", UnsupportedVersionError),
        ("QmXZSW216AYLPuzMVLyNXdLcmc5k87HUGJWRSjA8eQ7YoD", UnsupportedVersionError),
        ("zb2rhj7crUKTQYRGCRATFaQ6YFLTde2YzdqbbhAASkL9uRDXn", UnsupportedVersionError),
        (HELLO.upper(), UnsupportedVersionError),
        ("B" + HELLO[1:].upper(), UnsupportedVersionError),
        (HELLO + "a", FormatError),
        (HELLO[:-1], FormatError),
        (HELLO[:-1] + "f", NonCanonicalError),  # the last character holds bits that must be 0
        (HELLO[:-1] + "E", NonCanonicalError),
        (HELLO[:-1] + "1", FormatError),
        (HELLO + "=====", FormatError),
        (" " + HELLO, FormatError),
        ("b" * 65, LimitExceededError),
    ],
)
def test_other_spellings_are_refused(text, error):
    with pytest.raises(error):
        parse_cid(text)


@pytest.mark.parametrize(
    "binary",
    [
        b"\x00\x55\x12\x20" + bytes(32),
        b"\x02\x55\x12\x20" + bytes(32),
        b"\x01\x70\x12\x20" + bytes(32),
        b"\x01\x71\x12\x20" + bytes(32),
        b"\x01\x55\x13\x20" + bytes(32),
        b"\x01\x55\x00\x20" + bytes(32),
        b"\x01\x55\x12\x1f" + bytes(31),
        b"\x01\x55\x12\x20" + bytes(31),
        b"\x01\x55\x12\x20" + bytes(33),
        b"\x01\xd5\x00\x12\x20" + bytes(32),  # raw, its varint written too long
        b"\x12\x20" + bytes(32),
    ],
)
def test_other_versions_codecs_and_hashes_are_refused(binary):
    with pytest.raises(UnsupportedVersionError):
        parse_cid_bytes(binary)
    with pytest.raises(FormatError):
        parse_cid("b" + base64.b32encode(binary).decode().lower().rstrip("="))


def test_a_cid_names_codec_and_digest():
    assert cid_of(b"{}", DAG_JSON) == Cid(DAG_JSON, hashlib.sha256(b"{}").digest())
    assert cid_of(b"{}", DAG_JSON).text.startswith("baguqeera")
    assert cid_of(b"{}") != cid_of(b"{}", DAG_JSON)
