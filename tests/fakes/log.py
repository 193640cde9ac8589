"""What tests of the log share: keys, digests, a model of the log that is plainly right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor.formats.merkle import (
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from anchor.formats.tiles import parse_entry_bundle, parse_tile
from anchor.ports import AppendedTree, CommittedTree
from anchor.service.signer import LogSigner
from anchor.stores.packed import PackedLog, PackedReader


def signer(seed: int = 0, origin: str | None = "log.example") -> LogSigner:
    """Return a signer whose key depends on ``seed`` alone."""
    return LogSigner(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), origin)


SIGNER = signer()


def digest(number: int) -> bytes:
    return hashlib.sha256(b"digest %d" % number).digest()


def digests(numbers: Iterable[int]) -> bytes:
    return b"".join(map(digest, numbers))


def split(data: bytes) -> list[bytes]:
    return [data[i : i + 32] for i in range(0, len(data), 32)]


def open_log(folder: Path, **options: object) -> PackedLog:
    return PackedLog(folder, **{"reserve_bytes": 0, **options})  # type: ignore[arg-type]


def committed_tree(appended: AppendedTree) -> CommittedTree:
    checkpoint = SIGNER.sign(appended.tree_size, appended.root_hash)
    return CommittedTree(appended.tree_size, appended.root_hash, checkpoint)


def append_and_commit(log: PackedLog, data: bytes) -> AppendedTree:
    appended = log.append(data)
    if appended.created.any():
        log.commit(committed_tree(appended))
    return appended


class LogModel:
    """The log as a list and a dict."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.first: dict[bytes, int] = {}

    def append(self, data: bytes) -> tuple[list[int], list[bool]]:
        indices, created = [], []
        for one in split(data):
            created.append(one not in self.first)
            if created[-1]:
                self.first[one] = len(self.entries)
                self.entries.append(one)
            indices.append(self.first[one])
        return indices, created

    @property
    def size(self) -> int:
        return len(self.entries)

    def root_hash(self, tree_size: int | None = None) -> bytes:
        return root_hash([leaf_hash(entry) for entry in self.entries[:tree_size]])

    def check(
        self, log: PackedReader, *, sizes: Iterable[int] = (), strangers: bytes = b""
    ) -> None:
        """Compare everything that can be read from the log with the model."""
        assert (log.committed.tree_size if log.committed else 0) == self.size
        if log.committed is None:
            return
        assert log.committed.root_hash == self.root_hash()
        data = b"".join(self.entries)
        assert log.find_many(data + strangers).tolist() == [
            *range(self.size),
            *([-1] * (len(strangers) // 32)),
        ]
        root = log.committed.root_hash
        for size in {*sizes, self.size}:
            if not 0 < size <= self.size:
                continue
            assert log.root_hash(size) == self.root_hash(size)
            index = (size * 7919) % size if size % 2 else size // 2
            path = log.inclusion_path(index, size)
            verify_inclusion(
                leaf_hash(self.entries[index]), index, size, path, self.root_hash(size)
            )
            proof = log.consistency_path(size, self.size)
            verify_consistency(size, self.size, self.root_hash(size), root, proof)
            assert log.entry(index) == self.entries[index]
            assert log.find(self.entries[index]) == index
        for tile in {0, (self.size - 1) // 256}:
            width = min(256, self.size - tile * 256)
            wanted = self.entries[tile * 256 : tile * 256 + width]
            assert parse_entry_bundle(log.read_entries(tile, width), count=width) == wanted
            hashes = parse_tile(log.read_tile(0, tile, width), width=width)
            assert hashes == [leaf_hash(entry) for entry in wanted]
