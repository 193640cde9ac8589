"""Verify the signatures that certificates, tokens and revocation data carry.

One function serves all of them: a public key, an AlgorithmIdentifier as it came, the signed bytes
and the signature. RSA PKCS#1 v1.5 and RSA-PSS (RFC 8017, RFC 4055), ECDSA (RFC 5758) and Ed25519
(RFC 8410, under the strict rules of :mod:`anchor.formats.ed25519`), over SHA-256, SHA-384 or
SHA-512. Anything older (MD5, SHA-1, SHA-224, DSA, RSA under 2048 bits, curves under 256) is
refused: whoever can make two certificates or tokens with one digest has a second past.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from anchor.errors import AttestationError, FormatError, SignatureError
from anchor.formats.der import NULL, SEQUENCE, Element, parse_der
from anchor.formats.ed25519 import verify_ed25519

DIGEST_NAMES: Final = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_STRONG: Final[dict[str | None, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

_RSA = "1.2.840.113549.1.1."
_RSA_PSS = _RSA + "10"
_RSA_PKCS1: Final = {
    _RSA + "1": None,  # rsaEncryption: the digest is the one that the signer names beside it
    _RSA + "4": "md5",
    _RSA + "5": "sha1",
    _RSA + "14": "sha224",
    _RSA + "11": "sha256",
    _RSA + "12": "sha384",
    _RSA + "13": "sha512",
}
_ECDSA: Final = {
    "1.2.840.10045.4.1": "sha1",
    "1.2.840.10045.4.3.1": "sha224",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
_ED25519 = "1.3.101.112"
_MGF1 = _RSA + "8"
_MAX_PARAMETER_BYTES = 1024

_MAX_RSA_EXPONENT_BITS: Final = 33  # 65537 in practice; FIPS 186-5 goes higher, no authority does

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An AlgorithmIdentifier: dotted OID and the DER of its parameters; NULL counts as absent."""

    oid: str
    parameters: bytes | None

    @property
    def digest_name(self) -> str:
        """Return the hashlib name of a digest algorithm, or its OID where it is not known."""
        if self.parameters is not None:
            raise FormatError("a digest algorithm with parameters", code="tsp.algorithm")
        return DIGEST_NAMES.get(self.oid, self.oid)


def parse_algorithm(element: Element, what: str) -> Algorithm:
    """Return an AlgorithmIdentifier (RFC 5280 4.1.1.2)."""
    members = element.members(SEQUENCE, what)
    oid, rest = members.take().oid(what), members.rest()
    if len(rest) > 1 or (rest and rest[0].tag == NULL and rest[0].content):
        raise FormatError(f"{what}: not an algorithm identifier", code="tsp.algorithm")
    return Algorithm(oid, rest[0].raw if rest and rest[0].tag != NULL else None)


def strong_digest(name: str, data: bytes, what: str) -> bytes:
    """Return the digest of ``data``; AttestationError for anything but SHA-256, -384 and -512."""
    if name not in _STRONG:
        raise AttestationError(f"{what} uses {name}", code="tsp.algorithm.weak")
    return hashlib.new(name, data).digest()


def verify_signature(
    key: PublicKey,
    algorithm: Algorithm,
    message: bytes,
    signature: bytes,
    *,
    what: str,
    digest_name: str | None = None,
) -> None:
    """Verify one signature.

    Args:
        key: the signer's public key.
        algorithm: as it stands beside the signature.
        message: the signed bytes.
        signature: as its algorithm writes it (ECDSA: DER of r and s).
        what: whose signature it is, for the message.
        digest_name: the signer's digest, used where ``algorithm`` names none (CMS rsaEncryption).

    Raises:
        AttestationError: an algorithm or key that is too weak or not known (``tsp.algorithm.weak``,
            ``tsp.algorithm.unknown``, ``tsp.key.weak``).
        SignatureError: the signature is not one of that key over these bytes (``tsp.signature``).
    """
    if algorithm.parameters is not None and algorithm.oid != _RSA_PSS:
        raise AttestationError(f"{what}: {algorithm.oid}", code="tsp.algorithm.unknown")
    try:
        if isinstance(key, rsa.RSAPublicKey):
            # More would only cost time: whoever writes a proof could write many such keys.
            exponent_bits = key.public_numbers().e.bit_length()
            if not 2048 <= key.key_size <= 8192 or exponent_bits > _MAX_RSA_EXPONENT_BITS:
                raise AttestationError(
                    f"{what}: RSA of {key.key_size} bits, exponent of {exponent_bits} bits",
                    code="tsp.key.weak",
                )
            pad, digest = _rsa_parameters(algorithm, digest_name, what)
            key.verify(signature, message, pad, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if key.key_size < 256:
                raise AttestationError(f"{what}: a {key.key_size} bit curve", code="tsp.key.weak")
            key.verify(signature, message, ec.ECDSA(_strong(_ECDSA.get(algorithm.oid), what)))
        elif algorithm.oid == _ED25519:
            verify_ed25519(key.public_bytes_raw(), message, signature)
        else:
            raise AttestationError(f"{what}: {algorithm.oid}", code="tsp.algorithm.unknown")
    except UnsupportedAlgorithm as exc:
        raise AttestationError(f"{what}: {algorithm.oid}", code="tsp.algorithm.unknown") from exc
    except (InvalidSignature, ValueError, SignatureError) as exc:
        raise SignatureError(f"{what}: the signature is not valid", code="tsp.signature") from exc


def _strong(name: str | None, what: str) -> hashes.HashAlgorithm:
    if name in _STRONG:
        return _STRONG[name]
    if name in DIGEST_NAMES.values():
        raise AttestationError(f"{what}: signed over {name}", code="tsp.algorithm.weak")
    raise AttestationError(f"{what}: an unknown algorithm", code="tsp.algorithm.unknown")


def _rsa_parameters(
    algorithm: Algorithm, digest_name: str | None, what: str
) -> tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]:
    if algorithm.oid == _RSA_PSS and algorithm.parameters is not None:
        digest, salt_bytes = _pss_parameters(algorithm.parameters, what)
        return padding.PSS(padding.MGF1(digest), salt_bytes), digest
    if algorithm.oid not in _RSA_PKCS1:
        raise AttestationError(f"{what}: {algorithm.oid}", code="tsp.algorithm.unknown")
    return padding.PKCS1v15(), _strong(_RSA_PKCS1[algorithm.oid] or digest_name, what)


def _pss_parameters(der: bytes, what: str) -> tuple[hashes.HashAlgorithm, int]:
    """Return digest and salt length (RFC 4055 3.1); what is absent means SHA-1 and is refused."""
    members = parse_der(der, max_bytes=_MAX_PARAMETER_BYTES, what=what).members(SEQUENCE, what)
    named, mask, salt = (members.take_if(tag) for tag in (0xA0, 0xA1, 0xA2))
    members.end()  # the trailer field has one value only, its default, which DER leaves out
    if named is None or mask is None:
        raise AttestationError(f"{what}: RSA-PSS over sha1", code="tsp.algorithm.weak")
    digest = parse_algorithm(named.inner(0xA0, what), what)
    generator = parse_algorithm(mask.inner(0xA1, what), what)
    over = parse_der(generator.parameters or b"", max_bytes=_MAX_PARAMETER_BYTES, what=what)
    if generator.oid != _MGF1 or parse_algorithm(over, what) != digest:
        raise AttestationError(f"{what}: mixed RSA-PSS digests", code="tsp.algorithm.unknown")
    salt_bytes = salt.inner(0xA2, what).integer(what) if salt else 20
    if salt_bytes not in range(1024):
        raise FormatError(f"{what}: an RSA-PSS salt of {salt_bytes} bytes", code="tsp.algorithm")
    return _strong(digest.digest_name, what), salt_bytes
