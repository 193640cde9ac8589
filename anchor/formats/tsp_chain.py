"""Judge a time-stamp token: who signed it, what it covers, and whether its chain holds at genTime.

Implements the client's side of RFC 3161 2.2 to 2.4 with RFC 5652 5.4 and 5.6, RFC 5035 5.4 and
RFC 5816, in this order: imprint and nonce, signed attributes, the certificate that is bound by
digest, its signature, its purpose, the path to a root, certificates that do not belong.

The chain is checked at the token's own time, because later it may have ended. That alone lets an
old key sign any time in its past, so the result says until when the signer's certificate ran, and
judgement wants other evidence of the token from that time on. Nothing here knows what time it is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from anchor.errors import AttestationError, LimitExceededError
from anchor.formats.tsp import TST_INFO, TimestampToken
from anchor.formats.x509_certificate import Certificate, parse_certificate
from anchor.formats.x509_path import TIME_STAMPING, find_path, verify_no_strangers
from anchor.formats.x509_signature import strong_digest, verify_signature
from anchor.limits import MAX_CERTIFICATES


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token that an authority under a trusted root made.

    Attributes:
        gen_time: when the authority says that it saw the digest, aware UTC.
        accuracy: how far off it says that it may be, or None where it does not say.
        signer_not_before, signer_not_after: when the signer's certificate was valid.
        chain_not_after: the earliest end in the chain; past it the token alone proves nothing.
        chain: DER certificates, signer first, root last.
        root_fingerprint: SHA-256 of the root's certificate.
        tsa_name: the signer's name as its certificate has it, printable characters only.
        policy_oid: under which policy of its own the authority stamped.
    """

    gen_time: datetime
    accuracy: timedelta | None
    signer_not_before: datetime
    signer_not_after: datetime
    chain_not_after: datetime
    chain: tuple[bytes, ...]
    root_fingerprint: bytes
    tsa_name: str
    policy_oid: str


def verify_token(
    token: TimestampToken,
    *,
    digest: bytes,
    roots: Sequence[bytes],
    extra_certificates: Sequence[bytes] = (),
    digest_name: str = "sha256",
    nonce: int | None = None,
) -> VerifiedToken:
    """Verify that an authority under one of the roots stamped this digest.

    Args:
        token: as parsed.
        digest: what must have been stamped.
        roots: DER of the trusted certificates; theirs alone is the trust.
        extra_certificates: DER of further ones to build the chain with; not trusted.
        digest_name: the algorithm that the imprint must name.
        nonce: what the request had, or None to leave it alone.

    Raises:
        AttestationError, SignatureError: it did not; the code says in which step.
        FormatError: a certificate cannot be read.
    """
    _verify_imprint(token, digest_name, digest)
    if nonce is not None and token.nonce != nonce:
        raise AttestationError("the token answers another request", code="tsp.nonce_mismatch")
    _verify_attributes(token)
    if len(token.certificates) + len(extra_certificates) > MAX_CERTIFICATES:
        raise LimitExceededError(f"more than {MAX_CERTIFICATES} certificates with one token")
    sent, extra, trusted = (
        [parse_certificate(der) for der in dict.fromkeys(ders)]
        for ders in (token.certificates, extra_certificates, roots)
    )
    pool = [*sent, *extra, *trusted]
    signer = _signer_certificate(token, pool)
    verify_signature(
        signer.key,
        token.signer.algorithm,
        token.signer.signed_attributes,
        token.signer.signature,
        digest_name=token.signer.digest_name,
        what="token",
    )
    _verify_purpose(signer, token.gen_time)
    path = find_path(signer, pool, trusted, token.gen_time)
    verify_no_strangers(sent, path)
    return VerifiedToken(
        gen_time=token.gen_time,
        accuracy=token.accuracy,
        signer_not_before=signer.not_before,
        signer_not_after=signer.not_after,
        chain_not_after=min(certificate.not_after for certificate in path),
        chain=tuple(certificate.der for certificate in path),
        root_fingerprint=path[-1].fingerprint,
        tsa_name=signer.name,
        policy_oid=token.policy_oid,
    )


def _verify_imprint(token: TimestampToken, digest_name: str, digest: bytes) -> None:
    if token.imprint_algorithm != digest_name or not hmac.compare_digest(token.imprint, digest):
        raise AttestationError(
            f"the token stamps {token.imprint_algorithm} {token.imprint.hex()[:16]}, "
            f"expected {digest_name} {digest.hex()[:16]}",
            code="tsp.imprint_mismatch",
        )


def _verify_attributes(token: TimestampToken) -> None:
    signer = token.signer
    if signer.content_type != TST_INFO:
        raise AttestationError("the signature is for other content", code="tsp.content_type")
    digest = strong_digest(signer.digest_name, token.content, "the token's message digest")
    if not hmac.compare_digest(digest, signer.message_digest):
        raise AttestationError(
            "the content is not what was signed (message digest)", code="tsp.message_digest"
        )


def _signer_certificate(token: TimestampToken, pool: Sequence[Certificate]) -> Certificate:
    """Return the certificate that the signature itself names by digest (RFC 5035 5.4).

    Serial number and issuer, or the key id, only point at it: they stand outside the signature.
    ESSCertID is SHA-1 by definition; to abuse that takes a second preimage of a real certificate.
    """
    signer = token.signer
    if not signer.certificate_digests:
        raise AttestationError(
            "no signing-certificate attribute", code="tsp.signing_certificate.missing"
        )
    named = [certificate for certificate in pool if _is_named(certificate, token)]
    if not named:
        raise AttestationError(
            "the signer's certificate is not there", code="tsp.signer.missing",
            hint="give the authority's certificates with the token or in the policy",
        )  # fmt: skip
    for certificate in named:
        if all(
            name in {"sha1", "sha256", "sha384", "sha512"}
            and hashlib.new(name, certificate.der, usedforsecurity=False).digest() == digest
            for name, digest in signer.certificate_digests
        ):
            return certificate
    raise AttestationError(
        "the certificate is not the one that the signature names",
        code="tsp.signing_certificate.mismatch",
    )


def _is_named(certificate: Certificate, token: TimestampToken) -> bool:
    signer = token.signer
    if signer.key_id is not None:
        return certificate.key_id == signer.key_id
    return certificate.serial == signer.serial and certificate.issuer_der == signer.issuer


def _verify_purpose(signer: Certificate, gen_time: datetime) -> None:
    """Want a key for time-stamping and nothing else (RFC 3161 2.3)."""
    usage = signer.key_usage
    if signer.purposes != frozenset({TIME_STAMPING}) or not signer.purposes_critical:
        raise AttestationError(
            f"{signer.name}: its certificate is not for time-stamping alone", code="tsp.eku"
        )
    if usage is not None and (not usage or usage - {"digital_signature", "content_commitment"}):
        raise AttestationError(f"{signer.name}: its key is not for signing", code="tsp.key_usage")
    if (signer.key_not_before and gen_time < signer.key_not_before) or (
        signer.key_not_after and gen_time > signer.key_not_after
    ):
        raise AttestationError(
            f"{signer.name}: its key was not in use at {gen_time}", code="tsp.key_usage_period"
        )
