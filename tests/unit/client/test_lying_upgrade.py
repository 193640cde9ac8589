"""A service that lies through ``upgrade``: what is genuine stays, and stays readable."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from anchor.client.upgrading import Upgrader
from anchor.errors import DigestMismatchError, SignatureError
from anchor.formats.ots.attestation import BitcoinAttestation
from anchor.formats.ots.codec import parse_tree, serialize_tree
from anchor.formats.ots.op import Append, Sha256
from anchor.proof.codec import parse_proof, serialize_proof
from anchor.proof.merge import merge_proofs
from anchor.proof.proof import ExpectedAttestation, HeaderRun
from anchor.verify.judge import Judge
from anchor.verify.verdict import Status
from tests.attacks import forged_evm, forged_tokens
from tests.evidence import (
    CODE_HASH,
    NOW,
    REGISTRY,
    Bitcoin,
    Signer,
    digest_of,
    evm_attestation,
    evm_policy,
    mine,
    policy,
    whole_case,
)

CASE = whole_case()
ROOT = CASE.log.root(7)
BARE = replace(CASE.proof, inclusions=CASE.proof.inclusions[:1], attestations=())


class NoMemory:
    """Remembers nothing: what a log shows is not the matter here."""

    def observe(self, *_args, **_options):
        return None


class Serves:
    """A service that answers with one proof."""

    fetch_log_key = fetch_tile = None

    def __init__(self, newer):
        self.newer = newer

    def fetch_proof(self, _digest, reader=None):
        return parse_proof(serialize_proof(self.newer))


@pytest.fixture
def upgrade(tmp_path):
    """Return ``upgrade(policy, older, newer)``, which gives the outcome and the file's proof."""
    path = tmp_path / "cat.png.proof"

    def run(trusted, older, newer):
        path.write_bytes(serialize_proof(older))
        upgrader = Upgrader(trusted, now=NOW, service=Serves(newer), logs=NoMemory())
        return upgrader.upgrade(path), parse_proof(path.read_bytes())

    return run


def status(trusted, proof):
    return Judge(trusted, now=NOW).verify_proof(proof).status


# -- Bitcoin ---------------------------------------------------------------------------------------


def bitcoin_rows(*, kept: int = 1):
    """Return a chain and its attestation, whole and with so many headers."""
    chain = Bitcoin(start_time=int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()))
    whole = chain.attestation(ROOT)
    short = replace(whole, headers=(HeaderRun(0, whole.headers[0].headers[:kept]),))
    return chain, whole, short


def forged_run(merkle_root: bytes) -> HeaderRun:
    header = mine(b"\x13" * 32, merkle_root, 1)
    run = [header.raw]
    for _ in range(6):
        header = mine(header.block_hash, bytes(32), 1)
        run.append(header.raw)
    return HeaderRun(0, tuple(run))


UNKNOWING = policy(bitcoin={"network": "regtest"})


def test_a_longer_forged_run_of_headers_does_not_replace_the_genuine_one(upgrade):
    chain, _, short = bitcoin_rows()
    later = policy(bitcoin=chain.policy(0))
    older = replace(BARE, attestations=(short,))
    lie = replace(short, headers=(forged_run(chain.headers[0].merkle_root),))
    upgraded, written = upgrade(UNKNOWING, older, replace(BARE, attestations=(lie,)))
    assert written.attestations == (short,)
    assert status(later, older) is status(later, written) is Status.VERIFIED
    assert any("other headers for block 0" in reason for reason in upgraded.left_out)


def test_a_run_is_extended_by_headers_that_link(upgrade):
    _, whole, short = bitcoin_rows()
    for kept in (1, 3):
        _, whole, short = bitcoin_rows(kept=kept)
        _, written = upgrade(
            UNKNOWING, replace(BARE, attestations=(short,)), replace(BARE, attestations=(whole,))
        )
        assert written.attestations == (whole,)


@pytest.mark.parametrize("lie", ["does not link", "much less work", "no header"])
def test_a_run_is_not_extended_by_others(upgrade, lie):
    hard = 0x1F7FFFFF
    chain = Bitcoin()
    whole = chain.attestation(ROOT)
    first = mine(bytes(32), chain.headers[0].merkle_root, 1_780_000_000, hard)
    short = replace(whole, headers=(HeaderRun(0, (first.raw,)),))
    after = {
        "does not link": mine(b"\x13" * 32, bytes(32), 1, hard).raw,
        "much less work": mine(first.block_hash, bytes(32), 1).raw,
        "no header": b"\xff" * 80,
    }[lie]
    longer = replace(whole, headers=(HeaderRun(0, (first.raw, after)),))
    merged = merge_proofs(
        replace(BARE, attestations=(short,)), replace(BARE, attestations=(longer,))
    )
    assert merged.attestations == (short,)
    good = mine(first.block_hash, bytes(32), 1, hard).raw
    longer = replace(whole, headers=(HeaderRun(0, (first.raw, good)),))
    merged = merge_proofs(
        replace(BARE, attestations=(short,)), replace(BARE, attestations=(longer,))
    )
    assert merged.attestations == (longer,)


def test_another_block_is_not_folded_into_the_tree_of_a_genuine_one(upgrade):
    chain, _, short = bitcoin_rows()
    tree = parse_tree(short.tree, ROOT)
    node = tree.add(Append(b"lie")).add(Sha256())
    node.attest(BitcoinAttestation(5))
    forged = mine(b"\x13" * 32, node.message, 1)
    lie = replace(
        short, tree=serialize_tree(tree), headers=(*short.headers, HeaderRun(5, (forged.raw,)))
    )
    later = policy(bitcoin=chain.policy(0, 5))
    older = replace(BARE, attestations=(short,))
    upgraded, written = upgrade(UNKNOWING, older, replace(BARE, attestations=(lie,)))
    assert written.attestations == (short,)
    assert status(later, written) is Status.VERIFIED
    assert any("block 5" in reason for reason in upgraded.left_out)


def test_headers_that_verify_take_the_place_of_those_that_do_not(upgrade):
    chain, whole, short = bitcoin_rows()
    knowing = policy(bitcoin=chain.policy(0))
    forged = replace(short, headers=(forged_run(chain.headers[0].merkle_root),))
    _, written = upgrade(
        knowing, replace(BARE, attestations=(forged,)), replace(BARE, attestations=(whole,))
    )
    assert written.attestations == (whole,)


# -- EVM -------------------------------------------------------------------------------------------


def forged_storage(genuine):
    state = forged_evm.forge_state(
        ROOT, REGISTRY, CODE_HASH, time=1, block_number=forged_evm.FORGED_BLOCK
    )
    storage = type(genuine.storage)(
        state.header, tuple(state.account_proof), tuple(state.storage_proof)
    )
    return replace(genuine, transaction=None, receipt=None, storage=storage)


def test_a_forged_storage_proof_is_not_folded_into_a_genuine_row(upgrade):
    genuine = evm_attestation(ROOT)
    chain = evm_policy(genuine)
    pinned, unpinned = policy(chains=[chain]), policy(chains=[{**chain, "pinned": []}])
    older = replace(BARE, attestations=(replace(genuine, storage=None),))
    newer = replace(BARE, attestations=(forged_storage(genuine),))
    upgraded, written = upgrade(unpinned, older, newer)
    assert written.attestations == older.attestations
    assert status(pinned, older) is status(pinned, written) is Status.VERIFIED
    assert upgraded.left_out == (
        "evm: another storage proof, under a header that nothing confirms",
    )
    assert upgraded.dropped == ()


def test_another_transaction_does_not_replace_the_proven_one(upgrade):
    genuine, other = evm_attestation(ROOT), evm_attestation(ROOT)
    lie = replace(other, transaction_hash=digest_of("lie"), transaction=None, receipt=None)
    merged = merge_proofs(
        replace(BARE, attestations=(genuine,)), replace(BARE, attestations=(lie,))
    )
    assert merged.attestations == (genuine,)


def test_parts_that_verify_join_the_row(upgrade):
    genuine = evm_attestation(ROOT)
    pinned = policy(chains=[evm_policy(genuine)])
    bare = replace(genuine, receipt=None, storage=None)
    _, written = upgrade(
        pinned, replace(BARE, attestations=(bare,)), replace(BARE, attestations=(genuine,))
    )
    assert written.attestations == (genuine,)


def test_a_receipt_under_the_header_that_is_there_needs_no_policy():
    genuine = evm_attestation(ROOT)
    bare = replace(genuine, receipt=None, storage=None)
    more = replace(genuine, transaction=None, storage=None)
    merged = merge_proofs(replace(BARE, attestations=(bare,)), replace(BARE, attestations=(more,)))
    assert merged.attestations == (replace(genuine, storage=None),)


def test_what_verifies_takes_the_place_of_what_was_forged_first(upgrade):
    genuine = evm_attestation(ROOT)
    pinned = policy(chains=[{**evm_policy(genuine), "contracts": []}])
    older = replace(BARE, attestations=(forged_storage(genuine),))
    newer = replace(BARE, attestations=(replace(genuine, storage=None),))
    _, written = upgrade(pinned, older, newer)
    (row,) = written.attestations
    assert (row.transaction, row.storage) == (genuine.transaction, None)


# -- RFC 3161 --------------------------------------------------------------------------------------


def strangers(count: int) -> tuple[bytes, ...]:
    return tuple(forged_tokens.root(f"J{secrets.token_hex(4)}").der for _ in range(count))


def test_more_certificates_than_are_read_do_not_make_the_proof_unreadable(upgrade):
    token = CASE.authority.attestation(ROOT)
    lie = replace(token, certificates=strangers(31))
    upgraded, written = upgrade(
        CASE.policy, replace(BARE, attestations=(token,)), replace(BARE, attestations=(lie,))
    )
    assert written.attestations == (token,)
    assert upgraded.verdict.status is Status.VERIFIED


@pytest.mark.parametrize("trusted", [CASE.policy, UNKNOWING])
def test_revocation_data_that_is_not_genuine_is_not_merged(upgrade, trusted):
    token = CASE.authority.attestation(ROOT)
    lie = replace(token, ocsp=(b"\x30\x03\x02\x01\x00",))
    upgraded, written = upgrade(
        trusted, replace(BARE, attestations=(token,)), replace(BARE, attestations=(lie,))
    )
    assert written.attestations == (token,)
    assert upgraded.dropped[0].startswith("rfc3161: ")


# -- the opening, the older file -------------------------------------------------------------------


def test_two_openings_of_one_digest_are_refused():
    with pytest.raises(DigestMismatchError, match="two different openings"):
        merge_proofs(BARE, replace(BARE, opening=b"\x66" * 16))
    assert merge_proofs(BARE, replace(BARE, opening=None)).opening == BARE.opening
    assert merge_proofs(replace(BARE, opening=None), BARE).opening == BARE.opening


def test_what_the_file_said_before_stays_beside_it(upgrade, tmp_path):
    upgrade(CASE.policy, BARE, CASE.proof)
    kept = tmp_path / "cat.png.proof.bak"
    assert parse_proof(kept.read_bytes()) == BARE
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "cat.png.proof", "cat.png.proof.bak",
    ]  # fmt: skip


def test_a_new_guess_of_the_time_is_not_written(upgrade, tmp_path):
    row = ExpectedAttestation("evm", "evm:1", NOW, "a round of the log is expected by then")
    older = replace(BARE, attestations=(row,))
    later = replace(row, expected_at=datetime(2027, 1, 1, tzinfo=UTC), note="failed: no route")
    upgraded, written = upgrade(CASE.policy, older, replace(BARE, attestations=(later,)))
    assert (upgraded.changed, written) == (False, older)
    assert [item.name for item in tmp_path.iterdir()] == ["cat.png.proof"]
    upgraded, written = upgrade(CASE.policy, older, BARE)
    assert (upgraded.changed, written.attestations) == (True, ())


# -- inclusions ------------------------------------------------------------------------------------


def test_checkpoints_that_nothing_needs_give_way_to_the_newest(upgrade):
    log = whole_case().log
    log.add(*(digest_of(f"more {n}") for n in range(100)))
    older = replace(BARE, inclusions=tuple(log.inclusion(6, 7 + n) for n in range(40)))
    newer = replace(BARE, inclusions=tuple(log.inclusion(6, 60 + n) for n in range(40)))
    _, written = upgrade(CASE.policy, older, newer)
    assert [item.tree_size for item in written.inclusions] == [99]


def test_inclusions_that_attestations_need_stay(upgrade):
    log = whole_case().log
    log.add(*(digest_of(f"more {n}") for n in range(100)))
    older = replace(CASE.proof, inclusions=(log.inclusion(6, 7), log.inclusion(6, 20)))
    _, written = upgrade(CASE.policy, older, replace(BARE, inclusions=(log.inclusion(6, 90),)))
    assert [item.tree_size for item in written.inclusions] == [7, 90]
    assert set(written.attestations) == set(CASE.proof.attestations)


def test_a_log_that_signed_two_trees_of_one_size_stays_shown(upgrade):
    log, other = whole_case().log, whole_case().log
    log.add(*(digest_of(f"more {n}") for n in range(50)))
    other.add(*(digest_of(f"else {n}") for n in range(50)))
    older = replace(BARE, inclusions=(log.inclusion(6, 20),))
    _, written = upgrade(CASE.policy, older, replace(BARE, inclusions=(other.inclusion(6, 20),)))
    assert len(written.inclusions) == 2
    _, written = upgrade(
        CASE.policy, written, replace(BARE, inclusions=(log.inclusion(6, 20), log.inclusion(6, 40)))
    )
    assert [item.tree_size for item in written.inclusions] == [20, 20, 40]
    assert status(CASE.policy, written) is Status.FAILED


def test_a_checkpoint_that_could_not_be_compared_is_not_given_up(tmp_path):
    log = whole_case().log
    log.add(*(digest_of(f"more {n}") for n in range(50)))
    stranger = replace(log, signer=Signer(log.signer.name, log.signer.algorithm, b"\x09" * 32))
    path = tmp_path / "cat.png.proof"
    older = replace(BARE, inclusions=(stranger.inclusion(6, 20),))
    path.write_bytes(serialize_proof(older))

    class Memory:
        def observe(self, note, **_options):
            if note == older.inclusions[0].checkpoint:
                raise SignatureError("another key signed it")

    newer = replace(BARE, inclusions=(log.inclusion(6, 40),))
    upgrader = Upgrader(CASE.policy, now=NOW, service=Serves(newer), logs=Memory())
    assert [item.tree_size for item in upgrader.upgrade(path).proof.inclusions] == [20, 40]


def test_checkpoints_of_one_root_do_not_pile_up(upgrade):
    proof = replace(CASE.proof, inclusions=CASE.proof.inclusions[:1])
    for number in range(6):
        signer = replace(CASE.log, signer=Signer(f"log{number}.example.org", 1, b"\x09" * 32))
        newer = replace(proof, inclusions=(CASE.log.inclusion(6, 7), signer.inclusion(6, 7)))
        _, proof = upgrade(CASE.policy, proof, newer)
    assert len(proof.inclusions) == 4
    assert proof.inclusions[0] == CASE.proof.inclusions[0]
