"""The EVM backend against anvil: a real node, its pool, its blocks, its reorganisations."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from anchor.backends.evm.deployment import deploy_registry
from anchor.backends.evm.evidence import collect_evidence
from anchor.backends.evm.fees import Offer
from anchor.backends.evm.keys import CallRequest, EvmKey
from anchor.backends.evm.registry_contract import anchor_call_data, registry_artifact
from anchor.backends.evm.rpc_node import RpcNode
from anchor.backends.evm.settings import EvmAnchorSettings
from anchor.errors import BackendProtocolError, BackendUnavailableError
from anchor.formats.evm import parse_evm_header, parse_evm_transaction
from anchor.formats.rlp import rlp_decode
from anchor.ports import Phase
from tests.parts.anvil import Anvil, running_anvil
from tests.parts.evm_backend import Anchorer, round_of, verify_attestation
from tests.parts.evm_nodes import BentNode, raises

pytestmark = pytest.mark.anvil

GWEI = 10**9
ETHER = 10**18
CODE_HASH = registry_artifact().code_hash
ROOTS = (bytes([0xA0, i, *range(30)]) for i in itertools.count(1))
KEYS = (EvmKey(bytes([7] * 30 + [1, i])) for i in itertools.count(1))


@pytest.fixture(scope="module")
def anvil(require: Any) -> Iterator[Anvil]:
    # Two slots an epoch: what is finalized is four blocks behind.
    with running_anvil(require, "--slots-in-an-epoch", "2", "--chain-id", "31337") as anvil:
        yield anvil


@pytest.fixture(scope="module")
def contract(anvil: Anvil) -> bytes:
    key = EvmKey(b"\x01" * 32)
    anvil.fund(key.address, ETHER)
    return deploy_registry(RpcNode(anvil.url), key, poll_s=0.01).address


@pytest.fixture
def anchorer(anvil: Anvil, contract: bytes) -> Anchorer:
    """Return an anchorer with an account of its own."""
    key = next(KEYS)
    anvil.fund(key.address, ETHER)
    return Anchorer(
        BentNode(RpcNode(anvil.url)), key, EvmAnchorSettings(chain_id=31337, contract=contract)
    )


@pytest.fixture
def no_mining(anvil: Anvil) -> Iterator[None]:
    """Keep transactions waiting."""
    anvil.rpc("evm_setAutomine", False)
    yield
    anvil.rpc("anvil_dropAllTransactions")
    anvil.rpc("evm_setAutomine", True)


def test_from_a_round_to_evidence_that_verifies(anvil: Anvil, anchorer: Anchorer) -> None:
    round_ = round_of(next(ROOTS))
    confirmed = anchorer.run(round_, until=Phase.CONFIRMED)
    assert anchorer.step(round_).phase is Phase.CONFIRMED
    anvil.mine(5)
    final = anchorer.run(round_)
    [attestation] = final.attestations
    times = verify_attestation(attestation, CODE_HASH)
    assert set(times) == {"transaction", "receipt", "storage"}
    assert len(set(times.values())) == 1
    shown = anvil.rpc("eth_getBlockByNumber", hex(confirmed.data["block_number"]), False)
    header = parse_evm_header(bytes.fromhex(attestation["transaction"]["header"]))
    assert "0x" + header.block_hash.hex() == shown["hash"]
    assert header.time == int(shown["timestamp"], 16)


@pytest.mark.parametrize("rules", ["berlin", "london", "paris", "shanghai", "cancun"])
def test_under_the_rules_of_every_fork(require: Any, rules: str) -> None:
    """Headers of 15 to 20 fields; before London a gas price stands in for the two fees."""
    with running_anvil(require, "--slots-in-an-epoch", "1", "--hardfork", rules) as anvil:
        key = next(KEYS)
        anvil.fund(key.address, ETHER)
        node = RpcNode(anvil.url)
        contract = deploy_registry(node, key, poll_s=0.01).address
        anchorer = Anchorer(node, key, EvmAnchorSettings(chain_id=31337, contract=contract))
        round_ = round_of(next(ROOTS))
        anchorer.run(round_, until=Phase.CONFIRMED)
        anvil.mine(4)
        [attestation] = anchorer.run(round_).attestations
        times = verify_attestation(attestation, CODE_HASH)
        assert set(times) == {"transaction", "receipt", "storage"}
        [(_, entry)] = anchorer.journal.items()
        assert entry["legacy"] is (rules == "berlin")
        fields = rlp_decode(bytes.fromhex(attestation["storage"]["header"]), max_bytes=4096)
        expected = {"berlin": 15, "london": 16, "paris": 16, "shanghai": 17, "cancun": 20}
        assert len(fields) == expected[rules]


def test_in_a_full_block_among_transactions_of_other_types(
    anvil: Anvil, anchorer: Anchorer, no_mining: None
) -> None:
    accounts = anvil.rpc("eth_accounts")
    round_ = round_of(next(ROOTS))
    for i, sender in enumerate(accounts[:9]):
        fields: dict[str, Any] = {"from": sender, "to": accounts[9], "value": "0x1"}
        fields["gas"] = hex(100_000)
        if i % 3 == 1:
            fields["gasPrice"] = hex(20 * GWEI)
        if i % 3 == 2:
            key = "0x" + "11" * 32
            fields["gasPrice"] = hex(20 * GWEI)
            fields["accessList"] = [{"address": accounts[0], "storageKeys": [key]}]
        anvil.rpc("eth_sendTransaction", fields)
    anchorer.run(round_, until=Phase.SUBMITTED)
    anvil.mine(6)
    [attestation] = anchorer.run(round_).attestations
    assert set(verify_attestation(attestation, CODE_HASH)) == {"transaction", "receipt", "storage"}
    node = RpcNode(anvil.url)
    header = parse_evm_header(bytes.fromhex(attestation["transaction"]["header"]))
    types = {parse_evm_transaction(raw).type for raw in node.fetch_transactions(header)}
    assert types == {0, 1, 2}


def test_without_block_receipts_each_receipt_is_asked_for(anvil: Anvil, contract: bytes) -> None:
    node = RpcNode(anvil.url)
    number = int(anvil.rpc("eth_blockNumber"), 16)
    header = next(
        header
        for header in map(node.fetch_header, range(number, -1, -1))
        if header is not None and len(node.fetch_transactions(header)) > 1
    )
    at_once = node.fetch_receipts(header)
    node._has_block_receipts = False
    assert node.fetch_receipts(header) == at_once
    assert len(at_once) > 1


def test_a_stuck_transaction_is_replaced_with_a_tenth_more(
    anvil: Anvil, anchorer: Anchorer, no_mining: None
) -> None:
    round_ = round_of(next(ROOTS))
    anchorer.run(round_, until=Phase.SUBMITTED)
    for _ in range(60):
        anchorer.step(round_)
        anchorer.clock.advance(12)
    booked = [entry for _, entry in anchorer.journal.items()]
    assert len(booked) >= 3
    # anvil itself refuses a replacement that offers too little.
    pool = anvil.rpc("txpool_content")["pending"]
    [waiting] = [
        tx
        for sender, transactions in pool.items()
        for tx in transactions.values()
        if sender.lower() == "0x" + anchorer.key.address.hex()
    ]
    assert waiting["hash"] == "0x" + booked[-1]["hash"]
    for old, new in itertools.pairwise(booked):
        assert 10 * new["max_fee_wei"] >= 11 * old["max_fee_wei"]
        assert 10 * new["tip_wei"] >= 11 * old["tip_wei"]
    anvil.mine(6)
    [attestation] = anchorer.run(round_).attestations
    assert attestation["transaction_hash"] == booked[-1]["hash"]


def test_a_pool_that_lost_it_gets_it_again(
    anvil: Anvil, anchorer: Anchorer, no_mining: None
) -> None:
    round_ = round_of(next(ROOTS))
    anchorer.run(round_, until=Phase.SUBMITTED)
    anvil.rpc("anvil_dropAllTransactions")
    anchorer.step(round_)
    anvil.mine(6)
    anchorer.run(round_)
    assert len(anchorer.journal.items()) == 1


def test_a_reorganisation_that_drops_the_block_is_followed(
    anvil: Anvil, anchorer: Anchorer
) -> None:
    round_ = round_of(next(ROOTS))
    confirmed = anchorer.run(round_, until=Phase.CONFIRMED)
    anvil.mine(1)
    # Two blocks are replaced by two empty ones.
    anvil.rpc("anvil_reorg", 2, [])
    back = anchorer.step(round_)
    assert back.phase is Phase.SUBMITTED
    assert "reorganised away" in back.note
    anchorer.run(round_, until=Phase.CONFIRMED)
    anvil.mine(5)
    [attestation] = anchorer.run(round_).attestations
    verify_attestation(attestation, CODE_HASH)
    header = parse_evm_header(bytes.fromhex(attestation["transaction"]["header"]))
    assert header.number > confirmed.data["block_number"]
    assert header.block_hash.hex() != confirmed.data["block_hash"]
    assert len(anchorer.journal.items()) == 1


def test_a_reorganisation_that_moves_the_transaction_is_followed(
    anvil: Anvil, anchorer: Anchorer
) -> None:
    round_ = round_of(next(ROOTS))
    confirmed = anchorer.run(round_, until=Phase.CONFIRMED)
    raw = anchorer.journal.items()[0][1]["raw"]
    anvil.mine(1)
    anvil.rpc("anvil_reorg", 2, [["0x" + raw, 1]])
    moved = anchorer.step(round_)
    assert moved.phase is Phase.CONFIRMED
    assert moved.data["block_number"] == confirmed.data["block_number"] + 1
    anvil.mine(5)
    verify_attestation(anchorer.run(round_).attestations[0], CODE_HASH)


def test_a_state_put_back_is_followed(anvil: Anvil, anchorer: Anchorer) -> None:
    snapshot = anvil.rpc("evm_snapshot")
    round_ = round_of(next(ROOTS))
    anchorer.run(round_, until=Phase.CONFIRMED)
    anvil.rpc("evm_revert", snapshot)
    assert anchorer.step(round_).phase is Phase.SUBMITTED
    anchorer.run(round_, until=Phase.CONFIRMED)
    anvil.mine(5)
    verify_attestation(anchorer.run(round_).attestations[0], CODE_HASH)


def test_a_stranger_who_copies_the_root_first(
    anvil: Anvil, anchorer: Anchorer, contract: bytes, no_mining: None
) -> None:
    round_ = round_of(next(ROOTS))
    anchorer.run(round_, until=Phase.SUBMITTED)
    other = next(KEYS)
    anvil.fund(other.address, ETHER)
    node = RpcNode(anvil.url)
    copied = other.sign(
        CallRequest(
            chain_id=31337,
            nonce=0,
            to=contract,
            data=anchor_call_data(round_.root_hash, 1),
            gas=100_000,
            offer=Offer(500 * GWEI, 400 * GWEI),
        )
    )
    node.submit(copied.raw)
    node.submit(copied.raw)
    anvil.mine(6)
    [attestation] = anchorer.run(round_).attestations
    assert attestation["transaction_hash"] in {
        copied.transaction_hash.hex(),
        anchorer.journal.items()[0][1]["hash"],
    }
    times = verify_attestation(attestation, CODE_HASH)
    assert "storage" in times
    # Both are in one block, the stranger's first; neither reverted.
    ours = bytes.fromhex(anchorer.journal.items()[0][1]["hash"])
    places = [node.fetch_place(digest) for digest in (copied.transaction_hash, ours)]
    assert [place and place.status for place in places] == [1, 1]
    assert [place and place.index for place in places] == [0, 1]
    # A node that mixes them up, both holding the root hash, is not believed.
    header = node.fetch_header(places[0].block_number)  # type: ignore[union-attr]
    evidence = collect_evidence(
        node,
        round_.root_hash,
        contract,
        place=replace(places[1], index=0),  # type: ignore[type-var]
        block=header,
        state_headers=(),
    )
    assert "transaction" in evidence.missing
    assert "another transaction" in evidence.missing["transaction"]


def test_an_account_without_funds_waits_until_it_has_some(anvil: Anvil, anchorer: Anchorer) -> None:
    anvil.fund(anchorer.key.address, 1_000)
    round_ = round_of(next(ROOTS))
    assert anchorer.step(round_).phase is Phase.SCHEDULED
    assert anchorer.backend.health().detail["low_funds"] is True
    anvil.fund(anchorer.key.address, ETHER)
    anvil.mine(5)
    anchorer.run(round_, until=Phase.CONFIRMED)
    assert anchorer.backend.health().detail["low_funds"] is False


def test_a_base_fee_over_the_ceiling_waits_until_it_falls(anvil: Anvil, anchorer: Anchorer) -> None:
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(400 * GWEI))
    anvil.mine(1)
    round_ = round_of(next(ROOTS))
    waiting = anchorer.step(round_)
    assert waiting.phase is Phase.SCHEDULED
    assert anchorer.backend.health().detail["fee_ceiling"] is True
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    anvil.mine(1)
    anchorer.run(round_, until=Phase.CONFIRMED)


def test_a_chain_that_changes_is_refused_until_it_is_back(anvil: Anvil, anchorer: Anchorer) -> None:
    round_ = round_of(next(ROOTS))
    anchorer.run(round_, until=Phase.PREPARED)
    anvil.rpc("anvil_setChainId", 999)
    try:
        with pytest.raises(BackendUnavailableError) as caught:
            anchorer.step(round_)
    finally:
        anvil.rpc("anvil_setChainId", 31337)
    assert caught.value.code == "backend.evm.wrong_chain"
    anchorer.run(round_, until=Phase.CONFIRMED)


def test_a_node_that_stops_answering_and_comes_back(
    anvil: Anvil, contract: bytes, anchorer: Anchorer
) -> None:
    anchorer.node = RpcNode(anvil.url, timeout_s=0.3)
    anchorer.restart()
    round_ = round_of(next(ROOTS))
    anchorer.run(round_, until=Phase.PREPARED)
    anvil.pause()
    threading.Timer(1.0, anvil.resume).start()
    with pytest.raises(BackendUnavailableError):
        anchorer.step(round_)
    assert not anchorer.backend.health().ok
    anvil.resume()
    anchorer.run(round_, until=Phase.CONFIRMED)
    assert anchorer.backend.health().ok


def test_a_node_that_is_gone(anchorer: Anchorer, require: Any) -> None:
    with running_anvil(require) as other:
        anchorer.node = RpcNode(other.url, timeout_s=1)
        anchorer.restart()
    with pytest.raises(BackendUnavailableError):
        anchorer.step(round_of(next(ROOTS)))
    assert "127.0.0.1" in anchorer.backend.health().note


def test_a_header_is_found_by_number_and_unknown_ones_are_none(anvil: Anvil) -> None:
    node = RpcNode(anvil.url)
    newest = node.fetch_header("latest")
    assert newest is not None
    assert node.fetch_header(newest.number) == newest
    assert node.fetch_header(newest.number + 1_000) is None
    assert node.fetch_block_hash(newest.number) == newest.block_hash
    with pytest.raises(BackendUnavailableError):
        node.fetch_block_hash(newest.number + 1_000)


class LyingRpc:
    """Stands between the node and its answers, and changes one of them."""

    def __init__(self, rpc: Any, method: str, lie: Any) -> None:
        self._rpc, self._method, self._lie = rpc, method, lie

    def call(self, method: str, *params: Any) -> Any:
        answer = self._rpc.call(method, *params)
        return self._lie(answer) if method == self._method else answer


def flip(text: str) -> str:
    """Return a hex text with its last digit changed."""
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def changed(name: str) -> Any:
    """Return a lie about one field of a block."""
    return lambda block: {**block, name: flip(block[name])}


LIES: dict[str, tuple[str, Any]] = {
    "another state root": ("eth_getBlockByNumber", changed("stateRoot")),
    "another time": ("eth_getBlockByNumber", changed("timestamp")),
    "another hash": ("eth_getBlockByNumber", changed("hash")),
    "no block": ("eth_getBlockByNumber", lambda _: []),
    "a block without fields": ("eth_getBlockByNumber", lambda b: {"hash": b["hash"]}),
    "a chain id of text": ("eth_chainId", lambda _: "mainnet"),
    "a receipt of nothing": (
        "eth_getTransactionReceipt",
        lambda _: {"blockHash": "0x" + "00" * 32},
    ),
    "a receipt of another": (
        "eth_getTransactionReceipt",
        lambda r: {**r, "transactionHash": flip(r["transactionHash"])},
    ),
    "code of another contract": ("eth_getCode", lambda code: code + "00"),
    "an answer of the registry that is too short": ("eth_call", lambda word: word[:-2]),
}


@pytest.mark.parametrize("what", LIES)
def test_lies_are_errors_to_try_again_and_cost_nothing(
    anvil: Anvil, anchorer: Anchorer, what: str
) -> None:
    honest = RpcNode(anvil.url)
    liar = RpcNode(anvil.url)
    liar._rpc = LyingRpc(honest._rpc, *LIES[what])  # type: ignore[assignment]
    round_ = round_of(next(ROOTS))
    before = anchorer.run(round_, until=Phase.SUBMITTED)
    anchorer.node = liar
    anchorer.restart()
    for _ in range(3):
        with pytest.raises(BackendUnavailableError):
            anchorer.step(round_)
        assert anchorer.attempt(round_) == before
    anchorer.node = honest
    anchorer.restart()
    anvil.mine(6)
    verify_attestation(anchorer.run(round_).attestations[0], CODE_HASH)
    assert len(anchorer.journal.items()) == 1


def test_a_nonce_that_is_no_quantity_sends_nothing(anvil: Anvil, anchorer: Anchorer) -> None:
    liar = RpcNode(anvil.url)
    honest = liar._rpc
    liar._rpc = LyingRpc(honest, "eth_getTransactionCount", lambda _: 5)  # type: ignore[assignment]
    anchorer.node = liar
    anchorer.restart()
    with pytest.raises(BackendUnavailableError):
        anchorer.step(round_of(next(ROOTS)))
    assert anchorer.journal.items() == []


def test_call_data_shown_wrongly_is_replaced_by_the_bytes_themselves(
    anvil: Anvil, anchorer: Anchorer
) -> None:
    """As for a type of transaction that is not known here."""

    def lie(block: Any) -> Any:
        shown = block["transactions"]
        return {
            **block,
            "transactions": [
                t if isinstance(t, str) else {**t, "input": flip(t["input"])} for t in shown
            ],
        }

    liar = RpcNode(anvil.url)
    liar._rpc = LyingRpc(liar._rpc, "eth_getBlockByNumber", lie)  # type: ignore[assignment]
    anchorer.node = liar
    anchorer.restart()
    round_ = round_of(next(ROOTS))
    anchorer.run(round_, until=Phase.CONFIRMED)
    anvil.mine(6)
    times = verify_attestation(anchorer.run(round_).attestations[0], CODE_HASH)
    assert set(times) == {"transaction", "receipt", "storage"}


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (changed("stateRoot"), "backend.evm.header"),
        (changed("timestamp"), "backend.evm.header"),
        (changed("hash"), "backend.evm.header"),
        (lambda block: {**block, "extraData": "0x" + "00" * 4000}, "backend.evm.header"),
    ],
)
def test_a_header_that_does_not_hash_is_never_given_out(
    anvil: Anvil, contract: bytes, lie: Any, code: str
) -> None:
    node = RpcNode(anvil.url)
    node._rpc = LyingRpc(node._rpc, "eth_getBlockByNumber", lie)  # type: ignore[assignment]
    with pytest.raises(BackendProtocolError) as caught:
        node.fetch_header("latest")
    assert caught.value.code == code


def test_another_block_than_the_one_asked_for_is_noticed(anvil: Anvil, contract: bytes) -> None:
    node = RpcNode(anvil.url)
    other = node._rpc.call("eth_getBlockByNumber", "0x1", False)
    node._rpc = LyingRpc(node._rpc, "eth_getBlockByNumber", lambda _: other)  # type: ignore[assignment]
    assert node.fetch_header(1) is not None
    with pytest.raises(BackendProtocolError, match="block 1 where 0"):
        node.fetch_header(0)


@pytest.mark.parametrize(
    ("method", "lie", "code"),
    [
        ("eth_getBlockReceipts", lambda rs: rs[:-1], "backend.evm.receipts"),
        ("eth_getBlockReceipts", lambda rs: [*rs, rs[0]], "backend.evm.receipts"),
        (
            "eth_getBlockByNumber",
            lambda b: {**b, "transactions": b["transactions"][:-1]},
            "backend.evm.transactions",
        ),
    ],
)
def test_items_that_are_not_the_blocks_own_are_never_given_out(
    anvil: Anvil, anchorer: Anchorer, method: str, lie: Any, code: str
) -> None:
    confirmed = anchorer.run(round_of(next(ROOTS)), until=Phase.CONFIRMED)
    node = RpcNode(anvil.url)
    header = node.fetch_header(confirmed.data["block_number"])
    assert header is not None
    node._rpc = LyingRpc(node._rpc, method, lie)  # type: ignore[assignment]
    fetch = node.fetch_receipts if "Receipts" in method else node.fetch_transactions
    with pytest.raises(BackendProtocolError) as caught:
        fetch(header)
    assert caught.value.code == code


PROOF_LIES = {
    "transactions left out": (
        "eth_getBlockByNumber",
        lambda b: {**b, "transactions": b["transactions"][:-1]},
    ),
    "receipts changed": (
        "eth_getBlockReceipts",
        lambda rs: [{**r, "cumulativeGasUsed": "0x1"} for r in rs],
    ),
    "a proof of another slot": (
        "eth_getProof",
        lambda p: {**p, "storageProof": [{**p["storageProof"][0], "proof": p["accountProof"]}]},
    ),
    "an account proof cut short": (
        "eth_getProof",
        lambda p: {**p, "accountProof": p["accountProof"][:-1]},
    ),
}


@pytest.mark.parametrize("what", PROOF_LIES)
def test_lies_in_proofs_never_reach_the_evidence(
    anvil: Anvil, anchorer: Anchorer, what: str
) -> None:
    honest = RpcNode(anvil.url)
    liar = RpcNode(anvil.url)
    liar._rpc = LyingRpc(honest._rpc, *PROOF_LIES[what])  # type: ignore[assignment]
    round_ = round_of(next(ROOTS))
    anchorer.run(round_, until=Phase.CONFIRMED)
    anvil.mine(6)
    anchorer.node = liar
    anchorer.restart()
    final = anchorer.run(round_)
    times = verify_attestation(final.attestations[0], CODE_HASH)
    assert len(times) in {1, 2}
    assert final.note


def test_a_node_on_which_nothing_can_be_proven(anvil: Anvil, anchorer: Anchorer) -> None:
    for method in ("fetch_transactions", "fetch_state_proof"):
        anchorer.node.bent[method] = raises(BackendProtocolError("no"))
    with pytest.raises(BackendUnavailableError) as caught:
        anchorer.step(round_of(next(ROOTS)))
    assert caught.value.code == "backend.evm.unproven"
    assert anchorer.journal.items() == []
