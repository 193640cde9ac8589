"""An authority that stamps whatever it is told, truly or falsely, for tests of the judge.

Every choice that a forger has is an argument. Certificates are made by `cryptography`; the token is
put together octet by octet, so that it can be wrong in exactly one place.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from anchor.formats.der import OCTET_STRING, der_integer, der_oid, der_sequence, der_set, tlv

NOW = datetime(2026, 11, 23, 10, 2, 8, tzinfo=UTC)
YEAR = timedelta(days=365)
NULL = b"\x05\x00"
DIGEST_OIDS = {
    "md5": "1.2.840.113549.2.5",
    "sha1": "1.3.14.3.2.26",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "sha3_256": "2.16.840.1.101.3.4.2.8",
}
HASHES = {
    "sha1": hashes.SHA1(),
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@lru_cache
def key(kind: str = "p256", number: int = 0) -> Any:
    """Return a private key; the same one for the same kind and number."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "dsa":
        return dsa.generate_private_key(2048)
    curves = {
        "p224": ec.SECP224R1,
        "p256": ec.SECP256R1,
        "p384": ec.SECP384R1,
        "p521": ec.SECP521R1,
    }
    return ec.generate_private_key({**curves, "brainpool": ec.BrainpoolP256R1}[kind]())


def name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Forge"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


@dataclass(frozen=True, eq=False)
class Party:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def usage(**bits: bool) -> x509.KeyUsage:
    every = "digital_signature content_commitment key_encipherment data_encipherment key_agreement"
    every += " key_cert_sign crl_sign encipher_only decipher_only"
    return x509.KeyUsage(**{bit: bits.get(bit, False) for bit in every.split()})


def certify(
    subject: str | x509.Name,
    issuer: Party | None,
    *,
    own_key: Any = None,
    kind: str = "p256",
    number: int = 0,
    begin: datetime = NOW - YEAR,
    end: datetime = NOW + YEAR,
    ca: bool | None = None,
    path_length: int | None = None,
    key_usage: x509.KeyUsage | None = None,
    purposes: tuple[x509.ObjectIdentifier, ...] | None = None,
    critical_purposes: bool = True,
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    digest: str | None = "sha256",
    pss: bool = False,
    serial: int | None = None,
) -> Party:
    """Make a certificate; without an issuer it signs itself."""
    own_key = own_key or key(kind, number)
    own_name = name(subject) if isinstance(subject, str) else subject
    signer = issuer or Party(None, own_key)  # type: ignore[arg-type]
    builder = (
        x509.CertificateBuilder()
        .subject_name(own_name)
        .issuer_name(issuer.certificate.subject if issuer else own_name)
        .public_key(own_key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=critical_purposes)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical=critical)
    hash_ = (
        None if isinstance(signer.key, ed25519.Ed25519PrivateKey) else HASHES[digest or "sha256"]
    )
    scheme = {"rsa_padding": padding.PSS(padding.MGF1(hash_), 32)} if pss else {}
    return Party(builder.sign(signer.key, hash_, **scheme), own_key)


def root(subject: str = "Root", **changes: Any) -> Party:
    options = {"ca": True, "key_usage": usage(key_cert_sign=True, crl_sign=True), "number": 1}
    return certify(
        subject, None, **{**options, "begin": NOW - 5 * YEAR, "end": NOW + 9 * YEAR, **changes}
    )


def intermediate(issuer: Party, subject: str = "Intermediate", **changes: Any) -> Party:
    options = {"ca": True, "key_usage": usage(key_cert_sign=True, crl_sign=True), "number": 2}
    return certify(subject, issuer, **{**options, **changes})


def signer(issuer: Party | None, subject: str | x509.Name = "Stamper", **changes: Any) -> Party:
    options = {
        "purposes": (ExtendedKeyUsageOID.TIME_STAMPING,),
        "key_usage": usage(digital_signature=True),
        "number": 3,
    }
    return certify(subject, issuer, **{**options, **changes})


@dataclass(frozen=True, eq=False)
class Forge:
    """Everything that a token can say. Defaults make a genuine one."""

    signer: Party
    certificates: tuple[bytes, ...] = ()
    digest: bytes = hashlib.sha256(b"cat").digest()
    imprint_name: str = "sha256"
    gen_time: str = "20261123100208Z"
    accuracy: bytes = der_sequence(der_integer(1))
    nonce: int | None = 42
    extensions: bytes = b""
    digest_name: str = "sha256"
    message_digest: bytes | None = None
    content_type: str = "1.2.840.113549.1.9.16.1.4"
    ess: tuple[str, ...] = ("sha256",)  # "sha1" writes the first version of the attribute
    ess_for: bytes | None = None
    shown: bytes | None = None  # sent in place of the signer's own certificate
    attributes: bool = True
    more_attributes: tuple[bytes, ...] = ()
    key_id: bytes | None = None
    pss: str | None = None
    plain_rsa: bool = True
    version: int = 3
    signer_version: int | None = None
    signers: int = 1
    sort: bool = True

    def but(self, **changes: Any) -> Forge:
        return replace(self, **changes)

    def content(self) -> bytes:
        return der_sequence(
            der_integer(1),
            der_oid("1.3.6.1.4.1.13762.3"),
            der_sequence(
                der_sequence(der_oid(DIGEST_OIDS[self.imprint_name]), NULL),
                tlv(OCTET_STRING, self.digest),
            ),
            der_integer(7),
            tlv(0x18, self.gen_time.encode()),
            self.accuracy,
            b"" if self.nonce is None else der_integer(self.nonce),
            self.extensions,
        )

    def signed_attributes(self) -> list[bytes]:
        if not self.attributes:
            return []
        digest = hashlib.new(self.digest_name, self.content()).digest()
        certificate = self.ess_for or self.signer.der
        found = [
            attribute("1.2.840.113549.1.9.3", der_oid(self.content_type)),
            attribute("1.2.840.113549.1.9.4", tlv(OCTET_STRING, self.message_digest or digest)),
            *self.more_attributes,
        ]
        for hash_name in self.ess:
            value = tlv(OCTET_STRING, hashlib.new(hash_name, certificate).digest())
            if hash_name == "sha1":
                oid = "1.2.840.113549.1.9.16.2.12"
            else:
                oid = "1.2.840.113549.1.9.16.2.47"
                algorithm = der_sequence(der_oid(DIGEST_OIDS[hash_name]))
                value = (algorithm if hash_name != "sha256" else b"") + value
            found.append(attribute(oid, der_sequence(der_sequence(der_sequence(value)))))
        return found

    def sign(self, message: bytes) -> tuple[bytes, bytes]:
        """Return the algorithm identifier and the signature."""
        private, hash_ = self.signer.key, HASHES.get(self.digest_name)
        if isinstance(private, rsa.RSAPrivateKey) and self.pss:
            pad = padding.PSS(padding.MGF1(HASHES[self.pss]), 32)
            algorithm = der_sequence(der_oid(DIGEST_OIDS[self.pss]), NULL)
            parameters = der_sequence(
                tlv(0xA0, algorithm),
                tlv(0xA1, der_sequence(der_oid("1.2.840.113549.1.1.8"), algorithm)),
                tlv(0xA2, der_integer(32)),
            )
            oid = der_oid("1.2.840.113549.1.1.10")
            return der_sequence(oid, parameters), private.sign(message, pad, HASHES[self.pss])
        if isinstance(private, rsa.RSAPrivateKey):
            last = {"sha1": "5", "sha224": "14", "sha256": "11", "sha384": "12", "sha512": "13"}
            oid = "1.2.840.113549.1.1." + ("1" if self.plain_rsa else last[self.digest_name])
            return der_sequence(der_oid(oid), NULL), private.sign(
                message, padding.PKCS1v15(), hash_
            )
        if isinstance(private, ed25519.Ed25519PrivateKey):
            return der_sequence(der_oid("1.3.101.112")), private.sign(message)
        last = {"sha1": "1", "sha224": "3.1", "sha256": "3.2", "sha384": "3.3", "sha512": "3.4"}
        oid = "1.2.840.10045.4." + last[self.digest_name]
        return der_sequence(der_oid(oid)), private.sign(message, ec.ECDSA(hash_))

    def token(self) -> bytes:
        algorithm = der_sequence(der_oid(DIGEST_OIDS[self.digest_name]))
        attributes = der_set(self.signed_attributes())
        signed = attributes if self.attributes else self.content()
        scheme, signature = self.sign(signed)
        certificate = self.signer.certificate
        if self.key_id is None:
            identifier = der_sequence(
                certificate.issuer.public_bytes(), der_integer(certificate.serial_number)
            )
        else:
            identifier = tlv(0x80, self.key_id)
        info = der_sequence(
            der_integer(self.signer_version or (1 if self.key_id is None else 3)),
            identifier,
            algorithm,
            b"\xa0" + attributes[1:] if self.attributes else b"",
            scheme,
            tlv(OCTET_STRING, signature),
        )
        sent = (self.shown or self.signer.der, *self.certificates)
        return der_sequence(
            der_oid("1.2.840.113549.1.7.2"),
            tlv(
                0xA0,
                der_sequence(
                    der_integer(self.version),
                    der_set([algorithm]),
                    der_sequence(
                        der_oid("1.2.840.113549.1.9.16.1.4"),
                        tlv(0xA0, tlv(OCTET_STRING, self.content())),
                    ),
                    tlv(0xA0, *(sorted(sent) if self.sort else sent)),
                    der_set([info] * self.signers),
                ),
            ),
        )


def attribute(oid: str, *values: bytes) -> bytes:
    return der_sequence(der_oid(oid), der_set(values))
