"""The EVM backend on a chain in this process: the way to final, and every wait on it."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from anchor.backends.evm.backend import EvmBackend
from anchor.backends.evm.deployment import deploy_registry
from anchor.backends.evm.evidence import unproven_parts
from anchor.backends.evm.fees import Offer
from anchor.backends.evm.in_process_node import InProcessNode
from anchor.backends.evm.keys import CallRequest, EvmKey
from anchor.backends.evm.node import (
    InsufficientFundsError,
    MarketFees,
    StateProof,
    TransactionPlace,
)
from anchor.backends.evm.registry_contract import anchor_call_data, registry_artifact
from anchor.backends.evm.settings import EvmAnchorSettings
from anchor.errors import (
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    ReorgError,
    StoreUnavailableError,
)
from anchor.formats.evm import parse_evm_header
from anchor.ports import AnchorBackend, Attempt, Phase
from anchor.proof.codec import attestation_from_json, attestation_to_json
from tests.parts.evm_backend import (
    START,
    Anchorer,
    MemoryJournal,
    round_of,
    verify_attestation,
)
from tests.parts.evm_nodes import BentNode, PoolNode, raises, reverted

GWEI = 10**9
ROOTS = (bytes([i, *range(31)]) for i in itertools.count(1))
CODE_HASH = registry_artifact().code_hash


def fresh_root() -> bytes:
    return next(ROOTS)


def anchorer_on(node: Any, **settings: Any) -> Anchorer:
    """Return an anchorer with a registry of its own on the node's chain."""
    chain = node.node if isinstance(node, BentNode) else node
    key = EvmKey(chain.funded_key())
    if isinstance(chain, PoolNode):
        chain.automine = True
    contract = deploy_registry(chain, key).address
    if isinstance(chain, PoolNode):
        chain.automine = False
        chain.handed_in.clear()
    settings = {"chain_id": chain.fetch_chain_id(), "contract": contract, **settings}
    return Anchorer(node, key, EvmAnchorSettings(**settings))


@pytest.fixture(scope="module")
def shared() -> InProcessNode:
    """One chain for the tests that only add to it."""
    return InProcessNode()


@pytest.fixture
def bent(shared: InProcessNode) -> BentNode:
    return BentNode(shared)


def stranger(chain: Any) -> EvmKey:
    """Return another account with funds."""
    return EvmKey(chain._backend.account_keys[1].to_bytes())


def anchor_by(chain: Any, key: EvmKey, contract: bytes, root: bytes, tree_size: int = 99) -> bytes:
    """Anchor a root from another account; return the transaction's hash."""
    signed = key.sign(
        CallRequest(
            chain_id=chain.fetch_chain_id(),
            nonce=chain.fetch_nonce(key.address),
            to=contract,
            data=anchor_call_data(root, tree_size),
            gas=100_000,
            offer=Offer(10 * GWEI, GWEI),
        )
    )
    InProcessNode.submit(chain, signed.raw)
    return signed.transaction_hash


# -- the way to final ------------------------------------------------------------------------------


def test_a_round_becomes_final_with_all_its_evidence(shared: InProcessNode) -> None:
    anchorer = anchorer_on(shared)
    round_ = round_of(fresh_root())
    final = anchorer.run(round_)
    assert anchorer.seen == ["prepared", "submitted", "confirmed", "final"]
    [attestation] = final.attestations
    assert attestation["kind"] == "evm"
    assert attestation["root_hash"] == round_.root_hash.hex()
    assert attestation["chain_id"] == shared.fetch_chain_id()
    assert attestation["contract"] == anchorer.settings.contract.hex()
    times = verify_attestation(attestation, CODE_HASH)
    assert set(times) == {"transaction", "receipt", "storage"}
    assert len(set(times.values())) == 1
    assert final.note == ""
    json.dumps(attestation)


def test_the_proof_file_takes_the_attestation_as_it_is(shared: InProcessNode) -> None:
    [attestation] = anchorer_on(shared).run(round_of(fresh_root())).attestations
    assert attestation_to_json(attestation_from_json(attestation)) == attestation
    parts = ("transaction", "receipt", "storage")
    pending = {name: value for name, value in attestation.items() if name not in parts}
    assert attestation_to_json(attestation_from_json(pending)) == pending
    storage = {k: v for k, v in attestation.items() if k not in (*parts[:2], "transaction_hash")}
    assert attestation_to_json(attestation_from_json(storage)) == storage


def test_it_is_an_anchor_backend(shared: InProcessNode) -> None:
    anchorer = anchorer_on(shared, interval_s=5.0, min_gap_s=2.0)
    backend: AnchorBackend = anchorer.backend
    assert backend.name == f"evm:{shared.fetch_chain_id()}"
    assert backend.family == "evm"
    assert (backend.interval_s, backend.min_gap_s) == (5.0, 2.0)


def test_nobody_is_asked_before_the_first_step(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    bent.calls.clear()
    anchorer.restart()
    assert anchorer.backend.health().ok
    assert bent.calls == {}


def test_the_transaction_is_in_the_journal_before_it_is_handed_in(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    entries_at_submit = []

    def submit(raw: bytes) -> None:
        entries_at_submit.append([entry["raw"] for _, entry in anchorer.journal.items()])
        bent.node.submit(raw)
        assert raw.hex() in entries_at_submit[-1]

    bent.bent["submit"] = submit
    anchorer.run(round_of(fresh_root()))
    assert len(entries_at_submit) == 1


def test_pending_says_what_was_handed_in(shared: InProcessNode) -> None:
    node = PoolNode()
    anchorer = anchorer_on(node)
    submitted = anchorer.run(round_of(fresh_root()), until=Phase.SUBMITTED)
    [attestation] = submitted.attestations
    assert set(attestation) == {"kind", "root_hash", "chain_id", "contract", "transaction_hash"}
    [raw] = node.handed_in
    assert [entry["raw"] for _, entry in anchorer.journal.items()] == [raw.hex()]


def test_rounds_follow_each_other_with_one_nonce_each(shared: InProcessNode) -> None:
    anchorer = anchorer_on(shared)
    before = shared.fetch_nonce(anchorer.key.address)
    for size in (1, 2, 3):
        anchorer.run(round_of(fresh_root(), size))
    assert shared.fetch_nonce(anchorer.key.address) == before + 3


@pytest.mark.parametrize("restarts", range(4))
def test_a_restart_after_any_step_changes_nothing(shared: InProcessNode, restarts: int) -> None:
    anchorer = anchorer_on(shared)
    before = shared.fetch_nonce(anchorer.key.address)
    round_ = round_of(fresh_root())
    for _ in range(restarts):
        anchorer.step(round_)
    anchorer.restart()
    anchorer.run(round_)
    assert shared.fetch_nonce(anchorer.key.address) == before + 1


# -- anchored by anybody ---------------------------------------------------------------------------


def test_a_root_that_a_stranger_anchored_is_success_with_their_transaction(
    shared: InProcessNode,
) -> None:
    anchorer = anchorer_on(shared)
    root = fresh_root()
    theirs = anchor_by(shared, stranger(shared), anchorer.settings.contract, root)
    before = shared.fetch_nonce(anchorer.key.address)
    final = anchorer.run(round_of(root))
    assert anchorer.seen == ["confirmed", "final"]
    assert shared.fetch_nonce(anchorer.key.address) == before
    [attestation] = final.attestations
    assert attestation["transaction_hash"] == theirs.hex()
    assert set(verify_attestation(attestation, CODE_HASH)) == {"transaction", "receipt", "storage"}


@pytest.mark.parametrize(
    "logs",
    [raises(BackendRejectedError("no logs that far back")), lambda *_: [], lambda *_: [b"x" * 32]],
)
def test_without_logs_a_strangers_root_is_shown_by_storage_alone(bent: BentNode, logs: Any) -> None:
    anchorer = anchorer_on(bent)
    root = fresh_root()
    anchor_by(bent.node, stranger(bent.node), anchorer.settings.contract, root)
    bent.bent["fetch_log_transactions"] = logs
    [attestation] = anchorer.run(round_of(root)).attestations
    assert "transaction_hash" not in attestation
    assert set(verify_attestation(attestation, CODE_HASH)) == {"storage"}


def test_without_logs_a_transaction_of_ours_is_known_from_the_book(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    bent.bent["fetch_log_transactions"] = raises(BackendRejectedError("no logs here"))
    [attestation] = anchorer.run(round_of(fresh_root())).attestations
    assert set(verify_attestation(attestation, CODE_HASH)) == {"transaction", "receipt", "storage"}


def test_a_registry_that_answers_late_does_not_hide_our_transaction(bent: BentNode) -> None:
    """A node behind a load balancer shows the receipt, and the state of a block before it."""
    anchorer = anchorer_on(bent)
    bent.bent["call"] = lambda *_: bytes(64)
    round_ = round_of(fresh_root())
    confirmed = anchorer.run(round_, until=Phase.CONFIRMED)
    assert confirmed.data["ours"] is True
    bent.bent.clear()
    anchorer.run(round_)


def test_overtaken_in_the_pool_the_first_transaction_is_the_evidence() -> None:
    node = PoolNode()
    anchorer = anchorer_on(node)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.SUBMITTED)
    theirs = anchor_by(node, stranger(node), anchorer.settings.contract, round_.root_hash)
    node.mine_pool()
    [attestation] = anchorer.run(round_).attestations
    assert attestation["transaction_hash"] == theirs.hex()
    assert "receipt" in attestation


# -- waiting in the pool ---------------------------------------------------------------------------


def test_a_stuck_transaction_is_replaced_by_dearer_ones_until_one_is_mined() -> None:
    node = PoolNode()
    anchorer = anchorer_on(node, replace_after_s=300.0)
    round_ = round_of(fresh_root())
    for _ in range(120):
        anchorer.step(round_)
        anchorer.clock.advance(12)
    booked = [entry for _, entry in anchorer.journal.items()]
    assert 3 <= len(booked) <= 6
    assert {entry["nonce"] for entry in booked} == {booked[0]["nonce"]}
    for old, new in itertools.pairwise(booked):
        assert 10 * new["max_fee_wei"] >= 11 * old["max_fee_wei"]
        assert 10 * new["tip_wei"] >= 11 * old["tip_wei"]
    node.mine_pool()
    [attestation] = anchorer.run(round_).attestations
    assert attestation["transaction_hash"] == booked[-1]["hash"]


def test_a_replaced_transaction_that_was_mined_after_all_is_found() -> None:
    node = PoolNode()
    anchorer = anchorer_on(node, replace_after_s=300.0)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.SUBMITTED)
    anchorer.clock.advance(400)
    assert anchorer.step(round_).phase is Phase.PREPARED
    [first, second] = [entry for _, entry in anchorer.journal.items()]
    InProcessNode.submit(node, bytes.fromhex(first["raw"]))
    anchorer.restart()
    [attestation] = anchorer.run(round_).attestations
    assert attestation["transaction_hash"] == first["hash"] != second["hash"]
    assert len(anchorer.journal.items()) == 2


def test_a_pool_that_forgets_is_told_again() -> None:
    node = PoolNode()
    anchorer = anchorer_on(node)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.SUBMITTED)
    anchorer.step(round_)
    node.pool.clear()
    anchorer.clock.advance(12)
    anchorer.step(round_)
    assert len(node.pool) == 1
    assert len(anchorer.journal.items()) == 1


def test_an_underpriced_replacement_offers_more_at_once() -> None:
    node = PoolNode()
    anchorer = anchorer_on(node, takeover_after_s=0.0)
    # Another program, or a journal that was lost: a transaction with our next nonce waits already.
    signed = anchorer.key.sign(
        CallRequest(
            chain_id=node.fetch_chain_id(),
            nonce=node.fetch_nonce(anchorer.key.address),
            to=bytes(20),
            data=b"",
            gas=21_000,
            offer=Offer(6 * GWEI, 2 * GWEI),
        )
    )
    node.submit(signed.raw)
    round_ = round_of(fresh_root())
    for _ in range(30):
        anchorer.step(round_)
    assert next(iter(node.pool.values())) != signed.raw
    node.mine_pool()
    anchorer.run(round_)


def test_a_nonce_that_another_transaction_took_is_given_up_after_some_looks() -> None:
    node = PoolNode()
    anchorer = anchorer_on(node)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.SUBMITTED)
    nonce = node.fetch_nonce(anchorer.key.address)
    other = CallRequest(
        chain_id=node.fetch_chain_id(),
        nonce=nonce,
        to=bytes(20),
        data=b"",
        gas=21_000,
        offer=Offer(9 * GWEI, GWEI),
    )
    node.pool.clear()
    InProcessNode.submit(node, anchorer.key.sign(other).raw)
    node.automine = True
    anchorer.run(round_)
    assert anchorer.seen.count("scheduled") == 1
    assert anchorer.seen.count("submitted") >= 3
    nonces = [entry["nonce"] for _, entry in anchorer.journal.items()]
    assert nonces == [nonce, nonce + 1]


def test_a_second_round_waits_for_the_first_and_takes_over_when_it_waits_too_long() -> None:
    node = PoolNode()
    anchorer = anchorer_on(node, takeover_after_s=1800.0, replace_after_s=10**6)
    first, second = round_of(fresh_root(), 1), round_of(fresh_root(), 2)
    anchorer.run(first, until=Phase.SUBMITTED)
    waiting = anchorer.step(second)
    assert waiting.phase is Phase.SCHEDULED
    assert first.root_hash.hex()[:8] in waiting.note
    assert waiting.retry_at is not None
    assert len(node.pool) == 1
    anchorer.clock.advance(1801)
    anchorer.run(second, until=Phase.SUBMITTED)
    node.mine_pool()
    anchorer.run(second)
    # The first round gets a transaction of its own again.
    node.automine = True
    anchorer.run(first)
    assert [entry["nonce"] for _, entry in anchorer.journal.items()] == [1, 1, 2]


def test_transactions_of_another_program_are_waited_for() -> None:
    node = PoolNode()
    anchorer = anchorer_on(node, takeover_after_s=1800.0)
    request = CallRequest(
        chain_id=node.fetch_chain_id(),
        nonce=node.fetch_nonce(anchorer.key.address),
        to=bytes(20),
        data=b"",
        gas=21_000,
        offer=Offer(6 * GWEI, 2 * GWEI),
    )
    node.submit(anchorer.key.sign(request).raw)
    round_ = round_of(fresh_root())
    waiting = anchorer.step(round_)
    assert waiting.phase is Phase.SCHEDULED
    assert "not made here" in waiting.note
    assert anchorer.journal.items() == []
    node.mine_pool()
    node.automine = True
    anchorer.run(round_)


def test_a_nonce_that_a_node_made_up_does_not_stop_the_account() -> None:
    node = PoolNode()
    bent = BentNode(node, fetch_nonce=lambda address, *, pending=False: 1_000)
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.SUBMITTED)
    del bent.bent["fetch_nonce"]
    node.automine = False
    anchorer.run(round_, until=Phase.PREPARED)
    node.automine = True
    anchorer.run(round_)
    assert [entry["nonce"] for _, entry in anchorer.journal.items()] == [1_000, 1]


def test_a_clock_that_jumps_back_does_not_stop_replacement() -> None:
    node = PoolNode()
    anchorer = anchorer_on(node)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.SUBMITTED)
    anchorer.clock.advance(-86_400)
    anchorer.step(round_)
    assert len(anchorer.journal.items()) == 2
    node.mine_pool()
    anchorer.run(round_)


# -- reorganisations -------------------------------------------------------------------------------


def not_final(node: Any) -> BentNode:
    """Return the node with a final header that is always the first block."""
    return BentNode(
        node, fetch_header=lambda which: node.fetch_header(0 if which == "finalized" else which)
    )


def test_a_block_that_is_not_final_is_waited_for() -> None:
    node = PoolNode()
    bent = not_final(node)
    anchorer = anchorer_on(bent)
    node.automine = True
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.CONFIRMED)
    for _ in range(5):
        waiting = anchorer.step(round_)
        assert waiting.phase is Phase.CONFIRMED
        assert waiting.retry_at is not None
        assert set(waiting.attestations[0]) == {
            "kind",
            "root_hash",
            "chain_id",
            "contract",
            "transaction_hash",
        }
    assert (
        parse_evm_header(bytes.fromhex(waiting.data["header"])).block_hash.hex()
        == (waiting.data["block_hash"])
    )
    bent.bent.clear()
    anchorer.run(round_)


def test_a_block_reorganised_away_is_followed_and_handed_in_again() -> None:
    node = PoolNode()
    bent = not_final(node)
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.SUBMITTED)
    node.mine_pool()
    confirmed = anchorer.run(round_, until=Phase.CONFIRMED)
    node.reorganise(confirmed.data["block_number"] - 1)
    back = anchorer.step(round_)
    assert back.phase is Phase.SUBMITTED
    assert "reorganised away" in back.note
    assert node.pool == {}
    anchorer.step(round_)
    assert len(node.pool) == 1
    node.mine(3)
    node.mine_pool()
    bent.bent.clear()
    [attestation] = anchorer.run(round_).attestations
    verify_attestation(attestation, CODE_HASH)
    assert len(anchorer.journal.items()) == 1
    header = parse_evm_header(bytes.fromhex(attestation["transaction"]["header"]))
    assert header.number == confirmed.data["block_number"] + 3


def test_a_transaction_that_moves_to_another_block_is_followed() -> None:
    node = PoolNode()
    bent = not_final(node)
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.SUBMITTED)
    node.mine_pool()
    confirmed = anchorer.run(round_, until=Phase.CONFIRMED)
    raw = node.handed_in[0]
    node.reorganise(confirmed.data["block_number"] - 1)
    node.mine(1)
    InProcessNode.submit(node, raw)
    moved = anchorer.step(round_)
    assert moved.phase is Phase.CONFIRMED
    assert moved.data["block_number"] == confirmed.data["block_number"] + 1
    bent.bent.clear()
    [attestation] = anchorer.run(round_).attestations
    verify_attestation(attestation, CODE_HASH)


def test_a_strangers_block_reorganised_away_leads_back_to_a_transaction_of_ours() -> None:
    node = PoolNode()
    bent = not_final(node)
    anchorer = anchorer_on(bent)
    root = fresh_root()
    height = node.fetch_header("latest").number  # type: ignore[union-attr]
    anchor_by(node, stranger(node), anchorer.settings.contract, root)
    anchorer.run(round_of(root), until=Phase.CONFIRMED)
    node.reorganise(height)
    assert anchorer.step(round_of(root)).phase is Phase.SCHEDULED
    node.automine = True
    bent.bent.clear()
    [attestation] = anchorer.run(round_of(root)).attestations
    assert attestation["transaction_hash"] == anchorer.journal.items()[0][1]["hash"]


def test_answers_from_two_chains_at_once_are_a_reorganisation(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.CONFIRMED)
    place = bent.node.fetch_place

    def elsewhere(transaction_hash: bytes) -> TransactionPlace | None:
        found = place(transaction_hash)
        return found and replace(found, block_hash=bytes(32))

    bent.bent["fetch_place"] = elsewhere
    with pytest.raises(ReorgError):
        anchorer.step(round_)
    bent.bent.clear()
    anchorer.run(round_)


@pytest.mark.parametrize("tag", [None, BackendRejectedError("no such tag")])
def test_without_the_finalized_tag_depth_decides(bent: BentNode, tag: Any) -> None:
    def fetch_header(which: Any) -> Any:
        if which == "finalized":
            if tag is not None:
                raise tag
            return None
        return bent.node.fetch_header(which)

    bent.bent["fetch_header"] = fetch_header
    anchorer = anchorer_on(bent, confirmations=4)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.CONFIRMED)
    for _ in range(4):
        assert anchorer.step(round_).phase is Phase.CONFIRMED
        bent.node.mine(1)
    assert anchorer.step(round_).phase is Phase.FINAL


# -- what an operator can mend ---------------------------------------------------------------------


def test_another_chain_is_refused_and_nothing_is_sent(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    bent.bent["fetch_chain_id"] = lambda: 5
    for _ in range(2):
        with pytest.raises(BackendUnavailableError) as caught:
            anchorer.step(round_)
        assert caught.value.code == "backend.evm.wrong_chain"
        assert "chain 5" in caught.value.message
        assert not anchorer.backend.health().ok
    assert bent.calls.get("submit") is None
    assert anchorer.journal.items() == []
    bent.bent.clear()
    anchorer.run(round_)
    assert anchorer.backend.health().ok


@pytest.mark.parametrize("steps", range(4))
def test_a_chain_that_changes_under_way_is_noticed_at_every_step(
    bent: BentNode, steps: int
) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    for _ in range(steps):
        anchorer.step(round_)
    before = anchorer.attempt(round_)
    bent.bent["fetch_chain_id"] = lambda: 5
    with pytest.raises(BackendUnavailableError):
        anchorer.step(round_)
    assert anchorer.attempt(round_) == before
    bent.bent.clear()
    anchorer.run(round_)


def test_no_contract_and_another_contract(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    for code, expected in ((b"", "no_registry"), (b"\x00", "other_registry")):
        bent.bent["fetch_code"] = lambda _address, code=code: code
        with pytest.raises(BackendUnavailableError) as caught:
            anchorer.step(round_)
        assert caught.value.code == f"backend.evm.{expected}"
    assert anchorer.journal.items() == []
    bent.bent.clear()
    anchorer.run(round_)


def test_low_funds_wait_and_are_seen(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    bent.bent["fetch_balance_wei"] = lambda _address: 1_000
    waiting = anchorer.step(round_)
    assert waiting.phase is Phase.SCHEDULED
    assert waiting.retry_at is not None
    assert waiting.failures == 0
    health = anchorer.backend.health()
    assert not health.ok
    assert health.detail["low_funds"] is True
    assert health.detail["balance_wei"] == "1000"
    assert anchorer.journal.items() == []
    bent.bent.clear()
    anchorer.run(round_)
    assert anchorer.backend.health().detail["low_funds"] is False


def test_funds_below_the_threshold_are_seen_while_they_still_suffice(bent: BentNode) -> None:
    anchorer = anchorer_on(bent, low_funds_wei=10**30)
    anchorer.run(round_of(fresh_root()))
    health = anchorer.backend.health()
    assert health.detail["low_funds"] is True
    assert not health.ok
    assert anchorer.key.address.hex() in health.note


def test_a_node_that_says_insufficient_funds_is_low_funds(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.PREPARED)
    bent.bent["submit"] = raises(InsufficientFundsError("insufficient funds"))
    assert anchorer.step(round_).phase is Phase.PREPARED
    assert anchorer.backend.health().detail["low_funds"] is True
    bent.bent.clear()
    anchorer.run(round_)
    assert len(anchorer.journal.items()) == 1


def test_fees_over_the_ceiling_wait_and_are_seen(bent: BentNode) -> None:
    anchorer = anchorer_on(bent, ceiling_wei=50 * GWEI)
    round_ = round_of(fresh_root())
    bent.bent["fetch_fees"] = lambda: MarketFees(60 * GWEI, GWEI)
    waiting = anchorer.step(round_)
    assert waiting.phase is Phase.SCHEDULED
    assert "61 gwei" in waiting.note
    assert "50 gwei" in waiting.note
    assert waiting.retry_at is not None
    assert anchorer.backend.health().detail["fee_ceiling"] is True
    assert not anchorer.backend.health().ok
    bent.bent.clear()
    anchorer.run(round_)
    assert anchorer.backend.health().detail["fee_ceiling"] is False


def test_a_replacement_over_the_ceiling_waits_and_keeps_handing_in() -> None:
    node = PoolNode()
    anchorer = anchorer_on(node, ceiling_wei=3 * GWEI)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.SUBMITTED)
    for _ in range(4):
        node.pool.clear()
        anchorer.clock.advance(400)
        waiting = anchorer.step(round_)
    assert waiting.phase is Phase.SUBMITTED
    assert anchorer.backend.health().detail["fee_ceiling"] is True
    assert len(node.pool) == 1
    for _, entry in anchorer.journal.items():
        assert entry["max_fee_wei"] <= 3 * GWEI
    node.mine_pool()
    anchorer.run(round_)


def test_too_much_gas_is_not_paid_for(bent: BentNode) -> None:
    anchorer = anchorer_on(bent, max_gas=100_000)
    bent.bent["estimate_gas"] = lambda *_: 10**9
    with pytest.raises(BackendUnavailableError) as caught:
        anchorer.step(round_of(fresh_root()))
    assert caught.value.code == "backend.evm.gas"
    assert anchorer.journal.items() == []


def test_a_journal_that_is_full_keeps_the_transaction_from_being_handed_in(bent: BentNode) -> None:
    class FullJournal(MemoryJournal):
        full = True

        def put(self, key: str, value: Any) -> None:
            if self.full:
                raise StoreUnavailableError("disk full")
            super().put(key, value)

    anchorer = anchorer_on(bent)
    anchorer.journal = FullJournal()
    anchorer.restart()
    round_ = round_of(fresh_root())
    with pytest.raises(StoreUnavailableError):
        anchorer.step(round_)
    assert bent.calls.get("submit") is None
    anchorer.journal.full = False
    anchorer.run(round_)


def test_a_transaction_that_reverts_is_tried_once_more_with_more_gas_then_fails(
    bent: BentNode,
) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    bent.bent["fetch_place"] = reverted(bent.node)
    bent.bent["call"] = lambda *_: bytes(64)
    for _ in range(20):
        after = anchorer.step(round_)
        if after.phase is Phase.FAILED:
            break
    assert after.phase is Phase.FAILED
    assert "reverted 2 times" in after.note
    first, second = (entry["gas"] for _, entry in anchorer.journal.items())
    assert second == 2 * first or second > first


# -- nodes that lie or keep something back ---------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "part"),
    [("fetch_transactions", "transaction"), ("fetch_receipts", "receipt")],
)
def test_a_block_that_cannot_be_rebuilt_costs_that_part_and_says_so(
    bent: BentNode, method: str, part: str
) -> None:
    anchorer = anchorer_on(bent)
    bent.bent[method] = raises(BackendProtocolError("the items shown are not its own"))
    final = anchorer.run(round_of(fresh_root()))
    [attestation] = final.attestations
    assert set(verify_attestation(attestation, CODE_HASH)) == {
        "transaction",
        "receipt",
        "storage",
    } - {part}
    assert part in final.note
    assert part in anchorer.backend.health().detail["unproven"]


def test_without_state_proofs_the_transaction_is_the_evidence(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    bent.bent["fetch_state_proof"] = raises(BackendRejectedError("method not found"))
    final = anchorer.run(round_of(fresh_root()))
    [attestation] = final.attestations
    assert set(verify_attestation(attestation, CODE_HASH)) == {"transaction", "receipt"}


def test_state_that_is_forgotten_is_proven_under_the_final_header(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    confirmed = anchorer.run(round_, until=Phase.CONFIRMED)
    number = confirmed.data["block_number"]
    bent.node.mine(5)

    def pruned(header: Any, *rest: Any) -> Any:
        if header.number <= number:
            raise BackendRejectedError("missing trie node")
        return bent.node.fetch_state_proof(header, *rest)

    bent.bent["fetch_state_proof"] = pruned
    [attestation] = anchorer.run(round_).attestations
    times = verify_attestation(attestation, CODE_HASH)
    header = parse_evm_header(bytes.fromhex(attestation["storage"]["header"]))
    assert header.number == number + 5
    assert times["storage"] == times["transaction"] < header.time


def test_a_part_that_fails_for_a_moment_is_waited_for(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.CONFIRMED)
    bent.bent["fetch_state_proof"] = raises(BackendProtocolError("the answer is wrong"))
    assert anchorer.step(round_).phase is Phase.CONFIRMED
    bent.bent.clear()
    [attestation] = anchorer.run(round_).attestations
    assert "storage" in attestation


def test_with_nothing_to_prove_it_never_says_final(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.CONFIRMED)
    for method in ("fetch_transactions", "fetch_receipts", "fetch_state_proof"):
        bent.bent[method] = raises(BackendProtocolError("no"))
    for _ in range(12):
        assert anchorer.step(round_).phase is Phase.CONFIRMED
    anchorer.restart()
    with pytest.raises(BackendUnavailableError) as caught:
        anchorer.step(round_)
    assert caught.value.code == "backend.evm.unproven"
    bent.bent.clear()
    anchorer.run(round_)


def test_headers_that_do_not_hash_switch_the_chain_off(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    bent.bent["fetch_header"] = raises(
        BackendProtocolError("does not hash", code="backend.evm.header")
    )
    with pytest.raises(BackendUnavailableError) as caught:
        anchorer.step(round_of(fresh_root()))
    assert caught.value.code == "backend.evm.header"
    assert anchorer.journal.items() == []
    assert not anchorer.backend.health().ok


def flipped(proof: StateProof) -> StateProof:
    last = bytearray(proof.storage_nodes[-1])
    last[-1] ^= 1
    return replace(proof, storage_nodes=(*proof.storage_nodes[:-1], bytes(last)))


def test_evidence_that_does_not_verify_is_never_saved(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    anchorer.run(round_, until=Phase.CONFIRMED)
    fetch = bent.node.fetch_state_proof
    bent.bent["fetch_state_proof"] = lambda *args: flipped(fetch(*args))
    bent.bent["fetch_transactions"] = lambda _header: [b"\x02\xc0"]
    bent.bent["fetch_receipts"] = lambda _header: [b"\x02\xc0"]
    for _ in range(8):
        assert anchorer.step(round_).phase is Phase.CONFIRMED
    bent.bent.clear()
    verify_attestation(anchorer.run(round_).attestations[0], CODE_HASH)


def test_an_account_of_other_code_proves_nothing(shared: InProcessNode) -> None:
    account = EvmKey(shared.funded_key()).address
    unproven = unproven_parts(shared, account)
    assert set(unproven) == {"storage"}
    assert "not the registry's" in unproven["storage"]


def test_a_registry_answer_of_another_length(bent: BentNode) -> None:
    anchorer = anchorer_on(bent)
    for answer in (b"", bytes(32), bytes(96), b"\xff" * 64):
        bent.bent["call"] = lambda *_, answer=answer: answer
        with pytest.raises(BackendUnavailableError):
            anchorer.step(round_of(fresh_root()))
    assert anchorer.journal.items() == []


def test_a_node_that_invents_an_anchoring_gets_no_final(bent: BentNode) -> None:
    """It says that the root is there, and cannot prove it."""
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    answer = (1_000).to_bytes(32, "big") + (1).to_bytes(32, "big")
    bent.bent["call"] = lambda *_: answer
    assert anchorer.run(round_, until=Phase.CONFIRMED).data["block_hash"] is None
    for _ in range(10):
        assert anchorer.step(round_).phase is Phase.CONFIRMED
    bent.bent.clear()
    assert anchorer.step(round_).phase is Phase.SCHEDULED
    anchorer.run(round_)


@pytest.mark.parametrize(
    "method",
    [
        "fetch_chain_id",
        "fetch_code",
        "fetch_header",
        "fetch_nonce",
        "fetch_balance_wei",
        "fetch_fees",
        "call",
        "estimate_gas",
        "fetch_place",
        "submit",
        "fetch_transactions",
        "fetch_state_proof",
    ],
)
def test_a_node_that_goes_away_at_any_call_is_an_error_to_try_again(
    bent: BentNode, method: str
) -> None:
    anchorer = anchorer_on(bent)
    round_ = round_of(fresh_root())
    gone = raises(BackendUnavailableError("gone"))
    met = 0
    for _ in range(12):
        bent.bent[method] = gone
        before = anchorer.attempt(round_)
        try:
            after = anchorer.step(round_)
        except BackendUnavailableError:
            met += 1
            assert anchorer.attempt(round_) == before
            assert not anchorer.backend.health().ok
            bent.bent.clear()
            after = anchorer.step(round_)
        if after.phase is Phase.FINAL:
            break
    assert met > 0
    assert anchorer.attempt(round_).phase is Phase.FINAL


def test_health_never_shows_the_key(shared: InProcessNode) -> None:
    anchorer = anchorer_on(shared)
    anchorer.run(round_of(fresh_root()))
    shown = json.dumps([dict(anchorer.backend.health().detail), repr(anchorer.backend)])
    assert shared.funded_key().hex() not in shown


def test_an_attempt_of_an_unknown_phase_starts_over(shared: InProcessNode) -> None:
    anchorer = anchorer_on(shared)
    round_ = round_of(fresh_root())
    after = anchorer.backend.advance(round_, Attempt(Phase.PENDING, {"x": 1}))
    assert after.phase is Phase.PREPARED
    assert isinstance(anchorer.backend, EvmBackend)
    assert START.tzinfo is not None
