"""EVM transaction receipts, and the proof that one is in a block.

Specification: Ethereum Yellow Paper, section 4.3.1; EIP-658 (status) and EIP-2718 (envelope). The
receipts root is that of a trie from RLP(index) to the receipt.

Rules: the first four fields are read whatever the type says; some chains append fields to some
types, and those are kept in ``raw``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchor import limits
from anchor.errors import AttestationError, FormatError, LimitExceededError, TruncatedError
from anchor.formats.evm.header import EvmHeader
from anchor.formats.evm.transaction import index_key, split_envelope
from anchor.formats.rlp import (
    RlpValue,
    parse_rlp_bytes,
    parse_rlp_integer,
    parse_rlp_list,
    rlp_decode,
)
from anchor.formats.trie import verify_trie_proof

_MIN_FIELDS: Final = 4
_MAX_FIELDS: Final = 16
_MAX_TOPICS: Final = 4


@dataclass(frozen=True, slots=True)
class EvmLog:
    """One log entry: 20-byte address, up to four 32-byte topics, data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class EvmReceipt:
    """What a transaction did.

    Attributes:
        raw: the bytes in the trie.
        type: 0 for the untyped form, else the EIP-2718 type.
        status: 1 done, 0 reverted, None for the form before EIP-658.
        logs: in the order written; empty when reverted.
    """

    raw: bytes
    type: int
    status: int | None
    logs: tuple[EvmLog, ...]

    def holds(self, root_hash: bytes) -> bool:
        """Return whether a log has the 32 bytes as a topic or anywhere in its data."""
        return any(root_hash in log.topics or root_hash in log.data for log in self.logs)


def parse_evm_receipt(raw: bytes) -> EvmReceipt:
    """Return the receipt whose bytes in the trie are ``raw``; FormatError if they are not one."""
    if not raw:
        raise TruncatedError("empty EVM receipt", code="format.evm.receipt")
    if len(raw) > limits.MAX_EVM_ITEM_BYTES:
        raise LimitExceededError(
            f"EVM receipt of {len(raw)} bytes, at most {limits.MAX_EVM_ITEM_BYTES} wanted",
            code="format.evm.receipt",
        )
    kind, body = split_envelope(raw, "receipt")
    fields = parse_rlp_list(rlp_decode(body, max_bytes=limits.MAX_EVM_ITEM_BYTES), "EVM receipt")
    if not _MIN_FIELDS <= len(fields) <= _MAX_FIELDS:
        raise FormatError(
            f"EVM receipt of {len(fields)} fields, {_MIN_FIELDS} or more wanted",
            code="format.evm.receipt",
        )
    parse_rlp_integer(fields[1], "gas used so far", max_bytes=32)
    parse_rlp_bytes(fields[2], "bloom of a receipt", n_bytes=256)
    logs = tuple(_parse_log(value) for value in parse_rlp_list(fields[3], "logs of a receipt"))
    return EvmReceipt(raw, kind, _parse_status(fields[0]), logs)


def verify_receipt_proof(header: EvmHeader, index: int, nodes: Sequence[bytes]) -> EvmReceipt:
    """Return the receipt at ``index`` of the block, from a trie proof (root node first).

    Raises:
        FormatError: a node or the receipt is malformed.
        AttestationError: the nodes do not lead there, or show that there is no such index.
    """
    raw = verify_trie_proof(header.receipts_root, index_key(index), nodes)
    if raw is None:
        raise AttestationError(
            f"block {header.number} has no receipt {index}", code="verify.evm.receipt"
        )
    return parse_evm_receipt(raw)


def _parse_status(value: RlpValue) -> int | None:
    status = parse_rlp_bytes(value, "status of a receipt")
    if status in (b"", b"\x01"):
        return len(status)
    if len(status) == 32:
        return None
    raise FormatError(f"receipt with status {status[:8].hex()}", code="format.evm.receipt")


def _parse_log(value: RlpValue) -> EvmLog:
    fields = parse_rlp_list(value, "log")
    if len(fields) != 3:
        raise FormatError(f"log of {len(fields)} fields, 3 wanted", code="format.evm.log")
    topics = parse_rlp_list(fields[1], "topics of a log")
    if len(topics) > _MAX_TOPICS:
        raise FormatError(f"log with {len(topics)} topics, 4 at most", code="format.evm.log")
    return EvmLog(
        parse_rlp_bytes(fields[0], "address of a log", n_bytes=20),
        tuple(parse_rlp_bytes(topic, "topic of a log", n_bytes=32) for topic in topics),
        parse_rlp_bytes(fields[2], "data of a log"),
    )
