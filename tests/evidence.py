"""Makes whole cases for judgement: a log, its checkpoints, and evidence of every family.

Nothing here is a stand-in: the log signs with a real key, tokens are real CMS, Bitcoin headers are
mined (at regtest difficulty), tries and headers of the EVM hash right. What is *trusted* is decided
by the policy that a test builds, exactly as for a real verifier.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from anchor.formats.bitcoin import BitcoinHeader, parse_header
from anchor.formats.checkpoint import Checkpoint, sign_cosignature
from anchor.formats.evm import parse_evm_header
from anchor.formats.merkle import CompactRange, inclusion_path, leaf_hash, node_hash
from anchor.formats.note import NoteKey, SignedNote, parse_note, sign_note
from anchor.formats.ots.attestation import BitcoinAttestation, PendingAttestation
from anchor.formats.ots.codec import serialize_tree
from anchor.formats.ots.op import Append, Prepend, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.codec import attestation_from_json
from anchor.proof.policy import Policy, parse_policy
from anchor.proof.proof import (
    Attestation,
    HeaderRun,
    Inclusion,
    OpenTimestampsAttestation,
    Proof,
    Rfc3161Attestation,
    WitnessAttestation,
)
from tests.attacks import forged_evm, forged_tokens

REGTEST_BITS = 0x207FFFFF
NOW = forged_tokens.NOW
CALENDAR = "https://calendar.example.org"
REGISTRY = bytes.fromhex("c0ffee") * 6 + b"\0\0"
CODE_HASH = hashlib.sha256(b"registry code").digest()


@dataclass
class Signer:
    """A note key with its private half; ``algorithm`` 1 for a log, 4 for a witness."""

    name: str
    algorithm: int = 1
    seed: bytes = b"\x07" * 32

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def key(self) -> NoteKey:
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return NoteKey.of(self.name, self.algorithm, public)


@dataclass
class Log:
    """An in-memory log of digests that signs the checkpoint of any size."""

    signer: Signer = field(default_factory=lambda: Signer("log.example.org/test"))
    digests: list[bytes] = field(default_factory=list)

    def add(self, *digests: bytes) -> None:
        self.digests.extend(digests)

    def root(self, tree_size: int) -> bytes:
        tree = CompactRange()
        tree.append_many(leaf_hash(digest) for digest in self.digests[:tree_size])
        return tree.root_hash()

    def checkpoint(self, tree_size: int, root_hash: bytes | None = None) -> str:
        body = Checkpoint(
            self.signer.name, tree_size, root_hash or self.root(tree_size), extensions=()
        ).text
        return sign_note(body, self.signer.key, self.signer.private.sign).serialize()

    def inclusion(self, leaf_index: int, tree_size: int, *, signed: bool = True) -> Inclusion:
        hashes = inclusion_path(leaf_index, tree_size, self._subtree)
        checkpoint = self.checkpoint(tree_size) if signed else None
        return Inclusion(leaf_index, tree_size, tuple(hashes), checkpoint)

    def _subtree(self, level: int, index: int) -> bytes:
        if level == 0:
            return leaf_hash(self.digests[index])
        return node_hash(
            self._subtree(level - 1, 2 * index), self._subtree(level - 1, 2 * index + 1)
        )


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


# -- RFC 3161 --------------------------------------------------------------------------------------


@dataclass
class Authority:
    """A time-stamping authority with a root of its own."""

    name: str = "Test Authority"
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = forged_tokens.root(f"{self.name} Root")
        self.party = forged_tokens.signer(self.root, f"{self.name} Stamper", **self.changes)

    def token(self, imprint: bytes, **changes: Any) -> bytes:
        forge = forged_tokens.Forge(signer=self.party, digest=imprint)
        return forge.but(**changes).token()

    def attestation(self, root_hash: bytes, **changes: Any) -> Rfc3161Attestation:
        token = self.token(root_hash, **changes)
        return Rfc3161Attestation(
            root_hash, "root", token, certificates=(self.party.der, self.root.der)
        )

    def checkpoint_attestation(self, root_hash: bytes, note: str) -> Rfc3161Attestation:
        digest = hashlib.sha256(note.encode()).digest()
        return replace(self.attestation(digest), root_hash=root_hash, covers="checkpoint")

    def policy(self, **changes: Any) -> dict[str, Any]:
        root = base64.b64encode(self.root.der).decode()
        return {"name": self.name, "roots": [root], "accuracy_s": 60, **changes}


# -- Bitcoin ---------------------------------------------------------------------------------------


def mine(previous: bytes, merkle_root: bytes, time: int, bits: int = REGTEST_BITS) -> BitcoinHeader:
    """Return a header that meets its own target."""
    for nonce in range(2**32):
        raw = struct.pack("<i", 4) + previous + merkle_root + struct.pack("<III", time, bits, nonce)
        header = parse_header(raw)
        if int.from_bytes(header.block_hash, "little") <= header.target:
            return header
    raise RuntimeError("no nonce")


@dataclass
class Bitcoin:
    """A regtest chain of headers, one every ten minutes."""

    start_time: int = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())
    headers: list[BitcoinHeader] = field(default_factory=list)

    def mine(self, merkle_root: bytes = bytes(32), time: int | None = None) -> int:
        previous = self.headers[-1].block_hash if self.headers else bytes(32)
        time = self.start_time + 600 * len(self.headers) if time is None else time
        self.headers.append(mine(previous, merkle_root, time))
        return len(self.headers) - 1

    def attestation(self, root_hash: bytes, *, successors: int = 6) -> OpenTimestampsAttestation:
        """Return a calendar's finished answer: a path into a block that is mined now."""
        tree = Timestamp(root_hash)
        node = tree.add(Append(b"calendar nonce")).add(Sha256())
        node = node.add(Prepend(b"\x01" * 8)).add(Sha256())
        height = self.mine(node.message)
        for _ in range(successors):
            self.mine()
        node.attest(BitcoinAttestation(height))
        run = tuple(header.raw for header in self.headers[height : height + 1 + successors])
        return OpenTimestampsAttestation(
            root_hash, CALENDAR, serialize_tree(tree), (HeaderRun(height, run),)
        )

    def policy(self, *heights: int, **changes: Any) -> dict[str, Any]:
        return {
            "network": "regtest",
            "checkpoints": [
                {"height": h, "hash": self.headers[h].block_hash[::-1].hex()} for h in heights
            ],
            **changes,
        }


def pending_attestation(root_hash: bytes) -> OpenTimestampsAttestation:
    tree = Timestamp(root_hash)
    tree.add(Append(b"waiting")).add(Sha256()).attest(PendingAttestation(CALENDAR))
    return OpenTimestampsAttestation(root_hash, CALENDAR, serialize_tree(tree))


# -- EVM and witnesses -----------------------------------------------------------------------------


def evm_attestation(root_hash: bytes, *, chain_id: int = 31337, **changes: Any) -> Attestation:
    """Return an attestation that is whole in itself; a policy that pins its block believes it."""
    value = forged_evm.forge_attestation(
        root_hash, chain_id=chain_id, contract=REGISTRY, code_hash=CODE_HASH
    )
    later = forged_evm.forge_state(
        root_hash,
        REGISTRY,
        CODE_HASH,
        time=forged_evm.FORGED_TIME + 768,
        block_number=forged_evm.FORGED_BLOCK + 64,
    )
    value["storage"] = {
        "header": later.header.hex(),
        "account_proof": [node.hex() for node in later.account_proof],
        "storage_proof": [node.hex() for node in later.storage_proof],
    }
    value.update(changes)
    return attestation_from_json({k: v for k, v in value.items() if v is not None})


def evm_policy(*attestations: Any, chain_class: str = "test", **changes: Any) -> dict[str, Any]:
    """Return a policy entry that pins every block that the attestations name."""
    proofs = [p for a in attestations for p in (a.transaction, a.receipt, a.storage) if p]
    headers = list(dict.fromkeys(parse_evm_header(proof.header) for proof in proofs))
    return {
        "chain_id": 31337,
        "name": "test chain",
        "class": chain_class,
        "headline": True,
        "contracts": [
            {"address": REGISTRY.hex(), "code_hash": CODE_HASH.hex(), "map_slot": 0},
        ],
        "pinned": [{"number": h.number, "hash": h.block_hash.hex()} for h in headers],
        **changes,
    }


def cosign(note_text: str, witness: Signer, unix_time: int) -> SignedNote:
    note = parse_note(note_text)
    line = sign_cosignature(note, witness.key, unix_time, witness.private.sign)
    return note.adding(line)


def witness_attestation(
    root_hash: bytes, checkpoint: str, witness: Signer, unix_time: int
) -> WitnessAttestation:
    note = cosign(checkpoint, witness, unix_time)
    return WitnessAttestation(root_hash, witness.name, note.serialize())


# -- policies and whole cases ----------------------------------------------------------------------


def policy(**entries: Any) -> Policy:
    """Return a policy of class test unless ``class`` says otherwise (pass it in a dict)."""
    value = {"version": 1, "name": "tests", "class": "test", **entries}
    return parse_policy(json.dumps(value).encode())


@dataclass
class Case:
    """A proof with evidence of every family, and the policy under which all of it is verified."""

    log: Log
    proof: Proof
    policy: Policy
    entries: dict[str, Any]
    authority: Authority
    bitcoin: Bitcoin
    file_digest: bytes

    def policy_with(self, **changes: Any) -> Policy:
        return policy(**{**self.entries, **changes})


def whole_case(opening: bytes | None = b"\x55" * 16) -> Case:
    """Return a case in which every family is verified."""
    log, authority, bitcoin = Log(), Authority(), Bitcoin()
    witness = Signer("witness.example.org", 4, b"\x09" * 32)
    file_digest = digest_of("a cat")
    digest = hashlib.sha256(file_digest + opening).digest() if opening is not None else file_digest
    log.add(*(digest_of(f"entry {n}") for n in range(6)), digest, digest_of("later"))
    size, index = 7, 6
    root = log.root(size)
    evm = evm_attestation(root)
    mined = bitcoin.attestation(root)
    noted = log.checkpoint(size)
    entries = {
        "logs": [{"origin": log.signer.name, "key": log.signer.key.text}],
        "authorities": [authority.policy()],
        "chains": [evm_policy(evm)],
        "bitcoin": bitcoin.policy(6),
        "witnesses": [{"key": witness.key.text, "related": False}],
    }
    at = int((NOW - timedelta(hours=1)).timestamp())
    proof = Proof(
        digest,
        opening,
        (log.inclusion(index, size), log.inclusion(index, 8)),
        (
            authority.attestation(root),
            authority.checkpoint_attestation(root, noted),
            evm,
            mined,
            witness_attestation(root, noted, witness, at),
        ),
    )
    return Case(log, proof, policy(**entries), entries, authority, bitcoin, file_digest)
