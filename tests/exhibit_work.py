"""Exhibits whose proofs ask for more work than is done for one exhibit.

Their trees are long and can not be read, so that they cost much by the count and little to judge.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from anchor.exhibit.layout import LISTING, proof_path, record_path
from anchor.formats.encoding import base64url, parse_base64url
from anchor.formats.merkle import leaf_hash
from tests.exhibit_tampering import Files, Tampering, recomputed

TREE_BYTES = 140_000
UNITS = 4 * TREE_BYTES


def heavy(whole: Files, count: int) -> Files:
    """Return an exhibit of the genesis and so many records behind it, each with a tree of its own.

    The records' signatures are false: what their proofs are worth is judged all the same.
    """
    head, payload, signature = whole[record_path(1)].decode().partition("~")[0].split(".")
    value = json.loads(parse_base64url(payload, max_bytes=1 << 20, what="payload"))
    value.update(_sd=[], hidden=0, files=0)
    listing = json.loads(whole[LISTING])
    rows: list[dict[str, Any]] = []
    made: Files = {}
    for seq in range(1, count + 1):
        one = {**value, "seq": seq, "count": seq}
        jwt = f"{head}.{base64url(json.dumps(one, separators=(',', ':')).encode())}.{signature}"
        digest = hashlib.sha256(jwt.encode()).digest()
        made[record_path(seq)] = f"{jwt}~".encode()
        made[proof_path(seq)] = json.dumps(_proof(digest)).encode()
        row = {"seq": seq, "kind": value["kind"], "digest": digest.hex(), "shown": True}
        rows.append({**row, "proof": True})
    listing.update(records=[listing["records"][0], *rows], files=[], date=value["claimed_time"])
    made[LISTING] = json.dumps(listing).encode()
    kept = {
        path: data
        for path, data in whole.items()
        if not path.startswith(("data/records/", "data/proofs/", "data/files/"))
        or path in (record_path(0), proof_path(0))
    }
    found = recomputed(Tampering("heavy", LISTING, {**kept, **made}, (), deep=True), signed=False)
    assert found is not None
    return found


def _proof(digest: bytes) -> dict[str, Any]:
    tree = b"\xaa" + bytes(TREE_BYTES - 1)
    row = {
        "kind": "opentimestamps",
        "calendar": "https://a.example",
        "root_hash": leaf_hash(digest).hex(),
        "tree": base64.b64encode(tree).decode(),
    }
    return {
        "version": 1,
        "digest": digest.hex(),
        "opening": None,
        "inclusions": [{"leaf_index": 0, "tree_size": 1, "hashes": []}],
        "attestations": [row],
    }
