"""The registry contract: its artifact, its call data and its answers.

Specification: ``docs/spec/contract.md``. The artifact is the one that ``contracts/build.py``
writes; a test compares it with a fresh build.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from anchor.backends.evm.node import EvmNode, wrong_answer
from anchor.errors import BackendRejectedError, BackendUnavailableError
from anchor.formats.evm import RegistryRecord
from anchor.formats.keccak import keccak256

_ARTIFACT: Final = Path(__file__).with_name("registry.json")
_WORD: Final = 32

ANCHORED_TOPIC: Final = keccak256(b"Anchored(bytes32,uint64,address)")
_ANCHOR_SELECTOR: Final = keccak256(b"anchor(bytes32,uint64)")[:4]
_ANCHORED_SELECTOR: Final = keccak256(b"anchored(bytes32)")[:4]


@dataclass(frozen=True, slots=True)
class RegistryArtifact:
    """What the build gives.

    Attributes:
        init_code: goes into the deploying transaction.
        code_hash: Keccak-256 of the code that then is on the chain.
        map_slot: slot of the map, for storage proofs.
    """

    init_code: bytes
    code_hash: bytes
    map_slot: int


@cache
def registry_artifact() -> RegistryArtifact:
    """Return the artifact that this release carries."""
    artifact = json.loads(_ARTIFACT.read_bytes())
    return RegistryArtifact(
        bytes.fromhex(artifact["bytecode"]),
        bytes.fromhex(artifact["runtime_code_hash"]),
        artifact["map_slot"],
    )


def anchor_call_data(root_hash: bytes, tree_size: int) -> bytes:
    """Return the call data of ``anchor(root, tree_size)``."""
    return _ANCHOR_SELECTOR + root_hash + tree_size.to_bytes(_WORD, "big")


def fetch_record(node: EvmNode, contract: bytes, root_hash: bytes) -> RegistryRecord | None:
    """Return what the registry says of a root hash in the newest block; None if nothing."""
    answer = node.call(contract, _ANCHORED_SELECTOR + root_hash)
    if len(answer) != 2 * _WORD:
        raise wrong_answer(f"anchored() gives {len(answer)} bytes, {2 * _WORD} wanted")
    unix_time = int.from_bytes(answer[:_WORD], "big")
    block_number = int.from_bytes(answer[_WORD:], "big")
    if max(unix_time, block_number) >= 1 << 64:
        raise wrong_answer("anchored() gives more than 64 bits")
    return RegistryRecord(unix_time, block_number) if unix_time else None


def check_registry(node: EvmNode, contract: bytes) -> None:
    """Check that the code at an address is this release's registry.

    Raises:
        BackendUnavailableError: there is no code yet (a node that is behind says so too).
        BackendRejectedError: it is another contract.
    """
    code = node.fetch_code(contract)
    if not code:
        raise BackendUnavailableError(
            f"no contract at 0x{contract.hex()}",
            code="backend.evm.no_registry",
            hint="check evm.contract, and that the node is on the right chain and in step",
        )
    if keccak256(code) != registry_artifact().code_hash:
        raise BackendRejectedError(
            f"the contract at 0x{contract.hex()} is not the registry of this release",
            code="backend.evm.other_registry",
        )
