"""The difference between two prompts, word by word.

A convenience for people: whoever has both prompts can make it again, and nobody believes it.

Rules: a text is cut into words and the separators between them, so that the parts joined give the
text back; the longest common sequence is kept, earliest match first. What differs over more than a
thousand parts, equal ends aside, is shown as replaced whole, so that no prompt takes long.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

_PART: Final = re.compile(r"\w+|\s+|[^\w\s]")
_MAX_PARTS: Final = 1000


def prompt_difference(old: str, new: str) -> list[list[str]]:
    """Return ``[sign, text]`` pairs in order.

    ``=`` is in both, ``-`` only in the old one, ``+`` only in the new one: the texts under ``=``
    and ``-`` join to the old prompt, those under ``=`` and ``+`` to the new one.
    """
    before, after = _PART.findall(old), _PART.findall(new)
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    middle = _middle(before[start : len(before) - end], after[start : len(after) - end])
    parts = [("=", part) for part in before[:start]] + middle
    parts += [("=", part) for part in before[len(before) - end :]]
    return [
        [sign, "".join(part for _, part in run)] for sign, run in groupby(parts, lambda p: p[0])
    ]


def _middle(before: list[str], after: list[str]) -> list[tuple[str, str]]:
    """Return the parts of what lies between the equal ends."""
    if max(len(before), len(after)) > _MAX_PARTS:
        return [("-", part) for part in before] + [("+", part) for part in after]
    common = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i in reversed(range(len(before))):
        row, below = common[i], common[i + 1]
        for j in reversed(range(len(after))):
            row[j] = below[j + 1] + 1 if before[i] == after[j] else max(below[j], row[j + 1])
    parts: list[tuple[str, str]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        if i < len(before) and j < len(after) and before[i] == after[j]:
            parts.append(("=", before[i]))
            i, j = i + 1, j + 1
        elif j == len(after) or (i < len(before) and common[i + 1][j] >= common[i][j + 1]):
            parts.append(("-", before[i]))
            i += 1
        else:
            parts.append(("+", after[j]))
            j += 1
    return parts
