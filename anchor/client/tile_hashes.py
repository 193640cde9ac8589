"""The hashes of a log's tree, read from its tiles.

This is the ``read_hash`` that the functions of :mod:`anchor.formats.merkle` take, so that inclusion
and consistency proofs are made on the reader's machine, from what the log serves to everybody.
Nothing is verified: a false tile gives a proof that does not lead to the checkpoint's root hash.
"""

from __future__ import annotations

from collections.abc import Callable

from anchor.errors import NotFoundError
from anchor.formats.merkle import root_hash
from anchor.formats.tiles import tile_span, tile_width
from anchor.limits import TILE_WIDTH

FetchTile = Callable[[int, int, int], list[bytes]]
"""Takes level, index and width; NotFoundError if the log has no such tile."""


class TileHashes:
    """Reads tiles of the tree of one size, each at most once.

    Args:
        fetch_tile: where tiles come from.
        tree_size: no tile past that size is asked for.
    """

    def __init__(self, fetch_tile: FetchTile, tree_size: int) -> None:
        self._fetch_tile = fetch_tile
        self._tree_size = tree_size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    def read_hash(self, level: int, index: int) -> bytes:
        """Return the hash of the complete subtree of ``2**level`` leaves at ``index``."""
        key = (level, index)
        if key not in self._nodes:
            span = tile_span(level, index)
            tile = self._tile(span.level, span.index)
            self._nodes[key] = root_hash(tile[span.first : span.first + span.count])
        return self._nodes[key]

    def _tile(self, level: int, index: int) -> list[bytes]:
        key = (level, index)
        if key not in self._tiles:
            width = tile_width(level, index, self._tree_size)
            try:
                self._tiles[key] = self._fetch_tile(level, index, width)
            except NotFoundError:
                # A log may drop a partial tile once the full one is there (C2SP tlog-tiles).
                if width == TILE_WIDTH:
                    raise
                self._tiles[key] = self._fetch_tile(level, index, TILE_WIDTH)[:width]
        return self._tiles[key]
