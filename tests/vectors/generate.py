"""Makes the verdict vectors: one case each, with the verdict that every verifier must give.

    python -m tests.vectors.generate            rewrite tests/vectors/verdicts/
    python -m tests.vectors.generate NAME…      only these

A vector is JSON: the policy, the proof (or ``ots`` file), the time, what is known from outside, and
the verdict that the rules demand. ``rule`` names the rule of docs/spec/verification.md. The
expectations are written here by hand; nothing is copied from what our own verifier says.
Signatures and headers are fresh at each run, so the files change; the expectations do not.
"""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from anchor.formats.merkle import leaf_hash, node_hash
from anchor.formats.ots.attestation import BitcoinAttestation
from anchor.formats.ots.codec import serialize_tree
from anchor.formats.ots.op import Append, Sha1, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.codec import attestation_from_json
from anchor.proof.proof import (
    ExpectedAttestation,
    HeaderRun,
    Inclusion,
    OpenTimestampsAttestation,
    Proof,
    Rfc3161Attestation,
    UnknownAttestation,
)
from tests import evidence
from tests.attacks import forged_evm, forged_tokens
from tests.evidence import NOW, Authority, Bitcoin, Case, Signer, whole_case
from tests.vectors import attack_vectors, ots_file_vectors
from tests.vectors.making import FOLDER, MAKERS, Vector, case_vector, only, rooted, row, vector

__all__ = ["FOLDER", "MAKERS", "attack_vectors", "ots_file_vectors"]

# -- the whole, and rules 1 to 3 of the sum --------------------------------------------------------


@vector
def whole_everything_verified() -> Vector:
    case = whole_case()
    expect = {"status": "verified", "exit_status": 0, "headline": "2020-01-01T00:00:12Z"}
    return case_vector("10.2", case, expect)


@vector
def whole_file_is_another() -> Vector:
    expect = {"status": "failed", "exit_status": 1, "headline": None}
    return case_vector("1", whole_case(), expect, file_digest=evidence.digest_of("a dog"))


@vector
def whole_opening_is_another() -> Vector:
    case = whole_case()
    proof = replace(case.proof, opening=b"\x56" * 16)
    return case_vector("1", case, {"status": "failed", "exit_status": 1}, proof=proof)


@vector
def whole_nothing_trusted() -> Vector:
    empty = {"logs": [], "authorities": [], "chains": [], "bitcoin": {}, "witnesses": []}
    expect = {"status": "not_checked", "exit_status": 4, "headline": None}
    return case_vector("11", whole_case(), expect, entries=empty)


@vector
def whole_nothing_there() -> Vector:
    case = whole_case()
    expect = {"status": "not_checked", "exit_status": 4}
    return case_vector("11", case, expect, proof=only(case))


@vector
def whole_two_families_wanted_one_there() -> Vector:
    case = whole_case()
    proof = only(case, case.authority.attestation(rooted(case)))
    expect = {"status": "not_checked", "exit_status": 4, "headline": None}
    return case_vector("10.2", case, expect, proof=proof, entries={"families_wanted": 2})


@vector
def whole_family_not_in_headline() -> Vector:
    case = whole_case()
    entries = {"headline_families": ["rfc3161"]}
    expect = {"status": "verified", "exit_status": 0, "headline": "2026-11-23T10:02:09Z"}
    return case_vector("10.2", case, expect, entries=entries)


@vector
def whole_one_false_among_true() -> Vector:
    case = whole_case()
    stranger = case.authority.attestation(evidence.digest_of("another root"))
    proof = only(case, *case.proof.attestations, stranger)
    expect = {"status": "failed", "exit_status": 1, "headline": None}
    return case_vector("11", case, expect, proof=proof)


@vector
def attestation_root_not_reached() -> Vector:
    case = whole_case()
    proof = only(case, case.authority.attestation(evidence.digest_of("another root")))
    expect = {"exit_status": 1, "rows": [row("failed", "attestation.root_unreached")]}
    return case_vector("4", case, expect, proof=proof)


@vector
def attestation_kind_unknown() -> Vector:
    case = whole_case()
    unknown = UnknownAttestation("moon", '{"kind":"moon","phase":"full"}')
    expect = {"exit_status": 4, "rows": [row("not_checked", "attestation.kind_unknown")]}
    return case_vector("9", case, expect, proof=only(case, unknown))


# -- the question "before T?" ----------------------------------------------------------------------


def _asked(before: datetime, expect: dict[str, Any], *attestations: Any, **more: Any) -> Vector:
    case = more.pop("case", None) or whole_case()
    proof = only(case, *attestations) if attestations else None
    return case_vector("12", case, expect, proof=proof, before=before, **more)


@vector
def before_yes() -> Vector:
    expect = {"exit_status": 0, "answer": "yes"}
    return _asked(datetime(2026, 1, 1, tzinfo=UTC), expect)


@vector
def before_no() -> Vector:
    case = whole_case()
    stamped = case.authority.attestation(rooted(case))
    expect = {"exit_status": 6, "answer": "no", "status": "verified"}
    return _asked(datetime(2026, 1, 1, tzinfo=UTC), expect, stamped, case=case)


@vector
def before_bound_is_one_second_late() -> Vector:
    case = whole_case()
    stamped = case.authority.attestation(rooted(case))
    expect = {"exit_status": 6, "answer": "no"}
    return _asked(datetime(2026, 11, 23, 10, 2, 8, tzinfo=UTC), expect, stamped, case=case)


@vector
def before_bound_is_exact() -> Vector:
    case = whole_case()
    stamped = case.authority.attestation(rooted(case))
    expect = {"exit_status": 0, "answer": "yes"}
    return _asked(datetime(2026, 11, 23, 10, 2, 9, tzinfo=UTC), expect, stamped, case=case)


@vector
def before_not_checked_could_show_it() -> Vector:
    case = whole_case()
    evm = evidence.evm_attestation(rooted(case))
    entries = {"chains": [evidence.evm_policy(evm, pinned=[])]}
    expect = {"exit_status": 4, "answer": "unknown"}
    before = datetime(2021, 1, 1, tzinfo=UTC)
    return _asked(before, expect, evm, case=case, entries=entries)


@vector
def before_not_checked_could_not_show_it() -> Vector:
    case = whole_case()
    evm = evidence.evm_attestation(rooted(case))
    entries = {"chains": [evidence.evm_policy(evm, pinned=[])]}
    expect = {"exit_status": 6, "answer": "no"}
    before = datetime(2019, 1, 1, tzinfo=UTC)
    return _asked(before, expect, evm, case=case, entries=entries)


@vector
def before_in_the_future_and_pending() -> Vector:
    case = whole_case()
    pending = evidence.pending_attestation(rooted(case))
    expect = {"exit_status": 3, "answer": "unknown"}
    return _asked(NOW + timedelta(days=30), expect, pending, case=case)


@vector
def before_in_the_past_and_promised() -> Vector:
    """The promise may have been kept long ago: fetching it may give an early bound."""
    case = whole_case()
    pending = evidence.pending_attestation(rooted(case))
    expect = {"exit_status": 3, "answer": "unknown"}
    return _asked(NOW - timedelta(days=30), expect, pending, case=case)


@vector
def before_in_the_past_and_only_expected() -> Vector:
    case = whole_case()
    expected = ExpectedAttestation("evm", "evm:1", NOW + timedelta(hours=1))
    stamped = case.authority.attestation(rooted(case))
    expect = {"exit_status": 6, "answer": "no"}
    return _asked(NOW - timedelta(days=30), expect, stamped, expected, case=case)


# -- the log ---------------------------------------------------------------------------------------


@vector
def log_key_unknown_time_stands() -> Vector:
    case = whole_case()
    expect = {"status": "verified", "exit_status": 0, "log": "not_checked"}
    return case_vector("2.2", case, expect, entries={"logs": []})


@vector
def log_checkpoint_signature_flipped() -> Vector:
    case = whole_case()
    first = case.proof.inclusions[0]
    lines = (first.checkpoint or "").rstrip("\n").split("\n")
    head, _, signature = lines[-1].rpartition(" ")
    raw = bytearray(base64.b64decode(signature))
    raw[40] ^= 1
    lines[-1] = f"{head} {base64.b64encode(bytes(raw)).decode()}"
    broken = replace(first, checkpoint="\n".join(lines) + "\n")
    proof = replace(case.proof, inclusions=(broken,))
    expect = {"status": "failed", "exit_status": 1, "log": "failed"}
    return case_vector("2.2", case, expect, proof=proof)


@vector
def log_equivocated() -> Vector:
    case = whole_case()
    twin = evidence.Log(case.log.signer, list(case.log.digests))
    twin.digests[0] = evidence.digest_of("another first entry")
    proof = replace(case.proof, inclusions=(*case.proof.inclusions, twin.inclusion(6, 7)))
    expect = {"status": "failed", "exit_status": 1, "log": "failed", "log_code": "log.equivocated"}
    return case_vector("3", case, expect, proof=proof)


@vector
def log_leaf_six_of_seven_as_three_of_four() -> Vector:
    """The same three hashes prove leaf 6 of 7 and, regrouped, nothing at a false size."""
    case = whole_case()
    honest = case.log.inclusion(6, 7, signed=False)
    shifted = Inclusion(3, 4, honest.hashes)
    note = case.log.checkpoint(7)
    proof = only(
        case,
        case.authority.attestation(rooted(case)),
        inclusions=(replace(shifted, checkpoint=note),),
    )
    expect = {"status": "failed", "exit_status": 1, "log": "failed"}
    return case_vector("2.2", case, expect, proof=proof)


@vector
def log_false_index_without_checkpoint_is_not_shown() -> Vector:
    case = whole_case()
    shifted = Inclusion(3, 4, case.log.inclusion(6, 7, signed=False).hashes)
    proof = only(case, case.authority.attestation(rooted(case)), inclusions=(shifted,))
    expect = {"status": "verified", "exit_status": 0, "log": "not_checked", "leaf_index": None}
    return case_vector("2.1", case, expect, proof=proof)


@vector
def log_inner_node_is_no_leaf() -> Vector:
    """An inner node, offered as an entry with a shortened path, leads to another root."""
    case = whole_case()
    digests = case.log.digests
    inner = node_hash(leaf_hash(digests[0]), leaf_hash(digests[1]))
    path = case.log.inclusion(0, 7, signed=False).hashes[1:]
    proof = Proof(
        inner, None, (Inclusion(0, 4, path),), (case.authority.attestation(rooted(case)),)
    )
    expect = {"exit_status": 1, "rows": [row("failed", "attestation.root_unreached")]}
    return case_vector("2.1", case, expect, proof=proof, file_digest=inner)


@vector
def log_path_one_hash_too_long() -> Vector:
    case = whole_case()
    first = case.proof.inclusions[0]
    longer = replace(first, hashes=(*first.hashes, bytes(32)))
    proof = replace(case.proof, inclusions=(longer,))
    return case_vector("2.1", case, {"exit_status": 1, "log": "failed"}, proof=proof)


@vector
def log_closed_key_signs_on() -> Vector:
    case = whole_case()
    logs = [{**case.entries["logs"][0], "last_size": 6}]
    expect = {"exit_status": 1, "log": "failed"}
    return case_vector("2.2", case, expect, entries={"logs": logs})


# -- RFC 3161 --------------------------------------------------------------------------------------


def _token_case(expect: dict[str, Any], rule: str = "5.1", **changes: Any) -> Vector:
    """A proof with one token; ``changes`` go to the forge."""
    case = whole_case()
    authority = changes.pop("authority", case.authority)
    more = {key: changes.pop(key) for key in ("now", "entries", "before") if key in changes}
    attestation = authority.attestation(rooted(case), **changes)
    return case_vector(rule, case, expect, proof=only(case, attestation), **more)


@vector
def tsp_good() -> Vector:
    return _token_case({"exit_status": 0, "headline": "2026-11-23T10:02:09Z"}, rule="5.3")


@vector
def tsp_no_accuracy_takes_the_policys() -> Vector:
    expect = {"exit_status": 0, "headline": "2026-11-23T10:03:08Z"}
    return _token_case(expect, rule="5.3", accuracy=b"")


@vector
def tsp_over_another_digest() -> Vector:
    return _token_case(
        {"exit_status": 1, "rows": [row("failed", "tsp.imprint_mismatch")]},
        digest=evidence.digest_of("another root"),
    )


@vector
def tsp_imprint_of_another_algorithm() -> Vector:
    return _token_case(
        {"exit_status": 1, "rows": [row("failed", "tsp.imprint_mismatch")]}, imprint_name="sha3_256"
    )


@vector
def tsp_message_digest_of_other_content() -> Vector:
    expect = {"exit_status": 1, "rows": [row("failed", "tsp.message_digest")]}
    return _token_case(expect, message_digest=bytes(32))


@vector
def tsp_root_of_the_same_name() -> Vector:
    twin = Authority()
    twin.root = forged_tokens.root("Test Authority Root", number=77)
    twin.party = forged_tokens.signer(twin.root, "Test Authority Stamper", number=78)
    expect = {"exit_status": 4, "rows": [row("not_checked", "tsp.root_unknown")]}
    return _token_case(expect, rule="1", authority=twin)


@vector
def tsp_key_not_for_time_stamping() -> Vector:
    from cryptography.x509.oid import ExtendedKeyUsageOID

    other = Authority(changes={"purposes": (ExtendedKeyUsageOID.CODE_SIGNING,)})
    expect = {"exit_status": 1, "rows": [row("failed", "tsp.eku")]}
    return _token_case(expect, authority=other, entries={"authorities": [other.policy()]})


@vector
def tsp_dated_after_its_certificate_ended() -> Vector:
    other = Authority(changes={"end": NOW - timedelta(days=1)})
    expect = {"exit_status": 1, "rows": [row("failed", "tsp.chain.expired")]}
    return _token_case(expect, authority=other, entries={"authorities": [other.policy()]})


def _lapsed_case() -> tuple[Case, Authority]:
    """A certificate that ended a day after the token, judged a year later."""
    case = whole_case()
    return case, Authority(changes={"end": NOW + timedelta(days=1)})


@vector
def tsp_certificate_ended_since() -> Vector:
    """An old key signs any time in its past: the token alone no longer counts."""
    case, authority = _lapsed_case()
    proof = only(case, authority.attestation(rooted(case)))
    expect = {"exit_status": 4, "rows": [row("not_checked", "tsp.lapsed")]}
    entries = {"authorities": [authority.policy()]}
    later = NOW + timedelta(days=365)
    return case_vector("5.4", case, expect, proof=proof, entries=entries, now=later)


def _renewed(mined_at: datetime, expect: dict[str, Any]) -> Vector:
    """The token's digest is the log's next entry, and a Bitcoin block covers that."""
    import hashlib

    case, authority = _lapsed_case()
    root = rooted(case)
    token = authority.attestation(root)
    log = evidence.Log(case.log.signer, [*case.log.digests[:7]])
    log.add(hashlib.sha256(token.token).digest())
    bitcoin = Bitcoin(start_time=int(mined_at.timestamp()))
    mined = bitcoin.attestation(log.root(8))
    token = replace(token, inclusions=(log.inclusion(7, 8),))
    proof = only(case, token, mined, inclusions=(log.inclusion(6, 7), log.inclusion(6, 8)))
    entries = {
        "authorities": [authority.policy()],
        "bitcoin": bitcoin.policy(6, headline=False),
        "headline_families": ["rfc3161"],
    }
    later = NOW + timedelta(days=365)
    return case_vector("5.4", case, expect, proof=proof, entries=entries, now=later)


@vector
def tsp_renewed_in_time() -> Vector:
    rows = [row("verified", "tsp.verified"), row("verified", "bitcoin.verified")]
    return _renewed(NOW, {"rows": rows})


@vector
def tsp_renewed_too_late() -> Vector:
    rows = [row("not_checked", "tsp.lapsed"), row("verified", "bitcoin.verified")]
    return _renewed(NOW + timedelta(days=2), {"rows": rows})


@vector
def tsp_over_a_checkpoint_that_is_not_there() -> Vector:
    case = whole_case()
    note = case.log.checkpoint(7)
    attestation = case.authority.checkpoint_attestation(rooted(case), note)
    proof = only(case, attestation, inclusions=(case.log.inclusion(6, 7, signed=False),))
    expect = {"exit_status": 4, "rows": [row("not_checked", "tsp.checkpoint_missing")]}
    return case_vector("5.1", case, expect, proof=proof)


@vector
def tsp_over_a_checkpoint_that_was_cosigned_later() -> Vector:
    """The token is over the note with the log's own line; a witness's line came afterwards."""
    case = whole_case()
    note = case.log.checkpoint(7)
    witness = Signer("witness.example.org", 4, b"\x09" * 32)
    cosigned = evidence.cosign(note, witness, int(NOW.timestamp())).serialize()
    attestation = case.authority.checkpoint_attestation(rooted(case), note)
    inclusion = replace(case.log.inclusion(6, 7), checkpoint=cosigned)
    proof = only(case, attestation, inclusions=(inclusion,))
    expect = {"exit_status": 0, "headline": "2026-11-23T10:02:09Z", "log": "verified"}
    return case_vector("5.1", case, expect, proof=proof)


@vector
def tsp_over_another_checkpoint_of_the_same_root() -> Vector:
    case = whole_case()
    other = evidence.Log(Signer("other.example.org/log"), list(case.log.digests))
    attestation = case.authority.checkpoint_attestation(rooted(case), other.checkpoint(7))
    expect = {"exit_status": 1, "rows": [row("failed", "tsp.imprint_mismatch")]}
    return case_vector("5.1", case, expect, proof=only(case, attestation))


@vector
def tsp_token_is_garbage() -> Vector:
    case = whole_case()
    broken = Rfc3161Attestation(rooted(case), "root", b"\x30\x03\x02\x01\x00")
    return case_vector("5.1", case, {"exit_status": 1}, proof=only(case, broken))


# -- EVM -------------------------------------------------------------------------------------------


@vector
def evm_forged_header_of_2020() -> Vector:
    """685 bytes that cost nothing: genuine proofs under a header that is no chain's."""
    case = whole_case()
    forged = evidence.evm_attestation(rooted(case), chain_id=1)
    chain = evidence.evm_policy(forged, chain_class="l1", chain_id=1, pinned=[])
    expect = {"exit_status": 4, "rows": [row("not_checked", "evm.header_supplied")]}
    return case_vector("6.4", case, expect, proof=only(case, forged), entries={"chains": [chain]})


@vector
def evm_block_confirmed_by_a_source() -> Vector:
    case = whole_case()
    evm = evidence.evm_attestation(rooted(case))
    pinned = evidence.evm_policy(evm)["pinned"]
    block = next(b for b in pinned if b["number"] == forged_evm.FORGED_BLOCK)
    known = {"evm": [{"chain_id": 31337, **block, "confirmed_by": "two nodes"}]}
    entries = {"chains": [evidence.evm_policy(evm, pinned=[])]}
    expect = {"exit_status": 0, "headline": "2020-01-01T00:00:12Z"}
    return case_vector("6.4", case, expect, proof=only(case, evm), entries=entries, known=known)


@vector
def evm_block_contradicted_by_a_source() -> Vector:
    case = whole_case()
    evm = evidence.evm_attestation(rooted(case))
    block = {"number": forged_evm.FORGED_BLOCK, "hash": bytes(32).hex()}
    known = {"evm": [{"chain_id": 31337, **block, "confirmed_by": "two nodes"}]}
    entries = {"chains": [evidence.evm_policy(evm, pinned=[])]}
    expect = {"exit_status": 1, "rows": [row("failed", "evm.block_not_canonical")]}
    return case_vector("6.4", case, expect, proof=only(case, evm), entries=entries, known=known)


@vector
def evm_block_time_in_no_year() -> Vector:
    """A header's time has 64 bits; a calendar has not."""
    case = whole_case()
    state = forged_evm.forge_state(rooted(case), evidence.REGISTRY, evidence.CODE_HASH, time=2**62)
    whole = evidence.evm_attestation(rooted(case))
    storage = replace(
        whole.storage,
        header=state.header,
        account_nodes=tuple(state.account_proof),
        storage_nodes=tuple(state.storage_proof),
    )
    evm = replace(whole, transaction=None, receipt=None, storage=storage)
    entries = {"chains": [evidence.evm_policy(evm)]}
    expect = {"exit_status": 1, "headline": None}
    return case_vector("6.4", case, expect, proof=only(case, evm), entries=entries)


@vector
def evm_chain_unknown() -> Vector:
    case = whole_case()
    evm = evidence.evm_attestation(rooted(case), chain_id=5)
    expect = {"exit_status": 4, "rows": [row("not_checked", "evm.chain_unknown")]}
    return case_vector("1", case, expect, proof=only(case, evm))


@vector
def evm_transaction_of_another_root() -> Vector:
    case = whole_case()
    other = evidence.evm_attestation(evidence.digest_of("another root"))
    chain = evidence.evm_policy(other)
    moved = replace(other, root_hash=rooted(case), storage=None)
    expect = {"exit_status": 1, "rows": [row("failed", "evm.root_not_in_transaction")]}
    return case_vector("6.1", case, expect, proof=only(case, moved), entries={"chains": [chain]})


@vector
def evm_trie_node_flipped() -> Vector:
    case = whole_case()
    evm = evidence.evm_attestation(rooted(case))
    node = bytearray(evm.transaction.nodes[0])
    node[-1] ^= 1
    broken = replace(evm, transaction=replace(evm.transaction, nodes=(bytes(node),)))
    return case_vector("6.1", case, {"exit_status": 1}, proof=only(case, broken))


@vector
def evm_storage_alone_gives_the_stored_time() -> Vector:
    case = whole_case()
    evm = replace(evidence.evm_attestation(rooted(case)), transaction=None, receipt=None)
    expect = {"exit_status": 0, "headline": "2020-01-01T00:13:00Z"}
    return case_vector("6.3", case, expect, proof=only(case, evm))


@vector
def evm_storage_of_a_strange_contract() -> Vector:
    """A registry with its map in another place: genuine, and nothing that can be read."""
    case = whole_case()
    strange = forged_evm.forge_attestation(
        rooted(case), chain_id=31337, contract=bytes(19) + b"\x01", map_slot=5
    )
    value = {k: v for k, v in strange.items() if k not in ("transaction", "receipt")}
    evm = attestation_from_json(value)
    expect = {"exit_status": 4, "rows": [row("not_checked", "evm.contract_unknown")]}
    return case_vector("6.3", case, expect, proof=only(case, evm))


@vector
def evm_storage_of_the_policys_contract_is_false() -> Vector:
    case = whole_case()
    forged = forged_evm.forge_attestation(
        rooted(case),
        chain_id=31337,
        contract=evidence.REGISTRY,
        code_hash=evidence.CODE_HASH,
        map_slot=5,
    )
    value = {k: v for k, v in forged.items() if k not in ("transaction", "receipt")}
    evm = attestation_from_json(value)
    return case_vector("6.3", case, {"exit_status": 1}, proof=only(case, evm))


@vector
def evm_l2_names_its_sequencer() -> Vector:
    case = whole_case()
    evm = evidence.evm_attestation(rooted(case))
    chain = evidence.evm_policy(evm, chain_class="l2", sequencer="Example Labs", tolerance_s=3600)
    expect = {"exit_status": 0, "headline": "2020-01-01T01:00:00Z", "trust": "Example Labs"}
    return case_vector("6.4", case, expect, proof=only(case, evm), entries={"chains": [chain]})


@vector
def evm_pending() -> Vector:
    case = whole_case()
    evm = replace(
        evidence.evm_attestation(rooted(case)), transaction=None, receipt=None, storage=None
    )
    expect = {"exit_status": 3, "rows": [row("pending", "evm.pending")]}
    return case_vector("6", case, expect, proof=only(case, evm))


# -- Bitcoin and OpenTimestamps --------------------------------------------------------------------


@vector
def bitcoin_header_of_2012_mined_today() -> Vector:
    """Work alone never verifies: a header names its own target."""
    case = whole_case()
    root = rooted(case)
    forged = Bitcoin(start_time=int(datetime(2012, 1, 1, tzinfo=UTC).timestamp()))
    attestation = forged.attestation(root)
    expect = {"exit_status": 4, "rows": [row("not_checked", "bitcoin.header_supplied")]}
    return case_vector("7.3", case, expect, proof=only(case, attestation), entries={"bitcoin": {}})


@vector
def bitcoin_checkpoint_among_successors() -> Vector:
    case = whole_case()
    expect = {"exit_status": 0, "headline": "2026-06-01T03:00:00Z"}
    proof = only(case, case.proof.attestations[3])
    return case_vector("7.4", case, expect, proof=proof)


@vector
def bitcoin_lone_header_has_a_day_of_tolerance() -> Vector:
    case = whole_case()
    bitcoin = Bitcoin()
    mined = bitcoin.attestation(rooted(case), successors=0)
    expect = {"exit_status": 0, "headline": "2026-06-02T00:00:00Z"}
    entries = {"bitcoin": bitcoin.policy(0)}
    return case_vector("7.4", case, expect, proof=only(case, mined), entries=entries)


@vector
def bitcoin_successor_does_not_follow() -> Vector:
    case = whole_case()
    mined = case.proof.attestations[3]
    run = mined.headers[0]
    broken = replace(mined, headers=(replace(run, headers=(run.headers[0], run.headers[2])),))
    return case_vector("7.2", case, {"exit_status": 1}, proof=only(case, broken))


@vector
def bitcoin_block_is_not_the_checkpoint() -> Vector:
    case = whole_case()
    root = rooted(case)
    fork = Bitcoin()
    fork.mine(bytes(31) + b"\x01")
    honest = Bitcoin()
    for _ in range(9):
        honest.mine()
    attestation = fork.attestation(root)
    expect = {"exit_status": 1, "rows": [row("failed", "bitcoin.block_not_on_chain")]}
    entries = {"bitcoin": honest.policy(1)}
    return case_vector("7.3", case, expect, proof=only(case, attestation), entries=entries)


@vector
def bitcoin_path_ends_elsewhere() -> Vector:
    case = whole_case()
    mined = case.proof.attestations[3]
    tree = Timestamp(rooted(case))
    tree.add(Append(b"other nonce")).add(Sha256()).attest(BitcoinAttestation(0))
    broken = replace(mined, tree=serialize_tree(tree))
    expect = {"exit_status": 1, "rows": [row("failed", "bitcoin.merkle_root_mismatch")]}
    return case_vector("7.1", case, expect, proof=only(case, broken))


@vector
def bitcoin_header_missing() -> Vector:
    case = whole_case()
    bare = replace(case.proof.attestations[3], headers=())
    expect = {"exit_status": 4, "rows": [row("not_checked", "bitcoin.header_missing")]}
    return case_vector("7.3", case, expect, proof=only(case, bare))


@vector
def bitcoin_pending() -> Vector:
    case = whole_case()
    pending = evidence.pending_attestation(rooted(case))
    expect = {"exit_status": 3, "rows": [row("pending", "bitcoin.pending")]}
    return case_vector("7", case, expect, proof=only(case, pending))


@vector
def ots_sha1_on_the_path() -> Vector:
    case = whole_case()
    root = rooted(case)
    tree = Timestamp(root)
    node = tree.add(Sha1()).add(Sha256())
    bitcoin = Bitcoin()
    bitcoin.mine(node.message)
    for _ in range(6):
        bitcoin.mine()
    node.attest(BitcoinAttestation(0))
    run = HeaderRun(0, tuple(header.raw for header in bitcoin.headers))
    attestation = OpenTimestampsAttestation(root, evidence.CALENDAR, serialize_tree(tree), (run,))
    expect = {"exit_status": 4, "rows": [row("not_checked", "ots.sha1")]}
    entries = {"bitcoin": bitcoin.policy(6)}
    return case_vector("7.1", case, expect, proof=only(case, attestation), entries=entries)


# -- witnesses -------------------------------------------------------------------------------------


def _witness_case(unix_time: int, expect: dict[str, Any], *, related: bool = False) -> Vector:
    case = whole_case()
    witness = Signer("witness.example.org", 4, b"\x09" * 32)
    attestation = evidence.witness_attestation(
        rooted(case), case.log.checkpoint(7), witness, unix_time
    )
    entries = {
        "witnesses": [{"key": witness.key.text, "related": related}],
        "headline_families": ["witness"],
    }
    return case_vector("8", case, expect, proof=only(case, attestation), entries=entries)


@vector
def witness_good() -> Vector:
    return _witness_case(1_700_000_000, {"exit_status": 0, "headline": "2023-11-14T22:13:20Z"})


@vector
def witness_time_zero() -> Vector:
    expect = {"exit_status": 4, "rows": [row("not_checked", "witness.no_time")]}
    return _witness_case(0, expect)


@vector
def witness_time_in_the_future() -> Vector:
    expect = {"exit_status": 4, "rows": [row("not_checked", "witness.no_time")]}
    return _witness_case(int((NOW + timedelta(days=400)).timestamp()), expect)


@vector
def witness_related_sets_no_headline() -> Vector:
    expect = {
        "exit_status": 4, "headline": None, "rows": [row("verified", "witness.verified")],
    }  # fmt: skip
    return _witness_case(1_700_000_000, expect, related=True)


def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in names or MAKERS:
        text = json.dumps(MAKERS[name](), indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
