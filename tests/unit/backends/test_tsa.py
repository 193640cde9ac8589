"""An authority's answers become attestations only when they are genuine."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from anchor.backends.local_tsa import LocalAuthority
from anchor.backends.local_tsa_server import LocalAuthorityServer
from anchor.backends.tsa import TsaBackend
from anchor.backends.tsa_client import TsaSettings
from anchor.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
)
from anchor.formats.der import SEQUENCE, der_integer, der_sequence, parse_der, tlv
from anchor.formats.tsp import parse_token
from anchor.formats.tsp_chain import verify_token
from anchor.formats.tsp_exchange import parse_response
from anchor.ports import Attempt, Phase, Round
from tests.attacks.forged_tokens import NOW, YEAR, Forge, Party, intermediate, root, signer

URL = "https://tsa.test/tsr"
CHECKPOINT = "log.test\n5\nx\n\n— log.test sig\n"
ROUND = Round(5, hashlib.sha256(b"root").digest(), CHECKPOINT, NOW)
ROOT = root()
MIDDLE = intermediate(ROOT)
STAMPER = signer(MIDDLE)

Handler = Callable[[httpx.Request], httpx.Response]


def reply(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> httpx.Response:
    """Return an answer whose body is still to come, as from a network."""
    return httpx.Response(status, stream=httpx.ByteStream(body), headers=headers)


def asked(request: httpx.Request) -> tuple[bytes, int]:
    """Return digest and nonce of a request."""
    members = parse_der(request.content, max_bytes=999, what="r").members(SEQUENCE, "r")
    members.take()
    imprint = members.take().members(SEQUENCE, "imprint")
    imprint.take()
    digest = imprint.take().octets("digest")
    rest = [m for m in members.rest() if m.tag == 0x02]
    return digest, rest[0].integer("nonce")


def granting(party: Party = STAMPER, **changes: Any) -> Handler:
    def handle(request: httpx.Request) -> httpx.Response:
        digest, nonce = asked(request)
        forge = Forge(party, (MIDDLE.der,), digest=digest, nonce=nonce).but(**changes)
        return reply(200, der_sequence(der_sequence(der_integer(0)), forge.token()))

    return handle


def backend(handle: Handler | None = None, **changes: Any) -> TsaBackend:
    options = {"name": "test", "url": URL, "roots": (ROOT.der,), **changes}
    numbers = iter(range(7, 99))
    return TsaBackend(
        TsaSettings(**options),
        now=lambda: NOW,
        nonce=lambda: next(numbers),
        transport=httpx.MockTransport(handle or granting()),
    )


def run(tsa: TsaBackend, attempt: Attempt | None = None) -> Attempt:
    attempt = attempt or Attempt()
    for _ in range(10):
        if attempt.phase in (Phase.FINAL, Phase.FAILED):
            return attempt
        stored = json.loads(json.dumps([attempt.data, attempt.attestations]))
        attempt = attempt.to(attempt.phase, data=stored[0], attestations=tuple(stored[1]))
        attempt = tsa.advance(ROUND, attempt)
    raise AssertionError("it does not end")


def failure(handle: Handler, **changes: Any) -> BackendError:
    tsa = backend(handle, **changes)
    with pytest.raises(BackendError) as caught:
        run(tsa)
    assert not tsa.health().ok
    assert tsa.health().note == caught.value.message
    return caught.value


def test_a_round_gets_two_tokens_that_anybody_can_verify() -> None:
    attempt = run(backend())
    assert attempt.phase is Phase.FINAL
    by = {a["covers"]: a for a in attempt.attestations}
    digests = {"root": ROUND.root_hash, "checkpoint": hashlib.sha256(CHECKPOINT.encode()).digest()}
    assert list(by) == ["root", "checkpoint"]
    for covers, digest in digests.items():
        attestation = by[covers]
        assert attestation["kind"] == "rfc3161"
        assert attestation["root_hash"] == ROUND.root_hash.hex()
        assert attestation["ocsp"] == attestation["crls"] == []
        token = parse_token(base64.b64decode(attestation["token"]))
        verified = verify_token(token, digest=digest, roots=[ROOT.der])
        certificates = [base64.b64decode(text) for text in attestation["certificates"]]
        assert certificates == list(verified.chain) == [STAMPER.der, MIDDLE.der, ROOT.der]


def test_nothing_is_sent_before_the_nonces_are_stored() -> None:
    calls = []

    def handle(request: httpx.Request) -> httpx.Response:
        calls.append(asked(request))
        return granting()(request)

    tsa = backend(handle)
    prepared = tsa.advance(ROUND, Attempt())
    assert (prepared.phase, calls) == (Phase.PREPARED, [])
    assert prepared.data["nonces"] == {"root": "7", "checkpoint": "8"}
    first = tsa.advance(ROUND, prepared)
    assert (first.phase, len(first.attestations)) == (Phase.SUBMITTED, 1)
    tsa.advance(ROUND, prepared)  # as after a crash: the same request again
    tsa.advance(ROUND, first)
    assert [nonce for _, nonce in calls] == [7, 7, 8]
    assert calls[0] == calls[1]


def test_it_talks_as_the_rfc_says() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return granting()(request)

    run(backend(handle))
    for request in seen:
        assert (request.method, str(request.url)) == ("POST", URL)
        assert request.headers["content-type"] == "application/timestamp-query"
        assert request.headers["accept"] == "application/timestamp-reply"
        assert "authorization" not in request.headers


def test_a_final_attempt_stays_as_it_is() -> None:
    attempt = Attempt(Phase.FINAL)
    assert backend().advance(ROUND, attempt) is attempt


def test_a_pause_between_the_requests_is_kept() -> None:
    tsa = backend(pause_s=15)
    prepared = tsa.advance(ROUND, Attempt())
    assert tsa.advance(ROUND, prepared).retry_at == NOW + timedelta(seconds=15)
    assert run(tsa).retry_at is None


def test_an_authority_that_sends_ber_is_understood() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        token = parse_response(b"".join(granting()(request).iter_raw())).token or b""
        members = parse_der(token, max_bytes=1 << 16, what="x").members(SEQUENCE, "x")
        oid, data = members.take().raw, members.take().inner(0xA0, "x").content
        octets = parse_token(token).content
        pieces = b"\x24\x80" + tlv(4, octets[:40]) + tlv(4, octets[40:]) + b"\x00\x00"
        changed = indefinite(0x30, _with_pieces(data, tlv(4, octets), pieces))
        token = indefinite(0x30, oid, indefinite(0xA0, changed))
        return reply(200, indefinite(0x30, der_sequence(der_integer(0)), token))

    attempt = run(backend(handle))
    assert attempt.phase is Phase.FINAL
    for attestation in attempt.attestations:
        parse_token(base64.b64decode(attestation["token"]))


def indefinite(tag: int, *contents: bytes) -> bytes:
    return bytes((tag, 0x80)) + b"".join(contents) + b"\x00\x00"


def _with_pieces(inner: bytes, plain: bytes, pieces: bytes) -> bytes:
    """Write the content's wrappers with indefinite lengths, its octets in pieces."""
    wrapped = tlv(0xA0, plain)
    oid = tlv(6, bytes.fromhex("2a864886f70d0109100104"))
    content = der_sequence(oid, wrapped)
    assert inner.count(content) == 1
    return inner.replace(content, indefinite(0x30, oid, indefinite(0xA0, pieces)))


# -- answers that are refused ----------------------------------------------------------------------

ENDED = signer(MIDDLE, begin=NOW - 3 * YEAR, end=NOW - YEAR / 2)
OLD_MIDDLE = intermediate(ROOT, begin=NOW - 4 * YEAR, end=NOW + YEAR)
INJECTED = root("Injected", number=9)


@pytest.mark.parametrize(
    ("handle", "code"),
    [
        (granting(nonce=1), "tsp.nonce_mismatch"),
        (granting(nonce=None), "tsp.nonce_mismatch"),
        (granting(digest=bytes(32)), "tsp.imprint_mismatch"),
        (granting(imprint_name="sha512"), "tsp.imprint_mismatch"),
        (granting(digest_name="sha1"), "tsp.algorithm.weak"),
        (granting(ENDED), "tsp.chain.expired"),
        (granting(signer(root(number=9))), "tsp.chain.untrusted_root"),
        (granting(certificates=(MIDDLE.der, INJECTED.der)), "tsp.certificates.injected"),
        (granting(ess_for=MIDDLE.der), "tsp.signing_certificate.mismatch"),
        (granting(attributes=False), "tsp.signed_attributes"),
    ],
)
def test_false_tokens_are_refused(handle: Handler, code: str) -> None:
    error = failure(handle)
    assert isinstance(error, BackendProtocolError)
    assert error.code == f"backend.protocol.{code}"


def test_an_ended_key_that_stamps_a_time_in_its_past_is_refused() -> None:
    """The token itself is flawless; only the clock tells."""
    handle = granting(ENDED, gen_time="20250601000000Z", certificates=(OLD_MIDDLE.der,))
    error = failure(handle)
    assert isinstance(error, BackendRejectedError)
    assert error.code == "backend.rejected.tsp_ended"
    assert "2025-06-01" in error.message


def test_another_policy_than_asked_for_is_refused() -> None:
    error = failure(granting(), policy_oid="1.2.3.4")
    assert error.code == "backend.protocol.tsp_policy"
    assert run(backend(granting(), policy_oid="1.3.6.1.4.1.13762.3")).phase is Phase.FINAL


def rejecting(status: int, bits: bytes | None = None, text: bytes = b"") -> Handler:
    words = der_sequence(tlv(0x0C, text)) if text else b""
    failures = tlv(0x03, bits) if bits else b""
    body = der_sequence(der_sequence(der_integer(status), words, failures))
    return lambda _: reply(200, body)


@pytest.mark.parametrize(
    ("handle", "kind", "shown"),
    [
        (rejecting(2, b"\x07\x80", b"no\x1b[2J"), BackendRejectedError, "bad_alg, no?[2J"),
        (rejecting(2), BackendRejectedError, "rejection"),
        (rejecting(2, b"\x01\x00\x02"), BackendUnavailableError, "time_not_available"),
        (rejecting(2, b"\x06\x00\x00\x00\x40"), BackendUnavailableError, "system_failure"),
        (rejecting(3), BackendUnavailableError, "waiting"),
        (rejecting(5), BackendRejectedError, "revocation_notification"),
        (rejecting(0), BackendProtocolError, "contradict"),
        (lambda _: reply(500), BackendUnavailableError, "HTTP 500"),
        (lambda _: reply(429), BackendUnavailableError, "HTTP 429"),
        (lambda _: reply(404, b"gone"), BackendRejectedError, "HTTP 404: gone"),
        (lambda _: reply(401), BackendRejectedError, "login"),
        (lambda _: reply(301, headers={"location": "/x"}), BackendRejectedError, "301"),
        (lambda _: reply(200, b"<html>"), BackendProtocolError, "no time-stamp"),
        (lambda _: reply(200, bytes(1 << 20)), BackendProtocolError, "more than"),
    ],
)
def test_other_answers_say_what_is_wrong(handle, kind, shown: str) -> None:
    error = failure(handle)
    assert type(error) is kind
    assert shown in error.message


def test_no_answer_changes_nothing() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    error = failure(refuse)
    assert isinstance(error, BackendUnavailableError)


# -- clock, login, settings ------------------------------------------------------------------------


def test_a_difference_between_the_clocks_is_shown() -> None:
    tsa = backend(granting(gen_time="20261123101208Z"))
    run(tsa)
    health = tsa.health()
    assert not health.ok
    assert health.detail["clock_difference_s"] == 600
    tsa = backend()
    run(tsa)
    assert tsa.health().ok
    assert tsa.health().detail["certificates_end"] == "2027-11-23T10:02:08Z"


def test_the_password_is_sent_and_never_shown() -> None:
    seen = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return reply(401)

    settings = {"username": "me", "password": "hunter2-hunter2"}
    error = failure(handle, **settings)
    assert seen == ["Basic " + base64.b64encode(b"me:hunter2-hunter2").decode()]
    shown = TsaSettings("test", URL, (ROOT.der,), **settings)
    for text in (
        repr(shown),
        str(shown),
        str(error),
        repr(error),
        repr(backend(**settings).health()),
    ):
        assert "hunter2" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://tsa.test"},
        {"url": "tsa.test"},
        {"url": "https://me:secret@tsa.test/"},
        {"url": "https://[::1"},
        {"roots": ()},
        {"username": "me"},
        {"password": "p"},
        {"url": "http://tsa.test/", "username": "me", "password": "p"},
    ],
)
def test_settings_that_cannot_work_are_refused(changes) -> None:
    with pytest.raises(ConfigError) as caught:
        backend(**changes)
    assert "secret" not in caught.value.message


def test_a_password_may_go_to_this_machine_in_the_open() -> None:
    backend(url="http://127.0.0.1:1/", username="me", password="p")


# -- revocation ------------------------------------------------------------------------------------

OCSP_URL, CRL_URL = "http://ocsp.test/", "http://crl.test/a.crl"


def _addresses(ocsp_url: str | None = OCSP_URL, crl_url: str | None = CRL_URL):
    found: list[tuple[x509.ExtensionType, bool]] = []
    if ocsp_url:
        location = x509.UniformResourceIdentifier(ocsp_url)
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)
        found.append((x509.AuthorityInformationAccess([access]), False))
    if crl_url:
        names = [
            x509.UniformResourceIdentifier("ldap://crl.test/a"),
            x509.UniformResourceIdentifier(crl_url),
        ]
        point = x509.DistributionPoint(names, None, None, None)
        found.append((x509.CRLDistributionPoints([point]), False))
    return tuple(found)


class Pki:
    """A chain whose certificates name addresses, and what answers there."""

    def __init__(self, **addresses: Any) -> None:
        extra = _addresses(**addresses)
        self.middle = intermediate(ROOT, extra=extra)
        self.signer = signer(self.middle, extra=extra)
        self.parties = [(self.signer, self.middle), (self.middle, ROOT)]
        self.status = ocsp.OCSPCertStatus.GOOD
        self.calls: list[str] = []
        self.ocsp_status = 200
        self.crl_status = 200
        self.crl_bytes = 0
        self.flip = 0  # changes the last octet of a signature

    def __call__(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        self.calls.append(url)
        if url == OCSP_URL:
            return reply(self.ocsp_status, self._flipped(self._ocsp(request.content)))
        if url == CRL_URL:
            return reply(self.crl_status, self._flipped(self._crl()) + bytes(self.crl_bytes))
        return granting(self.signer, certificates=(self.middle.der,))(request)

    def _flipped(self, der: bytes) -> bytes:
        return der[:-1] + bytes([der[-1] ^ self.flip])

    def _ocsp(self, der: bytes) -> bytes:
        asked_for = ocsp.load_der_ocsp_request(der).serial_number
        for party, issuer in self.parties:
            if party.certificate.serial_number == asked_for:
                revoked = self.status is ocsp.OCSPCertStatus.REVOKED
                answer = ocsp.OCSPResponseBuilder().add_response(
                    party.certificate, issuer.certificate, hashes.SHA1(), self.status, NOW,
                    NOW + timedelta(days=1), NOW - timedelta(days=1) if revoked else None,
                    x509.ReasonFlags.key_compromise if revoked else None,
                ).responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)  # fmt: skip
                return answer.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)
        raise AssertionError("asked about another certificate")

    def _crl(self) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.middle.certificate.subject)
            .last_update(NOW)
            .next_update(NOW + timedelta(days=1))
        )
        return builder.sign(self.middle.key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_no_address_in_a_certificate_is_asked_unless_wanted() -> None:
    pki = Pki()
    attempt = run(backend(pki))
    assert set(pki.calls) == {URL}
    assert "no revocation data asked for" in attempt.note


def test_revocation_data_is_verified_and_saved() -> None:
    pki = Pki()
    attempt = run(backend(pki, fetch_revocation=True))
    assert attempt.phase is Phase.FINAL
    assert pki.calls == [URL, URL, OCSP_URL, OCSP_URL]  # the chain is the same for both tokens
    assert "with revocation data" in attempt.note
    for attestation in attempt.attestations:
        assert len(attestation["ocsp"]) == 2
        assert attestation["crls"] == []


def test_a_list_stands_in_where_ocsp_gives_nothing() -> None:
    for pki in (Pki(ocsp_url=None), Pki()):
        pki.ocsp_status = 503
        attempt = run(backend(pki, fetch_revocation=True))
        assert [len(a["crls"]) for a in attempt.attestations] == [1, 1]
        # The root's list is at the same address here and does not speak of the intermediate.
        assert "without revocation data: Intermediate" in attempt.note


def test_what_cannot_be_had_is_left_out_with_a_note() -> None:
    pki = Pki(ocsp_url=None, crl_url=None)
    tsa = backend(pki, fetch_revocation=True)
    attempt = Attempt()
    waits = []
    for _ in range(6):
        attempt = tsa.advance(ROUND, attempt)
        waits.append(attempt.retry_at)
    assert attempt.phase is Phase.FINAL
    assert waits[3] == waits[4] == NOW + timedelta(minutes=5)
    assert waits[5] is None
    assert "names no address" in attempt.note
    assert len(attempt.attestations) == 2


def test_a_huge_list_is_not_read() -> None:
    pki = Pki(ocsp_url=None)
    pki.crl_bytes = 1 << 20
    attempt = run(backend(pki, fetch_revocation=True))
    assert attempt.phase is Phase.FINAL
    assert "more than" in attempt.note


def test_a_revoked_authoritys_tokens_are_not_kept() -> None:
    pki = Pki()
    pki.status = ocsp.OCSPCertStatus.REVOKED
    tsa = backend(pki, fetch_revocation=True)
    attempt = run(tsa)
    assert (attempt.phase, attempt.attestations) == (Phase.FAILED, ())
    assert "keyCompromise" in attempt.note
    assert not tsa.health().ok


def test_unknown_and_forged_answers_are_not_saved() -> None:
    pki = Pki(crl_url=None)
    pki.status = ocsp.OCSPCertStatus.UNKNOWN
    attempt = run(backend(pki, fetch_revocation=True))
    assert "OCSP does not know it" in attempt.note
    assert all(a["ocsp"] == [] for a in attempt.attestations)
    forged = Pki()
    forged.flip = 1
    attempt = run(backend(forged, fetch_revocation=True))
    assert "not signed by the issuer" in attempt.note
    assert all(a["ocsp"] == a["crls"] == [] for a in attempt.attestations)


def test_missing_lists_are_told() -> None:
    pki = Pki(ocsp_url=None)
    pki.crl_status = 404
    assert "CRL: HTTP 404" in run(backend(pki, fetch_revocation=True)).note


# -- a real authority over HTTP --------------------------------------------------------------------


def test_a_real_authority_over_http() -> None:
    authority = LocalAuthority.create(datetime.now(UTC))
    with LocalAuthorityServer(authority) as server:
        tsa = TsaBackend(TsaSettings("local", server.url, (authority.root,)))
        attempt = run(tsa)
        tsa.close()
    assert (attempt.phase, tsa.health().ok) == (Phase.FINAL, True)
    assert (tsa.name, tsa.family) == ("rfc3161:local", "rfc3161")
    assert (tsa.interval_s, tsa.min_gap_s) == (60, 60)
