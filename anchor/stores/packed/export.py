"""Write a log as the static files of C2SP tlog-tiles, for mirrors and plain web servers."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Final

from anchor import limits
from anchor.formats.tiles import entries_path, tile_path
from anchor.stores.packed.disk import translated_errors
from anchor.stores.packed.packed_reader import PackedReader

_CHECKPOINT: Final = "checkpoint"


def export_tiles(log: PackedReader, folder: Path) -> int:
    """Write every tile, entry bundle and, last, the checkpoint; return the number of files written.

    Called again it adds what is new: full tiles that are there are left alone, and partial ones
    that have become full are removed. A server may serve the folder meanwhile: each file appears
    whole, and the checkpoint never names a tile that is not there.

    Raises:
        StoreUnavailableError: the log cannot be read or the folder cannot be written.
    """
    tree = log.committed
    if tree is None:
        return 0
    written = 0
    level = 0
    while (width := tree.tree_size >> 8 * level) > 0:
        for index in range(-(-width // limits.TILE_WIDTH)):
            written += _export_tile(log, folder, level, index, width)
        level += 1
    _write(folder / _CHECKPOINT, tree.checkpoint.encode())
    return written + 1


def _export_tile(log: PackedReader, folder: Path, level: int, index: int, n_hashes: int) -> int:
    width = min(limits.TILE_WIDTH, n_hashes - index * limits.TILE_WIDTH)
    written = 0
    path = folder / tile_path(level, index, width)
    if not path.exists():
        _write(path, log.read_tile(level, index, width))
        _drop_partial(path, width)
        written += 1
    path = folder / entries_path(index, width)
    if level == 0 and not path.exists():
        _write(path, log.read_entries(index, width))
        _drop_partial(path, width)
        written += 1
    return written


def _drop_partial(path: Path, width: int) -> None:
    if width == limits.TILE_WIDTH:
        shutil.rmtree(path.with_name(f"{path.name}.p"), ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    with translated_errors(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            draft.write_bytes(data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
