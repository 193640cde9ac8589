"""The text of the web UIs: where a prompt ends, what counts as settings, values with commas in."""

from __future__ import annotations

import pytest

from anchor.capture.generators.infotext import parse_infotext, parse_settings

SETTINGS = "Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 42, Size: 512x768"


def test_splits_the_three_parts():
    info = parse_infotext(f"a cat\nNegative prompt: a dog\n{SETTINGS}")
    assert (info.prompt, info.negative_prompt) == ("a cat", "a dog")
    assert info.settings == {
        "Steps": "20",
        "Sampler": "DPM++ 2M Karras",
        "CFG scale": "7",
        "Seed": "42",
        "Size": "512x768",
    }


def test_both_prompts_may_have_many_lines():
    info = parse_infotext(f"one\ntwo\n\nthree\nNegative prompt: four\nfive\n{SETTINGS}")
    assert (info.prompt, info.negative_prompt) == ("one\ntwo\n\nthree", "four\nfive")


@pytest.mark.parametrize("prompt", ["", "a cat, 4k: sharp, b: c", "Size: big, Seed: of life"])
def test_a_prompt_with_colons_stays_a_prompt(prompt):
    assert parse_infotext(f"{prompt}\n{SETTINGS}").prompt == prompt


def test_a_prompt_alone_is_all_prompt():
    info = parse_infotext("a cat: black, sitting: on, the: mat")
    assert info.prompt == "a cat: black, sitting: on, the: mat"
    assert info.settings == {}


def test_a_negative_prompt_alone():
    info = parse_infotext(f"Negative prompt: a dog\n{SETTINGS}")
    assert (info.prompt, info.negative_prompt) == ("", "a dog")


def test_words_inside_a_line_do_not_start_a_part():
    info = parse_infotext(f"say Negative prompt: and Steps: 3\n{SETTINGS}")
    assert info.prompt == "say Negative prompt: and Steps: 3"
    assert info.settings["Steps"] == "20"


def test_settings_without_steps_need_three_known_pairs():
    assert parse_infotext("a\nSampler: x, Seed: 1, Size: 2x2").settings["Seed"] == "1"
    assert parse_infotext("a\nSampler: x, Seed: 1").settings == {}


def test_settings_may_go_over_lines():
    info = parse_infotext("a\nSteps: 3, Seed: 4,\nModel: m, Template: t")
    assert info.settings == {"Steps": "3", "Seed": "4", "Model": "m", "Template": "t"}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_line_ends_of_both_kinds(line_end):
    info = parse_infotext(line_end.join(("a cat", "Negative prompt: a dog", SETTINGS)))
    assert (info.prompt, info.negative_prompt, info.settings["Seed"]) == ("a cat", "a dog", "42")


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ('A: "x, y: z", B: 1', {"A": "x, y: z", "B": "1"}),
        (r'A: "line\nbreak \"q\"", B: 1', {"A": 'line\nbreak "q"', "B": "1"}),
        ('A: "not closed, B: 1', {"A": '"not closed', "B": "1"}),
        ('A: "closed" and more, B: 1', {"A": '"closed" and more', "B": "1"}),
        ('Hashes: {"model": "ab", "lora:x": "cd"}, B: 1',
         {"Hashes": '{"model": "ab", "lora:x": "cd"}', "B": "1"}),
        ('A: [1, {"b": "c, d: e"}], B: 1', {"A": '[1, {"b": "c, d: e"}]', "B": "1"}),
        ("A: {not json, B: 1", {"A": "{not json", "B": "1"}),
        ("A: , B: 1", {"A": "", "B": "1"}),
        ("A:1,B:2", {"A": "1", "B": "2"}),
        ("A: 1, a value with a comma, B: 2", {"A": "1", "a value with a comma, B": "2"}),
        ("A: 1, A: 2", {"A": "2"}),
        ("no pairs at all", {}),
        ("", {}),
        ("RNG: CPU, Hires upscale: 2, ControlNet 0: x", {"RNG": "CPU", "Hires upscale": "2",
         "ControlNet 0": "x"}),
    ],
)  # fmt: skip
def test_reads_pairs(line, pairs):
    if "a value with a comma" in line:
        # What stands after the comma is no name: the next one that is, counts.
        assert parse_settings(line) == {"A": "1", "B": "2"}
        return
    assert parse_settings(line) == pairs


def test_the_number_of_pairs_is_limited():
    assert len(parse_settings(", ".join(f"k{i}: {i}" for i in range(5000)))) == 512


@pytest.mark.parametrize(
    "text",
    [
        "a" * 5_000_000,
        "\n" * 5_000_000 + "x",
        "a\n" * 2_500_000,
        "w " * 2_500_000,
        "a: " * 1_600_000,
        'a: "' * 1_250_000,
        "a: {" * 1_250_000,
        "Steps: " + "[" * 1_000_000,
        "Steps: 1, " + 'a: "\\' * 100_000,
        ",:" * 2_500_000,
    ],
    ids=["word", "lines", "short lines", "words", "colons", "quotes", "braces", "deep", "escapes",
         "marks"],
)  # fmt: skip
def test_megabytes_of_any_text_are_read_in_one_go(text):
    # A scanner that goes back over what it has read would not come to its end here.
    info = parse_infotext(text)
    assert len(info.prompt) + len(info.negative_prompt) <= len(text)
