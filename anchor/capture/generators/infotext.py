"""Parse the text that AUTOMATIC1111's web UI writes, and many after it.

Layout: the prompt, over one line or more; ``Negative prompt:`` and what is not wanted, over one
line or more; one line of ``Name: value`` pairs with commas between, starting with ``Steps:``. A
value is plain up to the next comma, a JSON string, or JSON (``Hashes: {…}``).

Sources: modules/infotext_utils.py and processing.py of the web UI (behaviour; the scanner is ours,
and linear: a prompt of megabytes without a settings line is as quick as its length).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from anchor.limits import MAX_CAPTURE_SETTINGS

_NEGATIVE: Final = "\nNegative prompt:"
_STEPS: Final = "\nSteps:"
_USUAL: Final = frozenset(("Seed", "Sampler", "Size", "Model"))
_NAME: Final = re.compile(r"\w[\w \-/()+.]{0,79}")
_JSON: Final = json.JSONDecoder()
_QUOTED: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_MAX_SETTINGS_LINE_CHARACTERS: Final = 1 << 20
# A last line counts as settings with three pairs, or with fewer if it starts as they all do.
_FEWEST_PAIRS: Final = 3


@dataclass(frozen=True, slots=True)
class Infotext:
    """The three parts; ``settings`` is empty where there is no settings line."""

    prompt: str
    negative_prompt: str
    settings: Mapping[str, str] = field(default_factory=dict)


def parse_infotext(text: str) -> Infotext:
    """Split a text into its parts; a text without settings is all prompt. Never fails."""
    # Searches rather than lines: a prompt may have millions of them.
    text = "\n" + text.strip("\0\r\n ")
    start = text.rfind(_STEPS)
    settings: dict[str, str] = {}
    if start >= 0:
        settings = parse_settings(text[start + 1 :].replace("\n", " "))
    else:
        start = text.rfind("\n")
        settings = parse_settings(text[start + 1 :])
        if len(settings) < _FEWEST_PAIRS or not settings.keys() & _USUAL:
            start, settings = len(text), {}
    negative = text.find(_NEGATIVE, 0, start)
    end = start if negative < 0 else negative
    return Infotext(
        text[:end].strip(),
        "" if negative < 0 else text[negative + len(_NEGATIVE) : start].strip(),
        settings,
    )


def parse_settings(line: str) -> dict[str, str]:
    """Read ``Name: value, Name: value``; of two equal names the last counts, as in the web UI."""
    pairs: dict[str, str] = {}
    if len(line) > _MAX_SETTINGS_LINE_CHARACTERS:
        return pairs
    position = 0
    while len(pairs) < MAX_CAPTURE_SETTINGS:
        colon = line.find(":", position)
        if colon < 0:
            break
        name = line[position:colon].strip()
        if not _NAME.fullmatch(name):
            # A comma inside a plain value: what follows it belongs to the value before.
            comma = line.find(",", position)
            if comma < 0 or comma > colon:
                break
            position = comma + 1
            continue
        value, position = _value(line, colon + 1)
        pairs[name] = value
    return pairs


def _value(line: str, start: int) -> tuple[str, int]:
    """Return the value that starts there, and where the next name starts."""
    while start < len(line) and line[start] in " \t":
        start += 1
    end = start
    value = ""
    if line[start : start + 1] == '"' and (match := _QUOTED.match(line, start)):
        end, value = match.end(), _unquote(match[0])
    elif line[start : start + 1] in ("{", "["):
        try:
            end = _JSON.raw_decode(line, start)[1]
            value = line[start:end]
        except (ValueError, RecursionError):
            end = start
    comma = line.find(",", end)
    comma = len(line) if comma < 0 else comma
    # Something after the closing quote or bracket: then it was no quoted value after all.
    if end == start or line[end:comma].strip():
        value = line[start:comma].strip()
    return value, comma + 1


def _unquote(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str) else text
