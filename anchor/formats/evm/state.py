"""EVM accounts and storage slots, proven under a block's state root.

Specification: Ethereum Yellow Paper, section 4.1, and EIP-1186. Both tries are keyed by the
Keccak-256 digest of the address or slot.

Rules: an account needs at least its four fields (some chains append more); a slot that is shown not
to be there is 0, which is what a contract reads from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchor.errors import AttestationError, FormatError
from anchor.formats.evm.header import EvmHeader
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import parse_rlp_bytes, parse_rlp_integer, parse_rlp_list, rlp_decode
from anchor.formats.trie import verify_trie_proof

_ADDRESS_BYTES: Final = 20
_WORD_BYTES: Final = 32
_MIN_FIELDS: Final = 4
_MAX_FIELDS: Final = 8
_MAX_ACCOUNT_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class EvmAccount:
    """One account's state.

    Attributes:
        address: 20 bytes.
        nonce: transactions sent, or contracts created.
        balance_wei: what it owns.
        storage_root: root of its storage trie.
        code_hash: Keccak-256 of its runtime code.
    """

    address: bytes
    nonce: int
    balance_wei: int
    storage_root: bytes
    code_hash: bytes


def verify_account_proof(header: EvmHeader, address: bytes, nodes: Sequence[bytes]) -> EvmAccount:
    """Return the account after the block, from a trie proof (root node first).

    Raises:
        FormatError: ``address`` is not 20 bytes, or a node or the account is malformed.
        AttestationError: the nodes do not lead there, or show that there is no such account.
    """
    parse_rlp_bytes(address, "address", n_bytes=_ADDRESS_BYTES)
    raw = verify_trie_proof(header.state_root, keccak256(address), nodes)
    if raw is None:
        raise AttestationError(
            f"no account {address.hex()} in block {header.number}", code="verify.evm.account"
        )
    fields = parse_rlp_list(rlp_decode(raw, max_bytes=_MAX_ACCOUNT_BYTES), "account")
    if not _MIN_FIELDS <= len(fields) <= _MAX_FIELDS:
        raise FormatError(
            f"account of {len(fields)} fields, {_MIN_FIELDS} wanted", code="format.evm.account"
        )
    return EvmAccount(
        address=address,
        nonce=parse_rlp_integer(fields[0], "account nonce", max_bytes=8),
        balance_wei=parse_rlp_integer(fields[1], "account balance", max_bytes=_WORD_BYTES),
        storage_root=parse_rlp_bytes(fields[2], "storage root", n_bytes=_WORD_BYTES),
        code_hash=parse_rlp_bytes(fields[3], "code hash", n_bytes=_WORD_BYTES),
    )


def verify_storage_proof(account: EvmAccount, slot: bytes, nodes: Sequence[bytes]) -> int:
    """Return the 256-bit value at ``slot`` (32 bytes), 0 where it is shown to be empty.

    Raises:
        FormatError: ``slot`` is not 32 bytes, or a node or the value is malformed.
        AttestationError: the nodes do not lead there.
    """
    parse_rlp_bytes(slot, "storage slot", n_bytes=_WORD_BYTES)
    raw = verify_trie_proof(account.storage_root, keccak256(slot), nodes)
    if raw is None:
        return 0
    value = rlp_decode(raw, max_bytes=_WORD_BYTES + 1)
    return parse_rlp_integer(value, "storage value", max_bytes=_WORD_BYTES)
