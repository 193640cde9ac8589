"""Hashes out of tiles: the same proofs as from the whole tree, with few requests."""

from __future__ import annotations

import pytest

from anchor.client.tile_hashes import TileHashes
from anchor.errors import NotFoundError
from anchor.formats.merkle import consistency_path, inclusion_path, verify_consistency
from anchor.formats.tiles import parse_tile, tile_path
from tests.evidence import Log, digest_of
from tests.fakes.vestige_service import FakeVestige


@pytest.fixture(scope="module")
def log():
    log = Log()
    log.add(*(digest_of(str(n)) for n in range(70_000)))
    return log


class Tiles:
    def __init__(self, log: Log) -> None:
        self.fake = FakeVestige(log)
        self.asked: list[tuple[int, int, int]] = []
        self.missing: set[tuple[int, int, int]] = set()

    def fetch(self, level: int, index: int, width: int) -> list[bytes]:
        self.asked.append((level, index, width))
        if (level, index, width) in self.missing:
            raise NotFoundError("gone")
        _, _, body = self.fake.handle("GET", f"/{tile_path(level, index, width)}", {}, b"")
        return parse_tile(body, width=width)


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 300), (299, 300), (700, 66_000)])
def test_paths_are_those_of_the_tree(log, index, size):
    tiles = Tiles(log)
    hashes = TileHashes(tiles.fetch, size)
    whole = inclusion_path(index, size, log._subtree)
    assert inclusion_path(index, size, hashes.read_hash) == whole
    assert len(tiles.asked) == len(set(tiles.asked)) <= 6


def test_consistency_of_two_sizes_is_shown_with_few_tiles(log):
    tiles = Tiles(log)
    hashes = TileHashes(tiles.fetch, 69_999)
    path = consistency_path(65_537, 69_999, hashes.read_hash)
    verify_consistency(65_537, 69_999, log.root(65_537), log.root(69_999), path)
    assert len(tiles.asked) <= 6


def test_partial_tile_that_was_dropped_is_read_from_the_full_one(log):
    tiles = Tiles(log)
    tiles.missing = {(0, 1, 44)}
    hashes = TileHashes(tiles.fetch, 300)
    assert inclusion_path(5, 300, hashes.read_hash) == inclusion_path(5, 300, log._subtree)
    assert (0, 1, 256) in tiles.asked


def test_full_tile_that_is_missing_is_missing(log):
    tiles = Tiles(log)
    tiles.missing = {(0, 0, 256)}
    with pytest.raises(NotFoundError):
        TileHashes(tiles.fetch, 300).read_hash(0, 3)
