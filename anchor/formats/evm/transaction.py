"""EVM transactions, and the proof that one is in a block.

Specification: Ethereum Yellow Paper, section 4.2; EIP-2718 (envelope), 2930, 1559, 4844 and 7702
(types 1 to 4). The transactions root is that of a trie from RLP(index) to the transaction.

Rules: a transaction is its bytes. Of a type that is not known here nothing is read beyond them.
Signatures are not checked: a transaction in a block that is the chain's was checked by the chain,
and what it proves, that its bytes existed, needs no sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchor import limits
from anchor.errors import AttestationError, FormatError, LimitExceededError, TruncatedError
from anchor.formats.evm.header import EvmHeader
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import (
    RlpValue,
    parse_rlp_bytes,
    parse_rlp_list,
    rlp_decode,
    rlp_encode,
    rlp_integer,
)
from anchor.formats.trie import verify_trie_proof

# Type: number of fields, position of `to`, position of `data`; 0 is the untyped transaction.
_LAYOUTS: Final = {0: (9, 3, 5), 1: (11, 4, 6), 2: (12, 5, 7), 3: (14, 5, 7), 4: (13, 5, 7)}
_MAX_TYPE: Final = 0x7F
_LIST: Final = 0xC0
_ADDRESS_BYTES: Final = 20


@dataclass(frozen=True, slots=True)
class EvmTransaction:
    """A transaction and the two fields that matter here.

    Attributes:
        raw: the bytes in the block, type byte first where there is one.
        type: 0 for the untyped form, else the EIP-2718 type.
        to: 20 bytes; None where a contract is created, or of an unknown type.
        data: the call data; None of an unknown type.
    """

    raw: bytes
    type: int
    to: bytes | None
    data: bytes | None

    @property
    def transaction_hash(self) -> bytes:
        """Return the Keccak-256 of ``raw``; computed each time, which is slow for a large one."""
        return keccak256(self.raw)

    def holds(self, root_hash: bytes) -> bool:
        """Return whether the 32 bytes stand anywhere in the transaction.

        All of its bytes are in the block, so wherever they stand they existed then.
        """
        return root_hash in self.raw


def parse_evm_transaction(raw: bytes) -> EvmTransaction:
    """Return the transaction whose bytes in the block are ``raw``.

    Raises:
        FormatError: neither a list nor a type byte first, or not the fields of a known type.
    """
    if not raw:
        raise TruncatedError("empty EVM transaction", code="format.evm.transaction")
    if len(raw) > limits.MAX_EVM_ITEM_BYTES:
        raise LimitExceededError(
            f"EVM transaction of {len(raw)} bytes, at most {limits.MAX_EVM_ITEM_BYTES} wanted",
            code="format.evm.transaction",
        )
    kind, body = split_envelope(raw, "transaction")
    to = data = None
    if kind in _LAYOUTS:
        n_fields, to_position, data_position = _LAYOUTS[kind]
        fields = _parse_fields(body, kind, n_fields)
        to = parse_rlp_bytes(fields[to_position], "recipient") or None
        if to is not None and len(to) != _ADDRESS_BYTES:
            raise FormatError(
                f"recipient of {len(to)} bytes, {_ADDRESS_BYTES} wanted",
                code="format.evm.transaction",
            )
        data = parse_rlp_bytes(fields[data_position], "call data")
    return EvmTransaction(raw, kind, to, data)


def verify_transaction_proof(
    header: EvmHeader, index: int, nodes: Sequence[bytes]
) -> EvmTransaction:
    """Return the transaction at ``index`` of the block, from a trie proof (root node first).

    Raises:
        FormatError: a node or the transaction is malformed.
        AttestationError: the nodes do not lead there, or show that there is no such index.
    """
    raw = verify_trie_proof(header.transactions_root, index_key(index), nodes)
    if raw is None:
        raise AttestationError(
            f"block {header.number} has no transaction {index}", code="verify.evm.transaction"
        )
    return parse_evm_transaction(raw)


def index_key(index: int) -> bytes:
    """Return the key of a transaction or receipt in its trie; FormatError past 8 bytes."""
    if not 0 <= index < 1 << 64:
        raise FormatError(f"index {index} in a block", code="format.evm.index")
    return rlp_encode(rlp_integer(index))


def split_envelope(raw: bytes, what: str) -> tuple[int, bytes]:
    """Return the EIP-2718 type and the body of a non-empty transaction or receipt."""
    first = raw[0]
    if first >= _LIST:
        return 0, raw
    if not 0 < first <= _MAX_TYPE:
        raise FormatError(f"EVM {what} starts with {first:#04x}", code="format.evm.envelope")
    return first, raw[1:]


def _parse_fields(body: bytes, kind: int, n_fields: int) -> list[RlpValue]:
    fields = parse_rlp_list(
        rlp_decode(body, max_bytes=limits.MAX_EVM_ITEM_BYTES), "EVM transaction"
    )
    if len(fields) != n_fields:
        raise FormatError(
            f"EVM transaction of type {kind} with {len(fields)} fields, {n_fields} wanted",
            code="format.evm.transaction",
        )
    return fields
