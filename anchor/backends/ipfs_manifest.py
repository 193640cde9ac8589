"""The blocks that describe one published round, in dag-json.

Source: IPLD DAG-JSON (keys in order of their bytes, no white space, a link is ``{"/": cid}``).

* A *manifest* names one round: its checkpoint, lists of the tiles that it adds, the attestations of
  each backend that is final, and the manifest of the round before. That last name is text and no
  link, so that pinning a round does not walk over the whole history.
* A *tile list* holds up to 1,500 tiles by their paths (C2SP tlog-tiles).
* An attestation file is JSON, cut into raw blocks.

A manifest is believed only as far as its entries lead to the root hash of its checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from anchor.backends.ipfs_node import MAX_BLOCK_BYTES
from anchor.errors import FormatError, UnsupportedVersionError
from anchor.formats.cid import Cid, parse_cid
from anchor.formats.encoding import parse_json
from anchor.formats.tiles import TILE_HEIGHT, TilePath, parse_tile_path
from anchor.limits import MAX_NOTE_BYTES, MAX_TREE_SIZE, TILE_WIDTH

MANIFEST_VERSION: Final = 1
TILES_IN_LIST: Final = 1500
_MAX_LISTS: Final = 2800
_MAX_BACKENDS: Final = 64
_MAX_PARTS: Final = 64
_MAX_ALSO: Final = 256


@dataclass(frozen=True, slots=True)
class RoundManifest:
    """What one published round consists of.

    Attributes:
        tree_size: of the round.
        checkpoint: the log's signed note.
        tile_lists: tile lists, in the order of :func:`added_tiles`.
        attestations: for each backend, the raw blocks of its attestation file in order.
        previous: the manifest of the round published before, None for the first one.
        also: manifests published since the previous one for rounds before it: with attestations
            that came later.
        within: for a round that is published after a greater one: a manifest whose history holds
            the entries; such a manifest has no ``previous`` and lists only partial tiles.
    """

    tree_size: int
    checkpoint: str
    tile_lists: tuple[Cid, ...]
    attestations: dict[str, tuple[Cid, ...]]
    previous: Cid | None = None
    also: tuple[Cid, ...] = ()
    within: Cid | None = None

    def serialize(self) -> bytes:
        """Write the block."""
        return _dag_json(
            {
                "version": MANIFEST_VERSION,
                "tree_size": self.tree_size,
                "checkpoint": self.checkpoint,
                "tiles": [_link(cid) for cid in self.tile_lists],
                "attestations": {
                    name: [_link(cid) for cid in parts] for name, parts in self.attestations.items()
                },
                "previous": self.previous.text if self.previous else None,
                "also": [cid.text for cid in self.also],
                "within": self.within.text if self.within else None,
            }
        )


def parse_manifest(block: bytes) -> RoundManifest:
    """Read a manifest block.

    Raises:
        FormatError: it is none.
    """
    value = _object(
        block,
        "manifest",
        {
            "version",
            "tree_size",
            "checkpoint",
            "tiles",
            "attestations",
            "previous",
            "also",
            "within",
        },
    )
    if value["version"] != MANIFEST_VERSION:
        raise UnsupportedVersionError(f"manifest version {value['version']!r}, wanted 1")
    tree_size, checkpoint = value["tree_size"], value["checkpoint"]
    if type(tree_size) is not int or not 0 < tree_size <= MAX_TREE_SIZE:
        raise FormatError(f"manifest of tree size {tree_size!r}")
    if not isinstance(checkpoint, str) or len(checkpoint) > MAX_NOTE_BYTES:
        raise FormatError("the manifest's checkpoint is no text of a note's length")
    backends = value["attestations"]
    if not isinstance(backends, dict) or len(backends) > _MAX_BACKENDS:
        raise FormatError("the manifest's attestations are no object of at most 64 backends")
    return RoundManifest(
        tree_size,
        checkpoint,
        tuple(_links(value["tiles"], _MAX_LISTS)),
        {name: tuple(_links(parts, _MAX_PARTS)) for name, parts in backends.items()},
        _cid_or_none(value["previous"]),
        tuple(_cid(item) for item in _list(value["also"], _MAX_ALSO)),
        _cid_or_none(value["within"]),
    )


def serialize_tile_list(tiles: Sequence[tuple[TilePath, Cid]]) -> bytes:
    """Write a tile list block of at most 1,500 tiles."""
    return _dag_json({"tiles": [{"path": path.text, "tile": _link(cid)} for path, cid in tiles]})


def parse_tile_list(block: bytes) -> list[tuple[TilePath, Cid]]:
    """Read a tile list block.

    Raises:
        FormatError: it is none.
    """
    value = _object(block, "tile list", {"tiles"})
    tiles = []
    for item in _list(value["tiles"], TILES_IN_LIST):
        if not isinstance(item, dict) or set(item) != {"path", "tile"}:
            raise FormatError("an item of a tile list is no path with a tile")
        if not isinstance(item["path"], str):
            raise FormatError("a tile's path is no text")
        tiles.append((parse_tile_path(item["path"]), _cid_of_link(item["tile"])))
    return tiles


def added_tiles(old_size: int, new_size: int) -> Iterator[TilePath]:
    """Yield what a log of ``new_size`` leaves has to show that one of ``old_size`` had not.

    Entry bundles first, then hash tiles from the lowest level up, each level in order: the tiles
    that became full, and the partial one where there are new hashes in it.
    """
    yield from _added_at(None, old_size, new_size)
    level = 0
    while new_size >> TILE_HEIGHT * level:
        width = TILE_HEIGHT * level
        yield from _added_at(level, old_size >> width, new_size >> width)
        level += 1


def partial_tiles(tree_size: int) -> Iterator[TilePath]:
    """Yield the entry bundle and the tiles of that size that are not full."""
    for level in (None, *range(8)):
        full, width = divmod(tree_size >> TILE_HEIGHT * (level or 0), TILE_WIDTH)
        if width:
            yield TilePath(level, full, width)


def _added_at(level: int | None, old_count: int, new_count: int) -> Iterator[TilePath]:
    if new_count == old_count:
        return
    full = new_count // TILE_WIDTH
    for index in range(old_count // TILE_WIDTH, full):
        yield TilePath(level, index)
    if new_count % TILE_WIDTH:
        yield TilePath(level, full, new_count % TILE_WIDTH)


# -- dag-json --------------------------------------------------------------------------------------


def _dag_json(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _object(block: bytes, what: str, fields: set[str]) -> dict[str, Any]:
    value = parse_json(block, max_bytes=MAX_BLOCK_BYTES, what=what)
    if not isinstance(value, dict) or set(value) != fields:
        raise FormatError(f"the block is no {what}", code="format.ipfs")
    return value


def _list(value: object, max_items: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > max_items:
        raise FormatError(f"no list of at most {max_items}", code="format.ipfs")
    return value


def _link(cid: Cid) -> dict[str, str]:
    return {"/": cid.text}


def _cid_of_link(value: object) -> Cid:
    if not isinstance(value, dict) or set(value) != {"/"}:
        raise FormatError("no link", code="format.ipfs")
    return _cid(value["/"])


def _links(value: object, max_items: int) -> Iterator[Cid]:
    for item in _list(value, max_items):
        yield _cid_of_link(item)


def _cid(value: object) -> Cid:
    if not isinstance(value, str):
        raise FormatError("a CID is no text", code="format.ipfs")
    return parse_cid(value)


def _cid_or_none(value: object) -> Cid | None:
    return None if value is None else _cid(value)
