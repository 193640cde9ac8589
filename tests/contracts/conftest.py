"""The registry on two EVM implementations: py-evm in this process, and anvil."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from web3 import EthereumTesterProvider, HTTPProvider, Web3

from tests.parts.anvil import Anvil, running_anvil

ARTIFACT = Path(__file__).resolve().parents[2] / "contracts/artifacts/AnchorRegistry.json"


@dataclass
class Registry:
    """A registry just deployed, and the chain it is on.

    ``anvil`` is None on py-evm.
    """

    web3: Web3
    contract: Any
    artifact: dict[str, Any]
    anvil: Anvil | None

    def anchor(self, root: bytes, tree_size: int = 1, sender: int = 0, **fields: Any) -> Any:
        """Send a transaction, wait for its receipt, return it."""
        fields = {"from": self.web3.eth.accounts[sender], "gas": 200_000, **fields}
        digest = self.contract.functions.anchor(root, tree_size).transact(fields)
        return self.web3.eth.wait_for_transaction_receipt(digest)

    def anchored(self, root: bytes) -> tuple[int, int]:
        time, block = self.contract.functions.anchored(root).call()
        return time, block

    def events(self, receipt: Any) -> list[Any]:
        return list(self.contract.events.Anchored().process_receipt(receipt))

    def slot(self, position: bytes) -> int:
        value = self.web3.eth.get_storage_at(self.contract.address, int.from_bytes(position, "big"))
        return int.from_bytes(value, "big")


def deploy(web3: Web3, artifact: dict[str, Any]) -> Any:
    factory = web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    digest = factory.constructor().transact({"from": web3.eth.accounts[0], "gas": 500_000})
    receipt = web3.eth.wait_for_transaction_receipt(digest)
    return web3.eth.contract(address=receipt["contractAddress"], abi=artifact["abi"])


@pytest.fixture(scope="session")
def artifact() -> dict[str, Any]:
    return json.loads(ARTIFACT.read_bytes())


@pytest.fixture(scope="module")
def anvil_registry(artifact: dict[str, Any], require: Any) -> Iterator[Registry]:
    with running_anvil(require) as anvil:
        web3 = Web3(HTTPProvider(anvil.url))
        yield Registry(web3, deploy(web3, artifact), artifact, anvil)


@pytest.fixture(scope="module", params=["py-evm", pytest.param("anvil", marks=pytest.mark.anvil)])
def registry(request: Any, artifact: dict[str, Any]) -> Registry:
    if request.param == "anvil":
        return request.getfixturevalue("anvil_registry")
    web3 = Web3(EthereumTesterProvider())
    return Registry(web3, deploy(web3, artifact), artifact, None)
