"""Properties of the log's formats: no surprise exceptions, one spelling, signatures that bind."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, example, given
from hypothesis import strategies as st

from anchor import limits
from anchor.errors import FormatError, LimitExceededError, SignatureError
from anchor.formats.checkpoint import (
    Checkpoint,
    parse_checkpoint,
    sign_cosignature,
    verify_cosignature,
)
from anchor.formats.ed25519 import verify_ed25519
from anchor.formats.encoding import (
    base64_text,
    base64url,
    parse_base64,
    parse_base64url,
    parse_decimal,
    parse_hex,
    parse_json,
    parse_utc,
    parse_utf8,
    utc_text,
)
from anchor.formats.note import (
    COSIGNATURE_V1,
    ED25519,
    NoteKey,
    NoteSignature,
    SignedNote,
    parse_note,
    parse_note_key,
    sign_note,
    verify_note,
)
from anchor.formats.tiles import (
    TilePath,
    parse_entry_bundle,
    parse_tile,
    parse_tile_path,
    serialize_entry_bundle,
    tile_span,
    tile_width,
)
from anchor.formats.tlog_proof import TlogProof, parse_tlog_proof

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = NoteKey.of("example.org/log", ED25519, PRIVATE.public_key().public_bytes_raw())
WITNESS = NoteKey.of("witness.example/w1", COSIGNATURE_V1, LOG.public_key)

# A line of text that a note may hold; "—" and base64 signs make it look like a signature at times.
line = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("— +/=Aa"), min_size=1
)
name = line.map(lambda s: "".join(c for c in s if not c.isspace() and c != "+")).filter(bool)
hash32 = st.binary(min_size=32, max_size=32)
signatures = st.lists(
    st.builds(
        NoteSignature,
        name,
        st.binary(min_size=4, max_size=4),
        st.binary(min_size=1, max_size=100),
    ),
    min_size=1,
    max_size=20,
)
checkpoints = st.builds(
    Checkpoint,
    line,
    st.integers(0, limits.MAX_TREE_SIZE),
    hash32,
    st.lists(line, max_size=3).map(tuple),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-limits.MAX_JSON_INTEGER, limits.MAX_JSON_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('[]{}"\\')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('ab[]{}"\\', max_size=4), inner),
)


# -- nothing but FormatError -----------------------------------------------------------------------

READERS = {
    "hex": parse_hex,
    "base64": lambda t: parse_base64(t, max_bytes=64, what="x"),
    "base64url": lambda t: parse_base64url(t, max_bytes=64, what="x"),
    "utf8": lambda t: parse_utf8(t, max_bytes=64, what="x"),
    "decimal": lambda t: parse_decimal(t, maximum=99, what="x"),
    "json": lambda t: parse_json(t, max_bytes=1 << 20, what="x"),
    "utc": parse_utc,
    "note": parse_note,
    "note_key": parse_note_key,
    "checkpoint": parse_checkpoint,
    "tlog_proof": parse_tlog_proof,
    "tile_path": parse_tile_path,
}
BYTES_READERS = ["utf8", "json", "note", "tlog_proof"]
PIECES = [
    "—",
    "+",
    "=",
    "/",
    "AAAA",
    "AAAAAAA=",
    "index",
    "extra",
    "0",
    "1",
    "x",
    "c2sp.org/tlog-proof@v1",
    "tile/",
    "entries/",
    "000",
    ".p/",
    "[",
    "]",
    "{",
    "}",
    '"',
    ":",
    ",",
    "\\",
    "\\u",
    "d800",
    "Z",
    "T",
    "-",
    "2026",
    "é",
    "NaN",
    "1e9",
    "true",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
]
GRAMMAR = st.lists(
    st.sampled_from([*PIECES, "\n", "\n\n", "— ", " ", "index ", "extra ", "\ud800", "\x00"])
).map("".join)


def attempt(read, data):
    """Return the FormatError that reading gives, fit to be shown, or None."""
    try:
        read(data)
    except FormatError as error:
        assert str(error).isprintable()  # noqa: PT017
        return error
    return None


@pytest.mark.parametrize("reader", sorted(READERS))
@given(text=st.text() | GRAMMAR)
def test_text_gives_a_value_or_a_format_error(reader, text):
    outcome = attempt(READERS[reader], text)
    assert outcome is None or outcome.code.startswith("format")


@pytest.mark.parametrize("reader", BYTES_READERS)
@given(data=st.binary() | GRAMMAR.map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_bytes_give_a_value_or_a_format_error(reader, data):
    attempt(READERS[reader], data)


@given(data=st.binary(), number=st.integers(-1, 300))
def test_bundles_and_tiles_give_a_value_or_a_format_error(data, number):
    for read in (
        lambda: parse_entry_bundle(data, count=number),
        lambda: parse_tile(data, width=number),
    ):
        with contextlib.suppress(FormatError):
            assert len(read()) == number


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=70))
def test_ed25519_takes_any_bytes(key, message, signature):
    with pytest.raises(SignatureError):
        verify_ed25519(key, message, signature)


# -- one spelling ----------------------------------------------------------------------------------


@given(st.binary(max_size=64))
def test_bytes_round_trip_as_text(data):
    assert parse_hex(data.hex()) == data
    assert parse_base64(base64_text(data), max_bytes=64, what="x") == data
    assert parse_base64url(base64url(data), max_bytes=64, what="x") == data


@given(st.text("ABab01+/-_= ", max_size=12))
def test_what_is_read_as_base64_is_what_is_written(text):
    for read, write in ((parse_base64, base64_text), (parse_base64url, base64url)):
        with contextlib.suppress(FormatError):
            assert write(read(text, max_bytes=64, what="x")) == text


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_round_trip(value):
    assert parse_utc(utc_text(value)) == value


@given(
    st.text("0123456789-:.TZ", max_size=28)
    | st.from_regex(r"\A2026-1\d-2\dT1\d:0\d:0\d(\.\d{1,7})?Z\Z")
)
def test_what_is_read_as_a_time_is_what_is_written(text):
    with contextlib.suppress(FormatError):
        assert utc_text(parse_utc(text)) == text


@given(json_values, st.booleans())
def test_json_reads_what_json_writes(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text, max_bytes=1 << 20, what="x") == value
    assert parse_json(text.encode(), max_bytes=1 << 20, what="x") == value


@given(json_values, st.integers(0, 40))
@example([], 31)
@example([], 32)
def test_json_depth_is_the_nesting_of_the_value(value, levels):
    def depth(item):
        if isinstance(item, dict):
            item = list(item.values())
        return 1 + max(map(depth, item), default=0) if isinstance(item, list) else 0

    for number in range(levels):
        value = [value] if number % 2 else {'"]}': value}
    text = json.dumps(value)
    if depth(value) <= limits.MAX_JSON_DEPTH:
        assert parse_json(text, max_bytes=1 << 20, what="x") == value
    else:
        with pytest.raises(LimitExceededError):
            parse_json(text, max_bytes=1 << 20, what="x")


@given(st.lists(line, min_size=1, max_size=4), signatures)
def test_notes_round_trip(lines, signed):
    note = SignedNote("".join(f"{text}\n" for text in lines), tuple(signed))
    text = note.serialize()
    assume(len(text.encode()) <= limits.MAX_NOTE_BYTES)
    assert parse_note(text) == note
    assert parse_note(text.encode()).serialize() == text


@given(GRAMMAR.map(lambda text: f"x\n\n— {text}\n"))
def test_what_is_read_as_a_note_is_what_is_written(text):
    with contextlib.suppress(FormatError):
        assert parse_note(text).serialize() == text


@given(name, st.sampled_from([ED25519, COSIGNATURE_V1]), hash32)
def test_note_keys_round_trip(key_name, algorithm, public_key):
    key = NoteKey.of(key_name, algorithm, public_key)
    assert parse_note_key(key.text) == key


@given(checkpoints)
def test_checkpoints_round_trip(checkpoint):
    assert parse_checkpoint(checkpoint.text) == checkpoint
    assert parse_checkpoint(checkpoint.text).text == checkpoint.text


@given(
    st.builds(
        TlogProof,
        st.integers(0, limits.MAX_TREE_SIZE - 1),
        st.lists(hash32, max_size=63).map(tuple),
        st.builds(lambda c, s: SignedNote(c.text, tuple(s)).serialize(), checkpoints, signatures),
        st.none() | st.binary(max_size=100),
    )
)
def test_receipts_round_trip(proof):
    assert parse_tlog_proof(proof.serialize()) == proof
    assert parse_tlog_proof(proof.serialize().encode()).serialize() == proof.serialize()


@given(
    st.none() | st.integers(0, 63), st.integers(0, limits.MAX_TREE_SIZE // 256), st.integers(1, 256)
)
def test_tile_paths_round_trip(level, index, width):
    path = TilePath(level, index, width)
    assert parse_tile_path(path.text) == path


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_entry_bundles_round_trip(entries):
    assert parse_entry_bundle(serialize_entry_bundle(entries), count=len(entries)) == entries


@given(st.integers(0, limits.MAX_TREE_SIZE), st.integers(0, 7))
def test_tile_widths_add_up_to_the_level(tree_size, level):
    hashes = tree_size >> 8 * level
    last = hashes // 256
    assert 256 * last + tile_width(level, last, tree_size) == hashes
    if last:
        assert tile_width(level, last - 1, tree_size) == 256


@given(st.integers(0, 52), st.integers(0, 2**40))
def test_a_span_covers_exactly_its_node(level, index):
    span = tile_span(level, index)
    leaves = 256**span.level
    assert (span.index * 256 + span.first) * leaves == index << level
    assert span.count * leaves == 1 << level
    assert span.first + span.count <= 256


# -- signatures ------------------------------------------------------------------------------------


@given(st.lists(line, min_size=1, max_size=4), signatures)
def test_a_signature_survives_lines_of_others(lines, others):
    text = "".join(f"{item}\n" for item in lines)
    note = sign_note(text, LOG, PRIVATE.sign)
    others = [s for s in others if (s.name, s.key_id) != (LOG.name, LOG.key_id)]
    mixed = parse_note(note.adding(*others).serialize())
    assert verify_note(mixed, LOG) == note.signatures[0]


@given(checkpoints, st.integers(0, 2**63 - 1), st.data())
def test_a_cosignature_binds_checkpoint_and_time(checkpoint, unix_time, data):
    note = sign_note(checkpoint.text, LOG, PRIVATE.sign)
    cosignature = sign_cosignature(note, WITNESS, unix_time, PRIVATE.sign)
    assert verify_cosignature(note.adding(cosignature), WITNESS) == unix_time
    other = data.draw(checkpoints.filter(lambda c: c != checkpoint))
    with pytest.raises(SignatureError):
        verify_cosignature(SignedNote(other.text, (cosignature,)), WITNESS)
    place = data.draw(st.integers(0, 8 * 72 - 1))
    flipped = bytearray(cosignature.signature)
    flipped[place // 8] ^= 1 << place % 8
    forged = NoteSignature(WITNESS.name, WITNESS.key_id, bytes(flipped))
    with pytest.raises(SignatureError):
        verify_cosignature(SignedNote(note.text, (forged,)), WITNESS)
