"""The EVM backend with every call failing once: before it took effect, after it, and as a death.

The calls of one whole way from scheduled to final are counted; then the way is gone again once for
each call and each kind of fault. Whatever happens, the round becomes final with evidence that
verifies, one nonce is used, and nothing is handed in that is not in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from anchor.backends.evm.deployment import deploy_registry
from anchor.backends.evm.in_process_node import InProcessNode
from anchor.backends.evm.keys import EvmKey
from anchor.backends.evm.registry_contract import registry_artifact
from anchor.backends.evm.rpc_node import RpcNode
from anchor.backends.evm.settings import EvmAnchorSettings
from anchor.errors import (
    BackendError,
    BackendUnavailableError,
    StoreError,
    StoreUnavailableError,
)
from anchor.ports import Attempt, Json, Phase, Round
from tests.parts.anvil import Anvil, running_anvil
from tests.parts.evm_backend import (
    Anchorer,
    MemoryJournal,
    dump_attempt,
    round_of,
    verify_attestation,
)

Kind = Literal["fails", "took effect and failed", "dies before", "dies after"]
KINDS: tuple[Kind, ...] = ("fails", "took effect and failed", "dies before", "dies after")
# The others only read: whether they fail before or after reading is one case. On the real node they
# are left to the chain in this process.
CALLS_WITH_EFFECT = {"submit", "journal.put", "store"}
READ_KINDS = {"fails", "dies before"}
CODE_HASH = registry_artifact().code_hash


class DiedError(BaseException):
    """The process is gone; nothing catches it."""


class Fault:
    """Counts calls; at one of them something happens, once."""

    def __init__(self, at: int | None = None, kind: Kind = "fails") -> None:
        self.at, self.kind = at, kind
        self.names: list[str] = []

    def run(self, name: str, call: Callable[[], Any], error: Exception) -> Any:
        position = len(self.names)
        self.names.append(name)
        if position != self.at:
            return call()
        if self.kind == "fails":
            raise error
        if self.kind == "dies before":
            raise DiedError
        call()
        raise error if self.kind == "took effect and failed" else DiedError


class FaultyNode:
    """A node behind a fault."""

    def __init__(self, node: Any, fault: Fault) -> None:
        self._node, self._fault = node, fault

    def __getattr__(self, name: str) -> Any:
        original = getattr(self._node, name)
        if not callable(original):
            return original
        error = BackendUnavailableError("injected")
        return lambda *args, **kwargs: self._fault.run(
            name, lambda: original(*args, **kwargs), error
        )


class FaultyJournal(MemoryJournal):
    """A journal behind a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._fault = fault

    def put(self, key: str, value: Json) -> None:
        error = StoreUnavailableError("injected")
        self._fault.run("journal.put", lambda: MemoryJournal.put(self, key, value), error)


class FaultyAnchorer(Anchorer):
    """The anchorer's loop with a fault where it stores an attempt, and restarts after a death."""

    fault: Fault

    def step(self, round_: Round) -> Attempt:
        after = self.backend.advance(round_, self.attempt(round_))

        def store() -> None:
            self.disk[round_.tree_size] = dump_attempt(after)

        self.fault.run("store", store, StoreUnavailableError("injected"))
        self.seen.append(after.phase.value)
        return after


def go(node: Any, key: EvmKey, settings: EvmAnchorSettings, fault: Fault, root: bytes) -> Any:
    """Go from scheduled to final through one fault; return the anchorer and its last attempt."""
    anchorer = FaultyAnchorer(FaultyNode(node, fault), key, settings, FaultyJournal(fault))
    anchorer.fault = fault
    round_ = round_of(root)
    for _ in range(80):
        try:
            after = anchorer.step(round_)
        except (BackendError, StoreError):
            anchorer.clock.advance(15)
            continue
        except DiedError:
            anchorer.clock.advance(15)
            anchorer.restart()
            continue
        if after.phase is Phase.FINAL:
            return anchorer, after
        assert after.phase is not Phase.FAILED
        if after.retry_at is not None:
            anchorer.clock.now = max(anchorer.clock.now, after.retry_at)
    raise AssertionError(f"never final: {anchorer.seen}")


def check(node: Any, anchorer: Anchorer, final: Attempt, nonce_before: int) -> None:
    """Check what must hold whatever failed."""
    [attestation] = final.attestations
    times = verify_attestation(attestation, CODE_HASH)
    assert set(times) == {"transaction", "receipt", "storage"}
    assert node.fetch_nonce(anchorer.key.address) == nonce_before + 1
    booked = [entry for _, entry in anchorer.journal.items()]
    assert attestation["transaction_hash"] in {entry["hash"] for entry in booked}
    assert {entry["nonce"] for entry in booked} == {nonce_before}


@pytest.fixture(scope="module")
def chain() -> tuple[InProcessNode, EvmKey, EvmAnchorSettings]:
    node = InProcessNode()
    key = EvmKey(node.funded_key())
    contract = deploy_registry(node, key).address
    return node, key, EvmAnchorSettings(chain_id=node.fetch_chain_id(), contract=contract)


def test_the_way_without_faults_is_the_one_that_is_counted(chain: Any) -> None:
    node, key, settings = chain
    fault = Fault()
    nonce = node.fetch_nonce(key.address)
    anchorer, final = go(node, key, settings, fault, b"\x01" * 32)
    check(node, anchorer, final, nonce)
    assert anchorer.seen == ["prepared", "submitted", "confirmed", "final"]
    assert len(fault.names) < 60
    for name in ("submit", "journal.put", "store", "fetch_nonce", "fetch_state_proof"):
        assert name in fault.names
    # What is about to be handed in is on disk: in the journal, and as a prepared attempt.
    assert fault.names.index("journal.put") < fault.names.index("store")
    assert fault.names.index("store") < fault.names.index("submit")


@pytest.mark.parametrize("kind", KINDS)
def test_every_call_of_the_way_fails_once(chain: Any, kind: Kind) -> None:
    node, key, settings = chain
    counted = Fault()
    go(node, key, settings, counted, bytes([2, KINDS.index(kind)]) * 16)
    for at, name in enumerate(counted.names):
        if kind not in READ_KINDS and name not in CALLS_WITH_EFFECT:
            continue
        nonce = node.fetch_nonce(key.address)
        root = bytes([3, KINDS.index(kind), at >> 8, at & 255]) * 8
        anchorer, final = go(node, key, settings, Fault(at, kind), root)
        check(node, anchorer, final, nonce)


@pytest.fixture(scope="module")
def anvil(require: Any) -> Iterator[Anvil]:
    with running_anvil(require, "--slots-in-an-epoch", "1", "--chain-id", "31337") as anvil:
        yield anvil


class MiningNode:
    """Mines three blocks after each transaction handed in, so that final comes by itself."""

    def __init__(self, anvil: Anvil) -> None:
        self._node, self._anvil = RpcNode(anvil.url), anvil

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def submit(self, raw: bytes) -> None:
        self._node.submit(raw)
        self._anvil.mine(3)


@pytest.mark.anvil
@pytest.mark.parametrize("kind", KINDS)
def test_calls_with_an_effect_fail_once_on_a_real_node(anvil: Anvil, kind: Kind) -> None:
    node = MiningNode(anvil)
    key = EvmKey(bytes([9]) * 31 + bytes([KINDS.index(kind) + 1]))
    anvil.fund(key.address, 10**20)
    contract = deploy_registry(node, key, poll_s=0.01).address  # type: ignore[arg-type]
    settings = EvmAnchorSettings(chain_id=31337, contract=contract)
    counted = Fault()
    go(node, key, settings, counted, bytes([4, KINDS.index(kind)]) * 16)
    for at, name in enumerate(counted.names):
        if name not in CALLS_WITH_EFFECT:
            continue
        nonce = node.fetch_nonce(key.address)
        root = bytes([5, KINDS.index(kind), at >> 8, at & 255]) * 8
        anchorer, final = go(node, key, settings, Fault(at, kind), root)
        check(node, anchorer, final, nonce)
