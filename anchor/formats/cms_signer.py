"""Read who signed a CMS message and what exactly (RFC 5652 5.3; RFC 5035 5, RFC 5816 2).

Signed attributes are required: without them nothing binds the signer's certificate, and CMS lets
signed attributes be passed off as content. Unsigned attributes are passed over, since nobody
vouches for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anchor.errors import FormatError
from anchor.formats.der import SEQUENCE, SET, Element, tlv
from anchor.formats.x509_signature import Algorithm, parse_algorithm

CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"


@dataclass(frozen=True, slots=True)
class Signer:
    """What the one SignerInfo of a token says (RFC 5652 5.3).

    Attributes:
        issuer: DER of the issuer's Name, or None when ``key_id`` names the certificate.
        serial: the certificate's serial number, or None likewise.
        key_id: subject key identifier, or None.
        signed_attributes: DER of the SET, the bytes that are signed.
        certificate_digests: (digest name, digest) of the signer's certificate, from each of the
            signing-certificate attributes.
    """

    issuer: bytes | None
    serial: int | None
    key_id: bytes | None
    digest_name: str
    algorithm: Algorithm
    signature: bytes
    signed_attributes: bytes
    content_type: str
    message_digest: bytes
    certificate_digests: tuple[tuple[str, bytes], ...]


def parse_signer(element: Element) -> Signer:
    """Return what a SignerInfo says; FormatError where RFC 3161 2.4.2 wants more or less."""
    what = "signer"
    members = element.members(SEQUENCE, what)
    version, identifier = members.take().integer(what), members.take()
    digest = parse_algorithm(members.take(), what)
    signed = members.take_if(0xA0)
    algorithm, signature = parse_algorithm(members.take(), what), members.take().octets(what)
    members.take_if(0xA1)  # unsigned attributes
    members.end()
    if signed is None:
        raise FormatError("signer: no signed attributes", code="tsp.signed_attributes")
    issuer = serial = key_id = None
    if identifier.tag == 0x80:
        key_id = identifier.content
    else:
        named = identifier.members(SEQUENCE, what)
        issuer, serial = named.take(SEQUENCE).raw, named.take().integer(what)
        named.end()
    if version != (1 if key_id is None else 3):
        raise FormatError(f"signer: version {version}", code="tsp.signed_data")
    attributes = _attributes(signed)
    for oid in (CONTENT_TYPE, MESSAGE_DIGEST):
        if oid not in attributes:
            raise FormatError(f"signer: no attribute {oid}", code="tsp.signed_attributes")
    return Signer(
        issuer=issuer,
        serial=serial,
        key_id=key_id,
        digest_name=digest.digest_name,
        algorithm=algorithm,
        signature=signature,
        signed_attributes=tlv(SET, signed.content),
        content_type=attributes[CONTENT_TYPE].oid(what),
        message_digest=attributes[MESSAGE_DIGEST].octets(what),
        certificate_digests=tuple(
            _certificate_digest(attributes[oid], default)
            for oid, default in ((SIGNING_CERTIFICATE, "sha1"), (SIGNING_CERTIFICATE_V2, "sha256"))
            if oid in attributes
        ),
    )


def _attributes(signed: Element) -> dict[str, Element]:
    """Return the single value of each signed attribute by its OID."""
    found: dict[str, Element] = {}
    for attribute in signed.members(0xA0, "signed attributes").rest():
        members = attribute.members(SEQUENCE, "signed attribute")
        oid, values = members.take().oid("signed attribute"), members.take()
        members.end()
        every = values.members(SET, f"attribute {oid}").rest()
        if oid in found or len(every) != 1:
            raise FormatError(f"attribute {oid}: not one value", code="tsp.signed_attributes")
        found[oid] = every[0]
    return found


def _certificate_digest(value: Element, default: str) -> tuple[str, bytes]:
    """Return the digest of the first, the signer's, of the certificates in the attribute.

    The issuer and serial number beside it add nothing: the digest covers both.
    """
    what = "signing certificate"
    certificates = value.members(SEQUENCE, what).take().members(SEQUENCE, what)
    members = certificates.take().members(SEQUENCE, what)
    algorithm = members.take_if(SEQUENCE) if default == "sha256" else None
    name = parse_algorithm(algorithm, what).digest_name if algorithm else default
    return name, members.take().octets(what)
