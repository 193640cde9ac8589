"""PyPI rfc3161-client and pyHanko read and make the same tokens."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import rfc3161_client
from asn1crypto import algos, keys, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper

from anchor.errors import VestigeError
from anchor.formats.der import der_integer, der_sequence
from anchor.formats.tsp import parse_token
from anchor.formats.tsp_chain import verify_token
from anchor.formats.tsp_exchange import parse_response, timestamp_request
from tests.attacks.forged_tokens import (
    NOW,
    Forge,
    certify,
    intermediate,
    root,
    signer,
)

DIGEST = hashlib.sha256(b"cat").digest()
ROOT = root()
MIDDLE = intermediate(ROOT)
STAMPER = signer(MIDDLE)
FORGE = Forge(STAMPER, (MIDDLE.der,))


def judged_by_client(forge: Forge) -> bool:
    """Ask rfc3161-client, which reads responses only."""
    answer = der_sequence(der_sequence(der_integer(0)), forge.token())
    builder = rfc3161_client.VerifierBuilder(
        roots=[ROOT.certificate], intermediates=[MIDDLE.certificate], nonce=42
    )
    try:
        response = rfc3161_client.decode_timestamp_response(answer)
        return builder.build().verify(response, DIGEST)
    except (ValueError, rfc3161_client.VerificationError):
        return False


def judged_by_us(forge: Forge) -> bool:
    try:
        verify_token(parse_token(forge.token()), digest=DIGEST, roots=[ROOT.der], nonce=42)
    except VestigeError:
        return False
    return True


@pytest.mark.parametrize(
    ("forge", "good"),
    [
        (FORGE, True),
        (FORGE.but(accuracy=b""), True),
        (FORGE.but(digest_name="sha512", ess=("sha512",)), True),
        (Forge(signer(MIDDLE, kind="rsa2048"), (MIDDLE.der,)), True),
        (FORGE.but(nonce=43), False),
        (FORGE.but(digest=hashlib.sha256(b"dog").digest()), False),
        (FORGE.but(message_digest=bytes(32)), False),
        (FORGE.but(gen_time="20401123100208Z"), False),
        (Forge(signer(MIDDLE, purposes=None), (MIDDLE.der,)), False),
        (Forge(signer(MIDDLE, critical_purposes=False), (MIDDLE.der,)), False),
        (Forge(signer(root(number=9))), False),
    ],
)
def test_the_same_verdict_as_rfc3161_client(forge: Forge, good: bool) -> None:
    assert judged_by_client(forge) is good
    assert judged_by_us(forge) is good


def test_where_we_are_stricter_than_rfc3161_client() -> None:
    """Each of these was accepted by version 1.0.9."""
    injected = certify("Nonexistent CA", None, number=9)
    for forge in (
        FORGE.but(certificates=(MIDDLE.der, injected.der)),
        FORGE.but(imprint_name="sha3_256"),
        FORGE.but(ess_for=MIDDLE.der),
    ):
        assert judged_by_client(forge)
        assert not judged_by_us(forge)


def test_it_reads_what_we_read() -> None:
    der = FORGE.token()
    answer = der_sequence(der_sequence(der_integer(0)), der)
    theirs = rfc3161_client.decode_timestamp_response(answer)
    ours = parse_token(der)
    info = theirs.tst_info
    assert ours.gen_time == info.gen_time == NOW
    assert ours.serial == info.serial_number
    assert ours.nonce == info.nonce
    assert ours.imprint == info.message_imprint.message
    assert ours.policy_oid == info.policy.dotted_string
    assert ours.accuracy == timedelta(seconds=info.accuracy.seconds)
    assert set(ours.certificates) == theirs.signed_data.certificates


def test_it_writes_the_request_that_we_write() -> None:
    theirs = (
        rfc3161_client.TimestampRequestBuilder()
        .data(b"cat")
        .hash_algorithm(rfc3161_client.base.HashAlgorithm.SHA256)
        .build()
    )
    assert theirs.as_bytes() == timestamp_request(DIGEST, nonce=theirs.nonce)


# -- pyHanko's authority for tests -----------------------------------------------------------------


@pytest.fixture
def stamped() -> bytes:
    own = signer(MIDDLE, kind="rsa2048")
    private = own.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    stamper = DummyTimeStamper(
        asn1_x509.Certificate.load(own.der),
        keys.PrivateKeyInfo.load(private),
        certs_to_embed=[asn1_x509.Certificate.load(MIDDLE.der)],
        fixed_dt=NOW,
    )
    request = tsp.TimeStampReq.load(timestamp_request(DIGEST, nonce=42))
    return stamper.request_tsa_response(request).dump()


def test_its_tokens_verify(stamped: bytes) -> None:
    token = parse_token(parse_response(stamped).token or b"")
    verified = verify_token(token, digest=DIGEST, roots=[ROOT.der], nonce=42)
    assert verified.gen_time == NOW
    assert verified.accuracy is None
    assert verified.tsa_name == "Stamper"


def test_it_reads_our_request() -> None:
    request = tsp.TimeStampReq.load(timestamp_request(DIGEST, nonce=42, policy_oid="1.2.3"))
    assert request["message_imprint"]["hashed_message"].native == DIGEST
    assert isinstance(request["message_imprint"]["hash_algorithm"], algos.DigestAlgorithm)
    assert request["nonce"].native == 42
    assert request["req_policy"].native == "1.2.3"
    assert request["cert_req"].native is True


@pytest.mark.openssl
def test_openssl_accepts_its_tokens_too(stamped: bytes, require, tmp_path: Path) -> None:
    require(shutil.which("openssl"), "openssl is not installed")
    (tmp_path / "reply.tsr").write_bytes(stamped)
    (tmp_path / "root.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-digest", DIGEST.hex(), "-in", tmp_path / "reply.tsr",
         "-CAfile", tmp_path / "root.pem", "-attime", str(int(NOW.timestamp()))],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert b"Verification: OK" in done.stdout + done.stderr
