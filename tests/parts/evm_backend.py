"""What tests of the EVM backend share: a clock, a journal, the anchorer's loop in small."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from anchor.backends.evm.backend import EvmBackend
from anchor.backends.evm.keys import EvmKey
from anchor.backends.evm.settings import EvmAnchorSettings
from anchor.errors import BackendError, StoreError
from anchor.ports import TERMINAL_PHASES, Attempt, Json, Phase, Round

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that tests move."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class MemoryJournal:
    """A journal that forgets nothing but the process's memory: values go through JSON."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def put(self, key: str, value: Json) -> None:
        self.entries[key] = json.dumps(value)

    def get(self, key: str) -> Json | None:
        text = self.entries.get(key)
        return None if text is None else json.loads(text)

    def items(self) -> list[tuple[str, Json]]:
        return [(key, json.loads(text)) for key, text in sorted(self.entries.items())]


def round_of(root_hash: bytes, tree_size: int = 7, created_at: datetime = START) -> Round:
    """Return a round of a root hash."""
    return Round(tree_size, root_hash, "checkpoint", created_at)


@dataclass
class Anchorer:
    """The loop that keeps attempts on disk and calls again; one backend.

    ``disk`` holds what a restart finds. ``restart`` makes a new backend from the journal.
    """

    node: Any
    key: EvmKey
    settings: EvmAnchorSettings
    journal: Any = field(default_factory=MemoryJournal)
    clock: Clock = field(default_factory=Clock)
    disk: dict[int, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.backend = EvmBackend(self.node, self.key, self.journal, self.settings, now=self.clock)

    def attempt(self, round_: Round) -> Attempt:
        text = self.disk.get(round_.tree_size)
        return Attempt() if text is None else load_attempt(text)

    def step(self, round_: Round) -> Attempt:
        """Take one step and store what comes of it."""
        after = self.backend.advance(round_, self.attempt(round_))
        self.disk[round_.tree_size] = dump_attempt(after)
        self.seen.append(after.phase.value)
        return after

    def run(self, round_: Round, *, until: Phase = Phase.FINAL, steps: int = 60) -> Attempt:
        """Step until the phase, waiting as told; errors of outside wait and go on."""
        errors = []
        for _ in range(steps):
            try:
                after = self.step(round_)
            except (BackendError, StoreError) as error:
                errors.append(error)
                self.clock.advance(15)
                continue
            if after.phase is until:
                return after
            if after.phase in TERMINAL_PHASES:
                break
            if after.retry_at is not None:
                self.clock.now = max(self.clock.now, after.retry_at)
        raise AssertionError(f"not {until} after {self.seen}: {self.attempt(round_)}; {errors}")


def dump_attempt(attempt: Attempt) -> str:
    """Return an attempt as a store would write it."""
    return json.dumps(
        {
            "phase": attempt.phase.value,
            "data": attempt.data,
            "attestations": list(attempt.attestations),
            "retry_at": attempt.retry_at and attempt.retry_at.isoformat(),
            "note": attempt.note,
            "expected_at": attempt.expected_at and attempt.expected_at.isoformat(),
        }
    )


def load_attempt(text: str) -> Attempt:
    """Return what a store would read."""
    value = json.loads(text)
    times = {
        name: value[name] and datetime.fromisoformat(value[name])
        for name in ("retry_at", "expected_at")
    }
    return Attempt(
        Phase(value["phase"]),
        value["data"],
        tuple(value["attestations"]),
        times["retry_at"],
        value["note"],
        times["expected_at"],
    )


def verify_attestation(attestation: Json, code_hash: bytes, *, map_slot: int = 0) -> dict[str, int]:
    """Verify every part with the kernel; return the header time of each, storage by its own."""
    from anchor.formats.evm import (
        parse_evm_header,
        verify_account_proof,
        verify_receipt_proof,
        verify_registry_proof,
        verify_transaction_proof,
    )

    root_hash = bytes.fromhex(attestation["root_hash"])
    times = {}
    for name, verify in (
        ("transaction", verify_transaction_proof),
        ("receipt", verify_receipt_proof),
    ):
        if name in attestation:
            part = attestation[name]
            header = parse_evm_header(bytes.fromhex(part["header"]))
            item = verify(header, part["index"], [bytes.fromhex(n) for n in part["proof"]])
            assert item.holds(root_hash)
            if name == "transaction":
                assert item.transaction_hash.hex() == attestation["transaction_hash"]
            times[name] = header.time
    if "storage" in attestation:
        part = attestation["storage"]
        header = parse_evm_header(bytes.fromhex(part["header"]))
        contract = bytes.fromhex(attestation["contract"])
        account_nodes = [bytes.fromhex(n) for n in part["account_proof"]]
        account = verify_account_proof(header, contract, account_nodes)
        assert account.code_hash == code_hash
        storage_nodes = [bytes.fromhex(n) for n in part["storage_proof"]]
        times["storage"] = verify_registry_proof(account, map_slot, root_hash, storage_nodes).time
    return times
