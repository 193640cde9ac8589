"""Assembles the proof file of a digest from what is stored, as a JSON object.

Rules:

* For each backend the first final round that covers the digest; where there is none, what was
  promised so far; where nothing was, a row that says what is expected and when.
* One inclusion for each root that an attestation is for, and one for the newest tree.
* A time-stamp token gains paths from its own digest to later rounds of other families, with the
  attestations of those rounds: they show that the token existed while its key was good.
* The same stored state gives the same object. Nothing is fetched, nothing is judged.

Specification: ``docs/spec/proof.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from anchor import limits
from anchor.errors import NotFoundError
from anchor.formats.encoding import utc_text
from anchor.ports import Attempt, CommittedTree, Json, Phase, Round, RoundStore
from anchor.proof.proof import NOT_REACHED
from anchor.service.expectation import Expectation, Expectations
from anchor.service.token_log import token_digest

PROOF_VERSION: Final = 1
_MAX_NOTE_CHARACTERS: Final = 500


class ProofLog(Protocol):
    """What of :class:`anchor.ports.LogStore` a proof needs."""

    @property
    def committed(self) -> CommittedTree | None:
        """Return the newest committed tree."""

    def find(self, digest: bytes) -> int | None:
        """Return the leaf index of a digest, or None."""

    def inclusion_path(self, leaf_index: int, tree_size: int) -> list[bytes]:
        """Return the audit path in the first ``tree_size`` leaves."""


@dataclass(slots=True)
class _Parts:
    """What a proof is made of: trees by size, and rows in order."""

    trees: dict[int, str]
    rows: list[Json]

    def has_room(self, tree_size: int, rows: int) -> bool:
        """Say whether so much more still fits; one inclusion is kept free for the newest tree."""
        trees = len(self.trees) + (tree_size not in self.trees)
        fits = len(self.rows) + rows <= limits.MAX_ATTESTATIONS
        return trees < limits.MAX_INCLUSIONS and fits

    def add(self, round_: Round, rows: tuple[Json, ...]) -> None:
        """Add the rows of one round that are not there yet, if they fit."""
        new = [row for row in rows if row not in self.rows]
        if new and self.has_room(round_.tree_size, len(new)):
            self.trees[round_.tree_size] = round_.checkpoint
            self.rows.extend(new)


class ProofAssembler:
    """Makes proofs; safe for threads.

    Args:
        log: entries and paths.
        rounds: rounds, attempts and their attestations.
        expectations: what backends that have not taken a digest yet will do.
    """

    def __init__(
        self, log: ProofLog, rounds: RoundStore, expectations: Expectations = list
    ) -> None:
        self._log = log
        self._rounds = rounds
        self._expectations = expectations

    def assemble(self, digest: bytes, *, opening: bytes | None = None) -> Json:
        """Return the proof object (``docs/spec/proof.md``) of a 32-byte digest.

        Args:
            digest: the log's entry.
            opening: what leads from a file to the digest; the service does not know it.

        Raises:
            NotFoundError: the log does not have the digest.
        """
        leaf_index = self._log.find(digest)
        if leaf_index is None:
            raise NotFoundError(f"digest {digest.hex()} is not in the log", code="not_found.digest")
        covering = self._rounds.first_rounds_covering(leaf_index)
        parts = _Parts({}, [])
        for _, (round_, attempt) in sorted(covering.items(), key=_round_order):
            parts.add(round_, attempt.attestations)
        self._protect_tokens(parts)
        parts.rows.extend(self._expected_rows(covering, limits.MAX_ATTESTATIONS - len(parts.rows)))
        return {
            "version": PROOF_VERSION,
            "digest": digest.hex(),
            "opening": None if opening is None else opening.hex(),
            "inclusions": list(self._inclusions(leaf_index, parts)),
            "attestations": parts.rows,
        }

    def _inclusions(self, leaf_index: int, parts: _Parts) -> Iterator[Json]:
        trees = dict(parts.trees)
        newest = self._log.committed
        if newest is not None and newest.tree_size > leaf_index:
            trees.setdefault(newest.tree_size, newest.checkpoint)
        for tree_size, checkpoint in sorted(trees.items()):
            yield self._inclusion(leaf_index, tree_size, checkpoint)

    def _inclusion(self, leaf_index: int, tree_size: int, checkpoint: str) -> Json:
        hashes = self._log.inclusion_path(leaf_index, tree_size)
        return {
            "leaf_index": leaf_index,
            "tree_size": tree_size,
            "hashes": [item.hex() for item in hashes],
            "checkpoint": checkpoint,
        }

    # -- tokens ------------------------------------------------------------------------------------

    def _protect_tokens(self, parts: _Parts) -> None:
        """Add to each token its paths to later rounds, and to the proof what those rounds show."""
        leaves = {}
        for position, row in enumerate(parts.rows):
            digest = token_digest(row)
            leaf_index = None if digest is None else self._log.find(digest)
            if leaf_index is not None:
                leaves[position] = leaf_index
        if not leaves:
            return
        protecting: dict[int, str] = {}
        later = self._rounds.first_rounds_covering(max(leaves.values()))
        for _, (round_, attempt) in sorted(later.items(), key=_round_order):
            rows = tuple(row for row in attempt.attestations if token_digest(row) is None)
            if attempt.phase is not Phase.FINAL or not rows:
                continue
            parts.add(round_, rows)
            if round_.tree_size in parts.trees:
                protecting[round_.tree_size] = round_.checkpoint
        for position, leaf_index in leaves.items():
            paths = [
                self._inclusion(leaf_index, tree_size, checkpoint)
                for tree_size, checkpoint in sorted(protecting.items())
            ]
            if paths:
                # A copy: the stored attestation stays as its backend made it.
                parts.rows[position] = {**parts.rows[position], "inclusions": paths}

    # -- expected rows -----------------------------------------------------------------------------

    def _expected_rows(self, covering: dict[str, tuple[Round, Attempt]], room: int) -> list[Json]:
        rows = []
        for expectation in self._expectations():
            attempt = covering[expectation.backend][1] if expectation.backend in covering else None
            if attempt is None or (attempt.phase is not Phase.FINAL and not attempt.attestations):
                rows.append(_expected_row(expectation, attempt))
        return rows[: max(room, 0)]


def _round_order(item: tuple[str, tuple[Round, Attempt]]) -> tuple[int, str]:
    name, (round_, _) = item
    return round_.tree_size, name


def _expected_note(expected_at: datetime | None, attempt: Attempt | None) -> str:
    """Return what is said of evidence that is not there: a reader sees it as the reason."""
    if attempt is not None and attempt.note:
        return f"{NOT_REACHED}: {attempt.note}" if attempt.failures else attempt.note
    if expected_at is None:
        return "a round of the log that holds it is still to come"
    return f"a round of the log is expected by {expected_at:%Y-%m-%d %H:%M:%S} UTC"


def _expected_row(expectation: Expectation, attempt: Attempt | None) -> dict[str, Any]:
    expected_at = expectation.expected_at
    if attempt is not None:
        expected_at = attempt.expected_at or expected_at
    note = _expected_note(expected_at, attempt)
    return {
        "kind": "expected",
        "root_hash": None,
        "family": expectation.family,
        "by": expectation.backend,
        "expected_at": None if expected_at is None else utc_text(expected_at),
        "note": note[:_MAX_NOTE_CHARACTERS],
    }
