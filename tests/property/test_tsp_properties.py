"""Whatever the bytes are, parsers raise FormatError alone, and no change to a token passes."""

from __future__ import annotations

import contextlib
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from anchor.errors import FormatError, VestigeError
from anchor.formats.der import SEQUENCE, SET, der_integer, der_oid, parse_der, tlv
from anchor.formats.tsp import parse_token
from anchor.formats.tsp_chain import verify_token
from anchor.formats.tsp_exchange import parse_response, timestamp_request
from anchor.formats.x509_certificate import parse_certificate
from anchor.formats.x509_revocation import verify_revocation
from tests.attacks.forged_tokens import Forge, intermediate, root, signer

DIGEST = hashlib.sha256(b"cat").digest()
ROOT = root()
MIDDLE = intermediate(ROOT)
FORGE = Forge(signer(MIDDLE), (MIDDLE.der,))
RSA = Forge(signer(MIDDLE, kind="rsa2048"), (MIDDLE.der,), ess=("sha1", "sha256"))
TOKENS = [FORGE.token(), RSA.token()]
TRUTH = [verify_token(parse_token(t), digest=DIGEST, roots=[ROOT.der]) for t in TOKENS]

leaves = st.one_of(
    st.binary(max_size=20).map(lambda data: tlv(0x04, data)),
    st.integers(-(2**70), 2**70).map(der_integer),
    st.sampled_from([der_oid("1.2.840.113549.1.7.2"), der_oid("1.2.3"), b"\x05\x00"]),
    st.binary(max_size=8),
)
der_like = st.recursive(
    leaves,
    lambda inner: st.tuples(
        st.sampled_from([SEQUENCE, SET, 0xA0, 0xA1, 0x80, 0x04]), st.lists(inner, max_size=5)
    ).map(lambda pair: tlv(pair[0], *pair[1])),
    max_leaves=25,
)


@given(st.one_of(st.binary(max_size=300), der_like))
def test_every_parser_raises_format_errors_alone(data: bytes) -> None:
    for parse in (
        parse_token,
        parse_response,
        parse_certificate,
        lambda der: verify_revocation([], ocsp=[der], crls=[]),
        lambda der: verify_revocation([], ocsp=[], crls=[der]),
    ):
        with contextlib.suppress(FormatError):
            parse(data)


@given(
    st.sampled_from([0, 1]),
    st.lists(st.tuples(st.integers(0), st.integers(1, 255)), min_size=1, max_size=3),
)
def test_changed_octets_never_change_what_a_token_proves(which, changes) -> None:
    """Some octets are outside the signature (a NULL, the set's order): they change nothing."""
    token = bytearray(TOKENS[which])
    for place, mask in changes:
        token[place % len(token)] ^= mask
    try:
        verified = verify_token(parse_token(bytes(token)), digest=DIGEST, roots=[ROOT.der])
    except VestigeError:
        return
    assert verified == TRUTH[which]


@given(st.sampled_from([0, 1]), st.integers(0), st.integers(0, 40), st.binary(max_size=40))
def test_cut_and_spliced_tokens_never_change_what_they_prove(which, place, gone, put) -> None:
    token = TOKENS[which]
    place %= len(token)
    changed = token[:place] + put + token[place + gone :]
    try:
        verified = verify_token(parse_token(changed), digest=DIGEST, roots=[ROOT.der])
    except VestigeError:
        return
    assert verified == TRUTH[which]


def test_every_bit_of_what_is_signed_counts() -> None:
    """Flip each bit of the content, the signed attributes and the signature: none verifies."""
    token = TOKENS[0]
    parsed = parse_token(token)
    attributes = b"\xa0" + parsed.signer.signed_attributes[1:]
    for part in (parsed.content, attributes, parsed.signer.signature):
        assert token.count(part) == 1
        start = token.index(part)
        for place in range(start, start + len(part)):
            for bit in range(8):
                changed = bytearray(token)
                changed[place] ^= 1 << bit
                try:
                    parsed = parse_token(bytes(changed))
                    verify_token(parsed, digest=DIGEST, roots=[ROOT.der])
                except VestigeError:
                    continue
                raise AssertionError(f"bit {bit} of octet {place} does not count")


@given(st.integers(-(2**500), 2**500))
def test_integers_come_back(value: int) -> None:
    assert parse_der(der_integer(value), max_bytes=99, what="x").integer("x") == value


@given(st.integers(0, 1), st.integers(0, 39), st.lists(st.integers(0, 2**40), max_size=6))
def test_object_identifiers_come_back(first, second, rest) -> None:
    dotted = ".".join(map(str, (first, second, *rest)))
    assert parse_der(der_oid(dotted), max_bytes=99, what="x").oid("x") == dotted


@given(st.binary(min_size=32, max_size=32), st.none() | st.integers(0, 2**128))
def test_requests_are_der(digest: bytes, nonce: int | None) -> None:
    request = timestamp_request(digest, nonce=nonce)
    assert digest in request
    parse_der(request, max_bytes=200, what="request")
