"""Name, read and write the tiles and entry bundles of a log.

Source: C2SP tlog-tiles (c2sp.org/tlog-tiles).

A tile of level L and index N is up to 256 hashes, each over a complete subtree of ``256**L``
leaves, the first at leaf ``N * 256**(L + 1)``. An entry bundle is the entries under a tile of
level 0, each after its length in two bytes. What is not full carries its width in its path.

Rules of this module:

* Paths have no leading slash and one spelling (``tile/0/x001/234``, ``tile/entries/000.p/17``).
* A tile or bundle is read only together with the width that its path named; nothing may follow.

It deliberately reads no file: stores and clients bring the bytes. Hashes in tiles are believed only
as far as a checkpoint's root can be computed from them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anchor import limits
from anchor.errors import (
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    TrailingDataError,
    TruncatedError,
    quote_peer,
)
from anchor.formats.merkle import HASH_BYTES

TILE_HEIGHT: Final = 8
MAX_TILE_LEVEL: Final = 63
MAX_ENTRY_BYTES: Final = 2**16 - 1

_LENGTH_BYTES: Final = 2
_MAX_INDEX: Final = limits.MAX_TREE_SIZE // limits.TILE_WIDTH
_MAX_PATH_CHARACTERS: Final = 64
_PATH: Final = re.compile(
    r"tile/(?P<level>entries|[0-9]{1,2})/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})"
    r"(?:\.p/(?P<width>[0-9]{1,3}))?",
    re.ASCII,
)


# -- paths -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TilePath:
    """Which tile or entry bundle is meant.

    Attributes:
        level: 0 to 63, or None for an entry bundle.
        index: zero-based within the level.
        width: hashes or entries, 1 to 256; 256 is full.
    """

    level: int | None
    index: int
    width: int = limits.TILE_WIDTH

    @property
    def text(self) -> str:
        """The path without a leading slash."""
        if self.level is None:
            return entries_path(self.index, self.width)
        return tile_path(self.level, self.index, self.width)


def tile_path(level: int, index: int, width: int = limits.TILE_WIDTH) -> str:
    """Return the path of a tile; LimitExceededError if there can be no such tile."""
    if not 0 <= level <= MAX_TILE_LEVEL:
        raise LimitExceededError(f"tile level {level}, wanted 0 to {MAX_TILE_LEVEL}")
    return f"tile/{level}/{_index_path(index, width)}"


def entries_path(index: int, width: int = limits.TILE_WIDTH) -> str:
    """Return the path of an entry bundle; LimitExceededError if there can be no such bundle."""
    return f"tile/entries/{_index_path(index, width)}"


def _index_path(index: int, width: int) -> str:
    if not 0 <= index <= _MAX_INDEX:
        raise LimitExceededError(f"tile index {index}, wanted 0 to {_MAX_INDEX}")
    if not 1 <= width <= limits.TILE_WIDTH:
        raise LimitExceededError(f"tile width {width}, wanted 1 to {limits.TILE_WIDTH}")
    digits = f"{index:03d}"
    digits = digits.rjust(-(-len(digits) // 3) * 3, "0")
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    path = "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]
    return path if width == limits.TILE_WIDTH else f"{path}.p/{width}"


def parse_tile_path(path: str) -> TilePath:
    """Read the path of a tile or entry bundle, without a leading slash.

    Raises:
        LimitExceededError: a level, index or width that no log can have.
        NonCanonicalError: leading zeros or groups of zeros, or the width 256 written out.
        FormatError: no such path at all.
    """
    match = _PATH.fullmatch(path) if len(path) <= _MAX_PATH_CHARACTERS else None
    if match is None:
        raise FormatError(f"{quote_peer(path)!r} is no tile path", code="format.tile_path")
    parsed = TilePath(
        None if match["level"] == "entries" else int(match["level"]),
        int(re.sub("[x/]", "", match["index"])),
        int(match["width"] or limits.TILE_WIDTH),
    )
    if parsed.text != path:
        raise NonCanonicalError(f"tile path {path!r}, wanted {parsed.text!r}")
    return parsed


# -- geometry --------------------------------------------------------------------------------------


def tile_width(level: int, index: int, tree_size: int) -> int:
    """Return how many hashes that tile holds in a tree of that size, 0 to 256."""
    held = (tree_size >> TILE_HEIGHT * level) - index * limits.TILE_WIDTH
    return min(max(held, 0), limits.TILE_WIDTH)


@dataclass(frozen=True, slots=True)
class TileSpan:
    """The hashes in one tile whose root is one node of the tree: ``count`` of them from ``first``.

    ``level`` and ``index`` name the tile; ``count`` is a power of two up to 128.
    """

    level: int
    index: int
    first: int
    count: int


def tile_span(level: int, index: int) -> TileSpan:
    """Return where ``merkle``'s ``read_hash(level, index)`` finds its hashes.

    The node is ``merkle.root_hash`` of the span; a count of 1 is the node itself.
    """
    tile_level, within = divmod(level, TILE_HEIGHT)
    tile_index, position = divmod(index << within, limits.TILE_WIDTH)
    return TileSpan(tile_level, tile_index, position, 1 << within)


# -- contents --------------------------------------------------------------------------------------


def _require_width(width: int) -> None:
    if not 1 <= width <= limits.TILE_WIDTH:
        raise LimitExceededError(f"width {width}, wanted 1 to {limits.TILE_WIDTH}")


def parse_tile(data: bytes, *, width: int) -> list[bytes]:
    """Read a tile of exactly ``width`` hashes of 32 bytes.

    Raises:
        TruncatedError, TrailingDataError: the bytes are fewer or more than that.
        LimitExceededError: the width is not 1 to 256.
    """
    _require_width(width)
    wanted = width * HASH_BYTES
    if len(data) != wanted:
        error = TruncatedError if len(data) < wanted else TrailingDataError
        raise error(f"tile of {len(data)} bytes, wanted {wanted} for width {width}")
    return [data[start : start + HASH_BYTES] for start in range(0, wanted, HASH_BYTES)]


def serialize_entry_bundle(entries: Sequence[bytes]) -> bytes:
    """Write 1 to 256 entries of at most 65,535 bytes each, each after its length (big-endian).

    Raises:
        LimitExceededError: too many entries, none, or one too long.
    """
    _require_width(len(entries))
    if (longest := max(map(len, entries))) > MAX_ENTRY_BYTES:
        raise LimitExceededError(f"entry of {longest} bytes, wanted at most {MAX_ENTRY_BYTES}")
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def parse_entry_bundle(data: bytes, *, count: int) -> list[bytes]:
    """Read an entry bundle of exactly ``count`` entries.

    Raises:
        TruncatedError, TrailingDataError: the bytes end too early or too late.
        LimitExceededError: the count is not 1 to 256.
    """
    _require_width(count)
    entries = []
    position = 0
    for number in range(count):
        start = position + _LENGTH_BYTES
        end = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or end > len(data):
            raise TruncatedError(f"entry bundle ends inside entry {number} of {count}")
        entries.append(data[start:end])
        position = end
    if position != len(data):
        raise TrailingDataError(
            f"{len(data) - position} bytes after the {count} entries of the bundle"
        )
    return entries
