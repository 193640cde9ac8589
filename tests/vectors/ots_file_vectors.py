"""Vectors of ``.ots`` files by themselves: no log, and a digest by the file's own operation."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from anchor.formats.ots.attestation import BitcoinAttestation, PendingAttestation
from anchor.formats.ots.codec import DetachedTimestamp, serialize_detached
from anchor.formats.ots.op import Append, Op, Sha1, Sha256
from anchor.formats.ots.timestamp import Timestamp
from tests.evidence import Bitcoin, whole_case
from tests.vectors.making import Vector, case_vector, row, vector


def _file(
    expect: dict[str, Any], *, op: Op | None = None, promised: bool = False, another: bool = False
) -> Vector:
    """Return a vector whose block and six after it are supplied; the third is a checkpoint."""
    op = op or Sha256()
    case, chain = whole_case(), Bitcoin()
    digest = op.apply(b"a cat")
    tree = Timestamp(digest)
    node = tree.add(Append(b"calendar nonce")).add(Sha256())
    height = chain.mine(node.message)
    node.attest(
        PendingAttestation("https://calendar.example.org")
        if promised
        else BitcoinAttestation(height)
    )
    for _ in range(6):
        chain.mine()
    run = {"height": 0, "headers": [header.raw.hex() for header in chain.headers]}
    made = case_vector(
        "7", case, expect, entries={"bitcoin": chain.policy(6)}, known={"headers": [run]}
    )
    del made["proof"]
    data = serialize_detached(DetachedTimestamp(op, digest, tree))
    made["ots"] = base64.b64encode(data).decode()
    made["file_digest"] = (hashlib.sha256(b"a dog").digest() if another else digest).hex()
    return made


@vector
def ots_file_in_a_block() -> Vector:
    return _file(
        {
            "status": "verified",
            "exit_status": 0,
            "headline": "2026-06-01T03:00:00Z",
            "log": "not_checked",
            "log_code": "log.none",
            "rows": [row("verified", "bitcoin.verified")],
        }
    )


@vector
def ots_file_of_sha1_is_never_verified() -> Vector:
    expect = {"exit_status": 4, "headline": None, "rows": [row("not_checked", "ots.sha1")]}
    return _file(expect, op=Sha1())


@vector
def ots_file_is_another() -> Vector:
    return _file({"status": "failed", "exit_status": 1, "headline": None}, another=True)


@vector
def ots_file_is_promised() -> Vector:
    return _file({"exit_status": 3, "rows": [row("pending", "bitcoin.pending")]}, promised=True)
