"""A time-stamping authority made on this machine for one occasion: the demo, a test.

Its tokens are real RFC 3161 tokens, which any verifier reads and which prove nothing to anybody but
the one who made the authority: a policy that names its root is of class ``test``. The root's key is
dropped as soon as it has signed the one certificate below it.

What this deliberately does not do: keep serial numbers, publish revocation, obey extensions.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from anchor.errors import FormatError
from anchor.formats.cms_signer import CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_CERTIFICATE_V2
from anchor.formats.der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    UTF8_STRING,
    der_integer,
    der_oid,
    der_sequence,
    der_set,
    parse_der,
    tlv,
)
from anchor.formats.encoding import base64_text
from anchor.formats.tsp import SIGNED_DATA, TST_INFO
from anchor.formats.x509_signature import DIGEST_NAMES, parse_algorithm

# An arc made from a UUID (ITU-T X.667), which nobody has to hand out: the local authority's policy.
LOCAL_POLICY_OID: Final = "2.25.108748584281044973770125636355281763768"
_SHA256: Final = der_sequence(der_oid("2.16.840.1.101.3.4.2.1"))
_ECDSA_SHA256: Final = der_sequence(der_oid("1.2.840.10045.4.3.2"))
MAX_REQUEST_BYTES: Final = 4096
_BAD_ALG, _BAD_DATA_FORMAT, _UNACCEPTED_POLICY = 0, 5, 15


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for (RFC 3161 2.4.1)."""

    imprint: bytes
    digest_name: str
    digest: bytes
    policy_oid: str | None
    nonce: bytes
    wants_certificate: bool


class LocalAuthority:
    """A root certificate, a signer's certificate under it, and the signer's key, in memory.

    Attributes:
        root: DER of the root's certificate, for the policy that is to trust it.
        signer: DER of the signer's certificate.
    """

    def __init__(
        self,
        root: bytes,
        signer: bytes,
        key: ec.EllipticCurvePrivateKey,
        clock: Callable[[], datetime],
    ) -> None:
        self.root = root
        self.signer = signer
        self._key = key
        self._clock = clock

    @classmethod
    def create(
        cls,
        now: datetime,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        days: int = 365,
    ) -> LocalAuthority:
        """Make an authority whose certificates run from an hour before ``now`` for some days.

        Args:
            now: aware UTC.
            clock: what it stamps with.
            days: how long the certificates run.
        """
        begin, end = now - timedelta(hours=1), now + timedelta(days=days)
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root_name = _name(f"Local test root {secrets.token_hex(4)}")
        root = (
            _builder(root_name, root_name, root_key, begin, end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        signer = (
            _builder(_name("Local test time-stamping"), root_name, key, begin, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage("digital_signature"), critical=True)
            .add_extension(purposes, critical=True)
            .sign(root_key, hashes.SHA256())
        )
        return cls(root.public_bytes(Encoding.DER), signer.public_bytes(Encoding.DER), key, clock)

    @property
    def root_pem(self) -> bytes:
        """Return the root's certificate as PEM."""
        return x509.load_der_x509_certificate(self.root).public_bytes(Encoding.PEM)

    def policy_entry(self) -> dict[str, Any]:
        """Return the object that trusts this authority in a policy, which is of class ``test``."""
        return {
            "name": "local test authority",
            "roots": [base64_text(self.root)],
            "accuracy_s": 1,
            "qualified": False,
        }

    def respond(self, request: bytes) -> bytes:
        """Return the DER of the response to a request: a token, or a refusal that says why."""
        try:
            asked = _parse_request(request)
        except FormatError as exc:
            return _refusal(_BAD_DATA_FORMAT, exc.message)
        sizes = {"sha256": 32, "sha384": 48, "sha512": 64}
        if sizes.get(asked.digest_name) != len(asked.digest):
            return _refusal(_BAD_ALG, "SHA-256, SHA-384 or SHA-512 is wanted")
        if asked.policy_oid not in {None, LOCAL_POLICY_OID}:
            return _refusal(_UNACCEPTED_POLICY, "there is one policy here and it is another")
        return der_sequence(der_sequence(der_integer(0)), self._token(asked))

    def _token(self, asked: _Request) -> bytes:
        now = self._clock().astimezone(UTC)
        content = der_sequence(
            der_integer(1),
            der_oid(LOCAL_POLICY_OID),
            asked.imprint,
            der_integer(secrets.randbits(64) | 1),
            tlv(GENERALIZED_TIME, f"{now:%Y%m%d%H%M%SZ}".encode()),
            der_sequence(der_integer(1)),  # accurate to a second, of which the fraction is cut off
            asked.nonce,
        )
        attributes = der_set(
            [
                _attribute(CONTENT_TYPE, der_oid(TST_INFO)),
                _attribute(MESSAGE_DIGEST, tlv(OCTET_STRING, hashlib.sha256(content).digest())),
                _attribute(SIGNING_CERTIFICATE_V2, self._certificate_digest()),
            ]
        )
        return der_sequence(
            der_oid(SIGNED_DATA),
            tlv(
                0xA0,
                der_sequence(
                    der_integer(3),
                    der_set([_SHA256]),
                    der_sequence(der_oid(TST_INFO), tlv(0xA0, tlv(OCTET_STRING, content))),
                    tlv(0xA0, self.signer) if asked.wants_certificate else b"",
                    der_set([self._signer_info(attributes)]),
                ),
            ),
        )

    def _signer_info(self, attributes: bytes) -> bytes:
        certificate = x509.load_der_x509_certificate(self.signer)
        return der_sequence(
            der_integer(1),
            der_sequence(certificate.issuer.public_bytes(), der_integer(certificate.serial_number)),
            _SHA256,
            b"\xa0" + attributes[1:],
            _ECDSA_SHA256,
            tlv(OCTET_STRING, self._key.sign(attributes, ec.ECDSA(hashes.SHA256()))),
        )

    def _certificate_digest(self) -> bytes:
        """Return SigningCertificateV2 with its default digest, SHA-256 (RFC 5035 3)."""
        digest = tlv(OCTET_STRING, hashlib.sha256(self.signer).digest())
        return der_sequence(der_sequence(der_sequence(digest)))


def _parse_request(der: bytes) -> _Request:
    what = "request"
    members = parse_der(der, max_bytes=MAX_REQUEST_BYTES, what=what).members(SEQUENCE, what)
    version, imprint = members.take().integer(what), members.take(SEQUENCE)
    policy, nonce = members.take_if(OID), members.take_if(INTEGER)
    wants_certificate = members.take_if(BOOLEAN)
    members.end()
    parts = imprint.members(SEQUENCE, "imprint")
    algorithm, digest = parse_algorithm(parts.take(), "imprint"), parts.take().octets("imprint")
    parts.end()
    if version != 1:
        raise FormatError(f"request: version {version}")
    return _Request(
        imprint=imprint.raw,
        digest_name=DIGEST_NAMES.get(algorithm.oid, algorithm.oid),
        digest=digest,
        policy_oid=policy.oid(what) if policy else None,
        nonce=nonce.raw if nonce else b"",
        wants_certificate=wants_certificate is not None and wants_certificate.boolean(what),
    )


def _refusal(failure: int, text: str) -> bytes:
    words = der_sequence(tlv(UTF8_STRING, text.encode()))
    octets = bytearray(failure // 8 + 1)
    octets[-1] = 0x80 >> failure % 8
    bits = tlv(BIT_STRING, bytes((7 - failure % 8, *octets)))
    return der_sequence(der_sequence(der_integer(2), words, bits))


def _attribute(oid: str, value: bytes) -> bytes:
    return der_sequence(der_oid(oid), der_set([value]))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(key_id, critical=False)
    )


def _key_usage(*names: str) -> x509.KeyUsage:
    bits = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**bits | dict.fromkeys(names, True))
