"""Tokens, chains and revocation data with odd choices everywhere, all of them validly signed."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from anchor.formats.der import der_integer, der_sequence, tlv
from anchor.proof.codec import proof_to_json
from anchor.proof.proof import Rfc3161Attestation
from tests.attacks.forged_tokens import NOW, YEAR, Forge, Party, intermediate, root, signer, usage
from tests.evidence import Case

DAY = timedelta(days=1)
_KINDS = ("p256", "p256", "p256", "p384", "p521", "brainpool", "rsa2048", "ed25519", "p224")
_PURPOSES = (
    None,
    (ExtendedKeyUsageOID.TIME_STAMPING,),
    (ExtendedKeyUsageOID.TIME_STAMPING,),
    (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING),
    (ExtendedKeyUsageOID.OCSP_SIGNING,),
    (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,),
)
_USAGES = (
    None,
    usage(key_cert_sign=True, crl_sign=True),
    usage(key_cert_sign=True),
    usage(digital_signature=True),
    usage(content_commitment=True),
    usage(digital_signature=True, key_encipherment=True),
    usage(crl_sign=True),
)
_STRANGE = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
_POINT = x509.CRLDistributionPoints(
    [
        x509.DistributionPoint(
            [x509.UniformResourceIdentifier("http://crl.test/a.crl")], None, None, None
        )
    ]
)
_PERIOD = x509.PrivateKeyUsagePeriod(NOW - 10 * DAY, NOW - DAY)
_EXTRA = (
    (),
    (),
    ((_STRANGE, False),),
    ((_STRANGE, True),),
    ((_POINT, False),),
    ((_PERIOD, False),),
)
_REASONS = (
    None,
    x509.ReasonFlags.unspecified,
    x509.ReasonFlags.key_compromise,
    x509.ReasonFlags.superseded,
    x509.ReasonFlags.cessation_of_operation,
    x509.ReasonFlags.certificate_hold,
)


def odd_token(case: Case, rng: random.Random) -> dict[str, Any]:
    """Return a question about a token that was made with one to three odd choices."""
    odd = _Odd(rng)
    top = root(**odd.authority())
    middle = intermediate(top, **odd.authority()) if rng.random() < 0.6 else top
    stamper = signer(middle, **odd.signer())
    stranger = root("Stranger", number=8)
    digest = case.proof.attestations[0].root_hash
    forge = Forge(signer=stamper, digest=digest).but(**odd.forge(middle))
    sent = [middle.der, top.der] if rng.random() < 0.5 else []
    if odd.chance():
        sent.append(stranger.der)
    forge = forge.but(certificates=tuple(sent))
    token = Rfc3161Attestation(
        digest,
        "root",
        forge.token(),
        certificates=tuple(rng.sample([stamper.der, middle.der, top.der], 3)),
        ocsp=tuple(odd.answers(stamper, middle, top)),
        crls=tuple(odd.lists(stamper, middle, top)),
    )
    proof = replace(case.proof, attestations=(token,))
    trusted = rng.choice([top, top, top, top, middle, stranger])
    roots = [base64.b64encode(trusted.der).decode()]
    authority = {"name": "Odd", "roots": roots, "accuracy_s": rng.choice([0, 1, 60, 86_400])}
    policy = {"version": 1, "name": "odd", "class": "test", "authorities": [authority]}
    now = rng.choice([NOW, NOW, NOW + 2 * YEAR, NOW + 20 * YEAR])
    return {
        "policy": policy,
        "proof": json.loads(json.dumps(proof_to_json(proof))),
        "now": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "before": rng.choice([None, "2026-11-23T10:02:09Z", "2027-01-01T00:00:00Z"]),
        "file_digest": case.file_digest.hex(),
        "known": {},
    }


class _Odd:
    """Makes a few odd choices, and usual ones otherwise."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.left = rng.choice((0, 1, 1, 2, 3))

    def chance(self) -> bool:
        """Tell whether to be odd here."""
        odd = self.left > 0 and self.rng.random() < 0.2
        self.left -= odd
        return odd

    def choices(self, options: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
        """Return the options that are chosen otherwise than usual."""
        return {name: self.rng.choice(found) for name, found in options.items() if self.chance()}

    def authority(self) -> dict[str, Any]:
        """Return the changes of a certificate that issues others."""
        changes = self.choices(
            {
                "kind": _KINDS,
                "ca": (True, False, None),
                "path_length": (0, 1, None),
                "key_usage": _USAGES,
                "purposes": _PURPOSES,
                "extra": _EXTRA,
                "begin": (NOW - YEAR, NOW + DAY, NOW),
                "end": (NOW + YEAR, NOW + 2 * DAY, NOW + 3 * DAY),
                "digest": ("sha256", "sha384", "sha512"),
            }
        )
        if self.chance():
            changes |= {"begin": NOW - YEAR, "end": self.rng.choice([NOW - DAY, NOW])}
        if not changes.get("ca", True):
            changes["path_length"] = None
        return changes

    def signer(self) -> dict[str, Any]:
        """Return the changes of the certificate that signs tokens."""
        changes = self.authority()
        changes.pop("path_length", None)
        if self.chance():
            changes["critical_purposes"] = False
        return changes

    def forge(self, issuer: Party) -> dict[str, Any]:
        """Return the changes of the token itself."""
        stated = (
            b"",
            der_sequence(),
            der_sequence(der_integer(0)),
            der_sequence(der_integer(1), tlv(0x80, b"\x01"), tlv(0x81, b"\x02")),
            der_sequence(tlv(0x81, b"\x03\xe7")),
            der_sequence(der_integer(40_000_000)),
        )
        return self.choices(
            {
                "digest_name": ("sha256", "sha384", "sha512"),
                "imprint_name": ("sha256", "sha384"),
                "ess": ((), ("sha1",), ("sha1", "sha256"), ("sha384",)),
                "ess_for": (None, issuer.der),
                "accuracy": stated,
                "gen_time": (
                    "20261123100208.5Z",
                    "20261123100208.0000001Z",
                    "20251124100208Z",
                    "20271123100208Z",
                    "20261123100260Z",
                    "20260229100208Z",
                ),
                "attributes": (True, False),
                "plain_rsa": (True, False),
                "pss": (None, "sha256", "sha384"),
                "version": (1, 3, 5),
                "signers": (1, 2),
                "sort": (True, False),
                "message_digest": (None, bytes(32)),
                "nonce": (None, 0, 1 << 80),
            }
        )

    def answers(self, stamper: Party, middle: Party, top: Party) -> list[bytes]:
        """Return none or a few OCSP answers."""
        if self.rng.random() < 0.6:
            return []
        asked, issuer = self.rng.choice([(stamper, middle), (middle, top)])
        responder = signer(issuer, "Responder", purposes=(ExtendedKeyUsageOID.OCSP_SIGNING,))
        by = self.rng.choice([issuer, issuer, responder, top])
        revoked = self.rng.random() < 0.4
        builder = ocsp.OCSPResponseBuilder().add_response(
            asked.certificate,
            issuer.certificate,
            self.rng.choice([hashes.SHA1(), hashes.SHA256(), hashes.SHA384()]),
            ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            NOW + self.rng.choice([-2 * DAY, 0 * DAY, 8 * YEAR]),
            None,
            self.rng.choice([NOW - DAY, NOW + DAY]) if revoked else None,
            self.rng.choice(_REASONS) if revoked else None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)
        if by is responder:
            builder = builder.certificates([responder.certificate])
        algorithm = None if "Ed25519" in type(by.key).__name__ else hashes.SHA256()
        return [builder.sign(by.key, algorithm).public_bytes(Encoding.DER)]

    def lists(self, stamper: Party, middle: Party, top: Party) -> list[bytes]:
        """Return none or a few revocation lists."""
        if self.rng.random() < 0.6:
            return []
        asked, issuer = self.rng.choice([(stamper, middle), (middle, top)])
        by = self.rng.choice([issuer, issuer, issuer, top])
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.certificate.subject)
            .last_update(NOW + self.rng.choice([-2 * DAY, 0 * DAY, 8 * YEAR]))
            .next_update(NOW + 9 * YEAR)
        )
        if self.rng.random() < 0.5:
            builder = builder.add_revoked_certificate(self._entry(asked))
        if self.rng.random() < 0.3:
            builder = builder.add_extension(self._point(), critical=self.rng.random() < 0.8)
        algorithm = None if "Ed25519" in type(by.key).__name__ else hashes.SHA256()
        return [builder.sign(by.key, algorithm).public_bytes(Encoding.DER)]

    def _entry(self, asked: Party) -> x509.RevokedCertificate:
        entry = x509.RevokedCertificateBuilder().serial_number(asked.certificate.serial_number)
        entry = entry.revocation_date(NOW + self.rng.choice([-DAY, DAY, 30 * DAY]))
        reason = self.rng.choice(_REASONS)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        if self.rng.random() < 0.3:
            date = NOW + self.rng.choice([-2 * DAY, DAY])
            entry = entry.add_extension(x509.InvalidityDate(date), critical=False)
        return entry.build()

    def _point(self) -> x509.IssuingDistributionPoint:
        only = self.rng.choice(["user", "ca", "attribute", "indirect", "name", "other"])
        url = "http://crl.test/a.crl" if only == "name" else "http://crl.test/b.crl"
        named = only in ("name", "other")
        return x509.IssuingDistributionPoint(
            full_name=[x509.UniformResourceIdentifier(url)] if named else None,
            relative_name=None,
            only_contains_user_certs=only == "user",
            only_contains_ca_certs=only == "ca",
            only_some_reasons=None,
            indirect_crl=only == "indirect",
            only_contains_attribute_certs=only == "attribute",
        )
