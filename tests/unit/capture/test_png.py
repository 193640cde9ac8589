"""The PNG reader: every kind of text chunk, wherever it stands, and files that are not in order."""

from __future__ import annotations

import struct

import pytest

from tests.parts.image_files import (
    PNG_SIGNATURE,
    ascii_tag,
    chunk,
    exif,
    header,
    itext,
    jumbf,
    parsed,
    pixels,
    png,
    text,
    user_comment,
    xmp,
    ztext,
)

INFO = (
    "a duck\nNegative prompt: a goose\nSteps: 7, Sampler: Euler, CFG scale: 5, Seed: 11, Size: 3x2"
)


@pytest.mark.parametrize(
    "part",
    [
        text("parameters", INFO),
        ztext("parameters", INFO.encode()),
        itext("parameters", INFO),
        itext("parameters", INFO, compressed=True),
        chunk(b"eXIf", exif(comment=(user_comment(INFO),))),
    ],
    ids=["tEXt", "zTXt", "iTXt", "iTXt compressed", "eXIf"],
)
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after the image data"])
def test_reads_text_of_every_kind_before_and_after_the_image_data(part, is_after):
    data = png(after=(part,)) if is_after else png(part)
    found = parsed(data)
    assert found.tool == "AUTOMATIC1111"
    assert found.fields["prompt"] == "a duck"
    assert found.fields["negative_prompt"] == "a goose"
    assert found.fields["seed"] == "11"
    assert (found.media_type, found.width, found.height) == ("image/png", 3, 2)
    assert found.notes == ()


def test_keeps_each_part_byte_for_byte_with_its_place():
    part = ztext("parameters", INFO.encode())
    data = png(text("Title", "x"), part)
    items = {item.location: item for item in parsed(data).raw}
    item = items["png:zTXt:parameters"]
    assert item.data == part[8:-4]
    assert data[item.offset : item.offset + len(item.data)] == item.data
    assert items["png:tEXt:Title"].data == b"Title\0x"


@pytest.mark.parametrize("kind", ["tEXt", "iTXt"])
def test_reads_chinese_prompts(kind):
    prompt = "一只猫坐在月亮上"
    value = INFO.replace("a duck", prompt)
    part = text("parameters", value.encode()) if kind == "tEXt" else itext("parameters", value)
    found = parsed(png(part))
    assert found.fields["prompt"] == prompt
    # The format says Latin-1 for tEXt; that it was read otherwise is told.
    assert any("UTF-8" in note for note in found.notes) == (kind == "tEXt")


def test_reads_text_that_is_not_utf8_as_latin_1():
    found = parsed(png(text("parameters", INFO.replace("duck", "canard gêné").encode("latin-1"))))
    assert found.fields["prompt"] == "a canard gêné"


def test_a_wrong_checksum_is_noted_and_the_text_read():
    data = b"parameters\0" + INFO.encode()
    found = parsed(png(chunk(b"tEXt", data, checksum=1)))
    assert found.fields["prompt"] == "a duck"
    assert any("checksum of the tEXt chunk" in note for note in found.notes)


def test_of_two_texts_of_one_name_the_first_is_read_and_the_second_told():
    found = parsed(png(text("parameters", INFO), text("parameters", INFO.replace("duck", "cow"))))
    assert found.fields["prompt"] == "a duck"
    assert any("different texts are called 'parameters'" in note for note in found.notes)
    assert len(found.raw) == 2


def test_a_repeated_text_is_not_worth_a_note():
    assert parsed(png(text("parameters", INFO), text("parameters", INFO))).notes == ()


@pytest.mark.parametrize("cut", [9, 30, 40, 60, 100])
def test_a_cut_off_file_is_told(cut):
    data = png(text("parameters", INFO))
    found = parsed(data[: len(data) - cut])
    assert found.media_type == "image/png"
    assert any("file ends" in note for note in found.notes)


def test_text_before_the_cut_is_still_read():
    data = png(text("parameters", INFO))
    found = parsed(data[:-20])
    assert found.fields["prompt"] == "a duck"


def test_bytes_after_the_end_are_told():
    found = parsed(png(text("parameters", INFO), trailer=b"PK\x03\x04 and the rest"))
    assert found.fields["prompt"] == "a duck"
    assert "png: 17 bytes after the end of the image" in found.notes


def test_a_declared_length_of_gigabytes_reads_nothing():
    data = PNG_SIGNATURE + header() + struct.pack(">I", 2**31 - 1) + b"tEXt" + b"parameters\0x"
    found = parsed(data)
    assert any("ends inside the tEXt chunk" in note for note in found.notes)
    assert found.raw == ()


@pytest.mark.parametrize("length", [2**31, 2**32 - 1])
def test_a_length_that_no_chunk_has_ends_the_walk(length):
    data = PNG_SIGNATURE + header() + struct.pack(">I", length) + b"tEXt"
    assert any("no chunk at byte 33" in note for note in parsed(data).notes)


def test_more_chunks_than_are_walked_are_told():
    data = png(*[chunk(b"tIME", bytes(7))] * 50, text("parameters", INFO))
    found = parsed(data, parts=20)
    assert found.tool is None
    assert any("more than 20 chunks" in note for note in found.notes)


def test_too_many_texts_are_told_and_the_first_read():
    found = parsed(png(text("parameters", INFO), *[text("k", "v")] * 60), texts=16)
    assert found.fields["prompt"] == "a duck"
    assert len(found.raw) == 16
    assert any("too many" in note for note in found.notes)


@pytest.mark.parametrize(
    "part",
    [
        chunk(b"tEXt", b"no separator"),
        chunk(b"tEXt", b"\0empty keyword"),
        chunk(b"tEXt", b"k" * 80 + b"\0text"),
        chunk(b"zTXt", b"parameters\0"),
        chunk(b"zTXt", b"parameters\0\0not zlib"),
        chunk(b"zTXt", b"parameters\0\0" + ztext("x", INFO.encode())[11:40]),
        chunk(b"iTXt", b"parameters\0"),
        chunk(b"iTXt", b"parameters\0\0\0en"),
        chunk(b"iTXt", b"parameters\0\x01\0\0\0not zlib"),
        chunk(b"eXIf", b"nothing of the kind"),
        chunk(b"caBX", b"nothing of the kind"),
        chunk(b"IHDR", b"short"),
    ],
)
def test_a_malformed_part_is_told_and_the_rest_read(part):
    found = parsed(png(part, text("Dream", '"a duck [goose]" -s 7 -S 11 -W 3 -H 2 -C 5 -A ddim')))
    assert found.tool == "InvokeAI"
    assert found.notes


def test_a_second_header_does_not_change_the_size():
    found = parsed(png(header(4000, 3000)))
    assert (found.width, found.height) == (3, 2)
    assert any("second IHDR" in note for note in found.notes)


def test_text_that_inflates_past_the_limit_is_not_read():
    found = parsed(png(ztext("parameters", INFO.encode() + bytes(5000))), text_bytes=4000)
    assert found.tool is None
    assert any("inflates to more than 4000 bytes" in note for note in found.notes)
    assert [item.location for item in found.raw] == ["png:zTXt:parameters"]


def test_text_longer_than_the_limit_is_not_read():
    found = parsed(png(text("parameters", INFO + "x" * 5000)), text_bytes=4000)
    assert found.tool is None
    assert any("has" in note and "not read" in note for note in found.notes)


def test_finds_a_c2pa_manifest():
    manifest = jumbf(b"content")
    found = parsed(png(chunk(b"caBX", manifest)))
    assert found.fields["c2pa"] == {"found": True, "read": False}
    assert found.raw[0].location == "png:caBX"
    assert found.raw[0].data == manifest


def test_reads_xmp():
    creator = "<xmp:CreatorTool>Draw Things</xmp:CreatorTool>"
    comment = '<exif:UserComment>{"c": "a duck", "uc": "", "seed": 5}</exif:UserComment>'
    found = parsed(png(itext("XML:com.adobe.xmp", xmp(creator + comment))))
    assert (found.tool, found.fields["prompt"]) == ("Draw Things", "a duck")


def test_reads_the_private_chunk_of_animated_images():
    graph = b'{"3": {"class_type": "KSampler", "inputs": {"steps": 4, "positive": ["6", 0]}},'
    graph += b' "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a duck"}}}'
    found = parsed(png(after=(chunk(b"comf", b"prompt\0" + graph),)))
    assert (found.tool, found.fields["prompt"]) == ("ComfyUI", "a duck")


def test_an_exif_block_may_start_with_its_jpeg_prefix():
    block = b"Exif\0\0" + exif(ascii_tag(0x010F, "Ideogram AI"))
    assert parsed(png(chunk(b"eXIf", block))).tool == "Ideogram"


def test_what_is_no_image_at_all_still_has_a_type():
    data = PNG_SIGNATURE + pixels()
    found = parsed(data)
    assert (found.media_type, found.width) == ("image/png", None)
