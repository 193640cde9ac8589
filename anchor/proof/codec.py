"""The proof file: JSON to values and back.

Reading is strict: unknown fields, duplicate keys, upper-case hex, padded or loose base64, integers
past 2^53 and anything over a limit are refused, so that one proof has one meaning. Attestations of
an unknown *kind* are kept as they are. Writing is deterministic: the same proof gives the same
bytes. Nothing is verified here.

Specification: ``docs/spec/proof.md``, schema ``docs/spec/proof.schema.json``.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable
from typing import Any, cast

from anchor import limits
from anchor.errors import FormatError, LimitExceededError, UnsupportedVersionError
from anchor.formats.encoding import base64_text, parse_json, utc_text
from anchor.proof.fields import Fields
from anchor.proof.proof import (
    Attestation,
    EvmAttestation,
    ExpectedAttestation,
    HeaderRun,
    Inclusion,
    IndexedTrieProof,
    OpenTimestampsAttestation,
    Proof,
    Rfc3161Attestation,
    StorageTrieProof,
    UnknownAttestation,
    WitnessAttestation,
)

PROOF_VERSION = 1
PROOF_MEDIA_TYPE = "application/vnd.vestige.proof+json"

ReadAttestation = Callable[[Any, str], Attestation]

_REMEMBERED = 1024


def parse_proof(data: bytes) -> Proof:
    """Read a proof file.

    Raises:
        FormatError: the bytes are not a proof file of a version that this release reads.
    """
    return proof_from_json(_json(data))


def _json(data: bytes) -> Any:
    return parse_json(
        data,
        max_bytes=limits.MAX_PROOF_BYTES,
        max_values=limits.MAX_PROOF_JSON_VALUES,
        what="proof",
    )


class ProofReader:
    """Reads many proof files, taking apart only once what they have in common.

    Proofs of one round carry the same attestations; only their paths differ. The result is that of
    :func:`parse_proof`, always.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Attestation] = {}
        self._known_bytes = 0

    def parse(self, data: bytes) -> Proof:
        """Read a proof file; errors as :func:`parse_proof`."""
        value = _json(data)
        return proof_from_json(value, read=self._attestation)

    def _attestation(self, value: Any, where: str) -> Attestation:
        # The bytes of a JSON value tell 1 from true, which comparing values would not. Version 2
        # of the format depends on the value alone, not on which of its strings are one object.
        key = marshal.dumps(value, 2)
        known = self._known.get(key)
        if known is None:
            known = attestation_from_json(value, where)
            self._known_bytes += len(key)
            if len(self._known) >= _REMEMBERED or self._known_bytes > limits.MAX_REMEMBERED_BYTES:
                self._known.clear()
                self._known_bytes = len(key)
            self._known[key] = known
        return known


def serialize_proof(proof: Proof, *, reader: ProofReader | None = None) -> bytes:
    """Write a proof file: UTF-8 JSON, two-space indent, ends in a newline.

    What is written is read again, so that no file is ever written that nobody reads.

    Args:
        proof: what to write.
        reader: reads it again; the same one for many of a round is quicker.

    Raises:
        LimitExceededError: the file would be larger than any reader accepts, or hold too many of
            something.
    """
    text = json.dumps(proof_to_json(proof), indent=2, ensure_ascii=False)
    data = text.encode() + b"\n"
    if len(data) > limits.MAX_PROOF_BYTES:
        raise LimitExceededError(
            f"the proof takes {len(data)} bytes, at most {limits.MAX_PROOF_BYTES} are read"
        )
    (reader or ProofReader()).parse(data)
    return data


def proof_from_json(value: Any, *, read: ReadAttestation | None = None) -> Proof:
    """Read a proof from parsed JSON; ``read`` stands in for :func:`attestation_from_json`."""
    read = read or attestation_from_json
    fields = Fields(value, "proof")
    version = fields.integer("version")
    if version != PROOF_VERSION:
        raise UnsupportedVersionError(
            f"proof: version {version}, this release reads {PROOF_VERSION}",
            hint="a newer vestige may read it",
        )
    proof = Proof(
        digest=fields.hex("digest", limits.DIGEST_BYTES),
        opening=fields.optional(
            "opening", lambda n: fields.hex(n, max_bytes=limits.MAX_OPENING_BYTES)
        ),
        inclusions=_inclusions(fields),
        attestations=tuple(
            read(item, where)
            for item, where in fields.each("attestations", max_items=limits.MAX_ATTESTATIONS)
        ),
    )
    fields.done()
    if not proof.inclusions:
        raise FormatError("proof: no inclusion", hint="a proof holds at least one way into the log")
    return proof


def proof_to_json(proof: Proof) -> dict[str, Any]:
    """Return the JSON object of a proof."""
    return {
        "version": PROOF_VERSION,
        "digest": proof.digest.hex(),
        "opening": None if proof.opening is None else proof.opening.hex(),
        "inclusions": [_inclusion_to_json(inclusion) for inclusion in proof.inclusions],
        "attestations": [attestation_to_json(attestation) for attestation in proof.attestations],
    }


def attestation_from_json(value: Any, where: str = "attestation") -> Attestation:
    """Read one attestation; an unknown kind is kept whole."""
    fields = Fields(value, where)
    kind = fields.text("kind", max_characters=64)
    read = _READERS.get(kind)
    if read is None:
        return UnknownAttestation(kind, json.dumps(value, sort_keys=True, separators=(",", ":")))
    attestation = read(fields)
    fields.done()
    return attestation


def attestation_to_json(attestation: Attestation) -> dict[str, Any]:
    """Return the JSON object of one attestation."""
    if isinstance(attestation, UnknownAttestation):
        return cast("dict[str, Any]", json.loads(attestation.text))
    return {"kind": attestation.kind, **_WRITERS[attestation.kind](attestation)}


# -- inclusions ------------------------------------------------------------------------------------


def _inclusions(fields: Fields) -> tuple[Inclusion, ...]:
    return tuple(
        _inclusion(item)
        for item in fields.objects("inclusions", max_items=limits.MAX_INCLUSIONS, default=())
    )


def _inclusion(fields: Fields) -> Inclusion:
    inclusion = Inclusion(
        leaf_index=fields.integer("leaf_index", maximum=limits.MAX_TREE_SIZE - 1),
        tree_size=fields.integer("tree_size", minimum=1, maximum=limits.MAX_TREE_SIZE),
        hashes=fields.hexes("hashes", 32, max_items=limits.MAX_PATH_HASHES),
        checkpoint=fields.optional("checkpoint", lambda n: _note_text(fields, n)),
    )
    fields.done()
    return inclusion


def _note_text(fields: Fields, name: str) -> str:
    return fields.text(name, max_characters=limits.MAX_NOTE_BYTES)


def _inclusion_to_json(inclusion: Inclusion) -> dict[str, Any]:
    return {
        "leaf_index": inclusion.leaf_index,
        "tree_size": inclusion.tree_size,
        "hashes": [item.hex() for item in inclusion.hashes],
        "checkpoint": inclusion.checkpoint,
    }


# -- RFC 3161 --------------------------------------------------------------------------------------


def _read_rfc3161(fields: Fields) -> Attestation:
    return Rfc3161Attestation(
        root_hash=fields.hex("root_hash", 32),
        covers=cast("Any", fields.choice("covers", ("root", "checkpoint"))),
        token=fields.base64("token", max_bytes=limits.MAX_TSP_BYTES),
        certificates=fields.base64s(
            "certificates", max_items=limits.MAX_CERTIFICATES, max_bytes=limits.MAX_TSP_BYTES
        ),
        ocsp=fields.base64s(
            "ocsp", max_items=limits.MAX_CERTIFICATES, max_bytes=limits.MAX_TSP_BYTES
        ),
        crls=fields.base64s(
            "crls", max_items=limits.MAX_CERTIFICATES, max_bytes=limits.MAX_REVOCATION_BYTES
        ),
        inclusions=_inclusions(fields),
    )


def _write_rfc3161(attestation: Rfc3161Attestation) -> dict[str, Any]:
    return {
        "root_hash": attestation.root_hash.hex(),
        "covers": attestation.covers,
        "token": base64_text(attestation.token),
        "certificates": [base64_text(item) for item in attestation.certificates],
        "ocsp": [base64_text(item) for item in attestation.ocsp],
        "crls": [base64_text(item) for item in attestation.crls],
        "inclusions": [_inclusion_to_json(item) for item in attestation.inclusions],
    }


# -- EVM -------------------------------------------------------------------------------------------


def _read_evm(fields: Fields) -> Attestation:
    return EvmAttestation(
        root_hash=fields.hex("root_hash", 32),
        chain_id=fields.integer("chain_id", minimum=1),
        contract=fields.hex("contract", 20),
        transaction_hash=fields.optional("transaction_hash", lambda n: fields.hex(n, 32)),
        transaction=fields.optional("transaction", lambda n: _indexed(fields, n)),
        receipt=fields.optional("receipt", lambda n: _indexed(fields, n)),
        storage=fields.optional("storage", lambda n: _storage(fields, n)),
    )


def _indexed(fields: Fields, name: str) -> IndexedTrieProof:
    inner = Fields(fields.take(name), fields.path(name))
    proof = IndexedTrieProof(
        header=inner.hex("header", max_bytes=limits.MAX_EVM_HEADER_BYTES),
        index=inner.integer("index", maximum=2**32),
        nodes=inner.hexes("proof", None, max_items=limits.MAX_TRIE_NODES),
    )
    inner.done()
    return proof


def _storage(fields: Fields, name: str) -> StorageTrieProof:
    inner = Fields(fields.take(name), fields.path(name))
    proof = StorageTrieProof(
        header=inner.hex("header", max_bytes=limits.MAX_EVM_HEADER_BYTES),
        account_nodes=inner.hexes("account_proof", None, max_items=limits.MAX_TRIE_NODES),
        storage_nodes=inner.hexes("storage_proof", None, max_items=limits.MAX_TRIE_NODES),
    )
    inner.done()
    return proof


def _write_evm(attestation: EvmAttestation) -> dict[str, Any]:
    value: dict[str, Any] = {
        "root_hash": attestation.root_hash.hex(),
        "chain_id": attestation.chain_id,
        "contract": attestation.contract.hex(),
    }
    if attestation.transaction_hash is not None:
        value["transaction_hash"] = attestation.transaction_hash.hex()
    for name, proof in (("transaction", attestation.transaction), ("receipt", attestation.receipt)):
        if proof is not None:
            value[name] = {
                "header": proof.header.hex(),
                "index": proof.index,
                "proof": [node.hex() for node in proof.nodes],
            }
    if attestation.storage is not None:
        value["storage"] = {
            "header": attestation.storage.header.hex(),
            "account_proof": [node.hex() for node in attestation.storage.account_nodes],
            "storage_proof": [node.hex() for node in attestation.storage.storage_nodes],
        }
    return value


# -- OpenTimestamps, witnesses, expected rows ------------------------------------------------------


def _read_opentimestamps(fields: Fields) -> Attestation:
    return OpenTimestampsAttestation(
        root_hash=fields.hex("root_hash", 32),
        calendar=fields.text("calendar", max_characters=limits.MAX_OTS_URI_BYTES),
        tree=fields.base64("tree", max_bytes=limits.MAX_OTS_BYTES),
        headers=tuple(
            _header_run(item) for item in fields.objects("headers", max_items=8, default=())
        ),
    )


def _header_run(fields: Fields) -> HeaderRun:
    run = HeaderRun(
        height=fields.integer("height", maximum=2**31),
        headers=fields.hexes(
            "headers", limits.BITCOIN_HEADER_BYTES, max_items=1 + limits.BITCOIN_SUCCESSORS
        ),
    )
    fields.done()
    if not run.headers:
        raise FormatError(f"{fields.path('headers')}: empty, at least the block's own is wanted")
    return run


def _write_opentimestamps(attestation: OpenTimestampsAttestation) -> dict[str, Any]:
    return {
        "root_hash": attestation.root_hash.hex(),
        "calendar": attestation.calendar,
        "tree": base64_text(attestation.tree),
        "headers": [
            {"height": run.height, "headers": [header.hex() for header in run.headers]}
            for run in attestation.headers
        ],
    }


def _read_witness(fields: Fields) -> Attestation:
    return WitnessAttestation(
        root_hash=fields.hex("root_hash", 32),
        witness=fields.text("witness", max_characters=256),
        checkpoint=_note_text(fields, "checkpoint"),
    )


def _write_witness(attestation: WitnessAttestation) -> dict[str, Any]:
    return {
        "root_hash": attestation.root_hash.hex(),
        "witness": attestation.witness,
        "checkpoint": attestation.checkpoint,
    }


def _read_expected(fields: Fields) -> Attestation:
    if fields.take("root_hash", None) is not None:
        raise FormatError(f"{fields.path('root_hash')}: a row that is not there has none")
    return ExpectedAttestation(
        family=fields.text("family", max_characters=64),
        by=fields.text("by", max_characters=256),
        expected_at=fields.optional("expected_at", fields.utc),
        note=fields.text("note", default=""),
    )


def _write_expected(attestation: ExpectedAttestation) -> dict[str, Any]:
    expected_at = attestation.expected_at
    return {
        "root_hash": None,
        "family": attestation.family,
        "by": attestation.by,
        "expected_at": None if expected_at is None else utc_text(expected_at),
        "note": attestation.note,
    }


_READERS: dict[str, Callable[[Fields], Attestation]] = {
    "rfc3161": _read_rfc3161,
    "evm": _read_evm,
    "opentimestamps": _read_opentimestamps,
    "witness": _read_witness,
    "expected": _read_expected,
}

_WRITERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "rfc3161": _write_rfc3161,
    "evm": _write_evm,
    "opentimestamps": _write_opentimestamps,
    "witness": _write_witness,
    "expected": _write_expected,
}
