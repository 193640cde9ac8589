"""The command lines of CHECK.md, made from what is in this very exhibit.

Stock tools only: coreutils, ``xxd``, ``openssl`` 3 and, where a calendar attests, the ``ots``
client. A line ``# → TEXT`` says what the line before it must print. Every command names one example
that is there; the same works for every other record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from anchor.exhibit.anchors import AnchorFile, key_path
from anchor.exhibit.layout import (
    DATA,
    MANIFEST_SHA256,
    MANIFEST_SHA512,
    PDF,
    SIGNATURE,
    TAG_MANIFESTS,
    ots_path,
    record_path,
)
from anchor.exhibit.listing import Listing
from anchor.formats.encoding import base64url, parse_utc
from anchor.formats.merkle import inclusion_steps, leaf_hash, node_hash
from anchor.proof.proof import Inclusion, OpenTimestampsAttestation, Proof
from anchor.records.keys import key_thumbprint
from anchor.records.record import Record

_DECODE = (
    "decode() { tr -d '\\n' | tr '_-' '/+' "
    "| awk '{ while (length($0) % 4) $0 = $0 \"=\"; print }' | base64 -d; }"
)


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """How one token is checked: which file, the time it states, what of, the lines."""

    path: str
    time: datetime
    covers: str
    trusted: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlockCheck:
    """How a block is checked: what to look for in an explorer, and the lines.

    Attributes:
        number: height or number.
        block_hash: as explorers show it.
        named: the Merkle root of a Bitcoin block, the transaction of an EVM block; or None.
        chain_id: of an EVM chain, else None.
    """

    number: int
    block_hash: str
    named: str | None
    chain_id: int | None
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckSteps:
    """The lines, by what they check.

    Attributes:
        files, signature, digest, payload, key, disclosure, file: lines; empty where there is
            nothing of the kind.
        record: number of the example record.
        named_by: number of the record that names its key.
        paths: for each root hash that evidence is for, the lines that lead to it.
        tokens, blocks: the outside evidence.
    """

    files: tuple[str, ...]
    signature: tuple[str, ...]
    record: int
    named_by: int
    digest: tuple[str, ...]
    payload: tuple[str, ...]
    key: tuple[str, ...]
    disclosure: tuple[str, ...]
    file: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    tokens: tuple[TokenCheck, ...]
    blocks: tuple[BlockCheck, ...]


def check_steps(
    listing: Listing,
    records: Mapping[int, Record],
    proofs: Mapping[int, Proof],
    anchors: Sequence[AnchorFile],
    signed_by: bytes | None,
) -> CheckSteps:
    """Return the lines for one exhibit; the newest record with evidence is the example."""
    newest_first = sorted(proofs, reverse=True)
    seq = next((each for each in newest_first if _of(anchors, each)), max(records))
    record = records[seq]
    named_by, public_key = _key_of(record, records)
    evidence = _of(anchors, seq)
    roots = {file.facts["root_hash"] for file in evidence if "root_hash" in file.facts}
    return CheckSteps(
        files=tuple(
            f"sha{bits}sum --check --quiet {name}"
            for name, bits in (
                (MANIFEST_SHA256, 256),
                (MANIFEST_SHA512, 512),
                *zip(TAG_MANIFESTS, (256, 512), strict=True),
            )
        ),
        signature=() if signed_by is None else tuple(_signature(listing, signed_by)),
        record=seq,
        named_by=named_by,
        digest=(
            f"cut -d'~' -f1 {record_path(seq)} | tr -d '\\n' | sha256sum",
            f"# → {record.digest.hex()}  -",
        ),
        payload=(_DECODE, f"cut -d. -f2 {record_path(seq)} | decode"),
        key=tuple(_record_signature(seq, public_key)),
        disclosure=tuple(_disclosure(record)),
        file=tuple(_file(listing)),
        paths=tuple(_paths(record, proofs.get(seq), roots)),
        tokens=tuple(_tokens(evidence)),
        blocks=tuple(_blocks(seq, proofs.get(seq), evidence)),
    )


def _of(anchors: Sequence[AnchorFile], seq: int) -> list[AnchorFile]:
    kinds = ("rfc3161", "bitcoin", "evm_transaction")
    return [file for file in anchors if seq in file.records and file.facts["kind"] in kinds]


def _key_of(record: Record, records: Mapping[int, Record]) -> tuple[int, bytes]:
    """Return which record names the key that signed, and that key."""
    for seq, other in records.items():
        for name in ("public_key", "recovery_key"):
            text = other.fields.get(name) if other.is_key_record else None
            if isinstance(text, str) and key_thumbprint(bytes.fromhex(text)) == record.actor.key:
                return seq, bytes.fromhex(text)
    return 0, bytes.fromhex(records[0].fields["public_key"])


def _signature(listing: Listing, key: bytes) -> Iterator[str]:
    yield "work=$(mktemp -d)"
    yield (f"bundle=$(grep -v '  {PDF}$' {MANIFEST_SHA256} | sha256sum | cut -c 1-64)")
    yield f"manifest=$(sha256sum {MANIFEST_SHA256} | cut -c 1-64)"
    yield (
        "printf 'vestige-exhibit/1\\n%s\\n%s\\n%s\\n' "
        f'{listing.project} "$bundle" "$manifest" > "$work/message"'
    )
    yield (
        f"tr -d ' \\n' < {SIGNATURE} | sed 's/.*\"signature\":\"\\([0-9a-f]*\\)\".*/\\1/' "
        '| xxd -r -p > "$work/signature"'
    )
    yield (
        f"openssl pkeyutl -verify -pubin -inkey {key_path(key)} "
        '-rawin -in "$work/message" -sigfile "$work/signature"'
    )
    yield "# → Signature Verified Successfully"


def _record_signature(seq: int, key: bytes) -> Iterator[str]:
    yield "work=$(mktemp -d)"
    yield _DECODE
    yield f"cut -d'~' -f1 {record_path(seq)} | cut -d. -f1,2 | tr -d '\\n' > \"$work/input\""
    yield f"cut -d'~' -f1 {record_path(seq)} | cut -d. -f3 | decode > \"$work/signature\""
    yield (
        f"openssl pkeyutl -verify -pubin -inkey {key_path(key)} "
        '-rawin -in "$work/input" -sigfile "$work/signature"'
    )
    yield "# → Signature Verified Successfully"


def _disclosure(record: Record) -> Iterator[str]:
    if not record.sd_jwt.disclosures:
        return
    path, first = record_path(record.seq), record.sd_jwt.disclosures[0]
    yield _DECODE
    yield (
        f"cut -d'~' -f2 {path} | tr -d '\\n' | openssl dgst -sha256 -binary "
        "| base64 | tr '+/' '-_' | tr -d '='"
    )
    yield f"# → {base64url(hashlib.sha256(first.text.encode()).digest())}"
    yield f"cut -d. -f2 {path} | decode | grep -c -e {first.digest}"
    yield "# → 1"
    yield f"cut -d'~' -f2 {path} | decode"


def _file(listing: Listing) -> Iterator[str]:
    given = [file for file in listing.files if file.path is not None]
    if given:
        yield f"sha256sum {DATA}{given[-1].path}"
        yield f"# → {given[-1].sha256.hex()}  {DATA}{given[-1].path}"


def _paths(record: Record, proof: Proof | None, roots: set[str]) -> Iterator[tuple[str, ...]]:
    """Yield for each root hash wanted the lines from the record's digest to it."""
    digest = record.digest if proof is None else proof.digest
    for inclusion in () if proof is None else proof.inclusions:
        lines, root = _path(digest, inclusion)
        if root in roots:
            roots = roots - {root}
            yield tuple(lines)


def _path(digest: bytes, inclusion: Inclusion) -> tuple[list[str], str]:
    lines = [
        "node() { xxd -r -p | sha256sum | cut -c 1-64; }",
        f"h=$(printf 00{digest.hex()} | node)",
    ]
    current = leaf_hash(digest)
    steps = inclusion_steps(inclusion.leaf_index, inclusion.tree_size, inclusion.hashes)
    for side, sibling in steps:
        if side == "left":
            current = node_hash(sibling, current)
            lines.append(f"h=$(printf 01{sibling.hex()}$h | node)")
        else:
            current = node_hash(current, sibling)
            lines.append(f"h=$(printf 01${{h}}{sibling.hex()} | node)")
    lines += ["echo $h", f"# → {current.hex()}"]
    return lines, current.hex()


def _tokens(evidence: Sequence[AnchorFile]) -> Iterator[TokenCheck]:
    for file in evidence:
        facts = file.facts
        if facts["kind"] == "rfc3161":
            time = parse_utc(facts["time"])
            chain = f"-untrusted {facts['chain']} " if "chain" in facts else ""
            line = (
                f"openssl ts -verify -digest {facts['imprint']} -in {file.path} "
                f"-CAfile {facts['root']} {chain}-attime {int(time.timestamp())}"
            )
            trusted = not facts["root"].endswith("from-the-proof.pem")
            yield TokenCheck(
                file.path, time, facts["covers"], trusted, (line, "# → Verification: OK")
            )


def _blocks(seq: int, proof: Proof | None, evidence: Sequence[AnchorFile]) -> Iterator[BlockCheck]:
    calendars = () if proof is None else proof.attestations
    ots = any(isinstance(item, OpenTimestampsAttestation) for item in calendars)
    for file in evidence:
        facts = file.facts
        if facts["kind"] == "bitcoin" and ots:
            verify = f'ots --no-bitcoin verify -f "$work/record" {ots_path(seq)}'
            manual = f"block {facts['height']} has merkleroot"
            lines = (
                "work=$(mktemp -d)",
                f"cut -d'~' -f1 {record_path(seq)} | tr -d '\\n' > \"$work/record\"",
                f'{verify} 2>&1 | grep -o "{manual} .*"',
                f"# → {manual} {facts['merkle_root']}",
                f"ots info {ots_path(seq)} | grep -o 'merkle root .*'",
                f"# → merkle root {facts['merkle_root']}",
                f"head -c 68 {file.path} | tail -c 32 | xxd -p -c 32",
                f"# → {bytes.fromhex(facts['merkle_root'])[::-1].hex()}",
                f"head -c 80 {file.path} | sha256sum | xxd -r -p | sha256sum | cut -c 1-64",
                f"# → {bytes.fromhex(facts['block_hash'])[::-1].hex()}",
            )
            yield BlockCheck(
                facts["height"], facts["block_hash"], facts["merkle_root"], None, lines
            )
        if facts["kind"] == "evm_transaction":
            found = (
                f"xxd -p -c 1000000 {file.path} | grep -c {facts['root_hash']}",
                "# → 1",
            )
            yield BlockCheck(
                facts["block"], "", facts["transaction_hash"], facts["chain_id"], found
            )
