"""A real log of another project: its checkpoints verify, its tiles rebuild every root."""

from __future__ import annotations

import itertools

import pytest

from anchor.errors import ConsistencyError, FormatError, InclusionError, SignatureError
from anchor.formats.checkpoint import log_signed_only, parse_checkpoint
from anchor.formats.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_path,
    inclusion_path,
    leaf_hash,
    leaf_hashes,
    root_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from anchor.formats.note import parse_note, parse_note_key, verify_note
from anchor.formats.tiles import (
    entries_path,
    parse_entry_bundle,
    parse_tile,
    parse_tile_path,
    serialize_entry_bundle,
    tile_path,
    tile_span,
    tile_width,
)

pytestmark = pytest.mark.vectors

KEY = parse_note_key(
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
)
SIZES = range(16)


@pytest.fixture
def log(vectors):
    return vectors / "tlog-tiles"


@pytest.fixture
def checkpoints(log):
    """Return the verified checkpoint of each size."""
    found = {}
    for size in SIZES:
        note = parse_note((log / f"checkpoint.{size}").read_bytes())
        verify_note(note, KEY)
        found[size] = parse_checkpoint(note.text)
    return found


@pytest.fixture
def read_hash(log):
    """Read nodes out of the widest tile, as a client would."""
    tile = parse_tile((log / tile_path(0, 0, 15)).read_bytes(), width=15)

    def read(level, index):
        span = tile_span(level, index)
        assert (span.level, span.index) == (0, 0)
        return root_hash(tile[span.first : span.first + span.count])

    return read


def test_every_checkpoint_is_what_its_name_says(checkpoints, log):
    for size, checkpoint in checkpoints.items():
        assert checkpoint.origin == KEY.name
        assert checkpoint.tree_size == size
        data = (log / f"checkpoint.{size}").read_bytes()
        assert parse_note(data).serialize().encode() == data
        assert log_signed_only(parse_note(data), KEY).serialize().encode() == data
    newest = parse_note((log / "checkpoint").read_bytes())
    verify_note(newest, KEY)
    assert parse_checkpoint(newest.text) == checkpoints[15]


def test_no_flipped_bit_of_a_checkpoint_passes(log):
    data = (log / "checkpoint.15").read_bytes()
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((FormatError, SignatureError)):
            verify_note(parse_note(bytes(changed)), KEY)


def test_tiles_and_entry_bundles_rebuild_each_root(checkpoints, log):
    assert checkpoints[0].root_hash == EMPTY_ROOT
    for size in SIZES[1:]:
        width = tile_width(0, 0, size)
        tile = parse_tile((log / tile_path(0, 0, width)).read_bytes(), width=width)
        data = (log / entries_path(0, width)).read_bytes()
        entries = parse_entry_bundle(data, count=width)
        assert serialize_entry_bundle(entries) == data
        assert leaf_hashes(entries) == tile
        edge = CompactRange()
        edge.append_many(tile)
        assert root_hash(tile) == edge.root_hash() == checkpoints[size].root_hash


def test_every_file_has_a_path_that_we_write(log):
    paths = [str(path.relative_to(log)) for path in (log / "tile").rglob("*") if path.is_file()]
    assert len(paths) == 30
    for path in paths:
        assert parse_tile_path(path).text == path


def test_all_sizes_are_consistent_with_each_other(checkpoints, read_hash):
    for old, new in itertools.combinations_with_replacement(SIZES[1:], 2):
        roots = checkpoints[old].root_hash, checkpoints[new].root_hash
        hashes = consistency_path(old, new, read_hash)
        verify_consistency(old, new, *roots, hashes)
        if old != new:
            with pytest.raises(ConsistencyError):
                verify_consistency(old, new, *roots, hashes[:-1])
            with pytest.raises(ConsistencyError):
                verify_consistency(old, new, roots[1], roots[0], hashes)
        for other in set(SIZES[1:]) - {new}:
            with pytest.raises(ConsistencyError):
                verify_consistency(old, new, roots[0], checkpoints[other].root_hash, hashes)


def test_the_empty_checkpoint_has_no_consistency_proof(checkpoints):
    with pytest.raises(ConsistencyError):
        verify_consistency(0, 15, checkpoints[0].root_hash, checkpoints[15].root_hash, [])


def test_every_entry_is_in_every_later_tree(checkpoints, log, read_hash):
    entries = parse_entry_bundle((log / entries_path(0, 15)).read_bytes(), count=15)
    assert entries[:3] == [b"one", b"two", b"three"]
    for size in SIZES[1:]:
        assert tree_root(size, read_hash) == checkpoints[size].root_hash
        for index in range(size):
            hashes = inclusion_path(index, size, read_hash)
            leaf = leaf_hash(entries[index])
            verify_inclusion(leaf, index, size, hashes, checkpoints[size].root_hash)
            wrong = leaf_hash(entries[index] + b" ")
            with pytest.raises(InclusionError):
                verify_inclusion(wrong, index, size, hashes, checkpoints[size].root_hash)
