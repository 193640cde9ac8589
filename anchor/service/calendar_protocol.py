"""The OpenTimestamps calendar protocol over our log, so that stock clients can stamp here.

Source: opentimestamps-server ``rpc.py`` and python-opentimestamps ``calendar.py``.

A client submits up to 64 bytes. 32 bytes are the log's entry as they are; anything else is hashed
first, with that operation in the answer. The answer is a tree that ends in our own promise at the
entry: a pending attestation with our address. For that entry a client asks again later and gets the
tree from there through the RFC 6962 path to what the public calendars gave for a round's root: a
Bitcoin block, or until then their promises, which do not need us any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from anchor.errors import IncompleteProofError, UsageError
from anchor.formats.merkle import inclusion_steps, leaf_hash, root_from_inclusion
from anchor.formats.ots.attestation import BitcoinAttestation, PendingAttestation
from anchor.formats.ots.codec import (
    DetachedTimestamp,
    parse_detached,
    parse_tree,
    serialize_detached,
    serialize_tree,
)
from anchor.formats.ots.op import Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.limits import (
    DIGEST_BYTES,
    MAX_CALENDAR_DIGEST_BYTES,
    MAX_CALENDAR_RESPONSE_BYTES,
)
from anchor.proof.ots_export import export_ots
from anchor.proof.proof import OpenTimestampsAttestation, Proof


@dataclass(frozen=True, slots=True)
class CalendarAnswer:
    """A serialized tree, and whether it can still grow."""

    tree: bytes
    complete: bool


class CalendarProtocol:
    """Makes the protocol's trees.

    Args:
        uri: our address, stands in every promise; 1,000 bytes at most, of the characters that
            clients allow there.
        proof_of: returns the proof of a digest; NotFoundError where the log does not have it.

    Raises:
        FormatError: the address cannot stand in a promise.
    """

    def __init__(self, uri: str, proof_of: Callable[[bytes], Proof]) -> None:
        self._promise = PendingAttestation(uri)
        self._proof_of = proof_of

    @staticmethod
    def entry(submitted: bytes) -> bytes:
        """Return the log's entry for what a client submitted.

        Raises:
            UsageError: nothing, or more than 64 bytes.
        """
        if not 1 <= len(submitted) <= MAX_CALENDAR_DIGEST_BYTES:
            raise UsageError(
                f"digest of {len(submitted)} bytes, wanted 1 to {MAX_CALENDAR_DIGEST_BYTES}",
                code="usage.calendar_digest",
            )
        return submitted if len(submitted) == DIGEST_BYTES else sha256(submitted).digest()

    def promise(self, submitted: bytes) -> bytes:
        """Return the tree to be answered once the entry is in the log."""
        tree = Timestamp(submitted)
        entry = tree if len(submitted) == DIGEST_BYTES else tree.add(Sha256())
        entry.attest(self._promise)
        return serialize_tree(tree)

    def lookup(self, entry: bytes) -> CalendarAnswer:
        """Return the tree from an entry to what the calendars gave.

        Raises:
            NotFoundError: the log does not have the entry.
            IncompleteProofError: no calendar has answered for a round that covers it.
        """
        trees = ots_trees(self._proof_of(entry))
        whole = Timestamp(entry)
        for tree in trees:
            whole.merge(tree)
        data = serialize_tree(whole)
        if len(data) > MAX_CALENDAR_RESPONSE_BYTES:
            # Stock clients cut an answer off there: the one calendar that says most, in least.
            whole = min(trees, key=lambda tree: (not _is_complete(tree), len(serialize_tree(tree))))
            data = serialize_tree(whole)
        return CalendarAnswer(data, _is_complete(whole))


def _is_complete(tree: Timestamp) -> bool:
    return any(isinstance(path.attestation, BitcoinAttestation) for path in tree.paths())


def ots_trees(proof: Proof) -> list[Timestamp]:
    """Return a tree from a proof's digest for each calendar that gave something for it.

    Raises:
        IncompleteProofError: no calendar has given anything yet.
        FormatError, VerificationError: the proof contradicts itself.
    """
    entry_hash = leaf_hash(proof.digest)
    reached = {
        root_from_inclusion(entry_hash, i.leaf_index, i.tree_size, i.hashes): i
        for i in proof.inclusions
    }
    trees = []
    for attestation in proof.attestations:
        if not isinstance(attestation, OpenTimestampsAttestation):
            continue
        inclusion = reached.get(attestation.root_hash)
        if inclusion is not None:
            steps = inclusion_steps(inclusion.leaf_index, inclusion.tree_size, inclusion.hashes)
            tree = parse_tree(attestation.tree, attestation.root_hash)
            trees.append(parse_detached(export_ots(proof.digest, None, steps, [tree])).tree)
    if not trees:
        raise IncompleteProofError(
            "no calendar has attested to a root over this digest yet",
            code="ots.no_attestation",
            hint="ask again later",
        )
    return trees


def ots_file(proof: Proof) -> bytes:
    """Return the ``.ots`` file over a proof's digest, all calendars in it; errors as above."""
    whole = Timestamp(proof.digest)
    for tree in ots_trees(proof):
        whole.merge(tree)
    return serialize_detached(DetachedTimestamp(Sha256(), proof.digest, whole))
