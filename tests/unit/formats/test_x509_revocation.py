"""OCSP answers and CRLs count when the certificate's issuer, or its responder, signed them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import CRLEntryExtensionOID, ExtendedKeyUsageOID

from anchor.errors import AttestationError, FormatError, LimitExceededError, SignatureError
from anchor.formats.der import (
    BIT_STRING,
    GENERALIZED_TIME,
    OCTET_STRING,
    SEQUENCE,
    der_oid,
    der_sequence,
    parse_der,
    tlv,
)
from anchor.formats.x509_revocation import CertificateStatus, verify_revocation
from anchor.limits import MAX_CERTIFICATES, MAX_REVOCATION_BYTES
from tests.attacks.forged_tokens import (
    NOW,
    YEAR,
    Party,
    certify,
    intermediate,
    root,
    signer,
    usage,
)

DAY = timedelta(days=1)
URL = "http://crl.test/a.crl"
ROOT = root()
MIDDLE = intermediate(ROOT)
STAMPER = signer(MIDDLE)
CHAIN = [STAMPER.der, MIDDLE.der, ROOT.der]
Reason = x509.ReasonFlags


def answer(
    party: Party = STAMPER,
    issuer: Party = MIDDLE,
    *,
    by: Party | None = None,
    sent: tuple[Party, ...] = (),
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    revoked_at: Any = None,
    reason: Reason | None = None,
    this_update: Any = NOW,
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:
    by = by or issuer
    builder = ocsp.OCSPResponseBuilder().add_response(
        party.certificate,
        issuer.certificate,
        digest or hashes.SHA1(),
        status,
        this_update,
        this_update + DAY,
        revoked_at,
        reason,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)
    if sent:
        builder = builder.certificates([p.certificate for p in sent])
    return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.DER)


def revocation_list(
    issuer: Party = MIDDLE,
    *revoked: tuple[Party, Any, Reason | None],
    this_update: Any = NOW,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    by: Party | None = None,
    invalidity_date: Any = None,
) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(this_update)
        .next_update(this_update + DAY)
    )
    for party, at, reason in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(party.certificate.serial_number)
        entry = entry.revocation_date(at)
        if reason:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        if invalidity_date:
            entry = entry.add_extension(x509.InvalidityDate(invalidity_date), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign((by or issuer).key, hashes.SHA256()).public_bytes(Encoding.DER)


def statuses(
    *, ocsp: tuple[bytes, ...] = (), crls: tuple[bytes, ...] = (), chain=None
) -> tuple[CertificateStatus, ...]:
    return verify_revocation(chain or CHAIN, ocsp=ocsp, crls=crls)


def test_without_word_nothing_is_known() -> None:
    found = statuses()
    assert [s.state for s in found] == ["unknown", "unknown"]
    assert [s.name for s in found] == ["Stamper", "Intermediate"]
    assert not found[0].voids_earlier_tokens


# -- OCSP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA256(), hashes.SHA512()])
def test_a_good_word_of_the_issuer(digest) -> None:
    status, other = statuses(ocsp=(answer(digest=digest),))
    assert (status.state, status.source) == ("good", "ocsp")
    assert (status.known_at, status.next_update) == (NOW, NOW + DAY)
    assert other.state == "unknown"


def test_each_certificate_has_its_own() -> None:
    found = statuses(ocsp=(answer(MIDDLE, ROOT), answer()))
    assert [s.state for s in found] == ["good", "good"]


@pytest.mark.parametrize(
    ("reason", "voids"),
    [
        (Reason.key_compromise, True),
        (Reason.ca_compromise, True),
        (None, True),
        (Reason.superseded, False),
        (Reason.cessation_of_operation, False),
        (Reason.affiliation_changed, False),
    ],
)
def test_a_revocation_with_its_reason(reason, voids) -> None:
    revoked = {"status": ocsp.OCSPCertStatus.REVOKED, "revoked_at": NOW - DAY, "reason": reason}
    for status in (
        statuses(ocsp=(answer(**revoked),))[0],
        statuses(crls=(revocation_list(MIDDLE, (STAMPER, NOW - DAY, reason)),))[0],
    ):
        assert (status.state, status.revoked_at) == ("revoked", NOW - DAY)
        assert status.reason == (reason.value if reason else None)
        assert status.voids_earlier_tokens is voids


def test_unknown_is_not_good() -> None:
    status, _ = statuses(ocsp=(answer(status=ocsp.OCSPCertStatus.UNKNOWN),))
    assert status.state == "unknown"


def responder(issuer: Party = MIDDLE, **changes: Any) -> Party:
    purposes = (ExtendedKeyUsageOID.OCSP_SIGNING,)
    return certify("Responder", issuer, **{"purposes": purposes, "number": 7, **changes})


def test_a_responder_that_the_issuer_certified_may_speak() -> None:
    own = responder()
    assert statuses(ocsp=(answer(by=own, sent=(own,)),))[0].state == "good"


def test_others_may_not_speak() -> None:
    stranger = root("Stranger", number=9)
    for by, sent in (
        (responder(), ()),  # its certificate is not there
        (responder(stranger), (responder(stranger), stranger)),
        (responder(ROOT), (responder(ROOT),)),  # certified one level too high
        (STAMPER, (STAMPER,)),
        (stranger, (stranger,)),
    ):
        with pytest.raises(SignatureError) as caught:
            statuses(ocsp=(answer(by=by, sent=sent),))
        assert caught.value.code == "tsp.ocsp.signature"


@pytest.mark.parametrize(
    "changes",
    [
        {"purposes": (ExtendedKeyUsageOID.TIME_STAMPING,)},
        {"purposes": None},
        {"end": NOW - DAY},
        {"begin": NOW + DAY},
    ],
)
def test_a_responder_needs_the_purpose_and_a_valid_certificate(changes) -> None:
    own = responder(**changes)
    with pytest.raises(SignatureError):
        statuses(ocsp=(answer(by=own, sent=(own,), this_update=NOW),))


def test_a_certificate_that_only_names_the_issuer_is_no_responders() -> None:
    fake = responder(intermediate(root(number=9), number=9))
    with pytest.raises((SignatureError, AttestationError)):
        statuses(ocsp=(answer(by=fake, sent=(fake,)),))


def test_answers_about_others_prove_nothing() -> None:
    other = signer(MIDDLE, "Other")
    same_serial = signer(ROOT, "Other", serial=STAMPER.certificate.serial_number)
    for der in (answer(other), answer(same_serial, ROOT), answer(STAMPER, ROOT)):
        assert statuses(ocsp=(der,))[0].state == "unknown"


def test_an_answer_from_after_its_issuers_end_is_refused() -> None:
    with pytest.raises(AttestationError) as caught:
        statuses(ocsp=(answer(this_update=NOW + 2 * YEAR),))
    assert caught.value.code == "tsp.ocsp.time"


def test_a_refusal_is_no_answer() -> None:
    refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    with pytest.raises(FormatError):
        statuses(ocsp=(refusal.public_bytes(Encoding.DER),))


def test_changed_answers_are_refused_or_prove_nothing() -> None:
    der = answer()
    for place in range(len(der)):
        changed = bytearray(der)
        changed[place] ^= 0x01
        try:
            status = statuses(ocsp=(bytes(changed),))[0]
        except (FormatError, AttestationError, SignatureError):
            continue
        # Outside the signature there are the serial-free wrappers only.
        assert status.state == "unknown" or (status.state, status.known_at) == ("good", NOW)


# -- CRL -------------------------------------------------------------------------------------------


def test_absence_from_the_issuers_list_is_good() -> None:
    status, other = statuses(crls=(revocation_list(),))
    assert (status.state, status.source) == ("good", "crl")
    assert (status.known_at, status.next_update) == (NOW, NOW + DAY)
    assert other.state == "unknown"


def test_a_list_signed_by_another_is_refused() -> None:
    with pytest.raises(SignatureError) as caught:
        statuses(crls=(revocation_list(by=ROOT),))
    assert caught.value.code == "tsp.crl.signature"


def test_the_issuer_must_be_allowed_to_sign_lists() -> None:
    middle = intermediate(ROOT, key_usage=usage(key_cert_sign=True))
    own = signer(middle)
    with pytest.raises(AttestationError) as caught:
        statuses(crls=(revocation_list(middle),), chain=[own.der, middle.der, ROOT.der])
    assert caught.value.code == "tsp.crl.key_usage"


def test_a_list_from_after_its_issuers_end_is_refused() -> None:
    with pytest.raises(AttestationError) as caught:
        statuses(crls=(revocation_list(this_update=NOW + 2 * YEAR),))
    assert caught.value.code == "tsp.crl.time"


def point(**changes: Any) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    options: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return ((x509.IssuingDistributionPoint(**{**options, **changes}), True),)


@pytest.mark.parametrize(
    "extensions",
    [
        ((x509.DeltaCRLIndicator(1), True),),
        point(indirect_crl=True),
        point(only_contains_ca_certs=True),
        point(only_contains_attribute_certs=True),
        point(only_some_reasons=frozenset({Reason.key_compromise})),
        point(full_name=[x509.UniformResourceIdentifier(URL)]),
        point(relative_name=x509.RelativeDistinguishedName(MIDDLE.certificate.subject.rdns[0])),
    ],
)
def test_absence_from_a_list_for_others_says_nothing(extensions) -> None:
    assert statuses(crls=(revocation_list(extensions=extensions),))[0].state == "unknown"


def test_a_partitioned_list_covers_the_certificates_that_name_it() -> None:
    points = x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(URL)], None, None, None)]
    )
    own = signer(MIDDLE, extra=((points, False),))
    crl = revocation_list(
        extensions=point(
            full_name=[x509.UniformResourceIdentifier(URL)], only_contains_user_certs=True
        )
    )
    found = statuses(crls=(crl,), chain=[own.der, MIDDLE.der, ROOT.der])
    assert found[0].state == "good"
    user_only = revocation_list(ROOT, extensions=point(only_contains_user_certs=True))
    assert statuses(crls=(user_only,))[1].state == "unknown"


# -- from when on ----------------------------------------------------------------------------------


def with_invalidity_date(der: bytes, date: str, *, by: Party = MIDDLE) -> bytes:
    """Put an invalidityDate among the singleExtensions of an OCSP answer, and sign it again."""
    outer = parse_der(der, max_bytes=1 << 20, what="answer").members(SEQUENCE, "answer")
    status, typed = outer.take(), outer.take().inner(0xA0, "answer").members(SEQUENCE, "answer")
    kind, body = typed.take(), typed.take().octets("answer")
    basic = parse_der(body, max_bytes=1 << 20, what="answer").members(SEQUENCE, "answer")
    data, algorithm = basic.take().members(SEQUENCE, "answer"), basic.take()
    who, when = data.take(), data.take()
    (single,) = data.take().members(SEQUENCE, "answer").rest()
    oid = CRLEntryExtensionOID.INVALIDITY_DATE.dotted_string
    extension = der_sequence(der_oid(oid), tlv(OCTET_STRING, tlv(GENERALIZED_TIME, date.encode())))
    single_der = tlv(SEQUENCE, single.content, tlv(0xA1, der_sequence(extension)))
    message = der_sequence(who.raw, when.raw, der_sequence(single_der))
    signature = by.key.sign(message, ec.ECDSA(hashes.SHA256()))
    again = der_sequence(message, algorithm.raw, tlv(BIT_STRING, b"\0", signature))
    whole = der_sequence(kind.raw, tlv(OCTET_STRING, again))
    return der_sequence(status.raw, tlv(0xA0, whole))


EARLIER, LATER = NOW - 30 * DAY, NOW + 30 * DAY


@pytest.mark.parametrize(("date", "wanted"), [(EARLIER, EARLIER), (LATER, NOW - DAY)])
def test_an_invalidity_date_before_the_revocation_counts(date, wanted) -> None:
    """RFC 5280 5.3.2: the key may have been in other hands long before it was revoked."""
    revoked = {"status": ocsp.OCSPCertStatus.REVOKED, "revoked_at": NOW - DAY}
    listed = revocation_list(MIDDLE, (STAMPER, NOW - DAY, None), invalidity_date=date)
    said = with_invalidity_date(answer(**revoked), f"{date:%Y%m%d%H%M%SZ}")
    for found in (statuses(crls=(listed,)), statuses(ocsp=(said,))):
        assert (found[0].revoked_at, found[0].invalid_from) == (NOW - DAY, wanted)


def test_without_an_invalidity_date_it_is_the_revocation() -> None:
    listed = revocation_list(MIDDLE, (STAMPER, NOW - DAY, None))
    assert statuses(crls=(listed,))[0].invalid_from == NOW - DAY
    assert statuses()[0].invalid_from is None


def test_an_invalidity_date_revokes_nothing_by_itself() -> None:
    good = with_invalidity_date(answer(), f"{EARLIER:%Y%m%d%H%M%SZ}")
    assert (statuses(ocsp=(good,))[0].state, statuses(ocsp=(good,))[0].invalid_from) == (
        "good",
        None,
    )


@pytest.mark.parametrize(
    "date", ["20260101", "20260101000000.5", "2026010100000Z", "19991332000000Z"]
)
def test_an_invalidity_date_that_is_none_is_refused(date) -> None:
    with pytest.raises(FormatError):
        statuses(ocsp=(with_invalidity_date(answer(), date),))


def test_the_gravest_reason_and_the_earliest_date_are_told() -> None:
    mild = revocation_list(MIDDLE, (STAMPER, NOW - DAY, Reason.superseded), invalidity_date=EARLIER)
    grave = revocation_list(MIDDLE, (STAMPER, NOW, Reason.key_compromise))
    for crls in ((mild, grave), (grave, mild)):
        status = statuses(crls=crls)[0]
        assert (status.reason, status.revoked_at) == ("keyCompromise", NOW - DAY)
        assert status.invalid_from == EARLIER


# -- together --------------------------------------------------------------------------------------


def test_a_revocation_wins_over_newer_good_words() -> None:
    listed = revocation_list(MIDDLE, (STAMPER, NOW - DAY, Reason.superseded))
    found = statuses(ocsp=(answer(this_update=NOW + DAY),), crls=(listed,))
    assert found[0].state == "revoked"
    worse = revocation_list(MIDDLE, (STAMPER, NOW, Reason.key_compromise))
    assert statuses(crls=(listed, worse))[0].reason == "keyCompromise"
    assert statuses(crls=(worse, listed))[0].reason == "keyCompromise"


def test_the_newest_good_word_is_told() -> None:
    words = (answer(this_update=NOW - DAY), answer(), answer(this_update=NOW - 2 * DAY))
    assert statuses(ocsp=words)[0].known_at == NOW


def test_changed_lists_are_refused_or_prove_nothing() -> None:
    der = revocation_list(MIDDLE, (STAMPER, NOW - DAY, Reason.key_compromise))
    truth = statuses(crls=(der,))[0]
    for place in range(len(der)):
        for mask in (0x01, 0x20, 0x80):
            changed = bytearray(der)
            changed[place] ^= mask
            try:
                status = statuses(crls=(bytes(changed),))[0]
            except (FormatError, AttestationError, SignatureError):
                continue
            assert status.state == "unknown" or status == truth


@pytest.mark.parametrize(
    "der", [b"", b"\x30\x00", b"<html>", answer() + b"\x00", answer()[:-1], STAMPER.der]
)
def test_what_cannot_be_read(der: bytes) -> None:
    with pytest.raises(FormatError):
        statuses(ocsp=(der,))
    with pytest.raises(FormatError):
        statuses(crls=(der,))


def test_sizes_are_limited() -> None:
    with pytest.raises(LimitExceededError):
        statuses(ocsp=(answer(),) * MAX_CERTIFICATES, crls=(revocation_list(),))
    for piece in ({"ocsp": (bytes(MAX_REVOCATION_BYTES + 1),)}, {"crls": (bytes(1 << 22),)}):
        with pytest.raises(LimitExceededError):
            statuses(**piece)
