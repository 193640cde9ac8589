"""The WebP and AVIF readers: where Exif, XMP and C2PA stand, sizes, and files not in order."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from tests.parts.image_files import (
    avif,
    box,
    exif,
    jumbf,
    parsed,
    riff,
    user_comment,
    webp,
    xmp,
)

INFO = "a duck\nNegative prompt: a goose\nSteps: 7, Sampler: Euler, CFG scale: 5, Seed: 11"
EXIF = exif(comment=(user_comment(INFO),))
DRAWN = xmp(
    "<xmp:CreatorTool>Draw Things</xmp:CreatorTool>"
    '<exif:UserComment>{"c": "a duck", "uc": ""}</exif:UserComment>'
)
C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_webp_reads_exif(prefix):
    found = parsed(webp((b"EXIF", prefix + EXIF)))
    assert (found.media_type, found.width, found.height) == ("image/webp", 7, 6)
    assert found.fields["prompt"] == "a duck"
    assert found.raw[0].location == "webp:EXIF"
    assert found.notes == ()


def test_webp_reads_xmp_and_c2pa():
    found = parsed(webp((b"XMP ", DRAWN), (b"C2PA", jumbf(b"x"))))
    assert found.tool == "Draw Things"
    assert found.fields["c2pa"]["found"] is True
    assert [item.location for item in found.raw] == ["webp:XMP", "webp:C2PA"]


@pytest.mark.parametrize("lossless", [False, True])
def test_webp_reads_what_pillow_writes(lossless):
    file = io.BytesIO()
    Image.new("RGB", (21, 13)).save(file, "WEBP", exif=EXIF, lossless=lossless)
    found = parsed(file.getvalue())
    assert (found.width, found.height, found.fields["seed"]) == (21, 13, "11")


@pytest.mark.parametrize("lossless", [False, True])
def test_webp_without_metadata_has_its_size(lossless):
    file = io.BytesIO()
    Image.new("RGB", (300, 13)).save(file, "WEBP", lossless=lossless)
    found = parsed(file.getvalue())
    assert (found.width, found.height, found.tool, found.notes) == (300, 13, None, ())


def test_webp_that_is_longer_or_shorter_than_it_says_is_told():
    data = webp((b"EXIF", EXIF))
    assert any("after the end" in note for note in parsed(data + b"PK\x03\x04").notes)
    assert any("ends before it says" in note for note in parsed(data[:-4]).notes)


def test_webp_ignores_a_chunk_that_reaches_past_the_end():
    found = parsed(riff((b"XMP ", DRAWN)) + b"EXIF" + struct.pack("<I", 2**32 - 1))
    assert found.tool == "Draw Things"


def test_webp_tells_of_more_than_it_reads():
    assert any("not read" in n for n in parsed(webp((b"EXIF", bytes(5000))), text_bytes=99).notes)
    assert any(
        "more than 9 chunks" in n for n in parsed(webp(*[(b"ABCD", b"")] * 30), parts=9).notes
    )


def test_avif_reads_what_libavif_writes():
    found = parsed(avif(exif=EXIF, xmp=DRAWN))
    assert (found.media_type, found.width, found.height) == ("image/avif", 16, 8)
    assert {item.location for item in found.raw} == {"avif:Exif", "avif:XMP"}
    # Both tools left a mark; the one that says more of itself is asked first, the other told.
    assert found.tool == "Draw Things"
    assert any("AUTOMATIC1111" in note for note in found.notes)


def test_avif_reads_exif_alone():
    found = parsed(avif(exif=EXIF))
    assert (found.tool, found.fields["prompt"], found.notes) == ("AUTOMATIC1111", "a duck", ())


def test_avif_finds_a_c2pa_box():
    manifest = jumbf(b"x" * 100)
    uuid = box(b"uuid", C2PA_BOX + bytes(4) + b"manifest\0" + bytes(8) + manifest)
    data = avif()
    length = int.from_bytes(data[:4])
    found = parsed(data[:length] + uuid + data[length:])
    assert found.fields["c2pa"]["found"] is True
    assert found.raw[0].data == manifest
    assert found.raw[0].offset == length + 8 + 16 + 4 + 9 + 8


def test_avif_in_the_item_data_box_is_read():
    location = struct.pack(">BBHBBH", 1, 0, 0, 0x44, 0x00, 1)
    location += struct.pack(">HHHH", 5, 1, 0, 1) + struct.pack(">II", 0, len(EXIF) + 4)
    infe = box(b"infe", struct.pack(">BBHHH", 2, 0, 0, 5, 0) + b"Exif" + b"\0")
    meta = bytes(4) + box(b"iinf", struct.pack(">IH", 0, 1) + infe) + box(b"iloc", location)
    meta += box(b"idat", bytes(4) + EXIF)
    data = box(b"ftyp", b"avif" + bytes(4) + b"avif") + box(b"meta", meta)
    assert parsed(data).fields["prompt"] == "a duck"


@pytest.mark.parametrize("end", [12, 30, 60, 100, 200, 280])
def test_avif_that_is_cut_off_is_told(end):
    found = parsed(avif(exif=EXIF)[:end])
    assert found.media_type == "image/avif"
    assert found.notes


def test_avif_boxes_inside_each_other_end():
    inner = b""
    for _ in range(40):
        inner = box(b"meta", bytes(4) + inner)
    found = parsed(box(b"ftyp", b"avif" + bytes(4)) + inner)
    assert any("nested" in note for note in found.notes)


def test_avif_with_more_boxes_than_are_walked_is_told():
    found = parsed(avif() + box(b"free", b"") * 100, parts=50)
    assert any("more than 50 boxes" in note for note in found.notes)


def test_avif_item_of_endless_pieces_is_refused():
    # Entries of no size at all: the table could name 65,535 pieces in each of thousands of items.
    location = struct.pack(">BBHBBH", 0, 0, 0, 0x00, 0x00, 1) + struct.pack(">HHH", 5, 0, 65535)
    meta = bytes(4) + box(b"iloc", location)
    found = parsed(box(b"ftyp", b"avif" + bytes(4)) + box(b"meta", meta))
    assert any("65535 pieces" in note for note in found.notes)


def items(extents: bytes, *, method: int = 0, sizes: int = 0x44, kind: bytes = b"Exif") -> bytes:
    """Return a file with one item, whose pieces are listed as given, and the block at byte 400."""
    location = struct.pack(">BBHBBH", 1, 0, 0, sizes, 0, 1) + struct.pack(">HHH", 5, method, 0)
    infe = box(b"infe", struct.pack(">BBHHH", 2, 0, 0, 5, 0) + kind + b"\0application/rdf+xml\0")
    meta = bytes(4) + box(b"iinf", struct.pack(">IH", 0, 1) + infe)
    start = box(b"ftyp", b"avif" + bytes(4)) + box(b"meta", meta + box(b"iloc", location + extents))
    return start + box(b"mdat", bytes(392 - len(start)) + bytes(4) + EXIF)


def test_avif_item_in_pieces_is_put_together():
    pieces = struct.pack(">H", 2) + struct.pack(">IIII", 400, 50, 450, len(EXIF) - 46)
    found = parsed(items(pieces))
    assert (found.fields["prompt"], found.raw[0].offset) == ("a duck", None)


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (items(struct.pack(">HII", 1, 400, 0), method=2), "not stated in a way read here"),
        (items(struct.pack(">H", 0)), "not stated in a way read here"),
        (items(struct.pack(">HII", 1, 400, 2**31)), "not read"),
        (items(struct.pack(">HII", 1, 9_999, 50)), "bytes wanted"),
        (items(struct.pack(">HII", 1, 400, 50), kind=b"mime"), "XMP packet"),
        (items(struct.pack(">HII", 1, 400, 3)), "no Exif block"),
        (items(b""), "ends before its fields"),
    ],
)
def test_avif_items_that_cannot_be_had_are_told(data, note):
    found = parsed(data)
    assert found.tool is None
    assert any(note in written for written in found.notes)


def test_avif_box_without_a_length_goes_to_the_end():
    data = avif(exif=EXIF)
    found = parsed(data + bytes(4) + b"free" + bytes(100))
    assert (found.fields["prompt"], found.notes) == ("a duck", ())


def test_avif_box_with_a_long_length_is_read():
    data = avif(exif=EXIF)
    found = parsed(data + struct.pack(">I4sQ", 1, b"free", 16 + 5) + b"12345")
    assert (found.fields["prompt"], found.notes) == ("a duck", ())


def test_avif_tables_and_manifests_too_large_are_told():
    brands = box(b"ftyp", b"avif" + bytes(4))
    table = parsed(brands + box(b"meta", bytes(4) + box(b"iloc", bytes(2 << 20))))
    assert any("iloc box of 2097152 bytes" in note for note in table.notes)
    manifest = parsed(brands + box(b"uuid", C2PA_BOX + bytes(5000)), c2pa_bytes=1000)
    assert any("C2PA box of" in note for note in manifest.notes)
    other = parsed(brands + box(b"uuid", bytes(16) + b"x"))
    assert other.raw == ()


def test_heif_is_read_by_the_same_reader():
    data = avif(exif=EXIF).replace(b"ftypavif", b"ftypheic", 1)
    found = parsed(data)
    assert found.fields["prompt"] == "a duck"
    assert found.media_type == "image/heic"


def test_other_files_of_the_same_family_are_not_read():
    found = parsed(box(b"ftyp", b"isom" + bytes(4) + b"mp42") + box(b"moov", b""))
    assert found.media_type == "video/mp4"
    assert found.notes == ("no metadata is read from video/mp4",)
