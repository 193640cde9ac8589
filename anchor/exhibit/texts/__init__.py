"""The texts that go into an exhibit, with places for its names and numbers in braces."""

from __future__ import annotations

from importlib.resources import files


def load_text(name: str) -> str:
    """Return a text of this folder."""
    return files("anchor.exhibit.texts").joinpath(name).read_text("utf-8")
