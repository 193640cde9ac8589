"""The local authority's tokens are real: our judge, OpenSSL and rfc3161-client accept them."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import rfc3161_client
from cryptography import x509

from anchor.backends.local_tsa import LOCAL_POLICY_OID, LocalAuthority
from anchor.backends.local_tsa_server import LocalAuthorityServer
from anchor.errors import AttestationError
from anchor.formats.der import BOOLEAN, der_integer, der_oid, der_sequence, tlv
from anchor.formats.tsp import parse_token
from anchor.formats.tsp_chain import verify_token
from anchor.formats.tsp_exchange import parse_response, timestamp_request
from anchor.proof.policy import parse_policy

NOW = datetime(2026, 11, 23, 10, 2, 8, 999_999, tzinfo=UTC)
DIGEST = hashlib.sha256(b"cat").digest()
REQUEST = timestamp_request(DIGEST, nonce=2**63)


@pytest.fixture
def authority() -> LocalAuthority:
    return LocalAuthority.create(NOW, clock=lambda: NOW)


def test_our_judge_accepts_its_tokens(authority: LocalAuthority) -> None:
    token = parse_token(parse_response(authority.respond(REQUEST)).token or b"")
    verified = verify_token(token, digest=DIGEST, roots=[authority.root], nonce=2**63)
    assert verified.gen_time == NOW.replace(microsecond=0)
    assert verified.gen_time + (verified.accuracy or timedelta(0)) >= NOW
    assert verified.chain == (authority.signer, authority.root)
    assert verified.policy_oid == LOCAL_POLICY_OID
    assert verified.signer_not_after == NOW.replace(microsecond=0) + timedelta(days=365)


def test_a_policy_of_class_test_can_trust_it(authority: LocalAuthority) -> None:
    policy = {"version": 1, "name": "t", "class": "test", "authorities": [authority.policy_entry()]}
    assert parse_policy(json.dumps(policy).encode()).authorities[0].roots == (authority.root,)


def test_each_is_made_anew(authority: LocalAuthority) -> None:
    other = LocalAuthority.create(NOW, clock=lambda: NOW)
    token = parse_token(parse_response(other.respond(REQUEST)).token or b"")
    with pytest.raises(AttestationError):
        verify_token(token, digest=DIGEST, roots=[authority.root])
    first, second = (parse_response(authority.respond(REQUEST)).token for _ in range(2))
    assert parse_token(first or b"").serial != parse_token(second or b"").serial


@pytest.mark.openssl
@pytest.mark.parametrize("nonce", [None, 1, 2**64 - 1])
def test_openssl_accepts_its_tokens(authority, require, tmp_path: Path, nonce) -> None:
    require(shutil.which("openssl"), "openssl is not installed")
    request = timestamp_request(DIGEST, nonce=nonce)
    (tmp_path / "query.tsq").write_bytes(request)
    (tmp_path / "reply.tsr").write_bytes(authority.respond(request))
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    common = ["-in", "reply.tsr", "-CAfile", "root.pem", "-attime", str(int(NOW.timestamp()))]
    for what in (["-digest", DIGEST.hex()], ["-queryfile", "query.tsq"]):
        done = subprocess.run(
            ["openssl", "ts", "-verify", *what, *common],
            cwd=tmp_path, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert b"Verification: OK" in done.stdout + done.stderr


def test_rfc3161_client_accepts_its_tokens(authority: LocalAuthority) -> None:
    response = rfc3161_client.decode_timestamp_response(authority.respond(REQUEST))
    root = x509.load_der_x509_certificate(authority.root)
    verifier = rfc3161_client.VerifierBuilder(roots=[root], nonce=2**63).build()
    assert verifier.verify(response, DIGEST)


def test_the_certificate_is_sent_when_asked_for(authority: LocalAuthority) -> None:
    bare = timestamp_request(DIGEST, nonce=None, policy_oid=LOCAL_POLICY_OID, cert_req=False)
    token = parse_token(parse_response(authority.respond(bare)).token or b"")
    assert token.certificates == ()
    assert token.nonce is None
    verify_token(
        token, digest=DIGEST, roots=[authority.root], extra_certificates=[authority.signer]
    )


def imprint(oid: str, digest: bytes) -> bytes:
    return der_sequence(der_sequence(der_oid(oid), b"\x05\x00"), tlv(0x04, digest))


@pytest.mark.parametrize("name", ["sha384", "sha512"])
def test_longer_digests_are_stamped_too(authority: LocalAuthority, name: str) -> None:
    oid = {"sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}[name]
    digest = hashlib.new(name, b"cat").digest()
    answer = authority.respond(der_sequence(der_integer(1), imprint(oid, digest), tlv(1, b"\xff")))
    token = parse_token(parse_response(answer).token or b"")
    verify_token(token, digest=digest, digest_name=name, roots=[authority.root])


@pytest.mark.parametrize(
    ("request_", "failure"),
    [
        (b"", "bad_data_format"),
        (b"<html>", "bad_data_format"),
        (REQUEST + b"\x00", "bad_data_format"),
        (
            der_sequence(der_integer(2), imprint("2.16.840.1.101.3.4.2.1", DIGEST)),
            "bad_data_format",
        ),
        (der_sequence(der_integer(1), imprint("1.3.14.3.2.26", DIGEST[:20])), "bad_alg"),
        (der_sequence(der_integer(1), imprint("2.16.840.1.101.3.4.2.1", DIGEST[:20])), "bad_alg"),
        (der_sequence(der_integer(1), imprint("1.2.3", DIGEST)), "bad_alg"),
        (timestamp_request(DIGEST, nonce=1, policy_oid="1.2.3"), "unaccepted_policy"),
    ],
)
def test_refusals_say_why(authority: LocalAuthority, request_: bytes, failure: str) -> None:
    answer = parse_response(authority.respond(request_))
    assert (answer.status, answer.failure) == ("rejection", failure)
    assert answer.status_text


@pytest.mark.openssl
def test_openssl_reads_its_refusals(authority: LocalAuthority, require, tmp_path: Path) -> None:
    require(shutil.which("openssl"), "openssl is not installed")
    path = tmp_path / "reply.tsr"
    path.write_bytes(authority.respond(timestamp_request(DIGEST, nonce=1, policy_oid="1.2.3")))
    done = subprocess.run(
        ["openssl", "ts", "-reply", "-in", path, "-text"],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert b"Status: Rejected." in done.stdout
    assert b"the requested TSA policy is not supported" in done.stdout


# -- over HTTP -------------------------------------------------------------------------------------


def test_it_answers_over_http(authority: LocalAuthority) -> None:
    with LocalAuthorityServer(authority) as server:
        assert server.url.startswith("http://127.0.0.1:")
        answer = httpx.post(server.url, content=REQUEST, trust_env=False)
        assert answer.headers["content-type"] == "application/timestamp-reply"
        assert parse_response(answer.content).status == "granted"
        assert httpx.get(server.url, trust_env=False).status_code == 501
        assert httpx.post(server.url, content=bytes(5000), trust_env=False).status_code == 413
    server.close()
    with pytest.raises(httpx.ConnectError):
        httpx.post(server.url, content=REQUEST, trust_env=False)


@pytest.mark.parametrize("length", [None, "-1", "x", "5000"])
def test_other_lengths_are_refused(authority: LocalAuthority, length: str | None) -> None:
    with LocalAuthorityServer(authority) as server:
        connection = http.client.HTTPConnection("127.0.0.1", int(server.url.split(":")[2][:-4]))
        connection.putrequest("POST", "/tsr")
        if length is not None:
            connection.putheader("Content-Length", length)
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()


def test_booleans_are_der() -> None:
    odd = REQUEST[:-3] + tlv(BOOLEAN, b"\x01")
    authority = LocalAuthority.create(NOW)
    assert parse_response(authority.respond(odd)).failure == "bad_data_format"
