"""Take time-stamp tokens apart (RFC 3161 2.4.2, RFC 5652 5, RFC 5035, RFC 5816).

Nothing is believed here; :mod:`anchor.formats.tsp_chain` judges what was read.
A token is a CMS SignedData with exactly one SignerInfo around a TSTInfo. Not here: its ordering and
tsa fields; the chain names the authority.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from anchor.errors import FormatError, LimitExceededError
from anchor.formats.cms_signer import Signer, parse_signer
from anchor.formats.der import (
    BOOLEAN,
    INTEGER,
    SEQUENCE,
    SET,
    Element,
    Members,
    parse_der,
)
from anchor.formats.x509_signature import parse_algorithm
from anchor.limits import MAX_CERTIFICATES, MAX_TSP_BYTES

SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"

_QC_STATEMENTS = "1.3.6.1.5.5.7.1.3"
_QUALIFIED_TIME_STAMP = "0.4.0.19422.1.1"  # ETSI EN 319 422 9.1, esi4-qtstStatement-1
_MAX_ACCURACY = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class TimestampToken:
    """A time-stamp token, taken apart and not believed.

    Attributes:
        raw: the token's DER, whole.
        content: DER of the TSTInfo, the signed content.
        imprint_algorithm: hashlib name, or the OID of an algorithm that is not known here.
        imprint: the digest that was stamped.
        gen_time: aware UTC.
        accuracy: as stated, or None.
        nonce: the request's, or None.
        claims_qualified: it carries the ETSI statement of a qualified time-stamp; only a claim.
        certificates: DER of the X.509 certificates sent along; unsigned, anybody may add some.
        crls: DER of the CRLs sent along; likewise.
    """

    raw: bytes
    content: bytes
    imprint_algorithm: str
    imprint: bytes
    policy_oid: str
    serial: int
    gen_time: datetime
    accuracy: timedelta | None
    nonce: int | None
    claims_qualified: bool
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    signer: Signer


def parse_token(der: bytes) -> TimestampToken:
    """Take a TimeStampToken apart.

    Raises:
        FormatError: it is not one, to the last byte; ``anchor/limits.py`` bounds its size.
    """
    what = "token"
    info = parse_der(der, max_bytes=MAX_TSP_BYTES, what=what).members(SEQUENCE, what)
    _expect_oid(info, SIGNED_DATA)
    wrapped = info.take(0xA0)
    info.end()
    data = wrapped.inner(0xA0, what).members(SEQUENCE, "signed data")
    version = data.take().integer("signed data version")
    digests = data.take().members(SET, "digest algorithms").rest()
    content = _content(data.take())
    certificates, crls = data.take_if(0xA0), data.take_if(0xA1)
    signers = data.take().members(SET, "signers")
    data.end()
    signer = parse_signer(signers.take())
    signers.end()
    names = {parse_algorithm(digest, "digest algorithm").digest_name for digest in digests}
    if version not in (3, 4, 5) or signer.digest_name not in names:
        raise FormatError("token: wrong version or digest algorithms", code="tsp.signed_data")
    return _tst_info(
        der,
        content,
        signer,
        certificates=_sequences(certificates, "certificates"),
        crls=_sequences(crls, "revocation data"),
    )


def _content(element: Element) -> bytes:
    members = element.members(SEQUENCE, "content")
    _expect_oid(members, TST_INFO)
    wrapped = members.take(0xA0)
    members.end()
    return wrapped.inner(0xA0, "content").octets("content")


def _expect_oid(members: Members, wanted: str) -> None:
    oid = members.take().oid(members.what)
    if oid != wanted:
        raise FormatError(f"{members.what}: type {oid}, expected {wanted}", code="tsp.type")


def _sequences(element: Element | None, what: str) -> tuple[bytes, ...]:
    """Return those members of a set that are plain SEQUENCEs: X.509 certificates, CRLs."""
    if element is None:
        return ()
    found = element.members(element.tag, what).rest()
    if len(found) > MAX_CERTIFICATES:
        raise LimitExceededError(f"{what}: {len(found)}, at most {MAX_CERTIFICATES} are read")
    return tuple(member.raw for member in found if member.tag == SEQUENCE)


def _tst_info(
    raw: bytes,
    content: bytes,
    signer: Signer,
    *,
    certificates: tuple[bytes, ...],
    crls: tuple[bytes, ...],
) -> TimestampToken:
    what = "time-stamp"
    members = parse_der(content, max_bytes=MAX_TSP_BYTES, what=what).members(SEQUENCE, what)
    version, policy_oid = members.take().integer(what), members.take().oid(what)
    imprint = members.take().members(SEQUENCE, "imprint")
    algorithm, digest = parse_algorithm(imprint.take(), "imprint"), imprint.take().octets("imprint")
    imprint.end()
    serial, gen_time = members.take().integer(what), members.take().generalized_time(what)
    stated = members.take_if(SEQUENCE)
    accuracy = _accuracy(stated) if stated else None
    ordering = members.take_if(BOOLEAN)
    if ordering:
        ordering.boolean(what)
    nonce = members.take_if(INTEGER)
    members.take_if(0xA0)  # tsa
    extensions = members.take_if(0xA1)
    members.end()
    if version != 1 or not 1900 <= gen_time.year < 9998:
        raise FormatError("time-stamp: unknown version or a time out of range", code="tsp.content")
    return TimestampToken(
        raw=raw,
        content=content,
        imprint_algorithm=algorithm.digest_name,
        imprint=digest,
        policy_oid=policy_oid,
        serial=serial,
        gen_time=gen_time,
        accuracy=accuracy,
        nonce=nonce.integer(what) if nonce else None,
        claims_qualified=_claims_qualified(extensions) if extensions else False,
        certificates=certificates,
        crls=crls,
        signer=signer,
    )


def _accuracy(element: Element) -> timedelta:
    """Return the accuracy; its parts are seconds, milliseconds and microseconds."""
    members = element.members(SEQUENCE, "accuracy")
    seconds, millis, micros = (members.take_if(tag) for tag in (INTEGER, 0x80, 0x81))
    members.end()
    parts = [
        Element(INTEGER, part.content, part.raw).integer("accuracy") if part else 0
        for part in (seconds, millis, micros)
    ]
    if parts[0] not in range(int(_MAX_ACCURACY.total_seconds())) or not all(
        part in range(1000) for part in parts[1:]
    ):
        raise FormatError("accuracy: out of range", code="tsp.content")
    return timedelta(seconds=parts[0], milliseconds=parts[1], microseconds=parts[2])


def _claims_qualified(extensions: Element) -> bool:
    """Read the extensions; one that is critical would have to be understood, and none is."""
    what, claimed = "extension", False
    for extension in extensions.members(0xA1, what).rest():
        members = extension.members(SEQUENCE, what)
        oid, critical, value = members.take().oid(what), members.take_if(BOOLEAN), members.take()
        members.end()
        if critical and critical.boolean(what):
            raise FormatError(f"time-stamp: critical extension {oid}", code="tsp.content")
        if oid == _QC_STATEMENTS:
            inner = parse_der(value.octets(what), max_bytes=MAX_TSP_BYTES, what=what)
            statements = inner.members(SEQUENCE, what).rest()
            oids = {s.members(SEQUENCE, what).take().oid(what) for s in statements}
            claimed = claimed or _QUALIFIED_TIME_STAMP in oids
    return claimed
