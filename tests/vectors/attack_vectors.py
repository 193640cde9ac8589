"""Vectors for ways in which a verifier was made to lie, to disagree with itself, or to take long.

Registered beside those of ``generate.py``; ``docs/spec/verification.md`` has the rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from anchor.formats.bitcoin import BitcoinHeader
from anchor.formats.note import parse_note, sign_note
from anchor.formats.ots.attestation import (
    BitcoinAttestation,
    PendingAttestation,
    serialize_attestation,
)
from anchor.formats.ots.codec import parse_tree, serialize_tree
from anchor.formats.ots.op import Append, Hexlify, Keccak256, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.proof import HeaderRun, OpenTimestampsAttestation
from tests.evidence import CALENDAR, Authority, Bitcoin, Log, Signer, mine, whole_case
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


# -- Bitcoin: made-up successors, archives, many attestations --------------------------------------


def _archive(headers: Sequence[BitcoinHeader], first_height: int = 0) -> dict[str, Any]:
    return {"first_height": first_height, "headers": [header.raw.hex() for header in headers]}


def _on(headers: Sequence[BitcoinHeader], *times: int) -> list[BitcoinHeader]:
    """Return the headers with more on top, dated as said and mined at no cost."""
    grown = list(headers)
    for time in times:
        grown.append(mine(grown[-1].block_hash, b"\x66" * 32, time))
    return grown


def _forged_successors(
    expect: dict[str, Any], known: Callable[[Bitcoin], dict[str, Any]], *checkpoints: int
) -> Vector:
    """The block is genuine; the six headers on it are of 1970 and cost nothing."""
    case, bitcoin = whole_case(), Bitcoin()
    mined = bitcoin.attestation(rooted(case))
    for _ in range(6):
        bitcoin.mine()
    forged = tuple(header.raw for header in _on(bitcoin.headers[:1], *[1] * 6))
    attestation = replace(mined, headers=(HeaderRun(0, forged),))
    return case_vector(
        "7.4",
        case,
        expect,
        proof=only(case, attestation),
        entries={"bitcoin": bitcoin.policy(*checkpoints)},
        known=known(bitcoin),
    )


LONE = {"exit_status": 0, "headline": "2026-06-02T00:00:00Z"}
WITH_SIX = {"exit_status": 0, "headline": "2026-06-01T03:00:00Z"}
OFF_CHAIN = {"exit_status": 1, "rows": [row("failed", "bitcoin.block_not_on_chain")]}


@vector
def bitcoin_forged_successors_of_a_checkpoint() -> Vector:
    return _forged_successors(LONE, lambda _: {}, 0)


@vector
def bitcoin_forged_successors_and_an_archive() -> Vector:
    return _forged_successors(WITH_SIX, lambda b: {"archive": _archive(b.headers)}, 0)


@vector
def bitcoin_forged_successors_and_a_short_archive() -> Vector:
    return _forged_successors(LONE, lambda b: {"archive": _archive(b.headers[:4])}, 0, 3)


@vector
def bitcoin_forged_successors_and_sources() -> Vector:
    return _forged_successors(WITH_SIX, lambda b: _asked(b.headers[:7]))


@vector
def bitcoin_forged_successors_and_sources_that_know_the_block_alone() -> Vector:
    return _forged_successors(LONE, lambda b: _asked(b.headers[:7], confirmed=1))


@vector
def bitcoin_forged_successors_away_from_a_checkpoint() -> Vector:
    return _forged_successors(OFF_CHAIN, lambda _: {}, 6)


def _asked(headers: Sequence[BitcoinHeader], confirmed: int = 7) -> dict[str, Any]:
    """Return what sources said of the first blocks, and the headers that they gave."""
    return {
        "bitcoin": [
            {"height": h, "hash": header.block_hash[::-1].hex(), "confirmed_by": "two sources"}
            for h, header in enumerate(headers[:confirmed])
        ],
        "headers": [{"height": 0, "headers": [header.raw.hex() for header in headers]}],
    }


def _beyond(
    expect: dict[str, Any],
    *times: int,
    network: str = "regtest",
    from_checkpoint: bool = True,
    **policy: Any,
) -> Vector:
    """The block lies on top of checkpoint 10, dated 2026-06-01T01:40:00Z, in an archive."""
    case, bitcoin = whole_case(), Bitcoin()
    for _ in range(11):
        bitcoin.mine()
    tree = Timestamp(rooted(case))
    node = tree.add(Sha256())
    node.attest(BitcoinAttestation(11))
    block = mine(bitcoin.headers[10].block_hash, node.message, times[0])
    headers = _on([*bitcoin.headers, block], *times[1:])
    attestation = OpenTimestampsAttestation(rooted(case), CALENDAR, serialize_tree(tree))
    first = 10 if from_checkpoint else 0
    entries = bitcoin.policy(*sorted({first, 10}), **policy)
    entries["checkpoints"][-1]["chain_work"] = f"{100:064x}"
    return case_vector(
        "7.3",
        case,
        expect,
        proof=only(case, attestation),
        entries={"bitcoin": {"minimum_chain_work": f"{100:064x}", **entries, "network": network}},
        known={"archive": _archive(headers[first:], first)},
    )


YEAR_2010 = 1_262_304_000
JUNE_2026 = 1_780_272_000 + 11 * 600
SEVEN = [JUNE_2026 + 600 * n for n in range(7)]
NOT_BELIEVED = {"exit_status": 4, "rows": [row("not_checked", "bitcoin.header_missing")]}


@vector
def bitcoin_archive_one_block_of_2010_on_a_checkpoint() -> Vector:
    """The policy's minimum work is the checkpoint's own: one free block would be enough."""
    return _beyond(NOT_BELIEVED, YEAR_2010)


@vector
def bitcoin_archive_seven_blocks_of_2010_on_a_checkpoint() -> Vector:
    """With the work, still no earlier than the checkpoint: 01:40 and two hours."""
    expect = {"exit_status": 0, "headline": "2026-06-01T03:40:00Z"}
    return _beyond(expect, *[YEAR_2010] * 7)


@vector
def bitcoin_archive_dated_before_its_median() -> Vector:
    return _beyond({"refused": "bitcoin.archive_time"}, YEAR_2010, from_checkpoint=False)


@vector
def bitcoin_archive_six_on_top() -> Vector:
    expect = {"exit_status": 0, "headline": "2026-06-01T04:50:00Z"}
    return _beyond(expect, *SEVEN, from_checkpoint=False)


@vector
def bitcoin_archive_five_on_top() -> Vector:
    return _beyond(NOT_BELIEVED, *SEVEN[:6], from_checkpoint=False)


@vector
def bitcoin_archive_lacks_the_work_that_the_policy_wants() -> Vector:
    return _beyond(NOT_BELIEVED, *SEVEN, minimum_work_beyond_checkpoint=f"{15:064x}")


@vector
def bitcoin_archive_has_the_work_that_the_policy_wants() -> Vector:
    expect = {"exit_status": 0}
    return _beyond(expect, *SEVEN, minimum_work_beyond_checkpoint=f"{14:064x}")


def _attested(count: int, expect: dict[str, Any]) -> Vector:
    case = whole_case()
    mined = case.proof.attestations[3]
    tree = parse_tree(mined.tree, mined.root_hash)
    for height in range(1, count):
        tree.add(Sha256()).attest(BitcoinAttestation(height))
    many = replace(mined, tree=serialize_tree(tree))
    return case_vector("7.1", case, expect, proof=only(case, many))


@vector
def ots_sixteen_bitcoin_attestations() -> Vector:
    """Fifteen of them without a header, which takes nothing from the one that has it."""
    return _attested(16, {"exit_status": 0, "rows": [row("verified", "bitcoin.verified")]})


@vector
def ots_seventeen_bitcoin_attestations() -> Vector:
    return _attested(17, {"exit_status": 1, "rows": [row("failed", "ots.bitcoin_attestations")]})


# -- work ------------------------------------------------------------------------------------------


def _keccak_tree(root: bytes, number: int, times: int) -> OpenTimestampsAttestation:
    """Return a tree of 200 bytes at most that asks for Keccak-256 of 4,096 bytes again and again.

    Each time costs 31 blocks.
    """
    ops = [Append(b"%03d" % number), Sha256(), *[*[Hexlify()] * 7, Keccak256()] * times]
    end = b"\0" + serialize_attestation(PendingAttestation(CALENDAR))
    tree = b"".join(op.serialize() for op in ops) + end
    return OpenTimestampsAttestation(root, CALENDAR, tree)


def _bloated(expect: dict[str, Any], *times: int) -> Vector:
    case = whole_case()
    trees = [_keccak_tree(rooted(case), n, count) for n, count in enumerate(times)]
    rows = [*trees[::2], case.proof.attestations[0], *trees[1::2]]
    return case_vector("W", case, expect, proof=only(case, *rows))


OVER = row("not_checked", "limit.work")
PROMISED = row("pending", "bitcoin.pending")
TOKEN = row("verified", "tsp.verified")


@vector
def work_seven_trees_of_slow_digests() -> Vector:
    """Each costs 15 * 31 * 150 units and 4 for each byte: seven fit."""
    return _bloated({"exit_status": 0, "rows": [TOKEN, *[PROMISED] * 7]}, *[15] * 7)


@vector
def work_nine_trees_of_slow_digests() -> Vector:
    """Nine of one cost do not, so that none of them is judged; the token is."""
    return _bloated({"exit_status": 0, "rows": [TOKEN, *[OVER] * 9]}, *[15] * 9)


@vector
def work_the_dear_trees_are_left_out() -> Vector:
    rows = [TOKEN, *[PROMISED] * 8, *[OVER] * 8]
    return _bloated({"exit_status": 0, "rows": rows}, *[15] * 8, *[2] * 8)


@vector
def work_the_dear_trees_are_left_out_wherever_they_stand() -> Vector:
    rows = [TOKEN, *[PROMISED] * 8, *[OVER] * 8]
    return _bloated({"exit_status": 0, "rows": rows}, *[2] * 8, *[15] * 8)


@vector
def work_two_hundred_and_fifty_trees() -> Vector:
    """A hundred kilobytes that asked for twenty seconds and more."""
    expect = {"exit_status": 0, "rows": [TOKEN, *[OVER] * 250]}
    return _bloated(expect, *[15] * 250)
