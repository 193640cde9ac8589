"""Ask a time-stamping authority, and read its answer (RFC 3161 2.4.1 and 2.4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anchor.errors import FormatError
from anchor.formats.der import (
    BIT_STRING,
    BOOLEAN,
    OCTET_STRING,
    SEQUENCE,
    der_integer,
    der_oid,
    der_sequence,
    parse_der,
    tlv,
)
from anchor.limits import DIGEST_BYTES, MAX_TSP_BYTES

SHA256_IDENTIFIER: Final = der_sequence(der_oid("2.16.840.1.101.3.4.2.1"), b"\x05\x00")

_MAX_NONCE_BITS = 504
_STATUSES = ("granted", "granted_with_mods", "rejection", "waiting", "revocation_warning",
             "revocation_notification")  # fmt: skip
_FAILURES: Final = {
    0: "bad_alg",
    2: "bad_request",
    5: "bad_data_format",
    14: "time_not_available",
    15: "unaccepted_policy",
    16: "unaccepted_extension",
    17: "add_info_not_available",
    25: "system_failure",
}


@dataclass(frozen=True, slots=True)
class TspResponse:
    """A time-stamping authority's answer (RFC 3161 2.4.2).

    Attributes:
        status: ``granted``, ``granted_with_mods``, ``rejection``, ``waiting``, … .
        status_text: the authority's own words, not cleaned; quote them before showing.
        failure: names of the failure bits that are set, comma separated, or empty.
        token: the TimeStampToken's DER, there exactly when the status is a granting one.
    """

    status: str
    status_text: str
    failure: str
    token: bytes | None


def timestamp_request(
    digest: bytes, *, nonce: int | None, policy_oid: str | None = None, cert_req: bool = True
) -> bytes:
    """Write a request to stamp a SHA-256 digest as it is (RFC 3161 2.4.1)."""
    if len(digest) != DIGEST_BYTES:
        raise FormatError(f"a digest of {len(digest)} bytes, expected {DIGEST_BYTES}")
    if nonce is not None and not 0 <= nonce < 1 << _MAX_NONCE_BITS:
        raise FormatError("a nonce is a number of at most 504 bits")
    return der_sequence(
        der_integer(1),
        der_sequence(SHA256_IDENTIFIER, tlv(OCTET_STRING, digest)),
        der_oid(policy_oid) if policy_oid else b"",
        der_integer(nonce) if nonce is not None else b"",
        tlv(BOOLEAN, b"\xff") if cert_req else b"",
    )


def parse_response(der: bytes) -> TspResponse:
    """Return the response; the token in it stays unparsed."""
    members = parse_der(der, max_bytes=MAX_TSP_BYTES, what="response").members(SEQUENCE, "response")
    info, token = members.take().members(SEQUENCE, "status"), members.take_if(SEQUENCE)
    members.end()
    number = info.take().integer("status")
    texts, bits = info.take_if(SEQUENCE), info.take_if(BIT_STRING)
    info.end()
    if not 0 <= number < len(_STATUSES):
        raise FormatError(f"response: status {number}", code="tsp.status")
    if (token is not None) != (number <= 1):
        raise FormatError("response: a token and the status contradict", code="tsp.status")
    words = [t.content for t in texts.members(SEQUENCE, "text").rest()] if texts else []
    failures = bits.content[1:] if bits else b""
    return TspResponse(
        status=_STATUSES[number],
        status_text=" ".join(word.decode("utf-8", "replace") for word in words),
        failure=", ".join(
            name
            for bit, name in _FAILURES.items()
            if bit // 8 < len(failures) and failures[bit // 8] & 0x80 >> bit % 8
        ),
        token=token.raw if token else None,
    )
