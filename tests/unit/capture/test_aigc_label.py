"""The Chinese label for generated content, in every form that was met, given as found."""

from __future__ import annotations

import html
import json

import pytest

from tests.parts.image_files import (
    ascii_tag,
    avif,
    chunk,
    exif,
    itext,
    jpeg,
    parsed,
    png,
    segment,
    text,
    user_comment,
    webp,
    xmp,
)

LABEL = {
    "Label": "1",
    "ContentProducer": "001191110108MA01KP2T5U00000",
    "ProduceID": "a1b2c3",
    "ReservedCode1": "",
    "ContentPropagator": "001191110108MA01KP2T5U00000",
    "PropagateID": "a1b2c3",
    "ReservedCode2": "",
}
FOUND = {name: value for name, value in LABEL.items() if value}
VALUE = json.dumps(LABEL)
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"


def element(value: str) -> bytes:
    return xmp(f"<TC260:AIGC>{value}</TC260:AIGC>")


def attribute(value: str) -> bytes:
    return xmp("", attributes=f'TC260:AIGC="{value}"')


ESCAPED = html.escape(VALUE)
FORMS = {
    "xmp element in png": png(itext("XML:com.adobe.xmp", element(ESCAPED))),
    "xmp element, raw json": png(itext("XML:com.adobe.xmp", element(VALUE))),
    "xmp attribute": png(itext("XML:com.adobe.xmp", attribute(ESCAPED))),
    "xmp escaped twice": png(itext("XML:com.adobe.xmp", element(html.escape(ESCAPED)))),
    "xmp in jpeg": jpeg(segment(0xE1, XMP_PREFIX + element(ESCAPED))),
    "xmp in webp": webp((b"XMP ", attribute(ESCAPED))),
    "xmp in avif": avif(xmp=element(ESCAPED)),
    "png tEXt": png(text("AIGC", VALUE)),
    "png iTXt": png(itext("AIGC", VALUE)),
    "png text of a longer name": png(text("TC260:AIGC", VALUE)),
    "exif comment": jpeg(segment(0xE1, b"Exif\0\0" + exif(comment=(user_comment(VALUE),)))),
    "exif comment, ascii": jpeg(
        segment(
            0xE1, b"Exif\0\0" + exif(comment=(user_comment(VALUE, code=b"", encoding="ascii"),))
        )
    ),
    "exif in png": png(chunk(b"eXIf", exif(comment=(user_comment(VALUE),)))),
    "under a name of its own": png(text("AIGC", json.dumps({"AIGC": LABEL}))),
    "as text under a name": jpeg(
        segment(0xE1, b"Exif\0\0" + exif(comment=(user_comment(json.dumps({"AIGC": VALUE})),)))
    ),
    "bare in a segment": jpeg(segment(0xE9, b"AIGC" + VALUE.encode())),
}


@pytest.mark.parametrize("form", FORMS)
def test_reads_the_label_in_every_form(form):
    found = parsed(FORMS[form])
    label = dict(found.fields["aigc_label"])
    place = label.pop("location")
    assert label == FOUND
    assert place in {item.location for item in found.raw}
    assert found.notes == ()


def test_the_label_stands_byte_for_byte_in_what_is_kept():
    for form, data in FORMS.items():
        item = parsed(data).raw[0]
        if item.offset is not None:
            assert data[item.offset : item.offset + len(item.data)] == item.data, form


def test_reads_the_variant_with_other_names():
    value = {"ServiceProvider": "腾讯", "ServiceUser": "u", "Time": 1700000000, "ContentId": "c"}
    block = exif(ascii_tag(0x010E, json.dumps(value, ensure_ascii=False)))
    found = parsed(jpeg(segment(0xE1, b"Exif\0\0" + block)))
    label = dict(found.fields["aigc_label"])
    del label["location"]
    assert label == value | {"Time": "1700000000"}


@pytest.mark.parametrize(
    "value",
    ["", "{}", "[]", "{broken", '{"Label"}', '{"a": 1}', '"Label"', '{"AIGC": 5}', "1" * 70_000],
)
def test_what_is_no_label_is_told_and_not_given(value):
    found = parsed(png(itext("AIGC", value)))
    assert "aigc_label" not in found.fields
    assert any("AIGC label that cannot be read" in note for note in found.notes)


def test_members_that_no_label_has_are_left_out():
    value = json.dumps(LABEL | {"Extra": "x", "prompt": "secret"})
    label = parsed(png(text("AIGC", value))).fields["aigc_label"]
    assert set(label) == {*FOUND, "location"}


def test_a_second_label_that_differs_is_told():
    other = json.dumps(LABEL | {"ProduceID": "other"})
    found = parsed(png(itext("XML:com.adobe.xmp", element(ESCAPED)), text("AIGC", other)))
    assert found.fields["aigc_label"]["ProduceID"] == "a1b2c3"
    assert "different AIGC labels in one file; the first is given" in found.notes


def test_a_second_label_that_is_equal_is_not():
    found = parsed(png(itext("XML:com.adobe.xmp", element(ESCAPED)), text("AIGC", VALUE)))
    assert found.notes == ()


def test_a_label_stands_beside_what_a_tool_says():
    info = "a cat\nSteps: 2, Sampler: x, Seed: 3"
    found = parsed(png(text("parameters", info), text("AIGC", VALUE)))
    assert found.tool == "AUTOMATIC1111"
    assert found.fields["prompt"] == "a cat"
    assert found.fields["aigc_label"]["Label"] == "1"


def test_a_label_nested_without_end_is_told():
    value = '{"AIGC": ' * 5000 + "{}" + "}" * 5000
    found = parsed(png(text("AIGC", value)))
    assert "aigc_label" not in found.fields
