"""Fetch what OCSP responders and CRLs say about a verified chain, to be saved with its token.

The addresses are those in the chain's own certificates (RFC 5280 4.2.2.1 and 4.2.1.13). Only a
chain that was verified under the configured roots is handed in, so that no address of a stranger is
ever asked. OCSP first, since an answer is small; a CRL where that gives nothing, and only a small
one, since it travels with every proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from anchor.backends.bounded_http import BoundedHttp
from anchor.errors import BackendError, FormatError, VerificationError, quote_peer
from anchor.formats.x509_certificate import (
    READ_ERRORS,
    parse_certificate,
    point_urls,
    read_quietly,
)
from anchor.formats.x509_revocation import CertificateStatus, verify_revocation
from anchor.limits import MAX_TSP_BYTES

T = TypeVar("T", bound=x509.ExtensionType)

_MAX_ADDRESSES: Final = 2
_MAX_CRL_BYTES: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class RevocationData:
    """What was found for one chain.

    Attributes:
        ocsp, crls: DER, each verified.
        statuses: of each certificate but the root, in the chain's order.
        problems: one line for each certificate about which nothing was found.
    """

    ocsp: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    statuses: tuple[CertificateStatus, ...]
    problems: tuple[str, ...]


class RevocationFetcher:
    """Asks over one HTTP client."""

    def __init__(self, http: BoundedHttp) -> None:
        self._http = http

    def fetch(self, chain: Sequence[bytes]) -> RevocationData:
        """Ask about each certificate of a verified chain but its root; raises nothing.

        Args:
            chain: DER, signer first, root last.
        """
        answers: list[bytes] = []
        lists: list[bytes] = []
        problems: list[str] = []
        for certificate, issuer in pairwise(chain):
            reasons: list[str] = []
            found = self._ocsp(certificate, issuer, reasons)
            if found is not None:
                answers.append(found)
                continue
            found = self._crl(certificate, issuer, reasons)
            if found is not None:
                lists.append(found)
                continue
            name = quote_peer(parse_certificate(certificate).name)
            problems.append(f"{name}: {'; '.join(reasons) or 'its certificate names no address'}")
        lists = list(dict.fromkeys(lists))
        statuses = verify_revocation(chain, ocsp=answers, crls=lists)
        return RevocationData(tuple(answers), tuple(lists), statuses, tuple(problems))

    def _ocsp(self, certificate: bytes, issuer: bytes, reasons: list[str]) -> bytes | None:
        for url in _ocsp_urls(certificate):
            try:
                answer = self._http.send(
                    "POST",
                    url,
                    max_bytes=MAX_TSP_BYTES,
                    content=_ocsp_request(certificate, issuer),
                    headers={"Content-Type": "application/ocsp-request"},
                )
                if answer.status != 200:
                    reasons.append(f"OCSP answered HTTP {answer.status}")
                    continue
                status = verify_revocation([certificate, issuer], ocsp=[answer.body], crls=[])[0]
            except (BackendError, FormatError, VerificationError) as exc:
                reasons.append(exc.message)
                continue
            if status.state != "unknown":
                return answer.body
            reasons.append("OCSP does not know it")
        return None

    def _crl(self, certificate: bytes, issuer: bytes, reasons: list[str]) -> bytes | None:
        for url in _crl_urls(certificate):
            try:
                answer = self._http.send("GET", url, max_bytes=_MAX_CRL_BYTES)
                if answer.status != 200:
                    reasons.append(f"CRL: HTTP {answer.status}")
                    continue
                status = verify_revocation([certificate, issuer], ocsp=[], crls=[answer.body])[0]
            except (BackendError, FormatError, VerificationError) as exc:
                reasons.append(exc.message)
                continue
            if status.state != "unknown":
                return answer.body
            reasons.append("the CRL does not cover it")
        return None


def _ocsp_request(certificate: bytes, issuer: bytes) -> bytes:
    with read_quietly():
        builder = ocsp.OCSPRequestBuilder().add_certificate(
            x509.load_der_x509_certificate(certificate),
            x509.load_der_x509_certificate(issuer),
            SHA1(),  # noqa: S303 - names the certificate; responders know no other (RFC 5019 2.1.1)
        )
        return builder.build().public_bytes(Encoding.DER)


def _ocsp_urls(der: bytes) -> list[str]:
    def found() -> Iterator[str]:
        extension = _extension(der, x509.AuthorityInformationAccess)
        for description in extension or ():
            location = description.access_location
            if description.access_method == AuthorityInformationAccessOID.OCSP and isinstance(
                location, x509.UniformResourceIdentifier
            ):
                yield location.value

    return _web(found())


def _crl_urls(der: bytes) -> list[str]:
    points = _extension(der, x509.CRLDistributionPoints)
    return _web(url for point in points or () for url in point_urls(point))


def _extension(der: bytes, kind: type[T]) -> T | None:
    try:
        with read_quietly():
            extensions = x509.load_der_x509_certificate(der).extensions
            return extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, *READ_ERRORS):
        return None


def _web(urls: Iterable[str]) -> list[str]:
    """Keep the first few that are on the web; others are LDAP and the like."""
    return [url for url in urls if url.startswith(("http://", "https://"))][:_MAX_ADDRESSES]
