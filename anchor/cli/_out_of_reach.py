"""Parties that the service could not reach, as the proofs tell of them.

The service answers for itself at once and carries digests to others later: without this a person
who sent records learns only from the service's own machine that nobody outside has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from anchor import limits
from anchor.cli._output import Output
from anchor.cli._peer_words import peer_words
from anchor.client.local_file import load_bytes
from anchor.errors import VestigeError
from anchor.proof.codec import parse_proof
from anchor.proof.proof import NOT_REACHED, ExpectedAttestation, Proof
from anchor.vault.vault import Vault

if TYPE_CHECKING:
    from anchor.vault.index import ProofState

# The newest ones tell how it is now.
_MAX_PROOFS: Final = 20
_MAX_WHY: Final = 100


def out_of_reach(proofs: Iterable[Proof]) -> dict[str, str]:
    """Return by party why the service could not reach it, in words that fit a line."""
    return {
        peer_words(row.by): peer_words(row.note.removeprefix(NOT_REACHED).lstrip(": "), _MAX_WHY)
        for proof in proofs
        for row in proof.attestations
        if isinstance(row, ExpectedAttestation) and row.note.startswith(NOT_REACHED)
    }


def out_of_reach_in(vault: Vault, states: Mapping[int, ProofState]) -> dict[str, str]:
    """Return the same for the newest proofs of a vault that are not complete."""
    proofs = []
    for seq in sorted((seq for seq, state in states.items() if not state.complete))[-_MAX_PROOFS:]:
        try:
            path = vault.layout.proof(seq)
            data = load_bytes(path, max_bytes=limits.MAX_PROOF_BYTES, what="proof")
            proofs.append(parse_proof(data))
        except VestigeError:  # judging the proof says so
            continue
    return out_of_reach(proofs)


def warn_out_of_reach(out: Output, parties: Mapping[str, str]) -> None:
    """Say who was not reached, and that nothing is lost by it."""
    for party, why in parties.items():
        out.warn(f"the service has not reached {party} so far: {why or 'no reason is given'}")
    if parties:
        out.note("it tries again by itself; vestige send fetches what comes")
