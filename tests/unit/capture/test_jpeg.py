"""The JPEG reader: Exif, XMP in one and in many segments, C2PA, comments, the bare AIGC label."""

from __future__ import annotations

import hashlib
import struct

import pytest

from tests.parts.image_files import (
    ascii_tag,
    exif,
    jpeg,
    jumbf,
    jumbf_segments,
    parsed,
    segment,
    user_comment,
    xmp,
)

INFO = "a duck\nNegative prompt: a goose\nSteps: 7, Sampler: Euler, CFG scale: 5, Seed: 11"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
CREATOR = "<xmp:CreatorTool>Draw Things</xmp:CreatorTool>"


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize(
    ("code", "encoding"),
    [
        (b"UNICODE\0", "utf-16-be"),
        (b"UNICODE\0", "utf-16-le"),
        (b"UNICODE\0", "utf-16"),
        (b"UNICODE\0", "utf-8"),
        (b"ASCII\0\0\0", "utf-8"),
        (b"JIS\0\0\0\0\0", "iso2022_jp"),
        (bytes(8), "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_reads_a_user_comment_in_every_code_and_byte_order(order, code, encoding):
    block = exif(comment=(user_comment(INFO, code=code, encoding=encoding),), order=order)
    found = parsed(jpeg(segment(0xE1, b"Exif\0\0" + block)))
    assert (found.tool, found.fields["prompt"]) == ("AUTOMATIC1111", "a duck")
    assert found.fields["seed"] == "11"
    assert (found.media_type, found.width, found.height) == ("image/jpeg", 5, 4)
    assert found.notes == ()


@pytest.mark.parametrize("order", [">", "<"])
def test_chinese_in_utf16_is_read_in_the_byte_order_that_fits(order):
    info = INFO.replace("a duck", "一只猫坐在月亮上")
    block = exif(comment=(user_comment(info),), order=order)
    found = parsed(jpeg(segment(0xE1, b"Exif\0\0" + block)))
    assert found.fields["prompt"] == "一只猫坐在月亮上"


def test_keeps_the_exif_block_with_its_place():
    block = b"Exif\0\0" + exif(ascii_tag(0x0131, "x"))
    data = jpeg(segment(0xE1, block))
    item = parsed(data).raw[0]
    assert (item.location, item.data) == ("jpeg:APP1:Exif", block)
    assert data[item.offset : item.offset + len(block)] == block


def test_reads_an_xmp_packet():
    comment = '<exif:UserComment>{"c": "a duck", "uc": "x"}</exif:UserComment>'
    found = parsed(jpeg(segment(0xE1, XMP + xmp(CREATOR + comment))))
    assert (found.tool, found.fields["prompt"]) == ("Draw Things", "a duck")


@pytest.mark.parametrize("is_reversed", [False, True])
def test_puts_extended_xmp_together_in_the_order_of_its_offsets(is_reversed):
    comment = f'<exif:UserComment>{{"c": "a duck {"x" * 900}", "uc": ""}}</exif:UserComment>'
    packet = xmp(CREATOR + comment)
    name = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    portions = [
        segment(0xE1, EXTENDED + name + struct.pack(">II", len(packet), i) + packet[i : i + 500])
        for i in range(0, len(packet), 500)
    ]
    assert len(portions) > 2
    found = parsed(jpeg(*(reversed(portions) if is_reversed else portions)))
    assert found.tool == "Draw Things"
    assert found.fields["prompt"].startswith("a duck xxx")


@pytest.mark.parametrize("portion", [60_000, 1000])
def test_puts_a_manifest_together_from_its_segments(portion):
    manifest = jumbf(bytes(range(256)) * 20)
    found = parsed(jpeg(*jumbf_segments(manifest, portion=portion)))
    assert found.fields["c2pa"] == {"found": True, "read": False}
    assert [(item.location, item.data) for item in found.raw] == [("jpeg:APP11:JUMBF", manifest)]


def test_manifest_segments_may_come_in_any_order():
    manifest = jumbf(bytes(range(256)) * 20)
    parts = jumbf_segments(manifest, portion=700)
    assert parsed(jpeg(*reversed(parts))).raw[0].data == manifest


def test_a_jumbf_box_that_is_no_manifest_is_kept_and_told():
    found = parsed(jpeg(*jumbf_segments(jumbf(uuid=bytes(16)))))
    assert "c2pa" not in found.fields
    assert len(found.raw) == 1
    assert any("no C2PA manifest" in note for note in found.notes)


def test_a_manifest_that_misses_a_part_is_told():
    parts = jumbf_segments(jumbf(bytes(5000)), portion=1000)
    found = parsed(jpeg(*parts[:-1]))
    assert found.fields["c2pa"]["found"] is True
    assert any("cut off" in note for note in found.notes)


def test_a_manifest_larger_than_is_kept_is_told():
    found = parsed(jpeg(*jumbf_segments(jumbf(bytes(5000)))), c2pa_bytes=1000)
    assert found.raw == ()
    assert any("JUMBF box of" in note for note in found.notes)


def test_reads_a_comment():
    found = parsed(jpeg(segment(0xFE, INFO.encode() + b"\0")))
    assert found.fields["prompt"] == "a duck"


@pytest.mark.parametrize("marker", [0xE3, 0xEA, 0xEF])
@pytest.mark.parametrize("between", [b"", b"\0", b": "])
def test_reads_the_bare_label_of_a_segment(marker, between):
    label = b'{"Label": "1", "ContentProducer": "001191", "ProduceID": "p7"}'
    found = parsed(jpeg(segment(marker, b"AIGC" + between + label)))
    assert found.fields["aigc_label"]["ProduceID"] == "p7"
    assert found.raw[0].location == f"jpeg:APP{marker - 0xE0}:AIGC"


def test_reads_no_segment_after_the_image_data_has_begun():
    data = jpeg()
    scan = data.index(b"\xff\xda")
    found = parsed(data[: scan + 14] + segment(0xFE, INFO.encode()) + data[scan + 14 :])
    assert found.tool is None


@pytest.mark.parametrize(
    "bad",
    [
        segment(0xE1, b"Exif\0\0short"),
        segment(0xE1, XMP + b"<not xml"),
        segment(0xE1, XMP + b"\xff\xfe\xff"),
        segment(0xE1, EXTENDED + b"short"),
        segment(0xEB, b"JP short"),
        segment(0xE1, EXTENDED + bytes(32) + struct.pack(">II", 10, 0) + b"<x"),
    ],
)
def test_a_malformed_segment_is_told_and_the_rest_read(bad):
    found = parsed(jpeg(bad, segment(0xFE, INFO.encode())))
    assert found.fields["prompt"] == "a duck"
    assert found.notes


def test_a_file_that_is_cut_off_is_told():
    data = jpeg(segment(0xFE, INFO.encode()))
    for end in (2, 3, 10, 40):
        found = parsed(data[:end])
        assert found.media_type in ("image/jpeg", "application/octet-stream")
        assert found.notes


def test_fill_bytes_and_markers_without_content_are_passed_over():
    found = parsed(jpeg(b"\xff\xff\xff" + segment(0xFE, INFO.encode())[1:], b"\xff\x01"))
    assert found.fields["prompt"] == "a duck"


def test_more_segments_than_are_walked_are_told():
    found = parsed(jpeg(*[segment(0xEC, b"x")] * 50), parts=20)
    assert any("more than 20 segments" in note for note in found.notes)
