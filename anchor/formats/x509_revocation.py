"""Say what OCSP answers and CRLs tell about the certificates of a chain (RFC 6960, RFC 5280 5).

Pieces about other certificates prove nothing and are passed over; pieces that are about this chain
and are not genuinely signed are an error, since somebody made them. Nothing here knows what time it
is: each status says when it was so. Not here: delta and indirect CRLs and those for some reasons
only, which are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Final, Literal

from cryptography import x509

from anchor.errors import AttestationError, FormatError, LimitExceededError, SignatureError
from anchor.formats.x509_certificate import (
    READ_ERRORS,
    Certificate,
    parse_certificate,
    parse_signed,
    point_urls,
    read_quietly,
)
from anchor.formats.x509_ocsp import OcspAnswer, OcspWord, State
from anchor.limits import MAX_CERTIFICATES, MAX_REVOCATION_BYTES

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
        invalid_from: for ``revoked``; from when on the key is not believed: the invalidityDate
            (RFC 5280 5.3.2) where one before ``revoked_at`` is stated, else ``revoked_at``.
    """

    name: str
    fingerprint: bytes
    state: State = "unknown"
    source: Literal["ocsp", "crl"] | None = None
    known_at: datetime | None = None
    next_update: datetime | None = None
    revoked_at: datetime | None = None
    reason: str | None = None
    invalid_from: datetime | None = None

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
    if len(ocsp) + len(crls) > MAX_CERTIFICATES:
        raise LimitExceededError(f"more than {MAX_CERTIFICATES} pieces of revocation data")
    certificates = [parse_certificate(der) for der in chain]
    answers = [OcspAnswer(der) for der in ocsp]
    lists = [_RevocationList(der) for der in crls]
    statuses = []
    for certificate, issuer in pairwise(certificates):
        words = [word for answer in answers for word in answer.words_about(certificate, issuer)]
        found = [_status_of(certificate, word) for word in words]
        found += [s for crl in lists for s in crl.statuses(certificate, issuer)]
        statuses.append(_sum(certificate, found))
    return tuple(statuses)


def _status_of(certificate: Certificate, word: OcspWord) -> CertificateStatus:
    return CertificateStatus(
        name=certificate.name,
        fingerprint=certificate.fingerprint,
        state=word.state,
        source="ocsp",
        known_at=word.known_at,
        next_update=word.next_update,
        revoked_at=word.revoked_at,
        reason=word.reason,
        invalid_from=_earliest(word.revoked_at, word.invalid_from),
    )


def _sum(certificate: Certificate, found: Sequence[CertificateStatus]) -> CertificateStatus:
    revoked = [status for status in found if status.state == "revoked"]
    if revoked:
        # The reason of the gravest, the dates of the earliest.
        return replace(
            min(revoked, key=lambda s: (not s.voids_earlier_tokens, str(s.invalid_from))),
            revoked_at=_earliest(*(status.revoked_at for status in revoked)),
            invalid_from=_earliest(*(status.invalid_from for status in revoked)),
        )
    if found:
        return max(found, key=lambda s: (s.state == "good", str(s.known_at)))
    return CertificateStatus(certificate.name, certificate.fingerprint)


def _earliest(revoked_at: datetime | None, *others: datetime | None) -> datetime | None:
    """Return the earliest time; None where nothing was revoked, whatever else is stated."""
    if revoked_at is None:
        return None
    return min(revoked_at, *(other for other in others if other), revoked_at)


class _RevocationList:
    """One CRL."""

    def __init__(self, der: bytes) -> None:
        self.signed = parse_signed(der, max_bytes=MAX_REVOCATION_BYTES, what="CRL")
        try:
            with read_quietly():
                self.loaded = x509.load_der_x509_crl(der)
                self.issuer = self.loaded.issuer
                self.this_update = self.loaded.last_update_utc
                self.next_update = self.loaded.next_update_utc
                self.critical = [e.value for e in self.loaded.extensions if e.critical]
        except READ_ERRORS as exc:
            raise FormatError("CRL: it cannot be read", code="tsp.crl.format") from exc

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
            with read_quietly():
                entry = self.loaded.get_revoked_certificate_by_serial_number(certificate.serial)
                reason, invalid_from = _entry_extensions(entry)
                revoked_at = entry.revocation_date_utc if entry else None
        except READ_ERRORS as exc:
            raise FormatError("CRL: an entry cannot be read", code="tsp.crl.format") from exc
        yield CertificateStatus(
            name=certificate.name,
            fingerprint=certificate.fingerprint,
            state="revoked" if entry else "good",
            source="crl",
            known_at=self.this_update,
            next_update=self.next_update,
            revoked_at=revoked_at,
            reason=reason,
            invalid_from=_earliest(revoked_at, invalid_from),
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


def _entry_extensions(entry: x509.RevokedCertificate | None) -> tuple[str | None, datetime | None]:
    """Return the reason and the invalidity date that an entry states (RFC 5280 5.3.1, 5.3.2)."""
    reason = invalid_from = None
    for extension in entry.extensions if entry else ():
        if isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason.value
        elif isinstance(extension.value, x509.InvalidityDate):
            invalid_from = extension.value.invalidity_date_utc
    return reason, invalid_from
