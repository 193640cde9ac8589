"""Whatever the bytes: the readers come to an end, raise nothing, and keep to what was promised."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anchor.capture.containers.hidden_pixels import _unfilter
from anchor.capture.generators.field_values import field_values, number_text
from anchor.capture.generators.infotext import parse_infotext
from anchor.capture.metadata import Metadata
from anchor.capture.record_fields import generation_fields
from anchor.capture.sandbox.frames import (
    parse_metadata_frame,
    serialize_metadata,
)
from anchor.errors import FormatError
from anchor.records.fields import check_fields
from anchor.records.kinds import KINDS
from tests.parts.image_files import (
    ascii_tag,
    avif,
    chunk,
    exif,
    hidden,
    itext,
    jpeg,
    jumbf,
    jumbf_segments,
    parsed,
    png,
    segment,
    text,
    user_comment,
    webp,
    xmp,
    ztext,
)

INFO = "a cat\nNegative prompt: a dog\nSteps: 2, Sampler: x, Seed: 3, Size: 4x4, Model: m"
GRAPH = json.dumps({
    "3": {"class_type": "KSampler", "inputs": {"seed": 8, "steps": 4, "positive": ["6", 0],
          "negative": ["7", 0], "model": ["4", 0], "latent_image": ["5", 0]}},
    "4": {"class_type": "LoraLoader", "inputs": {"lora_name": "l", "model": ["9", 0]}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 4, "height": 4}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "a dog"}},
    "9": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "c"}},
})  # fmt: skip
BLOCK = exif(ascii_tag(0x010F, "workflow:{}"), comment=(user_comment(INFO),))
PACKET = xmp(
    '<xmp:CreatorTool>Draw Things</xmp:CreatorTool><TC260:AIGC>{"Label": "1"}</TC260:AIGC>'
    '<exif:UserComment>{"c": "a cat", "uc": "", "seed": 1}</exif:UserComment>'
)
SWARM = json.dumps(
    {"sui_image_params": {"prompt": "p", "seed": 1, "loras": ["a"]}, "sui_models": []}
)


def _stealth() -> bytes:
    file = io.BytesIO()
    hidden(INFO.encode(), b"stealth_pnginfo", size=(40, 30)).save(file, "PNG")
    return file.getvalue()


SEEDS = (
    png(text("parameters", INFO), ztext("prompt", GRAPH.encode()), itext("AIGC", '{"Label": "1"}')),
    png(chunk(b"eXIf", BLOCK), chunk(b"caBX", jumbf(b"x")), itext("XML:com.adobe.xmp", PACKET)),
    png(itext("parameters", SWARM, compressed=True), after=(text("Dream", '"a [b]" -s 1'),)),
    png(text("invokeai_metadata", '{"positive_prompt": "p", "loras": [{"model": {"name": "n"}}]}')),
    png(text("Comment", '{"uc": "", "v4_prompt": {"caption": {"char_captions": []}}}')),
    _stealth(),
    jpeg(segment(0xE1, b"Exif\0\0" + BLOCK), *jumbf_segments(jumbf(bytes(300)), portion=90)),
    jpeg(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PACKET), segment(0xE9, b"AIGC{}")),
    webp((b"EXIF", BLOCK), (b"XMP ", PACKET), (b"C2PA", jumbf(b"x"))),
    avif(exif=BLOCK, xmp=PACKET),
)  # fmt: skip
GENERATION = KINDS["generation"].hidden_fields


def check(data: bytes) -> None:
    """Check everything that is promised of any bytes at all."""
    found = parsed(data, text_bytes=1 << 16, raw_bytes=1 << 18)
    assert not any(note.startswith("the metadata could not be read") for note in found.notes)
    assert not any("does not understand" in note for note in found.notes), found.notes
    assert sum(len(item.data) for item in found.raw) <= 1 << 18
    for item in found.raw:
        if item.offset is not None:
            assert data[item.offset : item.offset + len(item.data)] == item.data
    # It travels between processes unchanged, and a record takes it.
    assert parse_metadata_frame(serialize_metadata(found)) == found
    check_fields(GENERATION, generation_fields(found), want=True)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Take a file that has everything, and change, cut, repeat or add some bytes of it."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        action = draw(st.sampled_from(("set", "cut", "insert", "drop", "repeat", "length")))
        if action == "set" and data:
            data[at] = draw(st.integers(0, 255))
        elif action == "cut":
            del data[at:]
        elif action == "insert":
            data[at:at] = draw(st.binary(max_size=20))
        elif action == "drop":
            del data[at : at + draw(st.integers(1, 40))]
        elif action == "repeat":
            data[at:at] = data[at : at + draw(st.integers(1, 200))]
        else:
            data[at : at + 4] = draw(
                st.sampled_from((0, 1, 12, 2**31 - 1, 2**31, 2**32 - 1))
            ).to_bytes(4)
    return bytes(data)


@given(mutated())
@settings(max_examples=300)
def test_mutated_files(data):
    check(data)


@given(st.sampled_from(SEEDS), st.data())
@settings(max_examples=150)
def test_truncated_files(data, draw):
    check(data[: draw.draw(st.integers(0, len(data)))])


@given(
    st.sampled_from(
        (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\xff\0\0\0WEBP", b"\0\0\0\x14ftypavif")
    ),
    st.binary(max_size=400),
)
@settings(max_examples=200)
def test_bytes_behind_a_signature(signature, data):
    check(signature + data)


KEYS = (
    "parameters", "prompt", "workflow", "invokeai_metadata", "sd-metadata", "Dream", "Comment",
    "Description", "Software", "Source", "AIGC", "fooocus_scheme", "negative_prompt", "seed",
    "use_stable_diffusion_model", "num_inference_steps", "postprocessing", "Author",
)  # fmt: skip
MEMBERS = st.sampled_from(
    [
        "prompt",
        "negative_prompt",
        "positive_prompt",
        "seed",
        "steps",
        "model",
        "loras",
        "lora",
        "image",
        "sui_image_params",
        "sui_models",
        "sui_extra_data",
        "inputs",
        "class_type",
        "positive",
        "negative",
        "text",
        "c",
        "uc",
        "v4_prompt",
        "caption",
        "char_captions",
        "name",
        "weight",
        "width",
        "height",
        "size",
        "resolution",
        "base_model",
        "Label",
        "AIGC",
        "nodes",
        "links",
        "id",
        "type",
        "widgets_values",
        "link",
        "Comment",
        "use_stable_diffusion_model",
        "latent_image",
        "1",
        "2",
        "sampler",
        "use_lora_model",
        "vae",
        "hash",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
    | st.sampled_from(("1", "2", "512x512", "KSampler", "7.5", "NovelAI")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(KEYS), JSON), min_size=1, max_size=4))
@settings(max_examples=250)
def test_json_of_every_shape_under_every_name(pairs):
    texts = [
        itext(key, value if isinstance(value, str) else json.dumps(value)) for key, value in pairs
    ]
    check(png(*texts))


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.binary(max_size=60)), min_size=1, max_size=4))
def test_bytes_of_every_kind_under_every_name(pairs):
    check(png(*(text(key, value) for key, value in pairs)))


@given(JSON)
@settings(max_examples=200)
def test_json_of_every_shape_in_a_comment(value):
    block = exif(comment=(user_comment(json.dumps(value)),))
    check(jpeg(segment(0xE1, b"Exif\0\0" + block)))


@pytest.mark.parametrize(
    "value",
    [{"loras": 5}, {"loras": [5, None]}, {"model": 5}, {"image": {"prompt": 5}}, {"nodes": [5]},
     {"nodes": [{"id": 1, "inputs": 5}], "links": [5, []]}, {"1": {"inputs": {"x": {"lora": 1}}}}],
)  # fmt: skip
@pytest.mark.parametrize("key", KEYS)
def test_members_of_another_kind_than_expected(key, value):
    check(png(itext(key, json.dumps({"positive_prompt": "p", **value}))))


@pytest.mark.parametrize(
    "key", ["parameters", "prompt", "Comment", "AIGC", "invokeai_metadata", "workflow"]
)
@pytest.mark.parametrize("start", ["[", '{"a":', '{"AIGC":', '{"inputs": {"text": ['])
def test_json_nested_without_end(key, start):
    check(png(text(key, start * 20_000)))


@given(st.text())
def test_any_text_splits_into_parts(value):
    info = parse_infotext(value)
    assert len(info.prompt) + len(info.negative_prompt) <= len(value)


LINES = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters='<>:,"{['),
    min_size=1,
    max_size=30,
)


@given(
    LINES,
    LINES,
    st.integers(0, 2**64),
    st.dictionaries(st.from_regex(r"[A-Z][a-z ]{1,9}[a-z]", fullmatch=True), LINES, max_size=5),
)
def test_what_a_web_ui_writes_is_read_back(prompt, negative, seed, more):
    more = {k: v for k, v in more.items() if k not in ("Steps", "Seed")}
    pairs = "".join(f", {key}: {json.dumps(value)}" for key, value in more.items())
    info = parse_infotext(f"{prompt}\nNegative prompt: {negative}\nSteps: 5, Seed: {seed}{pairs}")
    assert (info.prompt, info.negative_prompt) == (prompt, negative)
    assert info.settings == {"Steps": "5", "Seed": str(seed), **more}


@given(
    st.integers() | st.floats() | st.decimals() | st.text(max_size=50) | st.none() | st.booleans()
)
def test_a_number_is_written_so_that_a_record_takes_it(value):
    written = number_text(value)
    if written is not None:
        check_fields(GENERATION, {"seed": written}, want=False)


@given(
    st.dictionaries(st.sampled_from(("prompt", "seed", "steps", "loras", "settings", "x")), JSON)
)
def test_fields_hold_nothing_that_json_does_not(values):
    if not isinstance(values.get("settings"), dict):
        values.pop("settings", None)
    formed = field_values(values)
    assert json.loads(json.dumps(formed, ensure_ascii=False, allow_nan=False).encode()) == formed


@given(st.binary(max_size=200))
def test_an_answer_of_any_bytes_is_refused_or_read(data):
    with contextlib.suppress(FormatError):
        assert isinstance(parse_metadata_frame(data), Metadata)


@given(st.data())
@settings(max_examples=60)
def test_hidden_text_of_any_length_is_found_in_any_image(draw):
    payload = draw.draw(st.binary(min_size=1, max_size=60))
    width, height = draw.draw(st.integers(1, 50)), draw.draw(st.integers(1, 50))
    mode = draw.draw(st.sampled_from(("RGB", "RGBA")))
    signature = b"stealth_pnginfo" if mode == "RGBA" else b"stealth_rgbinfo"
    capacity = width * height * (1 if mode == "RGBA" else 3)
    if capacity < 8 * (len(payload) + 19):
        return
    noise = draw.draw(st.randoms(use_true_random=False)).randbytes(width * height * len(mode))
    image = hidden(payload, signature, size=(width, height), mode=mode, noise=noise)
    file = io.BytesIO()
    image.save(file, "PNG")
    assert parsed(file.getvalue()).raw[-1].data == payload


@given(st.integers(1, 4), st.binary(min_size=8, max_size=40))
def test_the_first_columns_of_a_row_do_not_depend_on_the_rest(kind, row):
    above = bytes(reversed(row))
    whole = _unfilter(kind, row, above)
    for end in range(len(row)):
        assert _unfilter(kind, row[:end], above[:end]) == whole[:end]


def test_images_as_pillow_writes_them_give_no_notes():
    for name, options in (("PNG", {}), ("JPEG", {}), ("WEBP", {}), ("AVIF", {}), ("GIF", {})):
        file = io.BytesIO()
        Image.new("RGB", (33, 22)).save(file, name, **options)
        found = parsed(file.getvalue())
        if name != "GIF":
            assert (found.width, found.height, found.notes) == (33, 22, ())
