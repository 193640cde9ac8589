"""Read what Midjourney writes into files downloaded from its site.

Where: PNG text ``Description`` (prompt, options, ``Job ID:``), ``Author``, ``Creation Time``; the
same in XMP. Files from its chat carry nothing. The job number and the account name are what the
platform can be asked about.
"""

from __future__ import annotations

import re
from typing import Final

from anchor.capture.findings import Findings
from anchor.capture.generators.reading import Reading

_JOB: Final = re.compile(r"\s*\bJob ID:\s*([0-9a-fA-F-]{8,64})\s*$")
_OPTION: Final = re.compile(r"\s--(?=[a-zA-Z])")
_MAX_OPTIONS: Final = 64


def read_midjourney(found: Findings) -> Reading | None:
    """Read the description, if it ends with the number of a job."""
    description = found.first_text("Description", "xmp.dc:description", "exif.ImageDescription")
    if description is None:
        return None
    # The number stands last; a search over a prompt of megabytes would look at all of it.
    match = _JOB.search(description.value, max(0, len(description.value) - 256))
    if match is None:
        return None
    text = description.value[: match.start()].strip()
    prompt, *parts = _OPTION.split(f" {text}", _MAX_OPTIONS)
    options = {name: value.strip() for name, _, value in (part.partition(" ") for part in parts)}
    settings = {f"--{name}": value or "yes" for name, value in options.items()}
    return Reading(
        "Midjourney",
        {
            "prompt": prompt.strip(),
            "negative_prompt": options.get("no"),
            "seed": options.get("seed"),
            "tool_version": options.get("v") or options.get("version") or options.get("niji"),
            "job_id": match[1],
            "author": found.text("Author") or found.text("xmp.dc:creator"),
            "created": found.text("Creation Time"),
            "image_guid": found.text("xmp.Iptc4xmpExt:DigImageGUID"),
            "settings": {**settings, "description": description.value},
        },
    )
