"""What the proofs in the vault show, as far as they were judged.

Judging takes the kernel and a policy, so it is done when a proof changed, and what came out is kept
in the index: ``log`` and ``status`` only look at names, sizes and times of files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from anchor.vault.index import ProofState
from anchor.vault.layout import PROOF_SUFFIX
from anchor.vault.vault import Vault

if TYPE_CHECKING:
    from anchor.proof.policy import Policy


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A policy that need not be read: its SHA-256, and how to read it."""

    sha256: bytes
    load: Callable[[], Policy]

    @classmethod
    def of(cls, policy: Policy) -> PolicySource:
        """Return a policy that was read."""
        return cls(policy.sha256, lambda: policy)


@dataclass(frozen=True, slots=True)
class ProofFiles:
    """The proofs that are there: of each record number the time and size of its file."""

    files: dict[int, tuple[int, int]]

    def queued(self, size: int) -> list[int]:
        """Return the numbers below ``size`` of which there is no proof."""
        return [seq for seq in range(size) if seq not in self.files]


def scan_proofs(vault: Vault) -> ProofFiles:
    """Look which proofs there are."""
    files = {}
    with os.scandir(vault.layout.proofs) as found:
        for item in found:
            stem = item.name.removesuffix(PROOF_SUFFIX)
            if stem.isdigit() and item.name != stem and item.is_file():
                status = item.stat()
                files[int(stem)] = (status.st_mtime_ns, status.st_size)
    return ProofFiles(files)


def changed_proofs(vault: Vault, scanned: ProofFiles) -> list[int]:
    """Return the numbers of records whose proof is not the one that was judged."""
    return _changed(vault.index.proofs(), scanned)


def _changed(known: Mapping[int, ProofState], scanned: ProofFiles) -> list[int]:
    return [
        seq
        for seq, (mtime_ns, size) in sorted(scanned.files.items())
        if seq not in known or (known[seq].mtime_ns, known[seq].size) != (mtime_ns, size)
    ]


def refresh_states(
    vault: Vault,
    policy: PolicySource,
    now: datetime,
    *,
    scanned: ProofFiles | None = None,
    step: Callable[[], None] = lambda: None,
) -> dict[int, ProofState]:
    """Judge the proofs that changed, remember the outcome, return what is known of every proof.

    Under another policy than before, all of them are judged.

    Args:
        vault: whose proofs.
        policy: read only if there is something to judge.
        now: aware UTC.
        scanned: what :func:`scan_proofs` just gave.
        step: called after each proof that was judged.
    """
    scanned = scanned or scan_proofs(vault)
    if vault.index.judged_under != policy.sha256:
        vault.index.forget_proofs()
    known = vault.index.proofs()
    changed = _changed(known, scanned)
    gone = [seq for seq in known if seq not in scanned.files]
    if changed or gone:
        states = []
        if changed:
            from anchor.vault.proof_judge import ProofJudge  # noqa: PLC0415 - slow to load

            judge = ProofJudge(vault, policy.load(), now)
            for seq in changed:
                states.append(judge.state(seq, scanned.files[seq]))
                step()
        vault.index.set_proofs(states, gone, policy.sha256)
        known = vault.index.proofs()
    return known
