"""Read what Draw Things writes: JSON in the XMP property ``exif:UserComment``.

``c`` is the prompt, ``uc`` what is not wanted; ``v2`` repeats the settings in the program's own
form.
"""

from __future__ import annotations

from typing import Any, Final

from anchor.capture.findings import Findings
from anchor.capture.generators.json_text import (
    list_member,
    looks_like_object,
    parse_json_object,
    text_member,
)
from anchor.capture.generators.reading import Reading

_TAKEN: Final = frozenset(
    ("c", "uc", "seed", "steps", "scale", "sampler", "model", "size", "strength", "lora")
)


def read_draw_things(found: Findings) -> Reading | None:
    """Read the comment, if it is one of Draw Things'."""
    creator = found.text("xmp.xmp:CreatorTool") or ""
    comment = found.first_text("xmp.exif:UserComment", "exif.UserComment")
    if comment is None or not looks_like_object(comment.value):
        return None
    if not creator.startswith("Draw Things") and '"uc"' not in comment.value:
        return None
    data = parse_json_object(comment.value, "draw things: UserComment")
    if not creator.startswith("Draw Things") and not isinstance(data.get("c"), str):
        return None
    return Reading("Draw Things", _fields(data))


def _fields(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "prompt": text_member(data, "c"),
        "negative_prompt": text_member(data, "uc"),
        "seed": data.get("seed"),
        "steps": data.get("steps"),
        "cfg_scale": data.get("scale"),
        "sampler": text_member(data, "sampler"),
        "size": text_member(data, "size"),
        "denoise": data.get("strength"),
        "model": text_member(data, "model"),
        "loras": [
            {"name": text_member(lora, "model", "file"), "weight": lora.get("weight")}
            for lora in list_member(data, "lora")
            if isinstance(lora, dict)
        ],
        "settings": {name: value for name, value in data.items() if name not in _TAKEN},
    }
