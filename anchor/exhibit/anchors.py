"""What the proofs rest on, taken out of them as files that stock tools read.

Proofs of one round share their evidence, so each piece stands here once, with the numbers of the
records that it is for. ``data/anchors/index.json`` lists them. These files are a convenience: the
verifiers read the proofs themselves.
"""

from __future__ import annotations

import hashlib
import json
from base64 import encodebytes
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from anchor.client.extract import pem, token_chain
from anchor.errors import FormatError, VerificationError
from anchor.exhibit.layout import ANCHORS
from anchor.formats.bitcoin import parse_header
from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.encoding import utc_text
from anchor.formats.evm import parse_evm_header, verify_receipt_proof, verify_transaction_proof
from anchor.formats.note import parse_note
from anchor.proof.policy import Policy
from anchor.proof.proof import (
    Attestation,
    EvmAttestation,
    IndexedTrieProof,
    OpenTimestampsAttestation,
    Proof,
    Rfc3161Attestation,
    StorageTrieProof,
    WitnessAttestation,
)
from anchor.records.keys import key_thumbprint
from anchor.records.record import Record

# TimeStampResp ::= SEQUENCE { status { granted(0) }, timeStampToken } (RFC 3161, 2.4.2)
_GRANTED: Final = bytes.fromhex("3003020100")
# SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, section 4), before its 32 bytes.
_SPKI: Final = bytes.fromhex("302a300506032b6570032100")


@dataclass(frozen=True, slots=True)
class AnchorFile:
    """One file, and what is said of it in the index.

    Attributes:
        path: within the bag.
        data: its bytes.
        facts: kind, and what a person looks for (time, block, root hash, …).
        records: numbers of the records that it is for; none of a public key.
    """

    path: str
    data: bytes
    facts: Mapping[str, Any]
    records: tuple[int, ...] = ()


def anchor_files(
    records: Mapping[int, Record], proofs: Mapping[int, Proof], policy: Policy
) -> list[AnchorFile]:
    """Return the files, the index last; what can not be read stays in its proof alone."""
    found: dict[str, AnchorFile] = {}
    of: dict[str, list[int]] = {}
    known: dict[Attestation, list[AnchorFile]] = {}
    for seq, proof in proofs.items():
        for inclusion in proof.inclusions:
            if inclusion.checkpoint is not None:
                _collect(found, of, seq, _checkpoint(inclusion.checkpoint))
        for attestation in proof.attestations:
            if attestation not in known:
                known[attestation] = _attestation_files(attestation, policy)
            _collect(found, of, seq, known[attestation])
    for file in _keys(records):
        found[file.path] = file
    files = [
        AnchorFile(path, file.data, file.facts, tuple(of.get(path, ())))
        for path, file in sorted(found.items())
    ]
    index = [_row(file) for file in files]
    data = json.dumps({"version": 1, "files": index}, indent=1).encode() + b"\n"
    return [*files, AnchorFile(f"{ANCHORS}index.json", data, {"kind": "index"})]


def _row(file: AnchorFile) -> dict[str, Any]:
    row = {"path": file.path, **file.facts}
    return {**row, "records": list(file.records)} if file.records else row


def _collect(
    found: dict[str, AnchorFile], of: dict[str, list[int]], seq: int, files: list[AnchorFile]
) -> None:
    for file in files:
        found[file.path] = file
        numbers = of.setdefault(file.path, [])
        if not numbers or numbers[-1] != seq:
            numbers.append(seq)


def _attestation_files(attestation: Attestation, policy: Policy) -> list[AnchorFile]:
    files: list[AnchorFile] = []
    # What is false or can not be read is for the verdict to say.
    with suppress(FormatError, VerificationError):
        match attestation:
            case Rfc3161Attestation():
                files.extend(_token(attestation, policy))
            case EvmAttestation():
                files.extend(_evm(attestation))
            case OpenTimestampsAttestation():
                files.extend(_bitcoin(attestation))
            case WitnessAttestation():
                files.append(_note("witness", attestation.checkpoint))
            case _:
                pass
    return files


# -- the log and its witnesses ---------------------------------------------------------------------


def _checkpoint(text: str) -> list[AnchorFile]:
    with suppress(FormatError):
        return [_note("checkpoint", text)]
    return []


def _note(kind: str, text: str) -> AnchorFile:
    checkpoint = parse_checkpoint(parse_note(text).text)
    data = text.encode()
    path = f"{ANCHORS}log/{kind}-{checkpoint.tree_size}-{_short(data)}.txt"
    facts = {
        "kind": kind,
        "origin": checkpoint.origin,
        "tree_size": checkpoint.tree_size,
        "root_hash": checkpoint.root_hash.hex(),
    }
    return AnchorFile(path, data, facts)


# -- RFC 3161 --------------------------------------------------------------------------------------


def _token(attestation: Rfc3161Attestation, policy: Policy) -> Iterator[AnchorFile]:
    found = token_chain(attestation, policy)
    stem = f"{ANCHORS}tsa/{_short(attestation.token)}"
    root = f"{stem}.root.pem" if found.trusted else f"{stem}.root-from-the-proof.pem"
    facts: dict[str, Any] = {
        "kind": "rfc3161",
        "imprint": found.token.imprint.hex(),
        "covers": attestation.covers,
        "root_hash": attestation.root_hash.hex(),
        "time": utc_text(found.token.gen_time),
        "root": root,
    }
    if found.chain:
        facts["chain"] = f"{stem}.chain.pem"
        yield AnchorFile(facts["chain"], pem(found.chain), {"kind": "certificates"})
    yield AnchorFile(root, pem(found.roots), {"kind": "certificates"})
    yield AnchorFile(f"{stem}.tsr", _response(attestation.token), facts)
    for position, answer in enumerate(attestation.ocsp, 1):
        yield AnchorFile(f"{stem}.ocsp-{position}.der", answer, {"kind": "ocsp"})
    for position, crl in enumerate(attestation.crls, 1):
        yield AnchorFile(f"{stem}.crl-{position}.der", crl, {"kind": "crl"})


def _response(token: bytes) -> bytes:
    """Return the answer of the authority that stock tools read: granted, and the token."""
    body = _GRANTED + token
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    head = length if len(body) < 0x80 else bytes([0x80 | len(length)]) + length
    return b"\x30" + head + body


# -- chains ----------------------------------------------------------------------------------------


def _bitcoin(attestation: OpenTimestampsAttestation) -> Iterator[AnchorFile]:
    for run in attestation.headers:
        header = parse_header(run.headers[0])
        facts = {
            "kind": "bitcoin",
            "height": run.height,
            "block_hash": header.block_hash[::-1].hex(),
            "merkle_root": header.merkle_root[::-1].hex(),
            "root_hash": attestation.root_hash.hex(),
        }
        data = b"".join(run.headers)
        yield AnchorFile(f"{ANCHORS}bitcoin/{run.height}-{_short(data)}.headers", data, facts)


def _evm(attestation: EvmAttestation) -> Iterator[AnchorFile]:
    folder = f"{ANCHORS}evm/{attestation.chain_id}"
    common = {"chain_id": attestation.chain_id, "root_hash": attestation.root_hash.hex()}
    if attestation.transaction is not None:
        part = attestation.transaction
        header = parse_evm_header(part.header)
        found = verify_transaction_proof(header, part.index, part.nodes)
        facts = {"kind": "evm_transaction", "transaction_hash": f"0x{found.transaction_hash.hex()}"}
        stem = f"{folder}/{header.number}-{found.transaction_hash.hex()[:16]}"
        yield _header(folder, part.header, common)
        yield AnchorFile(
            f"{stem}.transaction.rlp", found.raw, {**facts, "block": header.number, **common}
        )
        yield _nodes(f"{stem}.transaction-proof.json", part, common)
    if attestation.receipt is not None:
        part = attestation.receipt
        header = parse_evm_header(part.header)
        receipt = verify_receipt_proof(header, part.index, part.nodes)
        stem = f"{folder}/{header.number}-{_short(receipt.raw)}"
        yield _header(folder, part.header, common)
        yield AnchorFile(
            f"{stem}.receipt.rlp",
            receipt.raw,
            {"kind": "evm_receipt", "block": header.number, **common},
        )
        yield _nodes(f"{stem}.receipt-proof.json", part, common)
    if attestation.storage is not None:
        number = parse_evm_header(attestation.storage.header).number
        yield _header(folder, attestation.storage.header, common)
        stem = f"{folder}/{number}-{attestation.root_hash.hex()[:16]}"
        yield _nodes(f"{stem}.storage-proof.json", attestation.storage, common)


def _header(folder: str, raw: bytes, common: Mapping[str, Any]) -> AnchorFile:
    header = parse_evm_header(raw)
    facts = {
        "kind": "evm_header",
        "chain_id": common["chain_id"],
        "block": header.number,
        "block_hash": f"0x{header.block_hash.hex()}",
    }
    return AnchorFile(f"{folder}/{header.number}-{_short(raw)}.header.rlp", raw, facts)


def _nodes(
    path: str, proof: IndexedTrieProof | StorageTrieProof, common: Mapping[str, Any]
) -> AnchorFile:
    """Return the nodes of a trie proof, root first, as ``eth_getProof`` writes them."""
    if isinstance(proof, IndexedTrieProof):
        value: dict[str, Any] = {"index": proof.index, "proof": _hexes(proof.nodes)}
    else:
        value = {
            "accountProof": _hexes(proof.account_nodes),
            "storageProof": _hexes(proof.storage_nodes),
        }
    return AnchorFile(path, json.dumps(value, indent=1).encode() + b"\n",
                      {"kind": "evm_proof", **common})  # fmt: skip


def _hexes(nodes: tuple[bytes, ...]) -> list[str]:
    return [f"0x{node.hex()}" for node in nodes]


# -- keys ------------------------------------------------------------------------------------------


def _keys(records: Mapping[int, Record]) -> Iterator[AnchorFile]:
    """Yield each public key that the key records name, as PEM."""
    for seq, record in records.items():
        for name in ("public_key", "recovery_key"):
            text = record.fields.get(name) if record.is_key_record else None
            if isinstance(text, str):
                key = bytes.fromhex(text)
                body = encodebytes(_SPKI + key)
                data = b"-----BEGIN PUBLIC KEY-----\n" + body + b"-----END PUBLIC KEY-----\n"
                thumbprint = key_thumbprint(key).hex()
                facts = {"kind": "public_key", "thumbprint": thumbprint, "named_by": seq}
                yield AnchorFile(key_path(key), data, facts)


def key_path(public_key: bytes) -> str:
    """Return the path of a raw Ed25519 public key (32 bytes)."""
    return f"{ANCHORS}keys/{key_thumbprint(public_key).hex()}.pem"


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
