"""Vectors for ways in which a verifier was made to lie, to disagree with itself, or to take long.

Registered beside those of ``generate.py``; ``docs/spec/verification.md`` has the rules.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from anchor.formats.note import parse_note, sign_note
from tests.evidence import Authority, Bitcoin, Log, Signer, whole_case
from tests.vectors.making import Vector, case_vector, only, rooted, row, vector

# -- keys and policies -----------------------------------------------------------------------------


def _rotated(*, newest_first: bool) -> Vector:
    """Both keys of a log that changed hands stand on one checkpoint, each entry with its sizes."""
    case = whole_case()
    old, new = case.log.signer, Signer(case.log.signer.name, seed=b"\x0b" * 32)
    note = parse_note(case.log.checkpoint(8))
    both = note.adding(*sign_note(note.text, new.key, new.private.sign).signatures).serialize()
    logs = [
        {"origin": old.name, "key": old.key.text, "last_size": 7},
        {"origin": old.name, "key": new.key.text, "first_size": 7},
    ]
    inclusion = replace(case.log.inclusion(6, 8), checkpoint=both)
    token = case.authority.attestation(case.log.root(8))
    return case_vector(
        "2.2",
        case,
        {"exit_status": 0, "log": "verified", "leaf_index": 6},
        proof=only(case, token, inclusions=(inclusion,)),
        entries={"logs": logs[::-1] if newest_first else logs},
    )


@vector
def log_rotated_key_old_entry_first() -> Vector:
    return _rotated(newest_first=False)


@vector
def log_rotated_key_new_entry_first() -> Vector:
    return _rotated(newest_first=True)


@vector
def log_successor_signs_another_closing_tree() -> Vector:
    """The new key may sign the closing size, but not another tree of that size."""
    case = whole_case()
    new = Signer(case.log.signer.name, seed=b"\x0b" * 32)
    closed = {**case.entries["logs"][0], "last_size": 7, "closing_root": "11" * 32}
    logs = [{"origin": new.name, "key": new.key.text, "first_size": 7}, closed]
    note = parse_note(case.log.checkpoint(7))
    signed = sign_note(note.text, new.key, new.private.sign).serialize()
    inclusion = replace(case.log.inclusion(6, 7), checkpoint=signed)
    proof = only(case, case.authority.attestation(rooted(case)), inclusions=(inclusion,))
    expect = {"exit_status": 1, "log_code": "checkpoint.closing_root_mismatch"}
    return case_vector("2.2", case, expect, proof=proof, entries={"logs": logs})


def _refused(code: str, **entries: Any) -> Vector:
    return case_vector("policy", whole_case(), {"refused": code}, entries=entries)


@vector
def policy_witness_with_a_logs_key() -> Vector:
    case = whole_case()
    key = case.entries["logs"][0]["key"]
    return _refused("policy.key_type", witnesses=[{"key": key, "related": False}])


@vector
def policy_log_with_a_witnesss_key() -> Vector:
    case = whole_case()
    log = {**case.entries["logs"][0], "key": case.entries["witnesses"][0]["key"]}
    return _refused("policy.key_type", logs=[log])


@vector
def policy_two_checkpoints_of_one_height() -> Vector:
    bitcoin = whole_case().entries["bitcoin"]
    other = {**bitcoin["checkpoints"][0], "hash": "11" * 32}
    twice = {**bitcoin, "checkpoints": [*bitcoin["checkpoints"], other]}
    return _refused("policy.twice", bitcoin=twice)


@vector
def policy_two_pinned_blocks_of_one_number() -> Vector:
    chain = whole_case().entries["chains"][0]
    other = {**chain["pinned"][0], "hash": "11" * 32}
    return _refused("policy.twice", chains=[{**chain, "pinned": [*chain["pinned"], other]}])


# -- revocation ------------------------------------------------------------------------------------


def _stolen(invalid_from: datetime | None, *rows: dict[str, str], reason: Any = None) -> Vector:
    """A key is revoked in October; the token is dated January, and existed in June at the latest.

    When the key was in other hands is what the invalidity date says (RFC 5280 5.3.2).
    """
    case, authority = whole_case(), Authority("Robbed")
    log = Log(case.log.signer, case.log.digests[:7])
    token = authority.attestation(log.root(7), gen_time="20260101000000Z")
    log.add(hashlib.sha256(token.token).digest())
    bitcoin = Bitcoin(start_time=int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()))
    mined = bitcoin.attestation(log.root(8))
    crl = _revocation_list(authority, invalid_from, reason or x509.ReasonFlags.key_compromise)
    token = replace(token, crls=(crl,), inclusions=(log.inclusion(7, 8),))
    inclusions = (log.inclusion(6, 7), log.inclusion(6, 8))
    return case_vector(
        "5.4",
        case,
        {"rows": [*rows, row("verified", "bitcoin.verified")]},
        proof=only(case, token, mined, inclusions=inclusions),
        entries={"authorities": [authority.policy()], "bitcoin": bitcoin.policy(0)},
    )


def _revocation_list(authority: Authority, invalid_from: datetime | None, reason: Any) -> bytes:
    revoked = (
        x509.RevokedCertificateBuilder()
        .serial_number(authority.party.certificate.serial_number)
        .revocation_date(datetime(2026, 10, 1, tzinfo=UTC))
        .add_extension(x509.CRLReason(reason), critical=False)
    )
    if invalid_from is not None:
        revoked = revoked.add_extension(x509.InvalidityDate(invalid_from), critical=False)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.root.certificate.subject)
        .last_update(datetime(2026, 10, 2, tzinfo=UTC))
        .next_update(datetime(2027, 1, 1, tzinfo=UTC))
        .add_revoked_certificate(revoked.build())
    )
    signed = builder.sign(authority.root.key, hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


@vector
def tsp_revoked_and_renewed_before() -> Vector:
    return _stolen(None, row("verified", "tsp.verified"))


@vector
def tsp_stolen_before_it_was_renewed() -> Vector:
    return _stolen(datetime(2026, 3, 1, tzinfo=UTC), row("not_checked", "tsp.lapsed"))


@vector
def tsp_stolen_before_it_was_dated() -> Vector:
    return _stolen(datetime(2025, 12, 1, tzinfo=UTC), row("not_checked", "tsp.lapsed"))


@vector
def tsp_stolen_after_it_was_renewed() -> Vector:
    return _stolen(datetime(2026, 9, 1, tzinfo=UTC), row("verified", "tsp.verified"))


@vector
def tsp_superseded_after_it_was_dated() -> Vector:
    superseded = x509.ReasonFlags.superseded
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return _stolen(at, row("verified", "tsp.verified"), reason=superseded)


@vector
def tsp_superseded_before_it_was_dated() -> Vector:
    superseded = x509.ReasonFlags.superseded
    at = datetime(2025, 12, 1, tzinfo=UTC)
    return _stolen(at, row("not_checked", "tsp.lapsed"), reason=superseded)
