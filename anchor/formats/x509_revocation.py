"""Read what OCSP answers and CRLs say about the certificates of a chain (RFC 6960, RFC 5280 5).

Each piece must be signed by the issuer of the certificate it speaks of, or for OCSP by a responder
that this issuer certified for it. Pieces about other certificates prove nothing and are passed
over; pieces that are about this chain and are not genuinely signed are an error, since somebody
made them. Nothing here knows what time it is: each status says when it was so.

Not here: delta and indirect CRLs and those for some reasons only (passed over), the responder's own
revocation, nonces: a saved answer is for later readers, who asked nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, Literal

from cryptography import x509
from cryptography.x509 import ocsp as x509_ocsp

from anchor.errors import AttestationError, FormatError, SignatureError
from anchor.formats.der import BIT_STRING, OCTET_STRING, SEQUENCE, parse_der
from anchor.formats.x509_certificate import (
    READ_ERRORS,
    Certificate,
    Signed,
    parse_certificate,
    parse_signed,
    point_urls,
)
from anchor.formats.x509_signature import parse_algorithm
from anchor.limits import MAX_CERTIFICATE_BYTES, MAX_REVOCATION_BYTES

_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
_MAX_RESPONDERS = 4
# Ends of a certificate's life after which earlier tokens stay good (RFC 3161 4, 1).
_SPARING_REASONS: Final = frozenset(
    {"unspecified", "affiliationChanged", "superseded", "cessationOfOperation"}
)


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """What is known about one certificate's revocation.

    Attributes:
        name, fingerprint: which certificate; SHA-256 of it.
        state: ``unknown`` where nothing genuine speaks of it.
        source: ``ocsp`` or ``crl``; None when unknown.
        known_at: the state was so at this time (thisUpdate); a good one says no more.
        next_update: when newer word was due, where stated.
        revoked_at, reason: for ``revoked``; the reason as RFC 5280 spells it, None if not stated.
    """

    name: str
    fingerprint: bytes
    state: Literal["good", "revoked", "unknown"] = "unknown"
    source: Literal["ocsp", "crl"] | None = None
    known_at: datetime | None = None
    next_update: datetime | None = None
    revoked_at: datetime | None = None
    reason: str | None = None

    @property
    def voids_earlier_tokens(self) -> bool:
        """Tell whether tokens from before the revocation count no more (RFC 3161 4, 1)."""
        return self.state == "revoked" and self.reason not in _SPARING_REASONS


def verify_revocation(
    chain: Sequence[bytes], *, ocsp: Sequence[bytes], crls: Sequence[bytes]
) -> tuple[CertificateStatus, ...]:
    """Return the status of each certificate of a verified chain but the root, in its order.

    Where several pieces speak, a revocation wins over any good word, else the newest.

    Raises:
        FormatError: a piece cannot be read.
        AttestationError, SignatureError: a piece is about this chain and not genuine
            (``tsp.ocsp.…``, ``tsp.crl.…``).
    """
    certificates = [parse_certificate(der) for der in chain]
    answers = [_Answer(der) for der in ocsp]
    lists = [_RevocationList(der) for der in crls]
    statuses = []
    for certificate, issuer in pairwise(certificates):
        found = [s for answer in answers for s in answer.statuses(certificate, issuer)]
        found += [s for crl in lists for s in crl.statuses(certificate, issuer)]
        statuses.append(_sum(certificate, found))
    return tuple(statuses)


def _sum(certificate: Certificate, found: Sequence[CertificateStatus]) -> CertificateStatus:
    revoked = [status for status in found if status.state == "revoked"]
    if revoked:
        return min(revoked, key=lambda s: (not s.voids_earlier_tokens, str(s.revoked_at)))
    if found:
        return max(found, key=lambda s: (s.state == "good", str(s.known_at)))
    return CertificateStatus(certificate.name, certificate.fingerprint)


class _Answer:
    """One OCSP answer."""

    def __init__(self, der: bytes) -> None:
        try:
            loaded = x509_ocsp.load_der_ocsp_response(_sized(der, "OCSP answer"))
            if loaded.response_status is not x509_ocsp.OCSPResponseStatus.SUCCESSFUL:
                raise FormatError("OCSP answer: it is a refusal", code="tsp.ocsp.refusal")
            self.singles = list(loaded.responses)
            self.produced_at = loaded.produced_at_utc
            self.signed, self.sent = _basic_response(der)
        except READ_ERRORS as exc:
            raise FormatError("OCSP answer: it cannot be read", code="tsp.ocsp.format") from exc

    def statuses(
        self, certificate: Certificate, issuer: Certificate
    ) -> Iterator[CertificateStatus]:
        for single in self.singles:
            if single.serial_number != certificate.serial or not _is_issuer(single, issuer):
                continue
            self._verify(issuer)
            if not issuer.not_before <= single.this_update_utc <= issuer.not_after:
                raise AttestationError(
                    "OCSP answer: outside its issuer's time", code="tsp.ocsp.time"
                )
            reason = single.revocation_reason
            yield CertificateStatus(
                name=certificate.name,
                fingerprint=certificate.fingerprint,
                state=_STATES[single.certificate_status],
                source="ocsp",
                known_at=single.this_update_utc,
                next_update=single.next_update_utc,
                revoked_at=single.revocation_time_utc,
                reason=reason.value if reason else None,
            )

    def _verify(self, issuer: Certificate) -> None:
        """Verify the signature as the issuer's, or as that of a responder that it certified."""
        for responder in (issuer, *self._responders(issuer)):
            try:
                self.signed.verify(responder.key, "OCSP answer")
            except SignatureError:
                continue
            return
        raise SignatureError(
            "OCSP answer: not signed by the issuer or its responder", code="tsp.ocsp.signature"
        )

    def _responders(self, issuer: Certificate) -> Iterator[Certificate]:
        for der in self.sent[:_MAX_RESPONDERS]:
            responder = parse_certificate(der)
            if (
                responder.issuer == issuer.subject
                and _OCSP_SIGNING in (responder.purposes or ())
                and responder.not_before <= self.produced_at <= responder.not_after
            ):
                responder.signed.verify(issuer.key, "OCSP responder's certificate")
                yield responder


_STATES: Final[dict[x509_ocsp.OCSPCertStatus, Literal["good", "revoked", "unknown"]]] = {
    x509_ocsp.OCSPCertStatus.GOOD: "good",
    x509_ocsp.OCSPCertStatus.REVOKED: "revoked",
    x509_ocsp.OCSPCertStatus.UNKNOWN: "unknown",
}


class _RevocationList:
    """One CRL."""

    def __init__(self, der: bytes) -> None:
        try:
            self.loaded = x509.load_der_x509_crl(_sized(der, "CRL"))
            self.issuer = self.loaded.issuer
            self.this_update = self.loaded.last_update_utc
            self.next_update = self.loaded.next_update_utc
            self.critical = [e.value for e in self.loaded.extensions if e.critical]
        except READ_ERRORS as exc:
            raise FormatError("CRL: it cannot be read", code="tsp.crl.format") from exc
        self.signed = parse_signed(der, max_bytes=MAX_REVOCATION_BYTES, what="CRL")

    def statuses(
        self, certificate: Certificate, issuer: Certificate
    ) -> Iterator[CertificateStatus]:
        if self.issuer != issuer.subject or not self._covers(certificate):
            return
        if issuer.key_usage is not None and "crl_sign" not in issuer.key_usage:
            raise AttestationError("CRL: its issuer may not sign CRLs", code="tsp.crl.key_usage")
        try:
            self.signed.verify(issuer.key, "CRL")
        except SignatureError as exc:
            raise SignatureError("CRL: not signed by the issuer", code="tsp.crl.signature") from exc
        if not issuer.not_before <= self.this_update <= issuer.not_after:
            raise AttestationError("CRL: outside its issuer's time", code="tsp.crl.time")
        try:
            entry = self.loaded.get_revoked_certificate_by_serial_number(certificate.serial)
            reason = None
            for extension in entry.extensions if entry else ():
                if isinstance(extension.value, x509.CRLReason):
                    reason = extension.value.reason.value
        except READ_ERRORS as exc:
            raise FormatError("CRL: an entry cannot be read", code="tsp.crl.format") from exc
        yield CertificateStatus(
            name=certificate.name,
            fingerprint=certificate.fingerprint,
            state="revoked" if entry else "good",
            source="crl",
            known_at=self.this_update,
            next_update=self.next_update,
            revoked_at=entry.revocation_date_utc if entry else None,
            reason=reason,
        )

    def _covers(self, certificate: Certificate) -> bool:
        """Tell whether a certificate's absence from this list would mean that it is good."""
        for value in self.critical:
            if not isinstance(value, x509.IssuingDistributionPoint):
                return False
            other_kind = (
                value.only_contains_user_certs
                if certificate.is_ca
                else (value.only_contains_ca_certs)
            )
            partial = value.indirect_crl or value.only_some_reasons or value.relative_name
            if partial or other_kind or value.only_contains_attribute_certs:
                return False
            if value.full_name and not certificate.crl_names.intersection(point_urls(value)):
                return False
        return True


def _sized(der: bytes, what: str) -> bytes:
    parse_der(der, max_bytes=MAX_REVOCATION_BYTES, what=what)
    return der


def _basic_response(der: bytes) -> tuple[Signed, list[bytes]]:
    """Return the signed part of an OCSP answer and the certificates sent along (RFC 6960 4.2.1)."""
    what = "OCSP answer"
    outer = parse_der(der, max_bytes=MAX_REVOCATION_BYTES, what=what).members(SEQUENCE, what)
    outer.take()
    typed = outer.take().inner(0xA0, what).members(SEQUENCE, what)
    typed.take()
    body = typed.take(OCTET_STRING).content
    basic = parse_der(body, max_bytes=MAX_REVOCATION_BYTES, what=what).members(SEQUENCE, what)
    message, algorithm = basic.take().raw, parse_algorithm(basic.take(), what)
    signature, sent = basic.take().bits(what), basic.take_if(0xA0)
    found = sent.inner(0xA0, what).members(SEQUENCE, what).rest() if sent else []
    return Signed(message, algorithm, signature), [certificate.raw for certificate in found]


def _is_issuer(single: x509_ocsp.OCSPSingleResponse, issuer: Certificate) -> bool:
    name = single.hash_algorithm.name
    if name not in {"sha1", "sha256", "sha384", "sha512"}:
        return False
    info = parse_der(issuer.key_bytes, max_bytes=MAX_CERTIFICATE_BYTES, what="key")
    members = info.members(SEQUENCE, "key")
    members.take()
    key = members.take(BIT_STRING).bits("key")
    digests = [
        hashlib.new(name, data, usedforsecurity=False).digest()
        for data in (issuer.subject.public_bytes(), key)
    ]
    return digests == [single.issuer_name_hash, single.issuer_key_hash]
