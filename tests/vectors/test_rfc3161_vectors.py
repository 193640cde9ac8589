"""Tokens that others made (README of the vectors says what each must give)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from anchor.errors import AttestationError, SignatureError
from anchor.formats.der import SEQUENCE, parse_der
from anchor.formats.tsp import TimestampToken, parse_token
from anchor.formats.tsp_chain import VerifiedToken, verify_token
from anchor.formats.tsp_exchange import parse_response

pytestmark = pytest.mark.vectors


@pytest.fixture
def folder(vectors: Path) -> Path:
    return vectors / "rfc3161"


def load(path: Path) -> TimestampToken:
    response = parse_response(path.read_bytes())
    assert response.status == "granted"
    return parse_token(response.token or b"")


def chain(path: Path) -> list[bytes]:
    found = x509.load_pem_x509_certificates((path.parent / "ts_chain.pem").read_bytes())
    return [certificate.public_bytes(Encoding.DER) for certificate in found]


def verify(path: Path, *, nonce: int | None = None) -> VerifiedToken:
    """Verify against the chain beside the token: the last is the root, the others may help."""
    token, (*others, root) = load(path), chain(path)
    return verify_token(
        token,
        digest=hashlib.new(token.imprint_algorithm, b"hello").digest(),
        digest_name=token.imprint_algorithm,
        roots=[root],
        extra_certificates=others,
        nonce=nonce,
    )


def request_nonce(path: Path) -> int:
    members = parse_der(path.read_bytes(), max_bytes=1000, what="request").members(SEQUENCE, "r")
    members.take()
    members.take()
    return members.take(0x02).integer("nonce")


@pytest.mark.parametrize(
    ("name", "gen_time", "signer", "ends", "length"),
    [
        ("sigstage/response-sha256.tsr", "2025-05-09T11:58:55", "sigstore-tsa", 2035, 2),
        ("sigstage/response-sha384.tsr", "2025-05-09T11:58:55", "sigstore-tsa", 2035, 2),
        ("sigstage/response-sha512.tsr", "2025-05-09T11:58:56", "sigstore-tsa", 2035, 2),
        ("sigstage/response-no-embedded-cert.tsr", "2025-06-18T08:13:02", "sigstore-tsa", 2035, 2),
        ("test_tsa/response.tsr", "2024-10-08T15:40:32", "Test TSA Timestamping", 2033, 3),
    ],
)
def test_genuine_tokens_verify(folder, name, gen_time, signer, ends, length) -> None:  # noqa: PLR0917
    verified = verify(folder / name)
    assert verified.gen_time.isoformat() == gen_time + "+00:00"
    assert verified.accuracy is not None
    assert verified.accuracy.total_seconds() == 1
    assert verified.tsa_name == signer
    assert verified.signer_not_after.year == ends
    assert len(verified.chain) == length
    assert verified.chain[-1] == chain(folder / name)[-1]


def test_the_answer_fits_its_request(folder) -> None:
    nonce = request_nonce(folder / "test_tsa/request.der")
    verify(folder / "test_tsa/response.tsr", nonce=nonce)
    with pytest.raises(AttestationError) as caught:
        verify(folder / "test_tsa/other_response.tsr", nonce=nonce)
    assert caught.value.code == "tsp.nonce_mismatch"


def test_another_authority_of_the_same_name_is_refused(folder) -> None:
    with pytest.raises(AttestationError) as caught:
        verify(folder / "test_tsa/other_response.tsr")
    assert caught.value.code == "tsp.chain.untrusted_root"


def test_a_broken_signature_is_refused(folder) -> None:
    with pytest.raises(SignatureError) as caught:
        verify(folder / "sigstage/response-invalid-signature.tsr")
    assert caught.value.code == "tsp.signature"


def test_injected_certificates_are_refused(folder) -> None:
    """The signature in it is genuine, and stays so: certificates are no part of what is signed.

    It carries a forged authority ("Spoofed TSA") and a forged root with the signer's own name, put
    there for verifiers that look in the set for the one to hold against their policy.
    """
    with pytest.raises(AttestationError) as caught:
        verify(folder / "test_tsa/response-injected-certs.tsr")
    assert caught.value.code == "tsp.certificates.injected"


def test_the_injected_token_is_the_genuine_one_with_more_certificates(folder) -> None:
    genuine = load(folder / "test_tsa/response.tsr")
    injected = load(folder / "test_tsa/response-injected-certs.tsr")
    assert injected.signer == genuine.signer
    assert injected.content == genuine.content
    assert set(genuine.certificates) < set(injected.certificates)


def test_each_chain_is_needed(folder) -> None:
    token = load(folder / "test_tsa/response.tsr")
    signer, middle, root = chain(folder / "test_tsa/response.tsr")
    digest = hashlib.sha512(b"hello").digest()
    for roots, extra in (([root], []), ([], [middle, root]), ([root], [signer])):
        with pytest.raises(AttestationError) as caught:
            verify_token(
                token, digest=digest, digest_name="sha512", roots=roots, extra_certificates=extra
            )
        assert caught.value.code == "tsp.chain.untrusted_root"
