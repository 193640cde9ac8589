"""EVM evidence with odd choices everywhere and all of its hashes right: tries, headers, values."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from anchor.errors import FormatError
from anchor.formats.evm import registry_slot
from anchor.formats.keccak import keccak256
from anchor.formats.rlp import rlp_decode, rlp_encode, rlp_integer
from anchor.proof.codec import attestation_from_json, proof_to_json
from tests.attacks.forged_evm import FORGED_BLOCK, FORGED_TIME
from tests.evidence import CODE_HASH, REGISTRY, Case
from tests.parts.proof_mutations import mutated_bytes

_CHAIN_ID = 31337
_FIXED = {0: 32, 1: 32, 2: 20, 3: 32, 4: 32, 5: 32, 6: 256, 13: 32, 14: 8}
_TIMES = (FORGED_TIME, 0, 2**32, 2**63, 253_370_764_800, 253_370_764_801)


def odd_block(case: Case, rng: random.Random) -> dict[str, Any]:
    """Return a question about one EVM row that was made with a few odd choices."""
    root_hash = case.proof.attestations[0].root_hash
    odd = _Odd(rng)
    number = odd.pick(FORGED_BLOCK, 0, 2**53 - 1, 2**53, 2**64 - 1)
    index = odd.pick(3, 0, 127, 128, 2**32)
    key = rlp_encode(rlp_integer(index))
    value: dict[str, Any] = {
        "kind": "evm",
        "root_hash": root_hash.hex(),
        "chain_id": odd.pick(_CHAIN_ID, 1),
        "contract": REGISTRY.hex(),
    }
    headers: list[bytes] = []
    for name, field, made in (
        ("transaction", 4, odd.transaction(root_hash)),
        ("receipt", 5, odd.receipt(root_hash)),
    ):
        if rng.random() < 0.6:
            root, nodes = odd.trie(key, made)
            headers.append(odd.header(number, {field: root}))
            value[name] = _indexed(headers[-1], odd.pick(index, index + 1), nodes)
    if rng.random() < 0.6:
        header, account, storage = odd.storage(number, root_hash)
        headers.append(header)
        value["storage"] = {
            "header": header.hex(),
            "account_proof": [node.hex() for node in account],
            "storage_proof": [node.hex() for node in storage],
        }
    if odd.chance():
        value["transaction_hash"] = rng.choice(["00" * 32, keccak256(b"").hex()])
    proof = replace(case.proof, attestations=(attestation_from_json(value),))
    return {
        "policy": odd.policy(headers, number),
        "proof": json.loads(json.dumps(proof_to_json(proof))),
        "now": "2026-11-23T10:02:08Z",
        "before": rng.choice([None, "2020-01-01T00:00:12Z"]),
        "file_digest": None,
        "known": odd.known(headers, number),
    }


def _indexed(header: bytes, index: int, nodes: Sequence[bytes]) -> dict[str, Any]:
    return {"header": header.hex(), "index": index, "proof": [node.hex() for node in nodes]}


class _Odd:
    """Makes a few odd choices, and usual ones otherwise."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.left = rng.choice((0, 0, 1, 1, 2))

    def chance(self, probability: float = 0.12) -> bool:
        """Tell whether to be odd here."""
        odd = self.left > 0 and self.rng.random() < probability
        self.left -= odd
        return odd

    def pick(self, usual: int, *others: int) -> int:
        """Return the usual number, or another one."""
        return self.rng.choice(others) if self.chance() else usual

    def changed(self, data: bytes) -> bytes:
        """Return RLP with one value in it changed, or its bytes."""
        try:
            value = rlp_decode(data, max_bytes=1 << 20)
        except FormatError:
            return mutated_bytes(data, self.rng)
        if isinstance(value, bytes) or self.rng.random() < 0.2:
            return mutated_bytes(data, self.rng)
        position = self.rng.randrange(len(value) + 1)
        if position == len(value):
            value.append(b"")
        elif self.rng.random() < 0.3:
            value[position] = self.rng.choice([b"", b"\x00", b"\x01", bytes(32), [], [b""]])
        elif isinstance(item := value[position], bytes):
            value[position] = mutated_bytes(item, self.rng)
        else:
            value.pop(position)
        return rlp_encode(value)

    def transaction(self, root_hash: bytes) -> bytes:
        """Return a transaction of some type that holds the root hash, or nearly so."""
        kind = self.rng.choice([0, 0, 1, 2, 3, 4, 5, 0x7F])
        count, data = {0: (9, 5), 1: (11, 6), 2: (12, 7), 3: (14, 7), 4: (13, 7)}.get(kind, (3, 0))
        fields: list[Any] = [b""] * count
        fields[data] = b"\xdb\x2c\x4a\xca" + (bytes(32) if self.chance() else root_hash)
        raw = rlp_encode(fields)
        if self.chance(0.3):
            raw = self.changed(raw)
        return bytes([kind]) + raw if kind else raw

    def receipt(self, root_hash: bytes) -> bytes:
        """Return a receipt with a log that holds the root hash, or nearly so."""
        held = bytes(32) if self.chance() else root_hash
        place = self.rng.randrange(2)
        log = [REGISTRY, [held] if place else [], b"" if place else b"\x01" + held]
        if self.chance():
            log = [REGISTRY, [held] * 5, b""]
        status = self.rng.choice([b"\x01", b"", bytes(32)]) if self.chance() else b"\x01"
        raw = rlp_encode([status, rlp_integer(21_000), bytes(256), [log]])
        if self.chance(0.3):
            raw = self.changed(raw)
        return self.rng.choice([b"", b"\x02"]) + raw

    def storage(self, number: int, root_hash: bytes) -> tuple[bytes, list[bytes], list[bytes]]:
        """Return a header, and the nodes that lead to the account and to the slot."""
        time = self.pick(FORGED_TIME, FORGED_TIME + 1, 0, 2**64 - 1)
        word = time | number << 64
        if self.chance():
            word |= 1 << 200
        slot = registry_slot(self.pick(0, 1), root_hash)
        storage_root, storage = self.trie(keccak256(slot), rlp_encode(rlp_integer(word)))
        code_hash = bytes(32) if self.chance(0.3) else CODE_HASH
        account = rlp_encode([b"\x01", b"", storage_root, code_hash])
        if self.chance():
            account = self.changed(account)
        state_root, nodes = self.trie(keccak256(REGISTRY), account)
        return self.header(number, {3: state_root}), nodes, storage

    def trie(self, key: bytes, value: bytes) -> tuple[bytes, list[bytes]]:
        """Return the root of a trie of some shape that holds the value, and the nodes to it."""
        nibbles = [nibble for byte in key for nibble in (byte >> 4, byte & 15)]
        cut = len(nibbles) - self.rng.randrange(min(len(nibbles), 6) + 1)
        node: list[Any] = [_packed(nibbles[cut:], leaf=True), value]
        if cut == len(nibbles) and self.rng.random() < 0.5:
            node = [b""] * 16 + [value]
        nodes: list[bytes] = []
        while True:
            if self.chance(0.04):
                node = self._odd_node(node)
            encoded = rlp_encode(node)
            inside = len(encoded) < 32 and cut > 0
            if self.chance(0.03):
                inside = not inside and cut > 0
            if not inside:
                nodes.insert(0, encoded)
            if cut == 0:
                break
            reference = node if inside else keccak256(encoded)
            if self.rng.random() < 0.4 or cut == 1:
                cut -= 1
                node = [b""] * 17
                node[nibbles[cut]] = reference
                node[self.rng.randrange(16)] = node[nibbles[cut]] if self.chance(0.05) else b""
                node[nibbles[cut]] = reference
            else:
                start = cut - self.rng.randrange(1, cut + 1)
                node = [_packed(nibbles[start:cut], leaf=False), reference]
                cut = start
        root = keccak256(nodes[0])
        if self.chance(0.05):
            nodes.append(nodes[-1])
        return root, nodes

    def _odd_node(self, node: list[Any]) -> list[Any]:
        what = self.rng.randrange(4)
        if what == 0:
            return [*node, b""]
        if what == 1:
            return node[:-1]
        if what == 2:
            return [
                mutated_bytes(node[0], self.rng) if isinstance(node[0], bytes) else b"",
                *node[1:],
            ]
        return [*node[:-1], self.rng.choice([b"", b"\x01", [], bytes(32), [b"\x20", b"x"]])]

    def header(self, number: int, roots: dict[int, bytes]) -> bytes:
        """Return a header with these roots."""
        time = self.pick(FORGED_TIME, *_TIMES)
        fields: list[Any] = [bytes(_FIXED.get(position, 0)) for position in range(15)]
        fields[8], fields[9], fields[11] = map(rlp_integer, (number, 30_000_000, time))
        for position, root in roots.items():
            fields[position] = root
        fields += [b"\x01"] * self.pick(0, 1, 6, 49, 50)
        raw = rlp_encode(fields)
        return self.changed(raw) if self.chance(0.06) else raw

    def policy(self, headers: Sequence[bytes], number: int) -> dict[str, Any]:
        """Return a policy that pins the last header, or another, or none."""
        contract = {"address": REGISTRY.hex(), "code_hash": CODE_HASH.hex(), "map_slot": 0}
        chain: dict[str, Any] = {
            "chain_id": _CHAIN_ID,
            "name": "odd",
            "class": self.rng.choice(["test", "l1"]),
            "contracts": [contract] if self.rng.random() < 0.7 else [],
            "tolerance_s": self.rng.choice([0, 12, 604_800]),
            "headline": True,
        }
        if headers and number < 2**53 and self.rng.random() < 0.6:
            shown = bytes(32) if self.chance() else keccak256(headers[-1])
            chain["pinned"] = [{"number": number, "hash": shown.hex()}]
        return {"version": 1, "name": "odd", "class": "test", "chains": [chain]}

    def known(self, headers: Sequence[bytes], number: int) -> dict[str, Any]:
        """Return what a source says of the block, or nothing."""
        if not headers or self.rng.random() < 0.6 or number >= 2**53:
            return {}
        shown = keccak256(self.rng.choice(headers)).hex()
        said = {"chain_id": _CHAIN_ID, "number": number, "hash": shown, "confirmed_by": "a source"}
        return {"evm": [said]}


def _packed(nibbles: Sequence[int], *, leaf: bool) -> bytes:
    """Return nibbles in the hex-prefix form."""
    flag = 2 * leaf + len(nibbles) % 2
    whole = [flag, *nibbles] if len(nibbles) % 2 else [flag, 0, *nibbles]
    return bytes(high << 4 | low for high, low in zip(whole[::2], whole[1::2], strict=True))
