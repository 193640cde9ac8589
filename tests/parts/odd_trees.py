"""OpenTimestamps trees, header runs and archives with odd choices, mined for nothing on regtest."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from anchor.errors import FormatError
from anchor.formats.bitcoin import BitcoinHeader
from anchor.formats.ots.attestation import (
    BitcoinAttestation,
    PendingAttestation,
    UnknownAttestation,
)
from anchor.formats.ots.codec import DetachedTimestamp, serialize_detached, serialize_tree
from anchor.formats.ots.op import (
    Append,
    Hexlify,
    Keccak256,
    Op,
    Prepend,
    Reverse,
    Ripemd160,
    Sha1,
    Sha256,
)
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.codec import proof_to_json
from anchor.proof.proof import HeaderRun, OpenTimestampsAttestation
from tests.evidence import Bitcoin, Case, mine
from tests.parts.proof_mutations import mutated_bytes

_URIS = ("https://a.test", "https://b.test", "")


def odd_tree(case: Case, rng: random.Random) -> dict[str, Any]:
    """Return a question about one tree, as a row of a proof or as a ``.ots`` file."""
    odd = _Odd(rng)
    as_file = rng.random() < 0.3
    message = case.file_digest if as_file else case.proof.attestations[0].root_hash
    file_op: Op = Sha256()
    if as_file and rng.random() < 0.2:
        file_op, message = rng.choice([(Sha1(), bytes(20)), (Ripemd160(), bytes(20))])
    tree, heights = odd.tree(message)
    chain = odd.chain.headers
    checkpoints = [
        {"height": height, "hash": chain[height].block_hash[::-1].hex()}
        for height in sorted(rng.sample(range(len(chain)), min(len(chain), rng.randrange(1, 3))))
    ]
    bitcoin: dict[str, Any] = {"network": "regtest", "checkpoints": checkpoints}
    if rng.random() < 0.3:
        bitcoin["minimum_work_beyond_checkpoint"] = f"{rng.choice([0, 4, 40]):064x}"
    question: dict[str, Any] = {
        "policy": {"version": 1, "name": "odd", "class": "test", "bitcoin": bitcoin},
        "now": "2026-11-23T10:02:08Z",
        "before": rng.choice([None, "2026-06-01T02:00:00Z", "2026-06-02T00:00:00Z"]),
        "file_digest": rng.choice([None, message.hex() if as_file else case.file_digest.hex()]),
        "known": odd.known(checkpoints, heights),
    }
    if as_file:
        data = serialize_detached(DetachedTimestamp(file_op, message, tree))
        question["ots"] = base64.b64encode(odd.bytes(data)).decode()
        return question
    runs = tuple(odd.run(height) for height in heights[:8] if rng.random() < 0.8)
    row = OpenTimestampsAttestation(
        message, "https://a.test", odd.bytes(serialize_tree(tree)), runs
    )
    proof = replace(case.proof, attestations=(row,))
    question["proof"] = json.loads(json.dumps(proof_to_json(proof)))
    return question


class _Odd:
    """Grows a tree and mines the chain that attests it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.chain = Bitcoin()
        for _ in range(rng.randrange(1, 4)):
            self.chain.mine()

    def bytes(self, data: bytes) -> bytes:
        """Return the bytes, now and then changed."""
        return mutated_bytes(data, self.rng) if self.rng.random() < 0.1 else data

    def tree(self, message: bytes) -> tuple[Timestamp, list[int]]:
        """Return a tree of a few branches and the heights that it names."""
        tree, heights = Timestamp(message), []
        for _ in range(self.rng.randrange(1, 5)):
            node = self._branch(tree)
            what = self.rng.random()
            if what < 0.65:
                root = node.message if self.rng.random() < 0.9 else bytes(32)
                if len(root) == 32 and len(heights) < 8:
                    heights.append(self._mined(root))
                    node.attest(BitcoinAttestation(heights[-1]))
            elif what < 0.9:
                node.attest(PendingAttestation(self.rng.choice(_URIS)))
            else:
                node.attest(UnknownAttestation(b"unknown!", b"x" * self.rng.randrange(3)))
        for _, node in tree.walk():
            if not node.attestations and not node.branches:
                node.attest(PendingAttestation("https://a.test"))
        for _ in range(self.rng.randrange(8)):
            self._mined(bytes(32))
        return tree, heights

    def _mined(self, root: bytes) -> int:
        time = None
        if self.rng.random() < 0.1:
            time = self.chain.start_time + self.rng.choice([-7200, 0, 86_400, 700_000])
        return self.chain.mine(root, time)

    def _branch(self, tree: Timestamp) -> Timestamp:
        node = tree
        for _ in range(self.rng.randrange(1, 7)):
            if node.branches and self.rng.random() < 0.3:
                node = self.rng.choice(node.branches)[1]
                continue
            data = self.rng.randbytes(self.rng.randrange(1, 40))
            ops: list[Op] = [Append(data), Prepend(data), Sha256(), Sha256(), Sha256()]
            ops += [Reverse(), Hexlify(), Ripemd160(), Keccak256()]
            ops += [Sha1()] if self.rng.random() < 0.3 else []
            try:
                node = node.add(self.rng.choice(ops))
            except FormatError:
                break
        return node if len(node.message) == 32 else node.add(Sha256())

    def run(self, height: int) -> HeaderRun:
        """Return the headers from a height on, a few of them perhaps of another chain."""
        return HeaderRun(height, tuple(h.raw for h in self._headers(height)))

    def _headers(self, height: int) -> Sequence[BitcoinHeader]:
        headers = self.chain.headers[height : height + self.rng.randrange(1, 8)]
        if self.rng.random() < 0.25:
            kept = headers[: self.rng.randrange(len(headers)) + 1]
            while len(kept) < self.rng.randrange(1, 8):
                kept.append(mine(kept[-1].block_hash, b"\x66" * 32, kept[-1].time + 1))
            headers = kept
        if self.rng.random() < 0.05:
            headers = [*headers[:-1], self.rng.choice(self.chain.headers)]
        return headers

    def known(self, checkpoints: list[dict[str, Any]], heights: list[int]) -> dict[str, Any]:
        """Return what sources confirm, what was supplied, and an archive, each now and then."""
        known: dict[str, Any] = {}
        chain = self.chain.headers
        if self.rng.random() < 0.4:
            asked = self.rng.sample(
                range(len(chain)), self.rng.randrange(1, min(5, len(chain)) + 1)
            )
            known["bitcoin"] = [
                {
                    "height": height,
                    "hash": chain[height].block_hash[::-1].hex(),
                    "confirmed_by": f"source {height}",
                }
                for height in asked
            ]
        if heights and self.rng.random() < 0.4:
            run = self.run(self.rng.choice(heights))
            headers = [header.hex() for header in run.headers]
            known["headers"] = [{"height": run.height, "headers": headers}]
        if self.rng.random() < 0.4:
            first = self.rng.choice(checkpoints)["height"]
            kept = chain[first : len(chain) - self.rng.randrange(3)]
            if self.rng.random() < 0.05:
                kept = [*kept, chain[0]]
            known["archive"] = {"first_height": first, "headers": [h.raw.hex() for h in kept]}
        return known
