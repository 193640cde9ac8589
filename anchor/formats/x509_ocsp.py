"""Read OCSP answers and verify who gave them (RFC 6960 4.2).

An answer counts when the certificate's issuer signed it, or a responder whose certificate the same
issuer signed for that purpose. Not here: the responder's own revocation, and nonces: a saved answer
is for later readers, who asked nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cryptography.x509 import ocsp as x509_ocsp

from anchor.errors import AttestationError, FormatError, SignatureError
from anchor.formats.der import (
    BOOLEAN,
    GENERALIZED_TIME,
    OCTET_STRING,
    SEQUENCE,
    Element,
    parse_der,
)
from anchor.formats.x509_certificate import (
    READ_ERRORS,
    Certificate,
    Signed,
    parse_certificate,
    read_quietly,
)
from anchor.formats.x509_signature import parse_algorithm
from anchor.limits import MAX_CERTIFICATE_BYTES, MAX_REVOCATION_BYTES

State = Literal["good", "revoked", "unknown"]

_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
_INVALIDITY_DATE = "2.5.29.24"
_MAX_RESPONDERS = 4
_CERT_ID_DIGESTS: Final = frozenset({"sha1", "sha256", "sha384", "sha512"})
_STATES: Final[dict[x509_ocsp.OCSPCertStatus, State]] = {
    x509_ocsp.OCSPCertStatus.GOOD: "good",
    x509_ocsp.OCSPCertStatus.REVOKED: "revoked",
    x509_ocsp.OCSPCertStatus.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class OcspWord:
    """What an OCSP answer says about one certificate, and how it names that one."""

    serial: int
    digest_name: str
    issuer_digests: tuple[bytes, bytes]
    state: State
    known_at: datetime
    next_update: datetime | None
    revoked_at: datetime | None
    reason: str | None
    invalid_from: datetime | None

    @classmethod
    def read(
        cls, single: x509_ocsp.OCSPSingleResponse, invalid_from: datetime | None = None
    ) -> OcspWord:
        """Take everything out at once, so that no error of the reader comes later."""
        reason = single.revocation_reason
        return cls(
            serial=single.serial_number,
            digest_name=single.hash_algorithm.name,
            issuer_digests=(single.issuer_name_hash, single.issuer_key_hash),
            state=_STATES[single.certificate_status],
            known_at=single.this_update_utc,
            next_update=single.next_update_utc,
            revoked_at=single.revocation_time_utc,
            reason=reason.value if reason else None,
            invalid_from=invalid_from,
        )

    def is_about(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Tell whether serial number, issuer's name and issuer's key fit."""
        if self.serial != certificate.serial or self.digest_name not in _CERT_ID_DIGESTS:
            return False
        info = parse_der(issuer.key_bytes, max_bytes=MAX_CERTIFICATE_BYTES, what="key")
        members = info.members(SEQUENCE, "key")
        members.take()
        parts = (issuer.subject.public_bytes(), members.take().bits("key"))
        return self.issuer_digests == tuple(
            hashlib.new(self.digest_name, part, usedforsecurity=False).digest() for part in parts
        )


class OcspAnswer:
    """One OCSP answer; FormatError for bytes that are none and for refusals."""

    def __init__(self, der: bytes) -> None:
        self.signed, self.sent = _basic_response(der)
        dates = _invalidity_dates(self.signed.message)
        try:
            with read_quietly():
                loaded = x509_ocsp.load_der_ocsp_response(der)
                if loaded.response_status is not x509_ocsp.OCSPResponseStatus.SUCCESSFUL:
                    raise FormatError("OCSP answer: it is a refusal", code="tsp.ocsp.refusal")
                self.words = [
                    OcspWord.read(single, date)
                    for single, date in zip(loaded.responses, dates, strict=True)
                ]
                self.produced_at = loaded.produced_at_utc
        except READ_ERRORS as exc:
            raise FormatError("OCSP answer: it cannot be read", code="tsp.ocsp.format") from exc

    def words_about(self, certificate: Certificate, issuer: Certificate) -> Iterator[OcspWord]:
        """Yield what is said about the certificate, once it is verified that its issuer says so.

        Raises:
            SignatureError: it is about this certificate and neither the issuer nor a responder that
                the issuer certified signed it.
            AttestationError: it is from a time when the issuer's certificate was not valid.
        """
        for word in self.words:
            if not word.is_about(certificate, issuer):
                continue
            self._verify(issuer)
            if not issuer.not_before <= word.known_at <= issuer.not_after:
                raise AttestationError(
                    "OCSP answer: outside its issuer's time", code="tsp.ocsp.time"
                )
            yield word

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


def _basic_response(der: bytes) -> tuple[Signed, list[bytes]]:
    """Return the signed part of an OCSP answer and the certificates sent along (RFC 6960 4.2.1)."""
    what = "OCSP answer"
    outer = parse_der(der, max_bytes=MAX_REVOCATION_BYTES, what=what).members(SEQUENCE, what)
    outer.take()  # the status, which is read elsewhere
    typed = outer.take().inner(0xA0, what).members(SEQUENCE, what)
    typed.take()
    body = typed.take(OCTET_STRING).content
    basic = parse_der(body, max_bytes=MAX_REVOCATION_BYTES, what=what).members(SEQUENCE, what)
    message, algorithm = basic.take().raw, parse_algorithm(basic.take(), what)
    signature, sent = basic.take().bits(what), basic.take_if(0xA0)
    found = sent.inner(0xA0, what).members(SEQUENCE, what).rest() if sent else []
    return Signed(message, algorithm, signature), [certificate.raw for certificate in found]


def _invalidity_dates(message: bytes) -> list[datetime | None]:
    """Return for each single answer from when on its certificate is said to be invalid.

    A CRL entry's invalidityDate may stand among its singleExtensions (RFC 6960 4.4.5, RFC 5280
    5.3.2), which the library reads of the first one only.
    """
    what = "OCSP answer"
    members = parse_der(message, max_bytes=MAX_REVOCATION_BYTES, what=what).members(SEQUENCE, what)
    members.take_if(0xA0)  # the version
    members.take()  # who answers
    members.take(GENERALIZED_TIME)
    return [_invalidity_date(single) for single in members.take().members(SEQUENCE, what).rest()]


def _invalidity_date(single: Element) -> datetime | None:
    what = "OCSP answer"
    members = single.members(SEQUENCE, what)
    for _ in ("certificate", "status", "time"):
        members.take()
    members.take_if(0xA0)  # when newer word is due
    extensions = members.take_if(0xA1)
    members.end()
    dates = []
    for extension in (
        extensions.inner(0xA1, what).members(SEQUENCE, what).rest() if extensions else ()
    ):
        parts = extension.members(SEQUENCE, what)
        oid = parts.take().oid(what)
        parts.take_if(BOOLEAN)
        value = parts.take().octets(what)
        parts.end()
        if oid == _INVALIDITY_DATE:
            date = parse_der(value, max_bytes=MAX_REVOCATION_BYTES, what=what)
            dates.append(date.generalized_time(what).replace(microsecond=0))
    return min(dates, default=None)
