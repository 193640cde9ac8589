"""The policy of one demo: class ``test``, and nothing in it is of use to anybody else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from anchor.backends.evm.registry_contract import registry_artifact
from anchor.formats.encoding import base64_text
from anchor.formats.evm import parse_evm_header
from anchor.proof.proof import EvmAttestation, Proof
from anchor_api.demo.stage import Stage

_COMMENT = (
    "Made by vestige demo. It trusts a log key, a time-stamping authority and a chain that existed "
    "for some seconds in one process, and pins that chain's blocks because the same process says "
    "that they are its own. It shows how a policy looks; it shows nothing to anybody else."
)


def demo_policy(stage: Stage, proofs: Iterable[Proof]) -> bytes:
    """Return the policy under which the demo's proofs verify.

    Args:
        stage: whose chain is asked for the hashes of its blocks.
        proofs: whose blocks are pinned.
    """
    artifact = registry_artifact()
    signer = stage.service.signer
    policy: dict[str, Any] = {
        "version": 1,
        "name": "vestige demo",
        "class": "test",
        "comment": _COMMENT,
        "headline_families": ["rfc3161", "evm"],
        "logs": [{"origin": signer.origin, "key": signer.note_key.text}],
        "authorities": [
            {"name": "demo authority", "roots": [base64_text(stage.authority.root)]},
        ],
        "chains": [
            {
                "chain_id": stage.node.fetch_chain_id(),
                "name": "demo chain",
                "class": "test",
                "headline": True,
                "contracts": [
                    {
                        "address": stage.registry.address.hex(),
                        "code_hash": artifact.code_hash.hex(),
                        "map_slot": artifact.map_slot,
                    }
                ],
                "pinned": _pinned(stage, proofs),
            }
        ],
    }
    return json.dumps(policy, indent=2).encode() + b"\n"


def _pinned(stage: Stage, proofs: Iterable[Proof]) -> list[dict[str, Any]]:
    """Ask the chain itself for the blocks that the proofs name; what a proof says is no source."""
    numbers = {
        parse_evm_header(part.header).number
        for proof in proofs
        for attestation in proof.attestations
        if isinstance(attestation, EvmAttestation)
        for part in (attestation.transaction, attestation.receipt, attestation.storage)
        if part is not None
    }
    headers = (stage.node.fetch_header(number) for number in sorted(numbers))
    return [
        {"number": header.number, "hash": header.block_hash.hex()}
        for header in headers
        if header is not None
    ]
