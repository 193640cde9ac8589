"""Read an X.509 certificate (RFC 5280) into the few facts that a time-stamp's chain needs.

``cryptography`` does the reading; everything is taken out at once, so that its lazy errors appear
here as FormatError and nowhere later. The signed bytes and the algorithm come from our own DER
reader. Nothing is judged here: see :mod:`anchor.formats.x509_path`.
"""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from anchor.errors import FormatError
from anchor.formats.der import INTEGER, SEQUENCE, parse_der
from anchor.formats.x509_signature import Algorithm, PublicKey, parse_algorithm, verify_signature
from anchor.limits import MAX_CERTIFICATE_BYTES

NameKey: TypeAlias = tuple[frozenset[tuple[str, str | bytes]], ...]

# What the `x509` and `ocsp` modules may raise on malformed input.
READ_ERRORS: Final = (
    ValueError,
    TypeError,
    OverflowError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.AttributeNotFound,
    UnsupportedAlgorithm,
)
# The filters of warnings are the process's, so that one reader at a time sets them.
_QUIET = threading.RLock()
_HANDLED_CRITICAL: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        # Any policy is acceptable to us, so there is nothing to reject it for.
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)


# Without encipher_only and decipher_only, which only speak of key_agreement.
_KEY_USAGE: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)


@dataclass(frozen=True, slots=True)
class Signed:
    """The shape that certificates, CRLs and OCSP answers share: signed bytes, how, signature."""

    message: bytes
    algorithm: Algorithm
    signature: bytes

    def verify(self, key: PublicKey, what: str) -> None:
        """Verify the signature under ``key``; raises as ``verify_signature`` does."""
        verify_signature(key, self.algorithm, self.message, self.signature, what=what)


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """One certificate.

    Attributes:
        der: the certificate's bytes.
        subject_key, issuer_key: what the two names hold, to compare them quickly.
        key: its public key; ``key_bytes`` its SubjectPublicKeyInfo as it stands.
        is_ca, path_length: basicConstraints; False and None where absent.
        key_usage: the names of the bits that are set, or None without the extension.
        purposes: extended key usage OIDs, or None without the extension.
        purposes_critical: whether that extension is critical.
        key_not_before, key_not_after: privateKeyUsagePeriod, where it is stated.
        unhandled_critical: OIDs of critical extensions that are not understood here.
        crl_names: the distribution point URLs that the certificate names.
    """

    der: bytes
    subject: x509.Name
    issuer: x509.Name
    subject_key: NameKey
    issuer_key: NameKey
    serial: int
    not_before: datetime
    not_after: datetime
    key: PublicKey
    key_bytes: bytes
    signed: Signed
    is_ca: bool = False
    path_length: int | None = None
    key_usage: frozenset[str] | None = None
    purposes: frozenset[str] | None = None
    purposes_critical: bool = False
    key_id: bytes | None = None
    key_not_before: datetime | None = None
    key_not_after: datetime | None = None
    unhandled_critical: tuple[str, ...] = ()
    crl_names: frozenset[str] = field(default_factory=frozenset)

    @property
    def fingerprint(self) -> bytes:
        """Return the SHA-256 of the certificate."""
        return hashlib.sha256(self.der).digest()

    @property
    def issuer_der(self) -> bytes:
        """Return the issuer's name as DER."""
        return self.issuer.public_bytes()

    @property
    def issuer_name(self) -> str:
        """Return the issuer's whole name; printable."""
        return _printable(self.issuer.rfc4514_string())

    @property
    def name(self) -> str:
        """Return the subject's common name, else organisation, else all of it; printable."""
        for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
            for attribute in self.subject.get_attributes_for_oid(oid):
                return _printable(str(attribute.value))
        return _printable(self.subject.rfc4514_string())


def parse_signed(der: bytes, *, max_bytes: int, what: str) -> Signed:
    """Return the signed bytes, algorithm and signature of a certificate or CRL."""
    members = parse_der(der, max_bytes=max_bytes, what=what).members(SEQUENCE, what)
    message, algorithm, signature = members.take(), members.take(), members.take()
    members.end()
    return Signed(message.raw, parse_algorithm(algorithm, what), signature.bits(what))


@lru_cache(maxsize=512)
def parse_certificate(der: bytes) -> Certificate:
    """Return the certificate, or raise FormatError for bytes or a key that cannot be read.

    The newest are remembered: the same few chains come with every token.
    """
    signed = parse_signed(der, max_bytes=MAX_CERTIFICATE_BYTES, what="certificate")
    serial, algorithm = _serial_and_algorithm(signed.message)
    if serial < 0 or algorithm != signed.algorithm:
        raise FormatError("certificate: bad serial number or algorithm", code="tsp.certificate")
    with read_quietly():
        return _parse(der, signed, serial)


@contextmanager
def read_quietly() -> Iterator[None]:
    """Pass over what the library warns of while it reads: serial number 0, a country of 7 letters.

    Real authorities have such certificates. What is read of them must not depend on whether the
    process prints warnings, hides them or turns them into errors.
    """
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _parse(der: bytes, signed: Signed, serial: int) -> Certificate:
    try:
        loaded = x509.load_der_x509_certificate(der)
        key = loaded.public_key()
        if not isinstance(
            key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
        ):
            raise FormatError("certificate: a key of another kind", code="tsp.key.unknown")
        return Certificate(
            der=der,
            subject=loaded.subject,
            issuer=loaded.issuer,
            subject_key=_name_key(loaded.subject),
            issuer_key=_name_key(loaded.issuer),
            serial=serial,
            not_before=loaded.not_valid_before_utc,
            not_after=loaded.not_valid_after_utc,
            key=key,
            key_bytes=_key_bytes(
                signed.message, is_point=isinstance(key, ec.EllipticCurvePublicKey)
            ),
            signed=signed,
            **_extension_facts(loaded.extensions),
        )
    except READ_ERRORS as exc:
        raise FormatError("certificate: it cannot be read", code="tsp.certificate") from exc


def _name_key(name: x509.Name) -> NameKey:
    """Return what makes two names equal: their attributes, whatever type of string holds them."""
    return tuple(frozenset((a.oid.dotted_string, a.value) for a in rdn) for rdn in name.rdns)


def _serial_and_algorithm(message: bytes) -> tuple[int, Algorithm]:
    """Return both as they stand inside of what is signed (RFC 5280 4.1.1.2, 4.1.2.2)."""
    what = "certificate"
    members = parse_der(message, max_bytes=MAX_CERTIFICATE_BYTES, what=what).members(SEQUENCE, what)
    members.take_if(0xA0)  # the version
    serial = members.take(INTEGER).integer(what)
    return serial, parse_algorithm(members.take(), what)


def _key_bytes(message: bytes, *, is_point: bool) -> bytes:
    """Return the SubjectPublicKeyInfo as it stands; others take digests of it (RFC 6960 4.1.1).

    A point in the hybrid form (RFC 5480 2.2 forbids it) is refused: not every reader takes it.
    """
    what = "certificate"
    members = parse_der(message, max_bytes=MAX_CERTIFICATE_BYTES, what=what).members(SEQUENCE, what)
    members.take_if(0xA0)  # the version
    for _ in ("serial number", "algorithm", "issuer", "validity", "subject"):
        members.take()
    info = members.take(SEQUENCE)
    parts = info.members(SEQUENCE, what)
    parts.take()
    if is_point and parts.take().bits(what)[:1] not in (b"\x02", b"\x03", b"\x04"):
        raise FormatError("certificate: a point in an unknown form", code="tsp.certificate")
    return info.raw


def _extension_facts(extensions: x509.Extensions) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    unhandled = []
    for extension in extensions:
        value = extension.value
        match value:
            case x509.BasicConstraints():
                facts |= {"is_ca": value.ca, "path_length": value.path_length}
            case x509.KeyUsage():
                facts["key_usage"] = frozenset(bit for bit in _KEY_USAGE if getattr(value, bit))
            case x509.ExtendedKeyUsage():
                facts["purposes"] = frozenset(purpose.dotted_string for purpose in value)
                facts["purposes_critical"] = extension.critical
            case x509.SubjectKeyIdentifier():
                facts["key_id"] = value.digest
            case x509.PrivateKeyUsagePeriod():
                facts |= {"key_not_before": _utc(value.not_before)}
                facts |= {"key_not_after": _utc(value.not_after)}
            case x509.CRLDistributionPoints():
                facts["crl_names"] = frozenset(url for point in value for url in point_urls(point))
        if extension.critical and extension.oid not in _HANDLED_CRITICAL:
            unhandled.append(extension.oid.dotted_string)
    return facts | {"unhandled_critical": tuple(unhandled)}


def point_urls(point: x509.DistributionPoint | x509.IssuingDistributionPoint) -> list[str]:
    """Return the URLs by which a distribution point is named."""
    names = point.full_name or ()
    return [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
