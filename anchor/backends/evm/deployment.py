"""Deploys the registry contract, for the demo and for operators; the service never does.

Nothing is journalled: run again after a failure it deploys another registry, which costs the fee
once more and harms nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from anchor.backends.evm.fees import first_offer
from anchor.backends.evm.keys import CallRequest, EvmKey
from anchor.backends.evm.node import EvmNode, TransactionPlace
from anchor.backends.evm.registry_contract import check_registry, registry_artifact
from anchor.errors import BackendRejectedError, BackendUnavailableError
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import rlp_encode, rlp_integer

_GAS_ROOM: Final = 1.25
DEFAULT_CEILING_WEI: Final = 10**12


@dataclass(frozen=True, slots=True)
class Deployment:
    """A registry just deployed: its 20-byte address, and where it was done."""

    address: bytes
    transaction_hash: bytes
    block_number: int


def deploy_registry(
    node: EvmNode,
    key: EvmKey,
    *,
    ceiling_wei: int = DEFAULT_CEILING_WEI,
    timeout_s: float = 600.0,
    poll_s: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Deployment:
    """Deploy the registry and wait until it is in a block.

    Raises:
        FeeCeilingError: gas costs more than ``ceiling_wei`` a unit.
        BackendRejectedError: the chain refuses, or what is there afterwards is not the registry.
        BackendUnavailableError: not in a block after ``timeout_s``.
    """
    init_code = registry_artifact().init_code
    nonce = node.fetch_nonce(key.address, pending=True)
    signed = key.sign(
        CallRequest(
            chain_id=node.fetch_chain_id(),
            nonce=nonce,
            to=None,
            data=init_code,
            gas=int(node.estimate_gas(key.address, None, init_code) * _GAS_ROOM),
            offer=first_offer(node.fetch_fees(), ceiling_wei),
        )
    )
    node.submit(signed.raw)
    place = _wait(node, signed.transaction_hash, timeout_s, poll_s, sleep)
    if place.status != 1:
        raise BackendRejectedError("the deployment reverted", code="backend.evm.reverted")
    address = keccak256(rlp_encode([key.address, rlp_integer(nonce)]))[12:]
    check_registry(node, address)
    return Deployment(address, signed.transaction_hash, place.block_number)


def _wait(
    node: EvmNode,
    transaction_hash: bytes,
    timeout_s: float,
    poll_s: float,
    sleep: Callable[[float], None],
) -> TransactionPlace:
    for _ in range(max(1, int(timeout_s / poll_s))):
        place = node.fetch_place(transaction_hash)
        if place is not None:
            return place
        sleep(poll_s)
    raise BackendUnavailableError(
        f"transaction 0x{transaction_hash.hex()} is in no block after {timeout_s:.0f} s",
        code="backend.evm.deployment_waits",
    )
