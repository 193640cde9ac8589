"""Tile paths, widths and contents as C2SP tlog-tiles writes them."""

from __future__ import annotations

import pytest

from anchor.errors import (
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    TrailingDataError,
    TruncatedError,
)
from anchor.formats.merkle import CompactRange, leaf_hashes, root_hash
from anchor.formats.tiles import (
    TilePath,
    TileSpan,
    entries_path,
    parse_entry_bundle,
    parse_tile,
    parse_tile_path,
    serialize_entry_bundle,
    tile_path,
    tile_span,
    tile_width,
)

# -- paths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "parsed"),
    [
        ("tile/0/000", TilePath(0, 0)),
        ("tile/0/999", TilePath(0, 999)),
        ("tile/0/x001/000", TilePath(0, 1000)),
        ("tile/0/x001/x234/067", TilePath(0, 1234067)),
        ("tile/2/000.p/1", TilePath(2, 0, 1)),
        ("tile/63/005.p/255", TilePath(63, 5, 255)),
        ("tile/entries/000", TilePath(None, 0)),
        ("tile/entries/x012/345.p/17", TilePath(None, 12345, 17)),
        ("tile/0/x035/x184/x372/x088/831", TilePath(0, (2**53 - 1) // 256)),
    ],
)
def test_paths_both_ways(path, parsed):
    assert parse_tile_path(path) == parsed
    assert parsed.text == path
    write = entries_path if parsed.level is None else lambda *a: tile_path(parsed.level, *a)
    assert write(parsed.index, parsed.width) == path


@pytest.mark.parametrize(
    "path",
    [
        "tile/00/000",
        "tile/07/000",
        "tile/0/x000/001",
        "tile/0/x000/x000/000",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/007",
        "tile/entries/x000/001",
    ],
)
def test_a_second_spelling_is_not_canonical(path):
    with pytest.raises(NonCanonicalError, match="wanted"):
        parse_tile_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "tile/64/000",
        "tile/99/000",
        "tile/0/000.p/0",
        "tile/0/000.p/257",
        "tile/0/000.p/999",
        "tile/0/x035/x184/x372/x088/832",
        "tile/0/x999/x999/x999/x999/x999/999",
    ],
)
def test_what_no_log_can_have_is_over_the_limit(path):
    with pytest.raises(LimitExceededError):
        parse_tile_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/000.p/",
        "tile/0/000.p/1/",
        "tile/0/000.p",
        "tile/-1/000",
        "tile/100/000",
        "tile/0/-01",
        "tile/entries/../0/000",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/data/000",
        "TILE/0/000",
        "tile/0/000.p/1\x00",
        "tile/0/" + "x001/" * 1000 + "000",
    ],
)
def test_what_is_no_tile_path_is_refused(path):
    with pytest.raises(FormatError, match="is no tile path"):
        parse_tile_path(path)


@pytest.mark.parametrize(
    "arguments", [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**45, 1), (0, 0, 0), (0, 0, 257)]
)
def test_a_path_that_cannot_be_is_not_written(arguments):
    with pytest.raises(LimitExceededError):
        tile_path(*arguments)


# -- geometry --------------------------------------------------------------------------------------


def test_the_example_of_70000_leaves():
    """C2SP tlog-tiles: 273 full tiles and one of 112; one full and one of 17; one of 1."""
    widths = {
        level: [tile_width(level, index, 70_000) for index in range(275)] for level in range(4)
    }
    assert widths[0] == [256] * 273 + [112, 0]
    assert widths[1] == [256, 17] + [0] * 273
    assert widths[2] == [1] + [0] * 274
    assert widths[3] == [0] * 275


def test_256_leaves_fill_a_tile_and_begin_the_next_level():
    assert tile_width(0, 0, 256) == 256
    assert tile_width(0, 1, 256) == 0
    assert tile_width(1, 0, 256) == 1
    assert tile_width(1, 0, 255) == 0
    assert tile_width(0, 0, 0) == 0


def test_a_span_names_the_hashes_under_a_node():
    assert tile_span(0, 300) == TileSpan(0, 1, 44, 1)
    assert tile_span(7, 3) == TileSpan(0, 1, 128, 128)
    assert tile_span(8, 300) == TileSpan(1, 1, 44, 1)
    assert tile_span(17, 5) == TileSpan(2, 0, 10, 2)


def test_spans_lead_to_the_nodes_of_the_tree():
    leaves = leaf_hashes(number.to_bytes(2, "big") for number in range(1000))
    completed = CompactRange().append_many(leaves)
    for level, nodes in enumerate(completed):
        for index, node in enumerate(nodes):
            span = tile_span(level, index)
            stored = completed[8 * span.level]
            tile = stored[256 * span.index : 256 * (span.index + 1)]
            part = tile[span.first : span.first + span.count]
            assert len(part) == span.count
            assert root_hash(part) == node


# -- contents --------------------------------------------------------------------------------------


def test_tiles():
    hashes = [bytes([number]) * 32 for number in range(256)]
    for width in (1, 2, 255, 256):
        assert parse_tile(b"".join(hashes[:width]), width=width) == hashes[:width]


@pytest.mark.parametrize(
    ("n_bytes", "error"),
    [
        (0, TruncatedError),
        (63, TruncatedError),
        (32, TruncatedError),
        (65, TrailingDataError),
        (96, TrailingDataError),
    ],
)
def test_a_tile_of_another_length_is_refused(n_bytes, error):
    with pytest.raises(error, match="wanted 64 for width 2"):
        parse_tile(bytes(n_bytes), width=2)


@pytest.mark.parametrize("width", [-1, 0, 257])
def test_widths_are_1_to_256(width):
    with pytest.raises(LimitExceededError):
        parse_tile(bytes(32 * max(width, 0)), width=width)
    with pytest.raises(LimitExceededError):
        parse_entry_bundle(bytes(2 * max(width, 0)), count=width)


def test_entry_bundles():
    entries = [b"", b"x", bytes(32), bytes(65_535)]
    data = serialize_entry_bundle(entries)
    assert data[:5] == b"\x00\x00\x00\x01x"
    assert data[5:7] == b"\x00\x20"
    assert parse_entry_bundle(data, count=4) == entries
    assert parse_entry_bundle(b"\x00\x01x\x00\x00", count=2) == [b"x", b""]
    full = [bytes([number]) * 32 for number in range(256)]
    assert parse_entry_bundle(serialize_entry_bundle(full), count=256) == full
    assert len(serialize_entry_bundle(full)) == 256 * 34


def test_bundles_that_cannot_be_are_not_written():
    for entries in ([], [b""] * 257, [bytes(65_536)]):
        with pytest.raises(LimitExceededError):
            serialize_entry_bundle(entries)


def test_a_bundle_cut_anywhere_is_truncated():
    data = serialize_entry_bundle([b"abc", b"", b"de"])
    for length in range(len(data)):
        with pytest.raises(TruncatedError):
            parse_entry_bundle(data[:length], count=3)


def test_a_bundle_of_another_count_is_refused():
    data = serialize_entry_bundle([b"abc", b"", b"de"])
    for count in (1, 2):
        with pytest.raises(TrailingDataError):
            parse_entry_bundle(data, count=count)
    with pytest.raises(TruncatedError):
        parse_entry_bundle(data, count=4)
    with pytest.raises(TrailingDataError):
        parse_entry_bundle(data + b"\x00", count=3)
