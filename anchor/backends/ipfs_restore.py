"""Builds a log again from what was published, and checks every byte of it on the way.

Only one thing is believed: the CID that the caller names (and the log's key, if given). Each block
is hashed against the CID that led to it; the entries of each round lead to the root hash of its
checkpoint; every hash tile is computed again from the entries below it.

Memory stays small: entries go to the caller bundle by bundle; one hash of every 256 is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from anchor import limits
from anchor.backends.ipfs_manifest import RoundManifest, parse_manifest, parse_tile_list
from anchor.errors import ConsistencyError, FormatError, InclusionError
from anchor.formats.checkpoint import Checkpoint, parse_checkpoint
from anchor.formats.cid import Cid
from anchor.formats.encoding import parse_json
from anchor.formats.merkle import CompactRange, leaf_hash, root_hash
from anchor.formats.note import NoteKey, parse_note, verify_note
from anchor.formats.tiles import TilePath, parse_entry_bundle, parse_tile

OnEntries = Callable[[int, list[bytes]], None]
"""Takes the leaf index of the first of some entries, and the entries; in order, each once."""

_MAX_ROUNDS: Final = 10_000_000


class BlockSource(Protocol):
    """Where blocks come from, already checked against their CIDs."""

    def get_block(self, cid: Cid) -> bytes:
        """Return the block; BackendUnavailableError if it is not to be had."""


@dataclass(frozen=True, slots=True)
class RestoredRound:
    """One round as it was published.

    Attributes:
        tree_size: of the round.
        checkpoint: the log's signed note; its root hash was computed again.
        attestations: by backend, proof-file attestation objects; not judged.
    """

    tree_size: int
    checkpoint: str
    attestations: dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class RestoredLog:
    """What the blocks hold.

    Attributes:
        origin: of the log.
        tree_size: of the newest round of the chain.
        root_hash: of that tree, 32 bytes.
        rounds: by ascending tree size.
        n_tiles: bundles and tiles that were read and checked.
    """

    origin: str
    tree_size: int
    root_hash: bytes
    rounds: list[RestoredRound]
    n_tiles: int


def restore_log(
    source: BlockSource,
    head: Cid,
    *,
    log_key: NoteKey | None = None,
    on_entries: OnEntries = lambda _start, _entries: None,
) -> RestoredLog:
    """Read a published log from its newest manifest back to its beginning, and check it.

    Args:
        source: the node.
        head: the manifest to start from.
        log_key: every checkpoint must carry its signature; None leaves signatures unchecked.
        on_entries: gets the entries, in order.

    Raises:
        BackendUnavailableError, BackendProtocolError: a block is not to be had, or is another.
        FormatError: a block is not what it should be.
        ConsistencyError: entries, tiles and checkpoints contradict each other.
        SignatureError: a checkpoint is not signed by that key.
    """
    chain, side = _read_chain(source, head)
    rebuilt = _Rebuilt(source, on_entries)
    checks = [*chain, *side]
    checkpoints = {id(m): _checkpoint(m, log_key) for m in checks}
    origins = {checkpoint.origin for checkpoint in checkpoints.values()}
    if len(origins) != 1:
        raise ConsistencyError("the published rounds are of different logs", code="verify.ipfs")
    rebuilt.wanted = {m.tree_size for m in checks}
    for manifest in chain:
        rebuilt.extend(manifest)
    for manifest in checks:
        rebuilt.require_root(checkpoints[id(manifest)])
    for manifest in side:
        rebuilt.check_side_tiles(manifest)
    return RestoredLog(
        origins.pop(),
        chain[-1].tree_size,
        rebuilt.roots[chain[-1].tree_size],
        list(_merged_rounds(source, checks)),
        rebuilt.n_tiles,
    )


def _read_chain(source: BlockSource, head: Cid) -> tuple[list[RoundManifest], list[RoundManifest]]:
    """Return the chain of manifests, oldest first, and those beside it, oldest first."""
    chain: list[RoundManifest] = []
    side: list[RoundManifest] = []
    next_cid: Cid | None = head
    while next_cid is not None:
        manifest = parse_manifest(source.get_block(next_cid))
        if manifest.within is not None:
            # A round that was published late: its entries are in the history that it names.
            side.append(manifest)
            next_cid = manifest.within
            continue
        if chain and manifest.tree_size >= chain[-1].tree_size:
            raise ConsistencyError(
                f"round {chain[-1].tree_size} names round {manifest.tree_size} as the one before",
                code="verify.ipfs.order",
            )
        chain.append(manifest)
        side.extend(parse_manifest(source.get_block(cid)) for cid in reversed(manifest.also))
        next_cid = manifest.previous
        if len(chain) + len(side) > _MAX_ROUNDS:
            raise FormatError("more published rounds than any log has", code="format.ipfs")
    return chain[::-1], side[::-1]


def _checkpoint(manifest: RoundManifest, log_key: NoteKey | None) -> Checkpoint:
    note = parse_note(manifest.checkpoint)
    if log_key is not None:
        verify_note(note, log_key)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.tree_size != manifest.tree_size:
        raise ConsistencyError(
            f"the manifest of round {manifest.tree_size} holds the checkpoint of "
            f"{checkpoint.tree_size}",
            code="verify.ipfs.checkpoint",
        )
    return checkpoint


@dataclass
class _Rebuilt:
    """The tree, grown round by round."""

    source: BlockSource
    on_entries: OnEntries
    wanted: set[int] = field(default_factory=set)
    roots: dict[int, bytes] = field(default_factory=dict)
    n_tiles: int = 0

    def __post_init__(self) -> None:
        self._range = CompactRange()
        # The leaf hashes that no full bundle holds yet, and above them all complete hashes of each
        # tile level from 1 on.
        self._tail: list[bytes] = []
        self._levels: list[list[bytes]] = []
        self._read_lists: set[Cid] = set()

    def extend(self, manifest: RoundManifest) -> None:
        """Read the entries that a manifest adds, then check its hash tiles."""
        hash_tiles: list[tuple[TilePath, Cid]] = []
        for path, cid in self._tiles(manifest):
            if path.level is not None:
                hash_tiles.append((path, cid))
                continue
            if hash_tiles:
                raise _wrong(path, "comes after hash tiles")
            self._add_bundle(path, cid, manifest.tree_size)
        if self._range.size != manifest.tree_size:
            raise ConsistencyError(
                f"the blocks of round {manifest.tree_size} lead to {self._range.size} entries",
                code="verify.ipfs.entries",
            )
        for path, cid in hash_tiles:
            self._check_tile(path, cid)

    def _tiles(self, manifest: RoundManifest) -> Iterator[tuple[TilePath, Cid]]:
        for cid in manifest.tile_lists:
            if cid in self._read_lists:
                continue
            self._read_lists.add(cid)
            for item in parse_tile_list(self.source.get_block(cid)):
                self.n_tiles += 1
                yield item

    def _add_bundle(self, path: TilePath, cid: Cid, tree_size: int) -> None:
        size = self._range.size
        first = path.index * limits.TILE_WIDTH
        entries = parse_entry_bundle(self.source.get_block(cid), count=path.width)
        hashes = [leaf_hash(entry) for entry in entries]
        known = size - first
        if not 0 <= known < len(hashes) or first + path.width > tree_size:
            raise _wrong(path, f"does not follow on {size} entries")
        if any(len(entry) != limits.DIGEST_BYTES for entry in entries):
            raise _wrong(path, "holds an entry that is no digest")
        if hashes[:known] != self._tail:
            raise ConsistencyError(
                f"{path.text} differs from an earlier round's", code="verify.ipfs.rewritten"
            )
        for hashed in hashes[known:]:
            self._range.append(hashed)
            if self._range.size in self.wanted:
                self.roots[self._range.size] = self._range.root_hash()
        self._tail = hashes
        if path.width == limits.TILE_WIDTH:
            self._tail = []
            self._complete(0, path.index, root_hash(hashes), hashes)
        self.on_entries(size, entries[known:])

    def _complete(self, level: int, index: int, root: bytes, hashes: list[bytes]) -> None:
        """Note the hash of a full tile one level up; ``hashes`` are its own."""
        if len(self._levels) <= level:
            self._levels.append([])
        above = self._levels[level]
        if len(above) != index or len(hashes) != limits.TILE_WIDTH:
            raise ConsistencyError("tiles are not in order", code="verify.ipfs.order")
        above.append(root)
        if len(above) % limits.TILE_WIDTH == 0:
            full = above[-limits.TILE_WIDTH :]
            self._complete(level + 1, index // limits.TILE_WIDTH, root_hash(full), full)

    def _check_tile(self, path: TilePath, cid: Cid) -> None:
        """Check a hash tile against what the entries give."""
        level, first = path.level or 0, path.index * limits.TILE_WIDTH
        hashes = parse_tile(self.source.get_block(cid), width=path.width)
        if level:
            above = self._levels[level - 1] if level <= len(self._levels) else []
            computed = above[first : first + path.width]
        elif first + path.width > self._range.size - len(self._tail):
            computed = self._tail[: path.width]
        else:
            # The leaf hashes of a full bundle are gone; its root is not.
            computed = hashes if self._levels[0][path.index] == root_hash(hashes) else []
        if computed != hashes:
            raise _wrong(path, "is not what the entries give")

    def check_side_tiles(self, manifest: RoundManifest) -> None:
        """Check that the tiles that only this manifest lists are there and well-formed."""
        for path, cid in self._tiles(manifest):
            block = self.source.get_block(cid)
            if path.level is None:
                parse_entry_bundle(block, count=path.width)
            else:
                parse_tile(block, width=path.width)

    def require_root(self, checkpoint: Checkpoint) -> None:
        """Require that the entries lead to the checkpoint's root hash."""
        computed = self.roots.get(checkpoint.tree_size)
        if computed != checkpoint.root_hash:
            found = computed.hex() if computed else "no such tree"
            raise ConsistencyError(
                f"the entries give {found} at size {checkpoint.tree_size}, the checkpoint says "
                f"{checkpoint.root_hash.hex()}",
                code="verify.ipfs.root",
            )


def _merged_rounds(source: BlockSource, manifests: list[RoundManifest]) -> Iterator[RestoredRound]:
    """Yield each round once, with the attestations of every manifest of it, the later ones last."""
    merged: dict[int, RestoredRound] = {}
    for manifest in manifests:
        known = merged.setdefault(
            manifest.tree_size, RestoredRound(manifest.tree_size, manifest.checkpoint, {})
        )
        for name, parts in manifest.attestations.items():
            data = b"".join(source.get_block(cid) for cid in parts)
            value = parse_json(data, max_bytes=limits.MAX_PROOF_BYTES, what="attestations")
            rows = value.get("attestations") if isinstance(value, dict) else None
            if not isinstance(rows, list) or value.get("backend") != name:
                raise FormatError(f"no attestation file of {name!r}", code="format.ipfs")
            known.attestations[name] = rows
    yield from (merged[size] for size in sorted(merged))


def _wrong(path: TilePath, why: str) -> InclusionError:
    return InclusionError(f"{path.text} {why}", code="verify.ipfs.tile")
