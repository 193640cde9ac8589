"""The difference of two prompts: joins back to both, and takes no time on long ones."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchor.records.difference import prompt_difference
from anchor.records.fields import TYPES

WORDS = st.lists(
    st.sampled_from(["cat", " ", "sea", ",", "(", "猫", "\n", "_a1", "é"]), max_size=30
)


def sides(difference: list[list[str]]) -> tuple[str, str]:
    old = "".join(text for sign, text in difference if sign in "=-")
    return old, "".join(text for sign, text in difference if sign in "=+")


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("", "", []),
        ("a cat", "a cat", [["=", "a cat"]]),
        ("", "a cat", [["+", "a cat"]]),
        ("a cat", "", [["-", "a cat"]]),
        ("a cute cat", "a cute dog", [["=", "a cute "], ["-", "cat"], ["+", "dog"]]),
        ("a cat", "a cat, sea", [["=", "a cat"], ["+", ", sea"]]),
        ("sea, a cat", "a cat", [["-", "sea, "], ["=", "a cat"]]),
    ],
)
def test_examples(old: str, new: str, wanted: list[list[str]]) -> None:
    assert prompt_difference(old, new) == wanted


@given(WORDS, WORDS)
def test_both_prompts_come_back(old: list[str], new: list[str]) -> None:
    difference = prompt_difference("".join(old), "".join(new))
    assert sides(difference) == ("".join(old), "".join(new))
    assert TYPES["difference"](difference)
    signs = [sign for sign, _ in difference]
    assert all(a != b for a, b in pairwise(signs))


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text(old: str, new: str) -> None:
    assert sides(prompt_difference(old, new)) == (old, new)


def test_nothing_common_is_lost_for_being_long() -> None:
    old = "the same words " * 20_000 + "cat"
    new = "the same words " * 20_000 + "dog"
    assert prompt_difference(old, new)[1:] == [["-", "cat"], ["+", "dog"]]


def test_what_differs_everywhere_is_replaced_whole() -> None:
    old, new = "a " * 5000, "b " * 5000
    assert sides(prompt_difference(old, new)) == (old, new)
    assert len(prompt_difference(old, new)) <= 4
