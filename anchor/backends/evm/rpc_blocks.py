"""Raw bytes of headers, transactions and receipts, written again from what JSON-RPC shows.

JSON-RPC has no method that every node serves for the raw bytes, so they are encoded from the
fields. Nothing here is believed: the caller compares hashes and roots.

Sources: execution-apis (field names); Yellow Paper and EIP-1559, 4895, 4844, 4788, 7685 (headers);
EIP-155, 2718, 2930, 1559, 4844, 7702 (transactions); the OP Stack specification, "deposits", and
Nitro's transaction types for the two that stand in every block of those chains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from anchor.backends.evm.json_rpc import parse_hex, parse_list, parse_object, parse_quantity
from anchor.backends.evm.node import wrong_answer
from anchor.formats.rlp import RlpInput, rlp_encode, rlp_integer

_HEADER: Final = (
    ("parentHash", 32),
    ("sha3Uncles", 32),
    ("miner", 20),
    ("stateRoot", 32),
    ("transactionsRoot", 32),
    ("receiptsRoot", 32),
    ("logsBloom", 256),
    ("difficulty", None),
    ("number", None),
    ("gasLimit", None),
    ("gasUsed", None),
    ("timestamp", None),
    ("extraData", -1),
    ("mixHash", 32),
    ("nonce", 8),
)
# In the order in which forks appended them.
_HEADER_LATER: Final = (
    ("baseFeePerGas", None),
    ("withdrawalsRoot", 32),
    ("blobGasUsed", None),
    ("excessBlobGas", None),
    ("parentBeaconBlockRoot", 32),
    ("requestsHash", 32),
    ("blockAccessListHash", 32),
    ("slotNumber", None),
)
_ACCESS_LIST: Final = 1
_DYNAMIC_FEE: Final = 2
_BLOB: Final = 3
_SET_CODE: Final = 4
_ARBITRUM_INTERNAL: Final = 0x6A
_OP_DEPOSIT: Final = 0x7E


def header_candidates(block: dict[str, Any]) -> Iterator[bytes]:
    """Yield the header's RLP with every later field that is shown, then with one less each time.

    A node may show a field that its chain does not hash.
    """
    fields = [_header_field(block, name, size) for name, size in _HEADER]
    n_required = len(fields)
    for name, size in _HEADER_LATER:
        if block.get(name) is None:
            break
        fields.append(_header_field(block, name, size))
    for n_fields in range(len(fields), n_required - 1, -1):
        yield rlp_encode(fields[:n_fields])


def _header_field(block: dict[str, Any], name: str, size: int | None) -> bytes:
    if size is None:
        return rlp_integer(parse_quantity(block.get(name), name))
    return parse_hex(block.get(name), name, n_bytes=None if size < 0 else size)


def transaction_bytes(transaction: dict[str, Any]) -> bytes | None:
    """Return the transaction as it stands in its block; None where its type is not known here."""
    kind = _kind(transaction)
    if kind == 0:
        return rlp_encode(_legacy(transaction))
    write = _TYPED.get(kind)
    return None if write is None else bytes((kind,)) + rlp_encode(write(transaction))


def receipt_bytes(receipt: dict[str, Any]) -> bytes:
    """Return the receipt as it stands in its block's trie."""
    kind = _kind(receipt)
    if receipt.get("status") is None:
        outcome = parse_hex(receipt.get("root"), "root of a receipt", n_bytes=32)
    else:
        outcome = _integer(receipt, "status")
    fields: list[RlpInput] = [
        outcome,
        _integer(receipt, "cumulativeGasUsed"),
        _bytes(receipt, "logsBloom"),
        [_log(parse_object(log, "log")) for log in parse_list(receipt.get("logs"), "logs")],
    ]
    if kind == _OP_DEPOSIT and receipt.get("depositNonce") is not None:
        fields.append(_integer(receipt, "depositNonce"))
        if receipt.get("depositReceiptVersion") is not None:
            fields.append(_integer(receipt, "depositReceiptVersion"))
    encoded = rlp_encode(fields)
    return bytes((kind,)) + encoded if kind else encoded


def _log(log: dict[str, Any]) -> RlpInput:
    topics = [parse_hex(topic, "topic") for topic in parse_list(log.get("topics"), "topics")]
    return [_bytes(log, "address"), topics, _bytes(log, "data")]


def _kind(item: dict[str, Any]) -> int:
    kind = parse_quantity(item["type"], "type") if item.get("type") is not None else 0
    if kind > 0x7F:
        raise wrong_answer(f"type {kind}")
    return kind


def _integer(item: dict[str, Any], name: str) -> bytes:
    return rlp_integer(parse_quantity(item.get(name), name))


def _bytes(item: dict[str, Any], name: str) -> bytes:
    return b"" if item.get(name) is None else parse_hex(item[name], name)


def _signature(transaction: dict[str, Any], parity: str) -> list[RlpInput]:
    return [_integer(transaction, name) for name in (parity, "r", "s")]


def _payload(transaction: dict[str, Any]) -> list[RlpInput]:
    return [
        _bytes(transaction, "to"),
        _integer(transaction, "value"),
        _bytes(transaction, "input"),
    ]


def _legacy(transaction: dict[str, Any]) -> list[RlpInput]:
    head = [_integer(transaction, name) for name in ("nonce", "gasPrice", "gas")]
    return [*head, *_payload(transaction), *_signature(transaction, "v")]


def _typed_tail(transaction: dict[str, Any]) -> list[RlpInput]:
    parity = "yParity" if transaction.get("yParity") is not None else "v"
    return _signature(transaction, parity)


def _access_list(transaction: dict[str, Any]) -> RlpInput:
    entries: list[RlpInput] = []
    for value in parse_list(transaction.get("accessList") or [], "accessList"):
        entry = parse_object(value, "access list entry")
        keys = parse_list(entry.get("storageKeys"), "storageKeys")
        entries.append([_bytes(entry, "address"), [parse_hex(key, "storage key") for key in keys]])
    return entries


def _access_list_transaction(transaction: dict[str, Any]) -> RlpInput:
    head = [_integer(transaction, name) for name in ("chainId", "nonce", "gasPrice", "gas")]
    return [
        *head,
        *_payload(transaction),
        _access_list(transaction),
        *_typed_tail(transaction),
    ]


def _dynamic_fee_part(transaction: dict[str, Any]) -> list[RlpInput]:
    names = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")
    return [
        *[_integer(transaction, name) for name in names],
        *_payload(transaction),
        _access_list(transaction),
    ]


def _dynamic_fee_transaction(transaction: dict[str, Any]) -> RlpInput:
    return [*_dynamic_fee_part(transaction), *_typed_tail(transaction)]


def _blob_transaction(transaction: dict[str, Any]) -> RlpInput:
    hashes = parse_list(transaction.get("blobVersionedHashes"), "blobVersionedHashes")
    return [
        *_dynamic_fee_part(transaction),
        _integer(transaction, "maxFeePerBlobGas"),
        [parse_hex(value, "blob hash") for value in hashes],
        *_typed_tail(transaction),
    ]


def _set_code_transaction(transaction: dict[str, Any]) -> RlpInput:
    authorizations: list[RlpInput] = []
    for value in parse_list(transaction.get("authorizationList"), "authorizationList"):
        entry = parse_object(value, "authorization")
        authorizations.append(
            [
                _integer(entry, "chainId"),
                _bytes(entry, "address"),
                _integer(entry, "nonce"),
                *_typed_tail(entry),
            ]
        )
    return [*_dynamic_fee_part(transaction), authorizations, *_typed_tail(transaction)]


def _op_deposit(transaction: dict[str, Any]) -> RlpInput:
    return [
        _bytes(transaction, "sourceHash"),
        _bytes(transaction, "from"),
        _bytes(transaction, "to"),
        _integer(transaction, "mint") if transaction.get("mint") is not None else b"",
        _integer(transaction, "value"),
        _integer(transaction, "gas"),
        b"\x01" if transaction.get("isSystemTx") else b"",
        _bytes(transaction, "input"),
    ]


def _arbitrum_internal(transaction: dict[str, Any]) -> RlpInput:
    return [_integer(transaction, "chainId"), _bytes(transaction, "input")]


_TYPED: Final[dict[int, Callable[[dict[str, Any]], RlpInput]]] = {
    _ACCESS_LIST: _access_list_transaction,
    _DYNAMIC_FEE: _dynamic_fee_transaction,
    _BLOB: _blob_transaction,
    _SET_CODE: _set_code_transaction,
    _ARBITRUM_INTERNAL: _arbitrum_internal,
    _OP_DEPOSIT: _op_deposit,
}
