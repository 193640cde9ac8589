"""One form for what tools write: exact numbers, clean text, nothing of a record's size limits."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from anchor import limits
from anchor.capture.generators.field_values import count, field_values, number_text
from anchor.capture.metadata import PARSER, Metadata
from anchor.capture.record_fields import generation_fields
from anchor.records.fields import check_fields
from anchor.records.kinds import KINDS
from tests.parts.image_files import itext, parsed, png, text

GENERATION = KINDS["generation"].hidden_fields


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (7, "7"), ("7", "7"), (" 7 ", "7"), (7.5, "7.5"), ("7.0", "7.0"), (Decimal("7.50"), "7.50"),
        ("007", "7"), ("+3", "3"), ("-3.5", "-3.5"), ("-0", "-0"), ("1e3", "1000"),
        ("1e-5", "0.00001"),
        (2**64 - 1, "18446744073709551615"), (10**39, "1" + "0" * 39), ("0.8700000000000001",) * 2,
        (True, None), (None, None), ("", None), ("x", None), ("1,5", None), ("nan", None),
        (float("inf"), None), (10**40, None), ("1e999", None), ("1e-999", None), ("9" * 100, None),
        ([], None), ({}, None), ("１２", None), ("1_000", None),
    ],
)  # fmt: skip
def test_numbers_are_decimal_text(value, written):
    assert number_text(value) == written
    if written is not None and written != "-0":
        check_fields(GENERATION, {"seed": written}, want=False)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (20, 20),
        ("20", 20),
        ("20.0", 20),
        (0, 0),
        ("2.5", None),
        (-1, None),
        (2**53, None),
        ("x", None),
    ],
)
def test_counts_are_whole(value, number):
    assert count(value) == number


def test_what_no_number_fits_stays_as_text():
    assert field_values({"seed": "random", "steps": [1, 2], "prompt": "x"}) == {
        "prompt": "x",
        "settings": {"seed": "random", "steps": "[1, 2]"},
    }


def test_what_is_empty_is_dropped():
    assert field_values({"a": None, "b": "", "c": [], "d": {}}) == {}
    assert field_values({"e": [{"x": None}, {"y": 1}]}) == {"e": [{"y": "1"}]}


def test_halves_of_surrogate_pairs_are_replaced():
    found = parsed(
        png(
            text("invokeai_metadata", r'{"positive_prompt": "a \ud800 cat", "scheduler": "\udc00"}')
        )
    )
    assert found.fields["prompt"] == "a \ufffd cat"
    json.dumps(dict(found.fields), ensure_ascii=False).encode()


def test_depth_and_length_are_limited():
    deep: object = "x"
    for _ in range(50):
        deep = [deep]
    assert field_values({"a": deep, "b": ["x"] * 10_000}) == {
        "b": ["x"] * 512,
        "settings": {"a": json.dumps(deep)},
    }


def test_a_record_takes_every_field():
    info = (
        "一只猫 <lora:fur:0.8>\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, "
        "Schedule type: Karras, CFG scale: 7.5, Seed: 18446744073709551615, Size: 512x768, "
        "Model hash: c0d1994c73, Model: sd, VAE: v, Denoising strength: 0.40, Clip skip: 2, "
        'Lora hashes: "fur: aabbccdd", Version: v1.10.1'
    )
    label = '{"Label": "1", "ProduceID": "p"}'
    fields = generation_fields(parsed(png(itext("parameters", info), text("AIGC", label))))
    check_fields(GENERATION, fields, want=True)
    assert fields["tool"] == "AUTOMATIC1111"
    assert fields["positive"] == "一只猫 <lora:fur:0.8>"
    assert (fields["width"], fields["height"]) == (512, 768)
    assert fields["models"] == [
        {"role": "checkpoint", "name": "sd", "hash": "c0d1994c73"},
        {"role": "vae", "name": "v"},
        {"role": "lora", "name": "fur", "hash": "aabbccdd", "weight": "0.8"},
    ]
    settings = dict(fields["settings"])
    assert settings["clip_skip"] == "2"
    assert json.loads(settings["aigc_label"])["ProduceID"] == "p"
    assert fields["parser"] == PARSER


def test_a_whole_digest_is_called_sha256():
    fields = generation_fields(Metadata(fields={"model": "m", "model_hash": "ab" * 32}))
    assert fields["models"] == [{"role": "checkpoint", "name": "m", "sha256": "ab" * 32}]


def test_a_file_without_settings_still_says_what_read_it():
    fields = generation_fields(parsed(b""))
    assert fields == {"parser": f"{PARSER}; the file is empty"}
    check_fields(GENERATION, fields, want=True)


def test_the_size_of_the_file_stands_in_for_the_tools():
    fields = generation_fields(parsed(png()))
    assert (fields["width"], fields["height"]) == (3, 2)


def size(value):
    return len(json.dumps(value, ensure_ascii=False).encode())


@pytest.mark.parametrize("character", ["a", "猫", "😀"])
def test_a_prompt_of_five_megabytes_goes_into_a_record_whole(character):
    prompt = character * (5_000_000 // len(character.encode()))
    fields = generation_fields(Metadata(fields={"prompt": prompt, "settings": {"a": "b"}}))
    assert fields["positive"] == prompt
    assert fields["parser"] == PARSER


def test_what_a_record_cannot_hold_is_left_in_the_file_and_told():
    found = {"prompt": "p" * 5_000_000, "graph": "g" * 6_000_000, "workflow": "w" * 7_000_000}
    fields = generation_fields(Metadata(fields={**found, "settings": {"short": "s"}}))
    assert fields["positive"] == found["prompt"]
    assert [name for name, _ in fields["settings"]] == ["short", "graph"]
    assert "left in the file: workflow" in fields["parser"]
    assert size(fields) < limits.MAX_GENERATION_FIELD_BYTES + 1000


def test_text_that_grows_when_it_is_written_is_measured_as_written():
    fields = generation_fields(
        Metadata(fields={"prompt": "\x01" * 4_000_000, "negative_prompt": "n"})
    )
    assert "positive" not in fields
    assert fields["negative"] == "n"
    assert "left in the file: positive" in fields["parser"]


def test_names_that_are_left_out_are_few_and_printable():
    settings = {f"{number}\x1b[2J": "x" * 1_000_000 for number in range(60)}
    parser = generation_fields(Metadata(fields={"settings": settings}))["parser"]
    assert parser.isprintable()
    assert parser.count("?[2J") == 16
