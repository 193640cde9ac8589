"""Measure what the registry costs, on the EVM that the tests run in this process.

The first anchoring of a root hash, a repeat, and the deployment, each with call data of the dearest
kind (no zero byte in the root hash, the greatest tree size). Prints one line each.

Usage::

    python contracts/gas.py
"""  # noqa: INP001

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from web3 import EthereumTesterProvider, Web3

_ARTIFACT = Path(__file__).resolve().parent / "artifacts" / "AnchorRegistry.json"


def main() -> None:
    """Deploy, anchor, anchor again; print the gas that each used."""
    artifact = json.loads(_ARTIFACT.read_bytes())
    web3 = Web3(EthereumTesterProvider())
    sender: dict[str, Any] = {"from": web3.eth.accounts[0], "gas": 500_000}

    def used(call: Any) -> Any:
        return web3.eth.wait_for_transaction_receipt(call.transact(sender))

    factory = web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    deployed = used(factory.constructor())
    registry = web3.eth.contract(address=deployed["contractAddress"], abi=artifact["abi"])
    root = b"\xaa" * 32
    first = used(registry.functions.anchor(root, 2**64 - 1))
    repeat = used(registry.functions.anchor(root, 2**64 - 1))
    ordinary = used(registry.functions.anchor(b"\xbb" * 32, 50_000_000))
    for what, receipt in (
        ("deploy", deployed),
        ("first anchoring, dearest call data", first),
        ("first anchoring, tree size 50,000,000", ordinary),
        ("repeat", repeat),
    ):
        sys.stdout.write(f"{receipt['gasUsed']:>8,}  {what}\n")
    sys.stdout.write(f"{len(artifact['runtime_bytecode']) // 2:>8,}  bytes of code\n")


if __name__ == "__main__":
    main()
