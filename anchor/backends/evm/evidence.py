"""The evidence saved with a final round: transaction, receipt and storage proof.

Each part is verified with the kernel before it is saved, exactly as a verifier will: a node that
lies, or a chain whose blocks are built differently, costs that part and nothing else. Parts that
cannot be had are named, so that people see them; without any part there is no evidence.

Source of the shape: ``docs/spec/proof.md`` (attestation of kind ``evm``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from anchor.backends.evm.node import EvmNode, StateProof, TransactionPlace, wrong_answer
from anchor.backends.evm.ordered_trie import ordered_trie_proof
from anchor.backends.evm.registry_contract import registry_artifact
from anchor.errors import (
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    FormatError,
    VerificationError,
)
from anchor.formats.evm import (
    EvmAccount,
    EvmHeader,
    registry_slot,
    verify_account_proof,
    verify_receipt_proof,
    verify_registry_proof,
    verify_storage_proof,
    verify_transaction_proof,
)
from anchor.formats.trie import EMPTY_TRIE_ROOT
from anchor.ports import Json

_CANNOT_BE_HAD: Final = (
    BackendProtocolError,
    BackendRejectedError,
    VerificationError,
    FormatError,
)
_RECENT_BLOCKS: Final = 8


@dataclass(frozen=True, slots=True)
class Evidence:
    """The parts that could be had (attestation fields by name), and why the others could not."""

    parts: Json
    missing: dict[str, str]


def collect_evidence(
    node: EvmNode,
    root_hash: bytes,
    contract: bytes,
    *,
    place: TransactionPlace | None,
    block: EvmHeader | None,
    state_headers: tuple[EvmHeader, ...],
) -> Evidence:
    """Fetch and verify each part.

    Args:
        node: asked for everything.
        root_hash: what the evidence is of.
        contract: 20-byte address of the registry.
        place: the transaction, or None where nobody knows which one it was.
        block: the header of the block that ``place`` is in.
        state_headers: where to take the storage proof, first choice first; nodes forget old states.

    Raises:
        BackendUnavailableError: the node does not answer; ask again.
    """
    makers: list[tuple[str, Callable[[], Json]]] = []
    if place is not None and block is not None:
        makers.append(("transaction", partial(_transaction, node, root_hash, block, place)))
        makers.append(("receipt", partial(_receipt, node, root_hash, block, place)))
    makers += [
        ("storage", partial(_storage, node, root_hash, contract, header))
        for header in state_headers
    ]
    parts: Json = {}
    missing: dict[str, str] = {}
    for name, make in makers:
        if name not in parts:
            try:
                parts[name] = make()
            except _CANNOT_BE_HAD as error:
                missing[name] = error.message
    return Evidence(parts, {name: why for name, why in missing.items() if name not in parts})


def unproven_parts(node: EvmNode, contract: bytes) -> dict[str, str]:
    """Return which parts cannot be had on this chain from this node, and why.

    The newest block, or one of the few before it that has transactions, is taken apart and put
    together again; the account of the registry is proven under the newest header.

    Raises:
        BackendProtocolError: not even a header hashes to the hash shown for it.
        BackendUnavailableError: the node does not answer.
    """
    newest = node.fetch_header("latest")
    if newest is None:
        raise BackendUnavailableError(f"{node.name} has no newest block")
    block = _recent_block_with_receipts(node, newest)
    checks: dict[str, Callable[[], object]] = {
        "transaction": partial(node.fetch_transactions, block),
        "receipt": partial(node.fetch_receipts, block),
        "storage": partial(_proven_state, node, newest, contract, bytes(32)),
    }
    unproven = {}
    for name, check in checks.items():
        try:
            check()
        except _CANNOT_BE_HAD as error:
            unproven[name] = error.message
    return unproven


def _recent_block_with_receipts(node: EvmNode, newest: EvmHeader) -> EvmHeader:
    block = newest
    for number in range(newest.number, max(newest.number - _RECENT_BLOCKS, -1), -1):
        header = node.fetch_header(number)
        if header is not None and header.receipts_root != EMPTY_TRIE_ROOT:
            return header
        block = header or block
    return block


def _transaction(
    node: EvmNode, root_hash: bytes, block: EvmHeader, place: TransactionPlace
) -> Json:
    nodes = _trie_nodes(node.fetch_transactions(block), block, place)
    transaction = verify_transaction_proof(block, place.index, nodes)
    if transaction.transaction_hash != place.transaction_hash:
        raise wrong_answer("another transaction stands where the receipt says that ours does")
    if not transaction.holds(root_hash):
        raise wrong_answer("the transaction does not hold the root hash")
    return _indexed_part(block, place.index, nodes)


def _receipt(node: EvmNode, root_hash: bytes, block: EvmHeader, place: TransactionPlace) -> Json:
    nodes = _trie_nodes(node.fetch_receipts(block), block, place)
    if not verify_receipt_proof(block, place.index, nodes).holds(root_hash):
        # A repeat writes no event; the transaction then speaks for itself.
        raise BackendRejectedError("no event holds the root hash", code="backend.evm.no_event")
    return _indexed_part(block, place.index, nodes)


def _storage(node: EvmNode, root_hash: bytes, contract: bytes, header: EvmHeader) -> Json:
    slot = registry_slot(registry_artifact().map_slot, root_hash)
    account, proof = _proven_state(node, header, contract, slot)
    verify_registry_proof(account, registry_artifact().map_slot, root_hash, proof.storage_nodes)
    return {
        "header": header.raw.hex(),
        "account_proof": [item.hex() for item in proof.account_nodes],
        "storage_proof": [item.hex() for item in proof.storage_nodes],
    }


def _proven_state(
    node: EvmNode, header: EvmHeader, contract: bytes, slot: bytes
) -> tuple[EvmAccount, StateProof]:
    proof = node.fetch_state_proof(header, contract, slot)
    account = verify_account_proof(header, contract, proof.account_nodes)
    if account.code_hash != registry_artifact().code_hash:
        raise wrong_answer("the proven code is not the registry's")
    verify_storage_proof(account, slot, proof.storage_nodes)
    return account, proof


def _trie_nodes(items: list[bytes], block: EvmHeader, place: TransactionPlace) -> tuple[bytes, ...]:
    if place.index >= len(items):
        raise wrong_answer(f"block {block.number} has {len(items)} transactions")
    return ordered_trie_proof(items, place.index).nodes


def _indexed_part(block: EvmHeader, index: int, nodes: tuple[bytes, ...]) -> Json:
    return {
        "header": block.raw.hex(),
        "index": index,
        "proof": [item.hex() for item in nodes],
    }
