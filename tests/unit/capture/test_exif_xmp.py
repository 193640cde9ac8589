"""The Exif and XMP readers: blocks that go in circles, lie about sizes or declare entities."""

from __future__ import annotations

import struct

import pytest

from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.containers.exif import read_exif
from anchor.capture.containers.xmp import read_xmp
from anchor.capture.findings import Findings
from anchor.errors import FormatError
from anchor.limits import MAX_EXIF_ENTRIES, MAX_XMP_DEPTH, MAX_XMP_PROPERTIES
from tests.parts.image_files import ASCII, UNDEFINED, ascii_tag, exif, user_comment, xmp


def read(block: bytes, **limits: int) -> Findings:
    found = Findings(CaptureLimits(**limits))
    read_exif(block, found, "here")
    return found


def packet(data: bytes) -> Findings:
    found = Findings(CaptureLimits())
    read_xmp(data, found, "here")
    return found


# -- Exif ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [">", "<"])
def test_reads_the_texts_of_both_directories(order):
    found = read(
        exif(
            ascii_tag(0x010E, "a description"),
            ascii_tag(0x010F, "maker"),
            ascii_tag(0x0131, "v1"),
            ascii_tag(0x013B, "名前"),
            comment=(user_comment("a comment"), (0x927C, UNDEFINED, b"fooocus")),
            order=order,
        )
    )
    assert {text.key: text.value for text in found.texts()} == {
        "exif.ImageDescription": "a description",
        "exif.Make": "maker",
        "exif.Software": "v1",
        "exif.Artist": "名前",
        "exif.UserComment": "a comment",
        "exif.MakerNote": "fooocus",
    }
    assert found.notes == []


def test_every_text_of_the_first_directory_is_taken():
    assert read(exif(ascii_tag(0x010B, 'extra:{"a": 1}'))).text("exif.0x010b") == 'extra:{"a": 1}'


def test_values_of_up_to_four_bytes_stand_in_their_entry():
    assert read(exif(ascii_tag(0x0131, "abc"))).text("exif.Software") == "abc"


def test_a_comment_in_the_first_directory_is_read_too():
    # Fooocus writes it there, as plain text.
    assert read(exif((0x9286, ASCII, b"plain text\0"))).text("exif.UserComment") == "plain text"


def test_a_comment_for_windows_is_utf16():
    block = exif((0x9C9C, 1, "日本".encode("utf-16-le") + b"\0\0"), order="<")
    assert read(block).text("exif.XPComment") == "日本"


def test_numbers_places_and_thumbnails_are_not_read():
    assert list(read(exif((0x8825, 4, bytes(4)), (0x0112, 3, b"\0\1"))).texts()) == []


def test_directories_that_point_at_each_other_end():
    block = b"MM\0*" + struct.pack(">I", 8) + struct.pack(">H", 1)
    block += struct.pack(">HHII", 0x8769, 4, 1, 8) + bytes(4)
    assert any("point at each other" in note for note in read(block).notes)


def test_a_chain_of_directories_ends():
    block = b"MM\0*" + struct.pack(">I", 8)
    for index in range(50):
        block += struct.pack(">HHHII", 1, 0x8769, 4, 1, 8 + 14 * (index + 1))
    assert any("point at each other" in note for note in read(block + bytes(20)).notes)


def test_more_entries_than_are_read_are_told():
    tags = [ascii_tag(0x0131, "abc")] * (MAX_EXIF_ENTRIES + 9)
    found = read(exif(*tags))
    assert len(list(found.texts())) == MAX_EXIF_ENTRIES
    assert any("entries" in note for note in found.notes)


def test_entries_that_share_one_long_value_do_not_multiply_it():
    value = b"x" * 3000
    n_entries = 400
    at = 8 + 2 + 12 * n_entries + 4
    block = b"MM\0*" + struct.pack(">IH", 8, n_entries)
    block += struct.pack(">HHII", 0x0131, ASCII, len(value), at) * n_entries + bytes(4) + value
    found = read(block, text_bytes=30_000)
    assert len(list(found.texts())) == 10
    assert any("too long together" in note for note in found.notes)


@pytest.mark.parametrize("size", [5000, 2**31, 2**32 - 1])
def test_a_value_that_reaches_past_the_block_is_cut_and_told(size):
    block = bytearray(exif(ascii_tag(0x0131, "a name of more than four")))
    struct.pack_into(">I", block, 10 + 4, size)
    found = read(bytes(block))
    assert found.text("exif.Software") == "a name of more than four"
    assert any("past the end" in note for note in found.notes)


@pytest.mark.parametrize("offset", [3, 9, 2**32 - 1])
def test_a_directory_outside_the_block_is_told(offset):
    assert read(b"MM\0*" + struct.pack(">I", offset) + b"\0\1").notes


@pytest.mark.parametrize("block", [b"", b"II", b"MM*\0" + bytes(20), b"Exif\0\0", b"JUNK" * 9])
def test_what_is_no_block_is_refused(block):
    with pytest.raises(FormatError):
        read(block)


@pytest.mark.parametrize("end", range(0, 120, 3))
def test_a_block_cut_anywhere_raises_nothing_but_format_errors(end):
    block = exif(ascii_tag(0x010F, "a maker"), comment=(user_comment("comment"),))[:end]
    try:
        read(block)
    except FormatError:
        assert end < 8


# -- XMP -------------------------------------------------------------------------------------------


def test_reads_elements_and_attributes_lists_and_structures():
    found = packet(
        xmp(
            "<xmp:CreatorTool>A &amp; B</xmp:CreatorTool>"
            "<exif:UserComment><rdf:Alt><rdf:li xml:lang='x-default'>one</rdf:li></rdf:Alt>"
            "</exif:UserComment>"
            "<dc:creator><rdf:Seq><rdf:li>first</rdf:li><rdf:li>second</rdf:li></rdf:Seq></dc:creator>",
            attributes='Iptc4xmpExt:DigitalSourceType="http://example/x" TC260:AIGC="{}"',
        )
    )
    assert [(text.key, text.value) for text in found.texts()] == [
        ("xmp.Iptc4xmpExt:DigitalSourceType", "http://example/x"),
        ("xmp.TC260:AIGC", "{}"),
        ("xmp.xmp:CreatorTool", "A & B"),
        ("xmp.exif:UserComment", "one"),
        ("xmp.dc:creator", "first"),
        ("xmp.dc:creator", "second"),
    ]


def test_a_known_namespace_has_its_usual_prefix_whatever_the_packet_calls_it():
    data = xmp('<a:CreatorTool xmlns:a="http://ns.adobe.com/xap/1.0/">X</a:CreatorTool>')
    assert packet(data).text("xmp.xmp:CreatorTool") == "X"


def test_an_unknown_namespace_is_written_out():
    found = packet(xmp('<a:b xmlns:a="http://example.org/">X</a:b>'))
    assert found.text("xmp.{http://example.org/}:b") == "X"


def test_a_prefix_that_only_looks_known_is_not():
    found = packet(xmp('<q:AIGC xmlns:q="http://example.org/ns/AIGC/1.0/">{}</q:AIGC>'))
    assert found.text("xmp.TC260:AIGC") is None


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]>',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/">%p;]>',
        "<!DOCTYPE x>",
    ],
)
def test_a_document_type_is_refused_before_it_is_looked_at(doctype):
    data = doctype.encode() + xmp("<xmp:CreatorTool>&c;</xmp:CreatorTool>")
    with pytest.raises(FormatError, match="document type"):
        packet(data)


def test_an_entity_that_nobody_declared_is_not_well_formed():
    with pytest.raises(FormatError, match="well-formed"):
        packet(xmp("<xmp:CreatorTool>&a;</xmp:CreatorTool>"))


def test_nesting_is_limited():
    data = xmp("<dc:x>" * (MAX_XMP_DEPTH + 1) + "</dc:x>" * (MAX_XMP_DEPTH + 1))
    with pytest.raises(FormatError, match="nested"):
        packet(data)


def test_the_number_of_properties_is_limited():
    with pytest.raises(FormatError, match="properties"):
        packet(xmp("<dc:x>1</dc:x>" * (MAX_XMP_PROPERTIES + 1)))


def test_an_encoding_that_is_declared_has_no_say():
    data = b'<?xml version="1.0" encoding="utf-7"?>' + xmp("<dc:x>+ADw-</dc:x>").split(b"?>", 1)[1]
    assert packet(data).text("xmp.dc:x") == "+ADw-"


@pytest.mark.parametrize("data", [b"", b"\xff\xfe<", b"<a>", b"<a></b>", b"\x00\x01"])
def test_what_is_no_packet_is_refused(data):
    with pytest.raises(FormatError):
        packet(data)


def test_padding_after_the_packet_is_no_error():
    data = b"\xef\xbb\xbf" + xmp("<dc:x>1</dc:x>") + b"\n" * 2000 + b"\0"
    assert packet(data).text("xmp.dc:x") == "1"


def test_what_was_read_before_an_error_stays():
    found = Findings(CaptureLimits())
    with pytest.raises(FormatError):
        read_xmp(xmp("<dc:x>1</dc:x><dc:y>"), found, "here")
    assert found.text("xmp.dc:x") == "1"
