"""What a token says is read exactly; requests and responses too."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from anchor.errors import FormatError, LimitExceededError
from anchor.formats.der import (
    BIT_STRING,
    UTF8_STRING,
    der_integer,
    der_oid,
    der_sequence,
    tlv,
)
from anchor.formats.tsp import parse_token
from anchor.formats.tsp_exchange import parse_response, timestamp_request
from anchor.limits import MAX_CERTIFICATES, MAX_TSP_BYTES
from tests.attacks.forged_tokens import NOW, Forge, root, signer

DIGEST = hashlib.sha256(b"cat").digest()
FORGE = Forge(signer(root()))


def test_every_field_is_read() -> None:
    der = FORGE.token()
    token = parse_token(der)
    assert token.raw == der
    assert (token.imprint_algorithm, token.imprint) == ("sha256", DIGEST)
    assert token.policy_oid == "1.3.6.1.4.1.13762.3"
    assert (token.serial, token.nonce) == (7, 42)
    assert token.gen_time == NOW
    assert token.certificates == (FORGE.signer.der,)
    assert token.crls == ()
    assert token.signer.serial == FORGE.signer.certificate.serial_number
    assert not token.claims_qualified


def test_an_algorithm_that_is_not_known_keeps_its_number() -> None:
    assert parse_token(FORGE.but(imprint_name="sha3_256").token()).imprint_algorithm == (
        "2.16.840.1.101.3.4.2.8"
    )


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        (b"", None),
        (der_sequence(), timedelta(0)),
        (der_sequence(der_integer(60)), timedelta(seconds=60)),
        (der_sequence(b"\x80\x01\x05"), timedelta(milliseconds=5)),
        (der_sequence(der_integer(1), b"\x80\x01\x05", b"\x81\x01\x07"),
         timedelta(seconds=1, milliseconds=5, microseconds=7)),
    ],
)  # fmt: skip
def test_accuracy(accuracy: bytes, expected: timedelta | None) -> None:
    assert parse_token(FORGE.but(accuracy=accuracy).token()).accuracy == expected


@pytest.mark.parametrize(
    "accuracy",
    [
        der_sequence(der_integer(-1)),
        der_sequence(der_integer(10**12)),
        der_sequence(b"\x80\x02\x03\xe8"),
        der_sequence(b"\x81\x01\xff"),
        der_sequence(b"\x81\x01\x01", b"\x80\x01\x01"),
    ],
)
def test_accuracies_out_of_range_are_refused(accuracy: bytes) -> None:
    with pytest.raises(FormatError):
        parse_token(FORGE.but(accuracy=accuracy).token())


def extension(oid: str, value: bytes, *critical: bytes) -> bytes:
    return tlv(0xA1, der_sequence(der_oid(oid), *critical, tlv(0x04, value)))


def test_the_claim_of_a_qualified_time_stamp_is_seen() -> None:
    for statement, claimed in (("0.4.0.19422.1.1", True), ("0.4.0.19422.1.2", False)):
        value = der_sequence(der_sequence(der_oid(statement)))
        forge = FORGE.but(extensions=extension("1.3.6.1.5.5.7.1.3", value))
        assert parse_token(forge.token()).claims_qualified is claimed


def test_a_critical_extension_is_refused() -> None:
    with pytest.raises(FormatError):
        parse_token(FORGE.but(extensions=extension("1.2.3", b"", b"\x01\x01\xff")).token())
    parse_token(FORGE.but(extensions=extension("1.2.3", b"")).token())


@pytest.mark.parametrize("gen_time", ["00010101000000Z", "99991231235959Z", "20261123100208"])
def test_times_out_of_range_are_refused(gen_time: str) -> None:
    with pytest.raises(FormatError):
        parse_token(FORGE.but(gen_time=gen_time).token())


def test_every_cut_is_refused() -> None:
    token = FORGE.token()
    for end in range(len(token)):
        with pytest.raises(FormatError):
            parse_token(token[:end])


def test_sizes_are_limited() -> None:
    with pytest.raises(LimitExceededError):
        parse_token(bytes(MAX_TSP_BYTES + 1))
    with pytest.raises(LimitExceededError):
        parse_token(FORGE.but(certificates=(der_sequence(),) * MAX_CERTIFICATES).token())


def test_attribute_certificates_are_passed_over() -> None:
    token = parse_token(FORGE.but(certificates=(tlv(0xA2, b"\x05\x00"),)).token())
    assert token.certificates == (FORGE.signer.der,)


# -- requests --------------------------------------------------------------------------------------


def test_a_request_is_written_as_the_rfc_has_it() -> None:
    plain = timestamp_request(bytes(32), nonce=0x80)
    assert plain.hex() == (
        "303d020101" "3031300d060960864801650304020105000420" + "00" * 32 + "02020080" "0101ff"
    )  # fmt: skip
    short = timestamp_request(bytes(32), nonce=None, policy_oid="1.2.3", cert_req=False)
    assert short.hex().endswith("00" * 32 + "06022a03")


@pytest.mark.parametrize(
    "arguments", [(bytes(31), 1), (bytes(33), 1), (bytes(32), -1), (bytes(32), 2**504)]
)
def test_what_cannot_be_asked(arguments) -> None:
    with pytest.raises(FormatError):
        timestamp_request(arguments[0], nonce=arguments[1])


# -- responses -------------------------------------------------------------------------------------


def response(status: int, *, text: tuple[bytes, ...] = (), bits: bytes | None = None, token=b""):
    words = der_sequence(*(tlv(UTF8_STRING, word) for word in text)) if text else b""
    failures = tlv(BIT_STRING, bits) if bits is not None else b""
    return der_sequence(der_sequence(der_integer(status), words, failures), token)


def test_granting_responses_carry_a_token() -> None:
    for status, name in ((0, "granted"), (1, "granted_with_mods")):
        answer = parse_response(response(status, token=FORGE.token()))
        assert answer.status == name
        assert parse_token(answer.token or b"").serial == 7


def test_refusals_say_why() -> None:
    answer = parse_response(response(2, text=(b"no", b"way\xff"), bits=b"\x05\xa0"))
    assert (answer.status, answer.token) == ("rejection", None)
    assert answer.status_text == "no way\ufffd"
    assert answer.failure == "bad_alg, bad_request"
    assert parse_response(response(2, bits=b"\x06\x00\x02\x00\x40")).failure == (
        "time_not_available, system_failure"
    )


@pytest.mark.parametrize(
    "der",
    [
        response(0),
        response(2, token=FORGE.token()),
        response(6),
        response(-1),
        response(2) + b"\x00",
        b"",
        b"<html>",
    ],
)
def test_other_responses_are_refused(der: bytes) -> None:
    with pytest.raises(FormatError):
        parse_response(der)
