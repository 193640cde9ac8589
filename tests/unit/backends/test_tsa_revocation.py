"""What is asked about certificates that the library warns of, and that nothing is said meanwhile.

How answers are used: ``test_tsa.py``.
"""

from __future__ import annotations

import warnings

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from anchor.backends.bounded_http import BoundedHttp
from anchor.backends.tsa_revocation import RevocationFetcher
from tests.attacks.forged_tokens import Party, root, signer
from tests.parts.proof_mutations import der_bytes, der_tree

OCSP_URL, CRL_URL = "http://ocsp.test/", "http://crl.test/a.crl"


def directory() -> x509.DirectoryName:
    """Return a name whose country has seven letters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        country = x509.NameAttribute(NameOID.COUNTRY_NAME, "Germany", _validate=False)
        return x509.DirectoryName(x509.Name([country]))


def addresses() -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """Return what names the addresses; among the names of both is the odd one."""
    kind = AuthorityInformationAccessOID
    access = x509.AuthorityInformationAccess(
        [
            x509.AccessDescription(kind.CA_ISSUERS, directory()),
            x509.AccessDescription(kind.OCSP, x509.UniformResourceIdentifier(OCSP_URL)),
        ]
    )
    names = [directory(), x509.UniformResourceIdentifier(CRL_URL)]
    points = x509.CRLDistributionPoints([x509.DistributionPoint(names, None, None, None)])
    return (access, False), (points, False)


def with_serial_zero(party: Party, issuer: Party) -> bytes:
    """Return the party's certificate with serial number 0, signed anew."""
    tree = der_tree(party.der)
    body, _, signature = tree.content
    body.content[1].content = b"\x00"
    signature.content = b"\x00" + issuer.key.sign(der_bytes(body), ec.ECDSA(hashes.SHA256()))
    return der_bytes(tree)


@pytest.mark.parametrize("action", ["error", "always", "ignore", "default"])
def test_odd_certificates_are_asked_about_whatever_warnings_do(action: str) -> None:
    issuer = root()
    leaf = with_serial_zero(signer(issuer, extra=addresses()), issuer)
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(503, stream=httpx.ByteStream(b""))

    http = BoundedHttp(timeout_s=5, transport=httpx.MockTransport(handle))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter(action)
        found = RevocationFetcher(http).fetch([leaf, issuer.der])
    http.close()
    assert [str(warning.message) for warning in heard] == []
    assert asked == [OCSP_URL, CRL_URL]
    assert found.problems == ("Stamper: OCSP answered HTTP 503; CRL: HTTP 503",)
