"""Find a certificate's path to a trusted root and hold it against one moment (RFC 5280 6.1).

The certificates to build with come from strangers: they may be many, unrelated, of equal names, or
in a circle. So the search follows names, then signatures, counts every signature that it checks,
and stops at a fixed length. Validity, constraints and purposes are judged at the moment given.

Not here: certificate policies (any is accepted), name constraints (a critical extension that is not
understood here ends the path), revocation (:mod:`anchor.formats.x509_revocation`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from anchor.errors import AttestationError, VerificationError
from anchor.formats.x509_certificate import Certificate
from anchor.limits import MAX_CHAIN_LENGTH, MAX_CHAIN_SIGNATURE_CHECKS

Path = tuple[Certificate, ...]

TIME_STAMPING: Final = "1.3.6.1.5.5.7.3.8"
_ANY_PURPOSE = "2.5.29.37.0"


@lru_cache(maxsize=128)
def _signature_failure(issuer: Certificate, subject: Certificate) -> VerificationError | None:
    """Return why the issuer's key did not sign this certificate; None when it did.

    Remembered by the two objects, which ``parse_certificate`` remembers by their bytes.
    """
    try:
        subject.signed.verify(issuer.key, f"certificate {subject.name}")
    except VerificationError as exc:
        return exc
    return None


class _Search:
    """One search: which certificate issued which, each signature checked once."""

    def __init__(self, pool: Sequence[Certificate], roots: Sequence[Certificate]) -> None:
        self.candidates = [*roots, *(c for c in pool if c.der not in {r.der for r in roots})]
        self.roots = {root.der for root in roots}
        self.checked: dict[tuple[bytes, bytes], bool] = {}
        self.failure: AttestationError | None = None

    def issued(self, issuer: Certificate, subject: Certificate) -> bool:
        """Tell whether the issuer's name and key made this certificate."""
        if issuer.subject_key != subject.issuer_key:
            return False
        pair = (issuer.der, subject.der)
        if pair not in self.checked:
            if len(self.checked) >= MAX_CHAIN_SIGNATURE_CHECKS:
                raise AttestationError(
                    "too many certificates to find the chain in", code="tsp.chain.too_many"
                )
            failure = _signature_failure(issuer, subject)
            self.checked[pair] = failure is None
            if isinstance(failure, AttestationError):  # else only another key of that name
                self.failure = AttestationError(failure.message, code=failure.code)
        return self.checked[pair]

    def paths(self, so_far: Path) -> Iterator[Path]:
        """Yield every path that goes on from here to a root."""
        last = so_far[-1]
        if last.der in self.roots:
            yield so_far
        elif len(so_far) < MAX_CHAIN_LENGTH:
            keys = {(c.subject_key, c.key_bytes) for c in so_far}
            for issuer in self.candidates:
                fresh = (issuer.subject_key, issuer.key_bytes) not in keys
                if fresh and self.issued(issuer, last):
                    yield from self.paths((*so_far, issuer))


def find_path(
    leaf: Certificate, pool: Sequence[Certificate], roots: Sequence[Certificate], at: datetime
) -> Path:
    """Return the path from ``leaf`` to one of ``roots`` that holds at ``at``, both included.

    Where several hold, the one that stays valid longest.

    Raises:
        AttestationError: none leads to a root (``tsp.chain.untrusted_root``), or those that do fail
            a rule; the code of the first failure found is the error's.
    """
    search = _Search(pool, roots)
    failure: AttestationError | None = None
    good: list[Path] = []
    for path in search.paths((leaf,)):
        try:
            _verify_path(path, at)
            good.append(path)
        except AttestationError as exc:
            failure = failure or exc
    if good:
        return max(good, key=lambda path: min(c.not_after for c in path))
    raise (
        failure
        or search.failure
        or AttestationError(
            f"{leaf.name}: no chain to a root that the policy trusts (issuer {leaf.issuer_name})",
            code="tsp.chain.untrusted_root",
            hint="add the authority's root to the policy if you trust it",
        )
    )


def verify_no_strangers(sent: Sequence[Certificate], path: Path) -> None:
    """Refuse certificates sent with a token that have nothing to do with its signer.

    Whoever passes a token on can add certificates to it: they are not signed. A reader that takes
    names, purposes or validity from one of those, as several did, is told a lie about who signed
    and for how long (CVE-2026-39984). At home are the path itself, cross-certificates of the
    authorities on it (same name and key), what issued any of these, and what these issued.
    """
    search = _Search((), ())
    home = list(path)
    strangers = [c for c in sent if c.der not in {member.der for member in path}]
    while found := [c for c in strangers if _at_home(c, home, search)]:
        home += found
        strangers = [c for c in strangers if c not in found]
    if strangers:
        raise AttestationError(
            f"the token carries the certificate of {strangers[0].name}, which has no part in it",
            code="tsp.certificates.injected",
            hint="somebody added it after the authority signed; ask for the original token",
        )


def _at_home(certificate: Certificate, home: Sequence[Certificate], search: _Search) -> bool:
    names = (certificate.subject_key, certificate.key_bytes)
    return any(
        (member.is_ca and names == (member.subject_key, member.key_bytes))
        or (member.is_ca and search.issued(member, certificate))
        or (certificate.is_ca and search.issued(certificate, member))
        for member in home
    )


def _verify_path(path: Path, at: datetime) -> None:
    for certificate in path:
        _verify_validity(certificate, at)
        if certificate.unhandled_critical:
            oid = certificate.unhandled_critical[0]
            raise AttestationError(
                f"{certificate.name}: critical extension {oid}", code="tsp.chain.critical_extension"
            )
    below = 0  # certificates between here and the leaf that are not self-issued
    for certificate in path[1:]:
        _verify_issuer(certificate, below, is_root=certificate is path[-1])
        below += certificate.subject != certificate.issuer


def _verify_validity(certificate: Certificate, at: datetime) -> None:
    if at > certificate.not_after:
        raise AttestationError(
            f"{certificate.name}: ended at {certificate.not_after}, before {at}",
            code="tsp.chain.expired",
        )
    if at < certificate.not_before:
        raise AttestationError(
            f"{certificate.name}: begins at {certificate.not_before}, after {at}",
            code="tsp.chain.not_yet_valid",
        )


def _verify_issuer(certificate: Certificate, below: int, *, is_root: bool) -> None:
    usage, purposes = certificate.key_usage, certificate.purposes
    if not certificate.is_ca or (usage is not None and "key_cert_sign" not in usage):
        raise AttestationError(f"{certificate.name}: not an authority", code="tsp.chain.not_a_ca")
    if certificate.path_length is not None and below > certificate.path_length:
        raise AttestationError(
            f"{certificate.name}: {below} authorities below, at most {certificate.path_length}",
            code="tsp.chain.path_length",
        )
    if purposes is not None and not is_root and not purposes & {TIME_STAMPING, _ANY_PURPOSE}:
        raise AttestationError(f"{certificate.name}: not for time-stamping", code="tsp.eku")
