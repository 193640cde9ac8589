"""Every pair of key and algorithm but the ones that are known and strong is refused."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from anchor.errors import AttestationError, FormatError, SignatureError
from anchor.formats.der import der_integer, der_oid, der_sequence, parse_der, tlv
from anchor.formats.x509_signature import (
    Algorithm,
    parse_algorithm,
    strong_digest,
    verify_signature,
)
from tests.attacks.forged_tokens import NULL, key

RSA, EC, ED = key("rsa2048"), key("p256"), key("ed25519")
PSS, SHA256, SHA512 = "1.2.840.113549.1.1.10", "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.3"
MGF1 = "1.2.840.113549.1.1.8"


def refusal(private, algorithm: Algorithm, signature: bytes = b"", **options) -> str:
    with pytest.raises((AttestationError, SignatureError)) as caught:
        verify_signature(private.public_key(), algorithm, b"m", signature, what="x", **options)
    return caught.value.code


@pytest.mark.parametrize(
    ("private", "oid", "code"),
    [
        (RSA, "1.2.840.10045.4.3.2", "tsp.algorithm.unknown"),
        (EC, "1.2.840.113549.1.1.11", "tsp.algorithm.unknown"),
        (ED, "1.2.840.113549.1.1.11", "tsp.algorithm.unknown"),
        (RSA, "1.3.101.112", "tsp.algorithm.unknown"),
        (RSA, "1.2.840.113549.1.1.1", "tsp.algorithm.unknown"),  # and no digest named beside it
        (RSA, PSS, "tsp.algorithm.unknown"),
        (RSA, "1.2.840.113549.1.1.4", "tsp.algorithm.weak"),
        (RSA, "1.2.840.113549.1.1.5", "tsp.algorithm.weak"),
        (EC, "1.2.840.10045.4.1", "tsp.algorithm.weak"),
        (EC, "1.2.840.10045.4.3.1", "tsp.algorithm.weak"),
    ],
)
def test_other_algorithms_are_refused(private, oid: str, code: str) -> None:
    assert refusal(private, Algorithm(oid, None)) == code


def test_parameters_where_there_are_none_are_refused() -> None:
    signature = EC.sign(b"m", ec.ECDSA(hashes.SHA256()))
    verify_signature(
        EC.public_key(), Algorithm("1.2.840.10045.4.3.2", None), b"m", signature, what="x"
    )
    code = refusal(EC, Algorithm("1.2.840.10045.4.3.2", b"\x04\x00"), signature)
    assert code == "tsp.algorithm.unknown"


@pytest.mark.parametrize(
    "signature", [b"", b"\x00", bytes(256), b"\x30\x06\x02\x01\x01\x02\x01\x01"]
)
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    for private, oid in (
        (RSA, "1.2.840.113549.1.1.11"),
        (EC, "1.2.840.10045.4.3.2"),
        (ED, "1.3.101.112"),
    ):
        assert refusal(private, Algorithm(oid, None), signature) == "tsp.signature"


def algorithm(oid: str, parameters: bytes = NULL) -> bytes:
    return der_sequence(der_oid(oid), parameters)


def pss(digest: str = SHA256, over: str | None = None, mask: str = MGF1, salt: int | None = 32):
    return der_sequence(
        tlv(0xA0, algorithm(digest)),
        tlv(0xA1, algorithm(mask, algorithm(over or digest))),
        tlv(0xA2, der_integer(salt)) if salt is not None else b"",
    )


def test_pss_parameters_are_held_to() -> None:
    signed = RSA.sign(b"m", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    verify_signature(RSA.public_key(), Algorithm(PSS, pss()), b"m", signed, what="x")
    for other, code in (
        (pss(SHA512), "tsp.signature"),
        (pss(salt=20), "tsp.signature"),
        (pss(salt=None), "tsp.signature"),
        (pss(over=SHA512), "tsp.algorithm.unknown"),
        (pss(mask=SHA256), "tsp.algorithm.unknown"),
        (pss("1.3.14.3.2.26"), "tsp.algorithm.weak"),
        (der_sequence(), "tsp.algorithm.weak"),
        (der_sequence(tlv(0xA0, algorithm(SHA256))), "tsp.algorithm.weak"),
    ):
        assert refusal(RSA, Algorithm(PSS, other), signed) == code
    twenty = RSA.sign(b"m", padding.PSS(padding.MGF1(hashes.SHA256()), 20), hashes.SHA256())
    verify_signature(RSA.public_key(), Algorithm(PSS, pss(salt=None)), b"m", twenty, what="x")


@pytest.mark.parametrize("parameters", [pss(salt=-1), pss(salt=2**400), b"\x30\x01", b"\x05\x00"])
def test_pss_parameters_that_are_none(parameters: bytes) -> None:
    with pytest.raises(FormatError):
        verify_signature(RSA.public_key(), Algorithm(PSS, parameters), b"m", b"", what="x")


@pytest.mark.parametrize("der", [der_sequence(), algorithm(SHA256, NULL + NULL), tlv(0x31)])
def test_what_is_no_algorithm_identifier(der: bytes) -> None:
    with pytest.raises(FormatError):
        parse_algorithm(parse_der(der, max_bytes=99, what="x"), "x")


def test_a_null_with_content_is_refused() -> None:
    with pytest.raises(FormatError):
        parse_algorithm(parse_der(algorithm(SHA256, b"\x05\x01\x00"), max_bytes=99, what="x"), "x")


def test_a_digest_has_no_parameters() -> None:
    with pytest.raises(FormatError):
        _ = Algorithm(SHA256, b"\x04\x00").digest_name


def test_weak_digests_are_refused() -> None:
    for name in ("sha1", "md5", "sha224", "1.2.3"):
        with pytest.raises(AttestationError):
            strong_digest(name, b"", "x")


def test_an_rsa_exponent_of_thousands_of_bits_is_refused_before_it_costs_time() -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    numbers = rsa.RSAPublicNumbers((1 << 2999) | 1, (1 << 3071) | (1 << 1000) | 1)
    algorithm = Algorithm("1.2.840.113549.1.1.11", None)
    with pytest.raises(AttestationError) as caught:
        verify_signature(
            numbers.public_key(), algorithm, b"m", bytes(384), digest_name="sha256", what="token"
        )
    assert caught.value.code == "tsp.key.weak"
