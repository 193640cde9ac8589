"""The fixed text of the printed exhibit, in each language: ``words/<language>.toml``.

Every language has the same names (a test compares them). A text holds places, ``{name}``, that are
filled with data once; what stands in the data is never filled again.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from anchor.errors import UsageError
from anchor.exhibit.pdf.blocks import SIGNS, Line, Run

LANGUAGES: Final = ("en", "zh")
_REGIONS: Final = {"en": None, "zh": "cn"}


@dataclass(frozen=True, slots=True)
class Words:
    """The text of one language.

    Attributes:
        lang: BCP 47 primary language.
        texts: by section and name.
    """

    lang: str
    texts: dict[str, dict[str, Any]]

    @property
    def region(self) -> str | None:
        """Return the region that the typesetter chooses glyphs by, if any."""
        return _REGIONS[self.lang]

    def __call__(self, name: str, /, **values: object) -> str:
        """Return the text of ``section.name`` with its places filled."""
        section, _, key = name.partition(".")
        text: str = self.texts[section][key]
        return text.format(**values) if values else text

    def lines(self, name: str, /, **values: object) -> list[str]:
        """Return a list of texts with their places filled."""
        section, _, key = name.partition(".")
        return [text.format(**values) if values else text for text in self.texts[section][key]]

    def rows(self, name: str) -> list[list[str]]:
        """Return a table of texts."""
        section, _, key = name.partition(".")
        rows: list[list[str]] = self.texts[section][key]
        return rows

    def word(self, status: str) -> Run:
        """Return a verdict word with its sign, in its colour."""
        return (status, f"{SIGNS[status]} {self(f'word.{status}')}")

    def kind(self, kind: str) -> str:
        """Return what people call a kind of record."""
        return str(self.texts["kind"].get(kind, kind))

    def role(self, role: str) -> str:
        """Return what people call the role of a file."""
        return str(self.texts["role"].get(role, role))

    def verdict(self, status: str) -> Line:
        """Return a verdict word as a line of its own."""
        return [self.word(status)]


@cache
def words_of(lang: str) -> Words:
    """Return the text of a language.

    Raises:
        UsageError: there is none in that language.
    """
    if lang not in LANGUAGES:
        raise UsageError(
            f"the exhibit is not written in {lang!r}",
            code="exhibit.language",
            hint=f"languages: {', '.join(LANGUAGES)}",
        )
    source = files("anchor.exhibit.pdf") / "words" / f"{lang}.toml"
    return Words(lang, tomllib.loads(source.read_text(encoding="utf-8")))
