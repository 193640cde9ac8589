"""Build the EVM backend from settings.

It is on when an address and a key are set. The chain's id is asked of the node at the first start
and remembered, so that a node that later answers for another chain is noticed; so is the address of
a registry that was deployed here.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, Final

from anchor.config.beacons import Beacon
from anchor.config.settings import Settings
from anchor.errors import BackendError, ConfigError
from anchor.ports import AnchorBackend, RoundStore

if TYPE_CHECKING:
    from anchor.backends.evm.keys import EvmKey
    from anchor.backends.evm.node import EvmNode

_log = logging.getLogger(__name__)

DEPLOY: Final = "deploy"
BEACON_DEPTH: Final = 8
_GWEI: Final = 10**9
_CHAIN_KEY: Final = "evm.chain"
_ADDRESS: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{40})")


def build_evm(settings: Settings, rounds: RoundStore) -> tuple[AnchorBackend, Beacon] | None:
    """Return the backend and its beacon, or None where an address or a key is not set.

    Raises:
        ConfigError: a setting cannot be used, or the chain's id is not known and not to be had.
    """
    evm = settings.evm
    if evm.rpc_url is None or (evm.private_key is None and evm.keystore_file is None):
        return None
    from anchor.backends.evm.backend import EvmBackend
    from anchor.backends.evm.rpc_node import RpcNode
    from anchor.backends.evm.settings import EvmAnchorSettings

    key = _key(settings)
    node = RpcNode(evm.rpc_url)
    chain_id = evm.chain_id or _known_chain_id(node, rounds)
    contract = _contract(settings, node, key, chain_id, rounds)
    backend = EvmBackend(
        node,
        key,
        rounds.journal(f"evm:{chain_id}"),
        EvmAnchorSettings(
            chain_id=chain_id,
            contract=contract,
            ceiling_wei=evm.max_fee_gwei * _GWEI,
            low_funds_wei=evm.low_balance_gwei * _GWEI,
            confirmations=evm.confirmations,
            interval_s=evm.interval_s,
            min_gap_s=evm.min_gap_s,
            poll_s=evm.poll_s,
        ),
    )
    return backend, evm_beacon(node, chain_id)


def evm_beacon(node: EvmNode, chain_id: int) -> Beacon:
    """Return the beacon of a node: a block some way below the newest."""

    def ask() -> dict[str, Any]:
        newest = node.fetch_header("latest")
        header = newest and node.fetch_header(max(newest.number - BEACON_DEPTH, 0))
        if header is None:
            return {"error": "the node shows no block"}
        return {
            "chain": f"evm:{chain_id}",
            "number": header.number,
            "block_hash": header.block_hash.hex(),
            "time": header.time,
        }

    return ask


def _key(settings: Settings) -> EvmKey:
    from anchor.backends.evm.keys import load_keystore, parse_private_key

    evm = settings.evm
    if evm.private_key is not None and evm.keystore_file is not None:
        raise ConfigError(
            "evm.private_key and evm.keystore_file are both set; wanted one", code="config.evm.key"
        )
    if evm.private_key is not None:
        return parse_private_key(evm.private_key.reveal())
    if evm.keystore_file is None or evm.keystore_passphrase is None:
        raise ConfigError(
            "evm.keystore_file is set, and no evm.keystore_passphrase",
            code="config.evm.keystore",
            hint="set VESTIGE_EVM_KEYSTORE_PASSPHRASE, or evm.keystore_passphrase_file",
        )
    return load_keystore(evm.keystore_file, evm.keystore_passphrase.reveal())


def _known_chain_id(node: EvmNode, rounds: RoundStore) -> int:
    remembered = (rounds.meta(_CHAIN_KEY) or {}).get("chain_id")
    if isinstance(remembered, int):
        return remembered
    try:
        chain_id = node.fetch_chain_id()
    except BackendError as exc:
        raise ConfigError(
            f"evm.chain_id is not set, and the node does not say: {exc.message}",
            code="config.evm.chain",
            hint="set evm.chain_id, or start again when the node answers",
        ) from exc
    rounds.put_meta(_CHAIN_KEY, {"chain_id": chain_id})
    return chain_id


def _contract(
    settings: Settings, node: EvmNode, key: EvmKey, chain_id: int, rounds: RoundStore
) -> bytes:
    text = settings.evm.contract
    memory = f"evm.contract:{chain_id}"
    if text not in (None, DEPLOY):
        match = _ADDRESS.fullmatch(str(text))
        if match is None:
            raise ConfigError(
                f"evm.contract: {str(text)[:80]!r} is no address of 40 hexadecimal digits",
                code="config.evm.contract",
            )
        return bytes.fromhex(match[1])
    remembered = (rounds.meta(memory) or {}).get("address")
    if isinstance(remembered, str):
        return bytes.fromhex(remembered)
    if text is None:
        raise ConfigError(
            f"evm.contract is not set, and no registry is known on chain {chain_id}",
            code="config.evm.contract",
            hint=f"--evm-contract {DEPLOY} deploys one, once, and remembers it",
        )
    address = _deploy(settings, node, key)
    rounds.put_meta(memory, {"address": address.hex()})
    return address


def _deploy(settings: Settings, node: EvmNode, key: EvmKey) -> bytes:
    from anchor.backends.evm.deployment import deploy_registry

    _log.info("deploying the registry contract from 0x%s", key.address.hex())
    try:
        found = deploy_registry(node, key, ceiling_wei=settings.evm.max_fee_gwei * _GWEI)
    except BackendError as exc:
        raise ConfigError(
            f"evm.contract: the registry could not be deployed: {exc.message}",
            code="config.evm.contract",
            hint=exc.hint,
        ) from exc
    _log.info("the registry is at 0x%s", found.address.hex())
    return found.address
