"""Read what NovelAI writes: JSON in ``Comment``, beside ``Description``, ``Software``, ``Source``.

Where: PNG text, and the same texts in the alpha channel, which survives where text is stripped;
Exif UserComment in WebP. ``signed_hash`` is NovelAI's Ed25519 signature over pixels and comment: it
is kept, and not checked here.

Source: NovelAI/novelai-image-metadata (layout).
"""

from __future__ import annotations

import re
from typing import Any, Final

from anchor.capture.findings import Findings
from anchor.capture.generators.json_text import (
    list_member,
    looks_like_object,
    member,
    parse_json_object,
    text_member,
)
from anchor.capture.generators.reading import Reading

_SOURCE: Final = re.compile(r"(.{1,200}?)\s+([0-9A-F]{6,16})")
_TAKEN: Final = frozenset(
    ("prompt", "uc", "seed", "steps", "scale", "sampler", "noise_schedule", "width", "height",
     "strength", "signed_hash", "v4_prompt", "v4_negative_prompt", "version")
)  # fmt: skip


def read_novelai(found: Findings) -> Reading | None:
    """Read the comment, if the file has one of NovelAI's."""
    comment = found.text("Comment")
    software = found.text("Software") or found.text("exif.Software") or ""
    if comment is None and software == "NovelAI":
        comment = found.text("exif.UserComment")
    if comment is None or not looks_like_object(comment):
        return None
    if software != "NovelAI" and '"signed_hash"' not in comment and '"uc"' not in comment:
        return None
    data = parse_json_object(comment, "novelai: Comment")
    # In WebP the whole set of texts is one object, with the comment inside it.
    if isinstance(inner := data.get("Comment"), str):
        data = {**data, **parse_json_object(inner, "novelai: Comment")}
    return Reading("NovelAI", _fields(data, found))


def _fields(data: dict[str, Any], found: Findings) -> dict[str, Any]:
    source = found.text("Source") or text_member(data, "Source") or ""
    match = _SOURCE.fullmatch(source[:256])
    width, height = data.get("width"), data.get("height")
    described = found.text("Description") or text_member(data, "Description")
    return {
        "prompt": text_member(data, "prompt") or described,
        "negative_prompt": text_member(data, "uc")
        or member(data, "v4_negative_prompt", "caption", "base_caption"),
        "characters": _characters(data, "v4_prompt"),
        "negative_characters": _characters(data, "v4_negative_prompt"),
        "seed": data.get("seed"),
        "steps": data.get("steps"),
        "cfg_scale": data.get("scale"),
        "sampler": text_member(data, "sampler"),
        "scheduler": text_member(data, "noise_schedule"),
        "denoise": data.get("strength"),
        "size": f"{width}x{height}" if width and height else None,
        "model": match[1] if match else source or None,
        "model_hash": match[2] if match else None,
        "signed_hash": text_member(data, "signed_hash"),
        "settings": {
            name: value
            for name, value in data.items()
            if name not in _TAKEN and name not in ("Comment", "Description", "Source")
        },
    }


def _characters(data: dict[str, Any], name: str) -> list[str]:
    """Return the prompts of single characters (version 4 and later)."""
    captions = list_member(data, name, "caption", "char_captions")
    return [text for item in captions if isinstance(text := member(item, "char_caption"), str)]
