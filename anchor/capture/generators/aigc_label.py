"""Read the implicit label that Chinese law asks of generated content, in every form met so far.

GB 45438-2025, annex E: a JSON object of up to seven strings under a key that contains ``AIGC``.
Forms: XMP property ``AIGC`` of the namespace ``http://www.tc260.org.cn/ns/AIGC/1.0/``, as element
or attribute, its JSON escaped once or twice; PNG text ``AIGC``; Exif UserComment; ``AIGC{…}`` in a
JPEG segment; Exif ImageDescription with ``ServiceProvider``, ``ContentId`` and so on.

The label is given as found. Nothing here writes, changes or removes one: that is forbidden where
the label comes from, and the original is kept byte for byte.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, Final

from anchor.capture.findings import Findings, Text
from anchor.capture.generators.json_text import compact, looks_like_object, parse_json_text
from anchor.errors import FormatError

FIELDS: Final = (
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
_VARIANT_FIELDS: Final = ("ServiceProvider", "ServiceUser", "Time", "ContentId", "ContentID")
_MARKS: Final = frozenset(("Label", "ContentProducer", "ProduceID", "ContentPropagator"))
_VARIANT_MARKS: Final = frozenset(("ServiceProvider", "ContentId", "ContentID"))
_PLACES: Final = (
    "xmp.TC260:AIGC", "AIGC", "app.AIGC", "exif.UserComment", "exif.ImageDescription", "jpeg.COM",
)  # fmt: skip
_MAX_LABEL_CHARACTERS: Final = 64 << 10


def read_aigc_label(found: Findings) -> dict[str, str]:
    """Return the label's members, with ``location``; empty if there is none.

    A second, different label is noted: the standard allows one.
    """
    labels: list[dict[str, str]] = []
    for text in _candidates(found):
        label = _parse(text)
        if label and label not in labels:
            labels.append(label)
            if len(labels) == 1:
                first = text.location
        elif label is None and text.key != "exif.UserComment" and "AIGC" in text.key:
            found.note(f"{text.location}: an AIGC label that cannot be read")
    if not labels:
        return {}
    if len(labels) > 1:
        found.note("different AIGC labels in one file; the first is given")
    return {**labels[0], "location": first}


def _candidates(found: Findings) -> Iterator[Text]:
    for key in _PLACES:
        yield from found.texts(key)
    for text in found.texts():
        if "AIGC" in text.key and text.key not in _PLACES:
            yield text


def _parse(text: Text) -> dict[str, str] | None:
    """Return the members of a label, or None where this is none."""
    value = text.value[: _MAX_LABEL_CHARACTERS + 1].strip()
    if len(value) > _MAX_LABEL_CHARACTERS:
        return None
    for _ in range(2):
        if value.startswith("{") and "&quot;" in value[:64]:
            value = html.unescape(value)
    if not looks_like_object(value):
        return None
    try:
        members = parse_json_text(value, text.location)
    except FormatError:
        return None
    return _members(members)


def _members(value: Any) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    for name, inner in value.items():
        if "AIGC" in name:
            # Some put the object, or its text, into a member of that name.
            if isinstance(inner, str) and looks_like_object(inner):
                try:
                    inner = parse_json_text(inner, "AIGC")  # noqa: PLW2901 - the same, unwrapped
                except FormatError:
                    return None
            return _members(inner)
    names = value.keys()
    if not (names & _MARKS or names & _VARIANT_MARKS):
        return None
    known = (*FIELDS, *_VARIANT_FIELDS)
    return {name: compact(value[name]) for name in known if name in value}
