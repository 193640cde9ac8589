"""EVM block headers, read from the RLP that their hash covers.

Specification: Ethereum Yellow Paper, section 4.3; the fields added since by EIP-1559, 4895, 4844,
4788 and 7685 stand behind the first fifteen and are kept as they are.

Rules: the hash is taken over the bytes given, never over fields written again, so a chain or a
later fork may append fields (up to ``limits.MAX_EVM_HEADER_FIELDS`` in all) without breaking old
proofs. Fewer than fifteen fields are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from anchor import limits
from anchor.errors import FormatError, LimitExceededError
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import parse_rlp_bytes, parse_rlp_integer, parse_rlp_list, rlp_decode

_MIN_FIELDS: Final = 15
_MAX_INTEGER_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class EvmHeader:
    """What this project needs of a block header.

    Attributes:
        raw: the RLP, byte for byte.
        block_hash: Keccak-256 of ``raw``.
        number: height.
        time: Unix seconds, as the block's producer set it.
        parent_hash: ``block_hash`` of the block before.
        state_root: root of the account trie after this block.
        transactions_root: root of the trie of this block's transactions, by index.
        receipts_root: root of the trie of their receipts, by index.
    """

    raw: bytes
    block_hash: bytes
    number: int
    time: int
    parent_hash: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes


@lru_cache(maxsize=64)
def parse_evm_header(raw: bytes) -> EvmHeader:
    """Return the header whose RLP is ``raw``.

    The newest are remembered: the proofs of one row share their header, the rows of one round too.

    Raises:
        FormatError: not RLP of a list of byte strings with at least the first fifteen fields of
            the lengths that the Yellow Paper gives; number or time over 8 bytes.
    """
    fields = parse_rlp_list(rlp_decode(raw, max_bytes=limits.MAX_EVM_HEADER_BYTES), "EVM header")
    if len(fields) < _MIN_FIELDS:
        raise FormatError(
            f"EVM header of {len(fields)} fields, at least {_MIN_FIELDS} wanted",
            code="format.evm.header",
        )
    if len(fields) > limits.MAX_EVM_HEADER_FIELDS:
        raise LimitExceededError(
            f"EVM header of {len(fields)} fields, at most {limits.MAX_EVM_HEADER_FIELDS} wanted",
            code="format.evm.header",
        )
    for position, n_bytes in ((1, 32), (2, 20), (6, 256), (13, 32), (14, 8)):
        parse_rlp_bytes(fields[position], f"EVM header field {position}", n_bytes=n_bytes)
    for position in (7, 9, 10):
        parse_rlp_integer(fields[position], f"EVM header field {position}", max_bytes=32)
    parse_rlp_bytes(fields[12], "extra data of an EVM header")
    return EvmHeader(
        raw=raw,
        block_hash=keccak256(raw),
        number=parse_rlp_integer(fields[8], "block number", max_bytes=_MAX_INTEGER_BYTES),
        time=parse_rlp_integer(fields[11], "block time", max_bytes=_MAX_INTEGER_BYTES),
        parent_hash=parse_rlp_bytes(fields[0], "parent hash", n_bytes=32),
        state_root=parse_rlp_bytes(fields[3], "state root", n_bytes=32),
        transactions_root=parse_rlp_bytes(fields[4], "transactions root", n_bytes=32),
        receipts_root=parse_rlp_bytes(fields[5], "receipts root", n_bytes=32),
    )
