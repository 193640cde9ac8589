"""Step 5: time-stamp tokens of RFC 3161 authorities.

A token is checked at its own genTime (step 5.1). That alone lets an old key sign any time in its
past; so after the end of the chain's certificates, or when revocation data says that the key was
compromised, the token counts only if other verified evidence shows that *the token itself* existed
before that (step 5.4). Such evidence is a path from SHA-256(token) to a root hash that another row
of the same proof attests.

The bound is genTime plus the accuracy that the token states, else the policy's for that authority,
else 60 seconds (step 5.3).

Specification: ``docs/spec/verification.md``, step 5; RFC 3161, section 4 (revocation).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from anchor.errors import AttestationError, VestigeError
from anchor.formats.merkle import leaf_hash, root_from_inclusion
from anchor.formats.note import SignedNote
from anchor.formats.tsp import TimestampToken, parse_token
from anchor.formats.tsp_chain import VerifiedToken, verify_token
from anchor.formats.x509_revocation import CertificateStatus, verify_revocation
from anchor.proof.policy import Policy, TrustedAuthority
from anchor.proof.proof import Attestation, Rfc3161Attestation
from anchor.verify.verdict import AttestationVerdict, Judgement, Status, Step

_UNTRUSTED = "tsp.chain.untrusted_root"


@dataclass(frozen=True, slots=True)
class TokenFinding:
    """A token that its authority made, not yet settled: does it still count?

    Attributes:
        judgement: what it is if it counts.
        chain_not_after: earliest end in the chain.
        compromised_at: from when on a key of the chain is not believed, or None.
    """

    judgement: Judgement
    chain_not_after: datetime
    compromised_at: datetime | None


def judge_token(
    attestation: Rfc3161Attestation, covered: Sequence[bytes], policy: Policy
) -> Judgement | TokenFinding:
    """Judge one token by itself.

    Args:
        attestation: as parsed.
        covered: :func:`covered_digests`, one of which a token over a checkpoint must be about.
        policy: whose authorities are believed.

    Raises:
        AttestationError, SignatureError: the token is false.
        FormatError: the token or a certificate cannot be read.
    """
    token = parse_token(attestation.token)
    if attestation.covers == "root":
        digest = attestation.root_hash
    elif not covered:
        return Judgement(
            Status.NOT_CHECKED,
            "the checkpoint that the token is over is not in the proof",
            "tsp.checkpoint_missing",
        )
    else:
        # If none fits, the first is what should have been stamped.
        digest = token.imprint if token.imprint in covered else covered[0]
    authority, verified = _verify(token, digest, attestation, policy)
    if authority is None:
        return Judgement(
            Status.NOT_CHECKED,
            f"the policy does not trust the root certificate of {verified.tsa_name}",
            "tsp.root_unknown",
            potential_time=token.gen_time,
            by=verified.tsa_name,
        )
    return _find(attestation, token, digest, authority, verified)


def covered_digests(notes: Sequence[SignedNote]) -> tuple[bytes, ...]:
    """Return the digests of these notes, each with one of its signature lines only.

    Cosignatures are added to a checkpoint later. Which line is the log's own is the imprint of a
    token to say: it binds the text and that line.
    """
    digests = []
    for note in dict.fromkeys(notes):
        text = hashlib.sha256(SignedNote(note.text, ()).serialize().encode())
        for line in note.signatures:
            whole = text.copy()
            whole.update(line.line.encode())
            digests.append(whole.digest())
    return tuple(digests)


def _verify(
    token: TimestampToken, digest: bytes, attestation: Rfc3161Attestation, policy: Policy
) -> tuple[TrustedAuthority | None, VerifiedToken]:
    """Find the authority of the policy that the token chains to."""
    by_root = {root: authority for authority in policy.authorities for root in authority.roots}
    try:
        verified = verify_token(
            token,
            digest=digest,
            roots=tuple(by_root),
            extra_certificates=attestation.certificates,
        )
    except AttestationError as error:
        if error.code != _UNTRUSTED:
            raise
    else:
        return by_root[verified.chain[-1]], verified
    # Not the policy's: it may still contradict itself, which is worth knowing.
    return None, verify_token(
        token,
        digest=digest,
        roots=(*attestation.certificates, *token.certificates),
        extra_certificates=attestation.certificates,
    )


def _find(
    attestation: Rfc3161Attestation,
    token: TimestampToken,
    digest: bytes,
    authority: TrustedAuthority,
    verified: VerifiedToken,
) -> TokenFinding:
    statuses = verify_revocation(
        verified.chain, ocsp=attestation.ocsp, crls=(*attestation.crls, *token.crls)
    )
    compromised_at = _compromised_at(statuses, verified)
    accuracy = verified.accuracy
    if accuracy is None:
        accuracy = timedelta(seconds=authority.accuracy_s)
    bound = _ceil(verified.gen_time + accuracy)
    root = verified.root_fingerprint.hex()[:8]
    known_at = statuses[0].known_at if statuses and statuses[0].state == "good" else None
    known_to = f"; not revoked as of {known_at:%Y-%m-%d}" if known_at else ""
    judgement = Judgement(
        Status.VERIFIED,
        f"stamped by {verified.tsa_name}{known_to}",
        "tsp.verified",
        attested_time=bound,
        tolerance_s=int(-(-accuracy.total_seconds() // 1)),
        trust=f"believe {authority.name} (root {root}…)",
        headline=authority.headline,
        by=authority.name,
        steps=_steps(attestation, digest, verified),
    )
    return TokenFinding(judgement, verified.chain_not_after, compromised_at)


def _compromised_at(
    statuses: Sequence[CertificateStatus], verified: VerifiedToken
) -> datetime | None:
    """Return from when on the chain's keys are not believed, or None (RFC 3161, section 4).

    That is the revocation, or the invalidity date that is stated with it (RFC 5280 5.3.2). A reason
    that spares earlier tokens spares none from after that date.

    Raises:
        AttestationError: the token is dated after one of its certificates was revoked.
    """
    compromised: list[datetime] = []
    for status in statuses:
        if status.revoked_at is None or status.invalid_from is None:
            continue
        if verified.gen_time >= status.revoked_at:
            raise AttestationError(
                f"the token is dated {verified.gen_time:%Y-%m-%d %H:%M:%S}, {status.name} was "
                f"revoked at {status.revoked_at:%Y-%m-%d %H:%M:%S}",
                code="tsp.revoked",
            )
        if status.voids_earlier_tokens or verified.gen_time >= status.invalid_from:
            compromised.append(status.invalid_from)
    return min(compromised, default=None)


def _ceil(time: datetime) -> datetime:
    """Round up to a whole second: a bound may be late, never early."""
    return time if time.microsecond == 0 else time.replace(microsecond=0) + timedelta(seconds=1)


def _steps(
    attestation: Rfc3161Attestation, digest: bytes, verified: VerifiedToken
) -> tuple[Step, ...]:
    what = "the root hash" if attestation.covers == "root" else "SHA-256 of the signed checkpoint"
    return (
        Step(
            "5.1",
            "token",
            (
                f"imprint: {what}, {digest.hex()}",
                f"genTime {verified.gen_time:%Y-%m-%dT%H:%M:%S.%fZ}, signed by {verified.tsa_name}",
                f"root certificate {verified.root_fingerprint.hex()} (SHA-256)",
                _openssl_command(digest, verified.gen_time),
            ),
        ),
    )


def _openssl_command(digest: bytes, gen_time: datetime) -> str:
    return (
        f"openssl ts -verify -token_in -in token.der -digest {digest.hex()} "
        f"-CAfile root.pem -untrusted chain.pem -attime {int(gen_time.timestamp())}"
    )


# -- step 5.4 --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A token that counts only if another row shows that it existed by a time.

    ``roots`` are the root hashes that it was shown to lie under itself.
    """

    finding: TokenFinding
    deadline: datetime
    roots: frozenset[bytes]

    def support(self, rows: Iterable[AttestationVerdict]) -> AttestationVerdict | None:
        """Return the earliest row that shows it, or None."""
        fit = [
            row
            for row in rows
            if row.attested_time is not None
            and row.attested_time <= self.deadline
            and getattr(row.attestation, "root_hash", None) in self.roots
        ]
        return min(fit, key=lambda row: (str(row.attested_time), row.judgement.by), default=None)


def settle_tokens(
    found: Sequence[tuple[Attestation, str, Judgement | TokenFinding]], now: datetime
) -> list[AttestationVerdict]:
    """Decide which tokens still count, given what the other rows show, until nothing changes.

    Rows that may set the headline are leaned on first, so that the order of rows says nothing.
    """
    rows: dict[int, AttestationVerdict] = {}
    waiting: dict[int, _Waiting] = {}
    for position, (attestation, family, item) in enumerate(found):
        if not isinstance(item, TokenFinding):
            rows[position] = AttestationVerdict(attestation, family, item)
        elif (deadline := _deadline(item, now)) is None:
            rows[position] = AttestationVerdict(attestation, family, item.judgement)
        else:
            waiting[position] = _Waiting(item, deadline, _own_roots(attestation))
    for any_row in (False, True):
        fresh = list(rows.values())
        while fresh and waiting:
            shown = [row for row in fresh if any_row or row.judgement.headline]
            supports = {position: token.support(shown) for position, token in waiting.items()}
            fresh = []
            for position, support in supports.items():
                if support is not None:
                    judgement = _renewed(waiting.pop(position).finding, support)
                    rows[position] = AttestationVerdict(*found[position][:2], judgement)
                    fresh.append(rows[position])
    for position, token in waiting.items():
        rows[position] = AttestationVerdict(*found[position][:2], _lapsed(token.finding))
    return [rows[position] for position in range(len(found))]


def _own_roots(attestation: Attestation) -> frozenset[bytes]:
    """Return the root hashes that the token's own inclusions lead to; their hashes decide alone."""
    roots = set()
    if isinstance(attestation, Rfc3161Attestation):
        leaf = leaf_hash(hashlib.sha256(attestation.token).digest())
        for way in attestation.inclusions:
            with suppress(VestigeError):
                roots.add(root_from_inclusion(leaf, way.leaf_index, way.tree_size, way.hashes))
    return frozenset(roots)


def _renewed(finding: TokenFinding, support: AttestationVerdict) -> Judgement:
    judgement = finding.judgement
    return replace(
        judgement,
        reason=f"{judgement.reason}; the token existed before "
        f"{support.attested_time:%Y-%m-%d %H:%M:%S} ({support.judgement.by})",
        trust=f"{judgement.trust}, and {support.judgement.trust}",
        headline=judgement.headline and support.judgement.headline,
    )


def _deadline(finding: TokenFinding, now: datetime) -> datetime | None:
    """Return the time by which the token must be shown to have existed, or None if it need not."""
    deadlines = [finding.compromised_at] if finding.compromised_at else []
    if now > finding.chain_not_after:
        deadlines.append(finding.chain_not_after)
    return min(deadlines, default=None)


def _lapsed(finding: TokenFinding) -> Judgement:
    why = (
        f"a key of its chain is not believed from {finding.compromised_at:%Y-%m-%d} on"
        if finding.compromised_at
        else f"its certificates ended on {finding.chain_not_after:%Y-%m-%d}"
    )
    return replace(
        finding.judgement,
        status=Status.NOT_CHECKED,
        reason=f"{why}, and nothing verified shows that the token existed before that",
        code="tsp.lapsed",
        attested_time=None,
        potential_time=finding.judgement.attested_time,
        trust="",
    )
