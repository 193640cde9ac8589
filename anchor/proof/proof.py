"""The proof: one digest, its way into the log, and the outside evidence for the roots.

A :class:`Proof` is what the proof file says, in values. Nothing in it is believed here: it was
parsed, not verified. ``anchor/proof/codec.py`` reads and writes the file, ``anchor/verify`` judges
it. Every class is immutable and hashable, so that judgement can be remembered by value.

Specification: ``docs/spec/proof.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A leaf's way to the root of one tree.

    Attributes:
        leaf_index: 0-based; believed only under a checkpoint that a policy key signed.
        tree_size: leaves in the tree.
        hashes: audit path, 32 bytes each, the leaf's sibling first (RFC 6962, 2.1.1).
        checkpoint: the signed note over that tree, byte for byte, or None.
    """

    leaf_index: int
    tree_size: int
    hashes: tuple[bytes, ...]
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Rfc3161Attestation:
    """A time-stamp token over the root hash, or over the signed checkpoint that holds it.

    Attributes:
        root_hash: 32 bytes.
        covers: ``root``: the imprint is the root hash itself; ``checkpoint``: the imprint is the
            SHA-256 of the signed note with the log's own signature line only.
        token: DER of the TimeStampToken (a CMS ContentInfo).
        certificates: DER, those that the token needs and does not carry are among them.
        ocsp: DER of OCSP responses saved with the token.
        crls: DER of revocation lists saved with the token.
        inclusions: the way of SHA-256(token) into the log; later roots show when the token existed.
    """

    root_hash: bytes
    covers: Literal["root", "checkpoint"]
    token: bytes
    certificates: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    inclusions: tuple[Inclusion, ...] = ()
    kind: Literal["rfc3161"] = "rfc3161"


@dataclass(frozen=True, slots=True)
class IndexedTrieProof:
    """A transaction or receipt under a block header.

    Attributes:
        header: RLP of the block header.
        index: position in the block.
        nodes: trie nodes, RLP, root first.
    """

    header: bytes
    index: int
    nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StorageTrieProof:
    """A contract's storage slot under a block header: account nodes, then storage nodes."""

    header: bytes
    account_nodes: tuple[bytes, ...]
    storage_nodes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class EvmAttestation:
    """The root hash in a block of an EVM chain; with none of the three proofs it is pending."""

    root_hash: bytes
    chain_id: int
    contract: bytes
    transaction_hash: bytes | None = None
    transaction: IndexedTrieProof | None = None
    receipt: IndexedTrieProof | None = None
    storage: StorageTrieProof | None = None
    kind: Literal["evm"] = "evm"


@dataclass(frozen=True, slots=True)
class HeaderRun:
    """A Bitcoin header and up to six that follow it, 80 bytes each; ``height`` is the first's."""

    height: int
    headers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class OpenTimestampsAttestation:
    """A calendar's operations from the root hash to a promise, or to a Bitcoin block.

    Attributes:
        root_hash: the message that ``tree`` starts from.
        calendar: the calendar's URI; shown, never fetched because it stands here.
        tree: an OpenTimestamps tree, serialized, without file header.
        headers: for each Bitcoin height that the tree attests, its header and successors.
    """

    root_hash: bytes
    calendar: str
    tree: bytes
    headers: tuple[HeaderRun, ...] = ()
    kind: Literal["opentimestamps"] = "opentimestamps"


@dataclass(frozen=True, slots=True)
class WitnessAttestation:
    """A witness's cosignature on the checkpoint that holds the root hash."""

    root_hash: bytes
    witness: str
    checkpoint: str
    kind: Literal["witness"] = "witness"


NOT_REACHED: Final = "not reached so far"
"""How the note of an expected row begins whose party did not answer the service."""


@dataclass(frozen=True, slots=True)
class ExpectedAttestation:
    """A row that is not there yet: what the service expects of one backend, and when."""

    family: str
    by: str
    expected_at: datetime | None = None
    note: str = ""
    kind: Literal["expected"] = "expected"


@dataclass(frozen=True, slots=True)
class UnknownAttestation:
    """Evidence of a kind that this release does not know; kept as it was, never judged.

    ``text`` is its JSON object, compact, with sorted keys.
    """

    kind: str
    text: str


Attestation: TypeAlias = (
    Rfc3161Attestation
    | EvmAttestation
    | OpenTimestampsAttestation
    | WitnessAttestation
    | ExpectedAttestation
    | UnknownAttestation
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What one proof file says.

    Attributes:
        digest: the log's entry, 32 bytes.
        opening: 0 to 64 bytes that lead from a file to the digest:
            ``SHA-256(SHA-256(file) ‖ opening)``; None if the digest is the file's own.
        inclusions: one or more ways into the log.
        attestations: the evidence, in the order of the file.
    """

    digest: bytes
    opening: bytes | None
    inclusions: tuple[Inclusion, ...]
    attestations: tuple[Attestation, ...] = ()
