"""The on-chain registry's storage: when a root hash was first anchored.

Specification: ``docs/spec/contract.md``. Slot of a root hash: Keccak-256 of the map's own slot
(32 bytes, big-endian) followed by the root hash, the order that Vyper uses. Value: time in the low
64 bits, block number in the next 64, nothing above.

A value says what it says only under a contract whose code is known to keep it so; address and code
hash are the policy's to compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchor.errors import AttestationError
from anchor.formats.evm.state import EvmAccount, verify_storage_proof
from anchor.formats.keccak import keccak256

_FIELD_BITS: Final = 64
_FIELD_MASK: Final = (1 << _FIELD_BITS) - 1


@dataclass(frozen=True, slots=True)
class RegistryRecord:
    """What the registry keeps of a root hash: Unix seconds and number of its first block."""

    time: int
    block_number: int


def registry_slot(map_slot: int, root_hash: bytes) -> bytes:
    """Return the 32-byte storage slot of a root hash; ``map_slot`` below 2**256."""
    return keccak256(map_slot.to_bytes(32, "big") + root_hash)


def verify_registry_proof(
    account: EvmAccount, map_slot: int, root_hash: bytes, nodes: Sequence[bytes]
) -> RegistryRecord:
    """Return when the registry first had the root hash, from a storage proof (root node first).

    Raises:
        FormatError: a node or the value is malformed.
        AttestationError: the nodes do not lead there, show that the root hash is not there, or
            the value is not one that the registry writes.
    """
    value = verify_storage_proof(account, registry_slot(map_slot, root_hash), nodes)
    record = RegistryRecord(value & _FIELD_MASK, value >> _FIELD_BITS)
    if not record.time or record.block_number > _FIELD_MASK:
        raise AttestationError(
            f"registry {account.address.hex()} holds {value:#x} for root {root_hash.hex()}, "
            "a time and a block wanted",
            code="verify.evm.registry",
        )
    return record
