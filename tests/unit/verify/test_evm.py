"""What the judge of EVM rows does with headers that no chain would have."""

from __future__ import annotations

import pytest

from anchor.proof.codec import attestation_from_json
from anchor.proof.proof import Proof
from anchor.verify import Judge, Status
from tests import evidence
from tests.attacks import forged_evm
from tests.evidence import CODE_HASH, NOW, REGISTRY


@pytest.mark.parametrize("time", [2**38, 2**62, 2**64 - 1])
def test_a_block_time_in_no_year_fails_the_row_alone(time: int) -> None:
    log = evidence.Log()
    log.add(evidence.digest_of("a cat"))
    root = log.root(1)
    forged = forged_evm.forge_state(root, REGISTRY, CODE_HASH, time=time)
    attestation = attestation_from_json({
        "kind": "evm", "root_hash": root.hex(), "chain_id": 31337, "contract": REGISTRY.hex(),
        "storage": {
            "header": forged.header.hex(),
            "account_proof": [node.hex() for node in forged.account_proof],
            "storage_proof": [node.hex() for node in forged.storage_proof],
        },
    })  # fmt: skip
    proof = Proof(log.digests[0], None, (log.inclusion(0, 1),), (attestation,))
    policy = evidence.policy(chains=[evidence.evm_policy(attestation)])
    (row,) = Judge(policy, now=NOW).verify_proof(proof).rows
    assert (row.status, row.judgement.code) == (Status.FAILED, "evm.time")
