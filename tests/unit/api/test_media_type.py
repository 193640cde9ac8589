from __future__ import annotations

import pytest

from anchor_api.media_type import choose_media_type
from anchor_api.problems import NotAcceptableError

OFFERED = ("application/a+json", "text/b", "application/c")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/a+json"),
        ("", "application/a+json"),
        ("*/*", "application/a+json"),
        ("text/b", "text/b"),
        ("TEXT/B; charset=utf-8", "text/b"),
        ("text/*", "text/b"),
        ("application/*", "application/a+json"),
        ("text/html, text/b;q=0.4, application/c;q=0.5", "application/c"),
        ("application/a+json;q=0, */*", "text/b"),
        ("application/c;q=0.9, */*;q=0.1", "application/c"),
        ("text/b;q=nonsense, application/c;q=0.1", "application/c"),
    ],
)
def test_choice(accept, chosen):
    assert choose_media_type(accept, OFFERED) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/*", "text/b;q=0", "x", "x,", ";;;"])
def test_nothing_that_can_be_given(accept):
    with pytest.raises(NotAcceptableError):
        choose_media_type(accept, OFFERED)


def test_a_very_long_header_is_cut():
    with pytest.raises(NotAcceptableError):
        choose_media_type("x/y," * 100_000 + "text/b", OFFERED)
