"""Certificates that the library warns of: what is read of them, and what is said meanwhile."""

from __future__ import annotations

import threading
import warnings
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from anchor.errors import FormatError
from anchor.formats.x509_certificate import parse_certificate, read_quietly
from anchor.formats.x509_revocation import verify_revocation
from tests.attacks.forged_tokens import NOW, Party, root, signer
from tests.parts.proof_mutations import der_bytes, der_tree

DAY = timedelta(days=1)


def odd_name(tail: str) -> x509.Name:
    """Return a name with a country of seven letters and a common name of a hundred."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "Germany", _validate=False),
                x509.NameAttribute(NameOID.COMMON_NAME, "x" * 100 + tail, _validate=False),
            ]
        )


def quietly(make, *args, **kwargs) -> Party:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*args, **kwargs)


ROOT = quietly(root, odd_name("Root"))
LEAF = quietly(signer, ROOT, odd_name("Stamper"))


def crl() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(ROOT.certificate.subject)
            .last_update(NOW)
            .next_update(NOW + DAY)
        )
        return builder.sign(ROOT.key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("action", ["error", "always", "ignore", "default"])
def test_odd_certificates_read_the_same_whatever_warnings_do(action: str) -> None:
    listed = crl()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter(action)
        parse_certificate.cache_clear()
        found = parse_certificate(LEAF.der)
        statuses = verify_revocation([LEAF.der, ROOT.der], ocsp=(), crls=(listed,))
    assert not heard
    assert found.name == "x" * 100 + "Stamper"
    assert statuses[0].state == "good"


def test_other_warnings_are_heard_again_afterwards() -> None:
    parse_certificate.cache_clear()
    parse_certificate(LEAF.der)
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_readers_in_threads_leave_the_filters_as_they_were() -> None:
    before = list(warnings.filters)

    def read() -> None:
        for _ in range(200):
            with read_quietly():
                pass

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


# -- a key's point in its other forms (RFC 5480 2.2) -----------------------------------------------


def with_point(party: Party, form: str) -> bytes:
    """Return the party's certificate with its own key written in another form, signed anew."""
    tree = der_tree(party.der)
    body, _, signature = tree.content
    point = body.content[6].content[1]
    x, y = point.content[2:34], point.content[34:]
    odd = y[-1] & 1
    point.content = b"\x00" + (
        bytes([2 + odd]) + x if form == "compressed" else bytes([6 + odd]) + x + y
    )
    signature.content = b"\x00" + party.key.sign(der_bytes(body), ec.ECDSA(hashes.SHA256()))
    return der_bytes(tree)


def test_a_hybrid_point_is_refused() -> None:
    with pytest.raises(FormatError, match="a point in an unknown form"):
        parse_certificate(with_point(root("Hybrid"), "hybrid"))


def test_an_answer_names_its_issuers_key_as_the_certificate_writes_it() -> None:
    issuer = root("Compressed")
    compressed = with_point(issuer, "compressed")
    leaf = signer(issuer)
    shown = x509.load_der_x509_certificate(compressed)
    answer = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            leaf.certificate,
            shown,
            hashes.SHA1(),
            ocsp.OCSPCertStatus.GOOD,
            NOW,
            NOW + DAY,
            None,
            None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, shown)
        .sign(issuer.key, hashes.SHA256())
    )
    found = verify_revocation(
        [leaf.der, compressed], ocsp=[answer.public_bytes(Encoding.DER)], crls=[]
    )
    assert [status.state for status in found] == ["good"]
