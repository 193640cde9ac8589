from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.formats.ots.ripemd160 import ripemd160

# The test values of the algorithm's authors (appendix B of the specification).
PUBLISHED = [
    (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
    (b"a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
    (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
    (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
    (b"abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "12a053384a9c0c88e405a06c27dcf49ada62eb2b",
    ),
    (
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "b0e20b6e3116640286ed3a87a5713079b21f5189",
    ),
    (b"1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
]


@pytest.mark.parametrize(("data", "digest"), PUBLISHED)
def test_published_values(data: bytes, digest: str) -> None:
    assert ripemd160(data).hex() == digest


@given(st.binary(max_size=300))
def test_agrees_with_openssl_where_it_has_the_algorithm(require, data: bytes) -> None:
    try:
        expected = hashlib.new("ripemd160", data).digest()
    except ValueError:
        require(False, "this OpenSSL has no RIPEMD-160 (its legacy provider is off)")
        return
    assert ripemd160(data) == expected


@pytest.mark.parametrize("length", [55, 56, 63, 64, 65, 119, 120, 4096])
def test_lengths_around_the_block_border_differ_from_their_neighbours(length: int) -> None:
    digests = {ripemd160(bytes(n)) for n in (length - 1, length, length + 1)}
    assert len(digests) == 3
