"""Raw bytes written again from JSON-RPC's fields, against eth-account's own bytes."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account

from anchor.backends.evm.rpc_blocks import header_candidates, receipt_bytes, transaction_bytes
from anchor.errors import BackendProtocolError
from anchor.formats.evm import parse_evm_header, parse_evm_receipt
from anchor.formats.rlp import rlp_decode

ACCOUNT = Account.from_key("46" * 32)
ADDRESS = "0x" + "12" * 20
DATA = "0x" + "cd" * 40
BLOB_HASH = "0x01" + "ee" * 31
ACCESS_LIST = [{"address": ADDRESS, "storageKeys": ["0x" + "11" * 32, "0x" + "00" * 32]}]
COMMON: dict[str, Any] = {"nonce": 5, "gas": 60_000, "to": ADDRESS, "value": 0, "data": DATA}
FEES = {"maxFeePerGas": 9, "maxPriorityFeePerGas": 2}


def shown(fields: dict[str, Any], signed: Any) -> dict[str, Any]:
    """Return a transaction as JSON-RPC shows it."""
    shown: dict[str, Any] = {
        name: hex(value) if isinstance(value, int) else value for name, value in fields.items()
    }
    shown["input"] = shown.pop("data")
    parity = {"v": hex(signed.v)}
    if "type" in fields:
        parity = {"v": hex(signed.v), "yParity": hex(signed.v)}
    return {**shown, **parity, "r": hex(signed.r), "s": hex(signed.s)}


CASES: dict[str, dict[str, Any]] = {
    "legacy with chain id": {**COMMON, "gasPrice": 7, "chainId": 1},
    "legacy without": {**COMMON, "gasPrice": 7},
    "legacy creation": {**COMMON, "gasPrice": 7, "chainId": 1, "to": None},
    "access list": {
        **COMMON, "type": 1, "gasPrice": 7, "chainId": 1, "accessList": ACCESS_LIST
    },
    "dynamic fee": {**COMMON, **FEES, "type": 2, "chainId": 1, "accessList": ACCESS_LIST},
    "dynamic fee, empty list": {**COMMON, **FEES, "type": 2, "chainId": 1, "accessList": []},
    "dynamic fee with value": {**COMMON, **FEES, "type": 2, "chainId": 1, "value": 10**19},
    "dynamic fee creation": {**COMMON, **FEES, "type": 2, "chainId": 1, "to": None},
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_transactions_get_their_bytes_back(what: str) -> None:
    fields = CASES[what]
    to_sign = {k: v for k, v in fields.items() if not (k == "to" and v is None)}
    signed = ACCOUNT.sign_transaction({**to_sign, "to": to_sign.get("to", b"")})
    assert transaction_bytes(shown(fields, signed)) == bytes(signed.raw_transaction)


def test_a_transaction_that_sets_code() -> None:
    authorization = ACCOUNT.sign_authorization({"chainId": 1, "address": ADDRESS, "nonce": 6})
    fields = {**COMMON, **FEES, "type": 4, "chainId": 1, "accessList": []}
    signed = ACCOUNT.sign_transaction({**fields, "authorizationList": [authorization]})
    entry = {
        "chainId": "0x1",
        "address": ADDRESS,
        "nonce": "0x6",
        "yParity": hex(authorization.y_parity),
        "r": hex(authorization.r),
        "s": hex(authorization.s),
    }
    value = {**shown(fields, signed), "authorizationList": [entry]}
    assert transaction_bytes(value) == bytes(signed.raw_transaction)


def test_a_blob_transaction_stands_in_its_block_without_its_blobs() -> None:
    signed = ACCOUNT.sign_transaction({**COMMON, **FEES, "type": 2, "chainId": 1})
    fields = {**COMMON, **FEES, "type": 3, "chainId": 1, "accessList": [], "maxFeePerBlobGas": 3}
    value = {**shown(fields, signed), "blobVersionedHashes": [BLOB_HASH]}
    raw = transaction_bytes(value)
    assert raw is not None
    assert raw[0] == 3
    items = rlp_decode(raw[1:], max_bytes=10_000)
    assert len(items) == 14
    assert items[9:11] == [b"\x03", [bytes.fromhex(BLOB_HASH[2:])]]
    assert items[0] == b"\x01"
    assert items[5].hex() == ADDRESS[2:]


def test_the_first_transaction_of_every_op_stack_block() -> None:
    value = {
        "type": "0x7e",
        "sourceHash": "0x" + "22" * 32,
        "from": ADDRESS,
        "to": ADDRESS,
        "mint": "0x0",
        "value": "0x0",
        "gas": "0xf4240",
        "isSystemTx": False,
        "input": DATA,
    }
    raw = transaction_bytes(value)
    assert raw is not None
    assert raw[0] == 0x7E
    items = rlp_decode(raw[1:], max_bytes=10_000)
    assert [len(item) for item in items] == [32, 20, 20, 0, 0, 3, 0, 40]


def test_the_first_transaction_of_every_arbitrum_block() -> None:
    raw = transaction_bytes({"type": "0x6a", "chainId": "0xa4b1", "input": DATA})
    assert raw is not None
    assert raw[0] == 0x6A
    assert rlp_decode(raw[1:], max_bytes=10_000) == [b"\xa4\xb1", bytes.fromhex(DATA[2:])]


def test_unknown_types_are_left_to_the_node() -> None:
    assert transaction_bytes({"type": "0x65"}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": None},
        {"nonce": 5},
        {"to": "0xabc"},
        {"input": "cd"},
        {"accessList": [5]},
        {"accessList": {"a": 1}},
        {"accessList": [{"address": ADDRESS}]},
        {"r": "0x"},
        {"type": "0x80"},
        {"type": 2},
    ],
)
def test_fields_of_another_form_are_an_answer_that_cannot_be(change: dict[str, Any]) -> None:
    signed = ACCOUNT.sign_transaction(CASES["dynamic fee"])
    with pytest.raises(BackendProtocolError):
        transaction_bytes({**shown(CASES["dynamic fee"], signed), **change})


HEADER: dict[str, Any] = {
    "parentHash": "0x" + "01" * 32,
    "sha3Uncles": "0x" + "02" * 32,
    "miner": "0x" + "03" * 20,
    "stateRoot": "0x" + "04" * 32,
    "transactionsRoot": "0x" + "05" * 32,
    "receiptsRoot": "0x" + "06" * 32,
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x0",
    "number": "0x10",
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x0",
    "timestamp": "0x65",
    "extraData": "0x",
    "mixHash": "0x" + "07" * 32,
    "nonce": "0x" + "00" * 8,
    "baseFeePerGas": "0x7",
    "withdrawalsRoot": "0x" + "08" * 32,
    "blobGasUsed": "0x0",
    "excessBlobGas": "0x0",
    "parentBeaconBlockRoot": "0x" + "09" * 32,
    "requestsHash": "0x" + "0a" * 32,
}


def test_headers_are_tried_with_every_later_field_and_one_less_each_time() -> None:
    candidates = list(header_candidates(HEADER))
    counts = [len(rlp_decode(raw, max_bytes=4096)) for raw in candidates]
    assert counts == [21, 20, 19, 18, 17, 16, 15]
    header = parse_evm_header(candidates[0])
    assert (header.number, header.time) == (16, 0x65)
    assert header.state_root == bytes([4] * 32)


def test_a_field_that_is_not_shown_ends_the_later_ones() -> None:
    shown = {k: v for k, v in HEADER.items() if k != "withdrawalsRoot"}
    counts = [len(rlp_decode(raw, max_bytes=4096)) for raw in header_candidates(shown)]
    assert counts == [16, 15]


@pytest.mark.parametrize("name", ["parentHash", "number", "nonce", "extraData", "logsBloom"])
def test_a_header_without_one_of_its_first_fields(name: str) -> None:
    for wrong in (None, "0x0g", 5):
        with pytest.raises(BackendProtocolError):
            list(header_candidates({**HEADER, name: wrong}))


RECEIPT: dict[str, Any] = {
    "type": "0x2",
    "status": "0x1",
    "cumulativeGasUsed": "0x5208",
    "logsBloom": "0x" + "00" * 256,
    "logs": [{"address": ADDRESS, "topics": ["0x" + "11" * 32], "data": DATA}],
}


def test_receipts_of_each_form() -> None:
    receipt = parse_evm_receipt(receipt_bytes(RECEIPT))
    assert (receipt.type, receipt.status, len(receipt.logs)) == (2, 1, 1)
    assert parse_evm_receipt(receipt_bytes({**RECEIPT, "type": None})).type == 0
    assert parse_evm_receipt(receipt_bytes({**RECEIPT, "status": "0x0"})).status == 0
    before_658 = {**RECEIPT, "type": "0x0", "status": None, "root": "0x" + "77" * 32}
    assert parse_evm_receipt(receipt_bytes(before_658)).status is None


def test_an_op_stack_deposit_receipt_has_its_two_fields() -> None:
    deposit = {**RECEIPT, "type": "0x7e", "depositNonce": "0x5", "depositReceiptVersion": "0x1"}
    raw = receipt_bytes(deposit)
    assert rlp_decode(raw[1:], max_bytes=10_000)[4:] == [b"\x05", b"\x01"]
    # Other types show the nonce too on some nodes, and do not hash it.
    assert len(rlp_decode(receipt_bytes({**deposit, "type": "0x2"})[1:], max_bytes=10_000)) == 4


@pytest.mark.parametrize(
    "change", [{"logs": None}, {"logs": [5]}, {"logs": [{"topics": 1}]}, {"status": "1"}]
)
def test_receipts_of_another_form(change: dict[str, Any]) -> None:
    with pytest.raises(BackendProtocolError):
        receipt_bytes({**RECEIPT, **change})
