"""Text of parties and of files, made fit for a page that is kept for decades.

The typesetter sets every string as it is, so nothing in one can be markup. What is left to do is
what a page can not show, or what makes it lie: control characters, characters that turn the
direction of reading, and code points without a meaning. Each is written out, ``[U+202E]``.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

CUT_CHARACTERS: Final = 1200
_TURNING: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_UNSHOWN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_QUOTED: Final = re.compile(r'the text `"((?:[^"\\]|\\.)*)"`')
_ESCAPE: Final = re.compile(r"\\u\{([0-9a-f]{1,6})\}|\\(.)")


def plain(text: str, *, lines: bool = True) -> str:
    """Return a text in which everything can be seen; ``lines`` keeps line ends."""
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(
        each if (each == "\n" and lines) or not _is_unshown(each) else written_out(each)
        for each in text
    )


def cut(text: str, characters: int = CUT_CHARACTERS) -> tuple[str, int]:
    """Return the beginning of a text, and how many characters of it were left out."""
    left_out = max(0, len(text) - characters)
    return (text[:characters] + "…" if left_out else text), left_out


def written_out(character: str) -> str:
    """Return ``[U+1F600]``."""
    return f"[U+{ord(character):04X}]"


def undisplayable(messages: str) -> frozenset[str]:
    """Return the characters that the typesetter says no font of ours has.

    Args:
        messages: its errors, each naming a text in the notation of Rust strings.
    """
    found = (_unescaped(match[1]) for match in _QUOTED.finditer(messages))
    return frozenset(each for text in found for each in text if ord(each) > 0x7E)


def _is_unshown(character: str) -> bool:
    return character in _TURNING or unicodedata.category(character) in _UNSHOWN


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)
