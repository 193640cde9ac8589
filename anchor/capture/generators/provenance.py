"""Read what says where a picture comes from without saying how it was made.

IPTC's digital source type, from XMP; and the generators that write no more than their name.
"""

from __future__ import annotations

import re
from typing import Final

from anchor.capture.findings import Findings
from anchor.capture.generators.reading import Reading

_SOURCE_TYPES: Final = ("xmp.Iptc4xmpExt:DigitalSourceType", "xmp.Iptc4xmpExt:digitalSourceType")
_SOURCE_PREFIX: Final = re.compile(r"https?://cv\.iptc\.org/newscodes/digitalsourcetype/")
_NAMES: Final = {
    "exif.Make": {"Ideogram AI": "Ideogram"},
    "exif.Software": {"reve.com": "Reve"},
    "Software": {"reve.com": "Reve"},
}
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def digital_source_type(found: Findings) -> str | None:
    """Return the code of the IPTC digital source type, such as ``trainedAlgorithmicMedia``."""
    text = found.first_text(*_SOURCE_TYPES)
    return None if text is None else source_type_code(text.value)


def source_type_code(value: str) -> str:
    """Return the code of a source type that is written as IPTC's address, else what is there."""
    return _SOURCE_PREFIX.sub("", value.strip()[:200])


def read_named_tool(found: Findings) -> Reading | None:
    """Read the tools that write their name and no settings."""
    for place, names in _NAMES.items():
        if (tool := names.get(found.text(place) or "")) is not None:
            return Reading(tool, {})
    description, artist = found.text("exif.ImageDescription"), found.text("exif.Artist")
    if description and artist and description.startswith("Signature: ") and _UUID.fullmatch(artist):
        # Grok: the number of the image, and a signature that only its maker can check.
        return Reading("Grok", {"job_id": artist, "signature": description[11:].strip()})
    return None
