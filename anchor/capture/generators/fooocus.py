"""Read what Fooocus writes, and its fork MRE.

Where: PNG text ``parameters`` (JSON, or the web UI's text) with ``fooocus_scheme``; Exif
UserComment with MakerNote and Software in JPEG and WebP. MRE: PNG text or JPEG comment ``Comment``
with JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from anchor.capture.findings import Findings
from anchor.capture.generators.a1111 import infotext_fields
from anchor.capture.generators.infotext import parse_infotext
from anchor.capture.generators.json_text import (
    first_member,
    list_member,
    looks_like_object,
    parse_json_object,
    text_member,
)
from anchor.capture.generators.reading import Reading

_PAIR: Final = re.compile(r"\(?\s*(\d{1,6})\s*[,x×*]\s*(\d{1,6})\s*\)?")
_TAKEN: Final = frozenset(
    ("prompt", "negative_prompt", "seed", "steps", "guidance_scale", "sampler", "scheduler",
     "resolution", "base_model", "base_model_hash", "base_model_name", "vae", "loras", "version",
     "clip_skip", "cfg", "width", "height", "real_prompt", "real_negative_prompt", "software")
)  # fmt: skip
_MRE_MARKS: Final = ("base_model_name", "base_model")


def read_fooocus(found: Findings) -> Reading | None:
    """Read the scheme that the file has."""
    text = found.text("parameters") or found.text("exif.UserComment")
    scheme = found.text("fooocus_scheme") or found.text("exif.MakerNote")
    software = found.text("exif.Software") or ""
    if looks_like_object(text) and text is not None and '"base_model"' in text:
        return Reading("Fooocus", _scheme(parse_json_object(text, "fooocus: parameters")))
    if text is not None and (scheme in ("fooocus", "a1111") or software.startswith("Fooocus")):
        return Reading("Fooocus", _infotext(text))
    comment = found.first_text("Comment", "comment", "jpeg.COM")
    if comment is not None and looks_like_object(comment.value):
        data = parse_json_object(comment.value, "fooocus: comment")
        if any(isinstance(data.get(mark), str) for mark in _MRE_MARKS):
            return Reading("Fooocus MRE", _scheme(data))
    return None


def _infotext(text: str) -> dict[str, Any]:
    fields = infotext_fields(parse_infotext(text))
    settings = fields["settings"]
    # The prompt as it was typed; above stands what the styles made of it.
    for key, name in (("Raw prompt", "prompt"), ("Raw negative prompt", "negative_prompt")):
        if settings.get(key):
            settings[f"{key} with styles"] = fields[name]
            fields[name] = settings.pop(key)
    weights = settings.get("Lora weights", "")
    for pair in weights.split(","):
        name, separator, weight = pair.rpartition(":")
        for lora in fields["loras"]:
            if separator and lora["name"] == name.strip():
                lora["weight"] = weight.strip()
    return fields


def _scheme(data: dict[str, Any]) -> dict[str, Any]:
    width, height = data.get("width"), data.get("height")
    match = _PAIR.search(str(data.get("resolution", ""))[:64])
    size = f"{match[1]}x{match[2]}" if match else f"{width}x{height}" if width and height else None
    return {
        "prompt": text_member(data, "prompt", "real_prompt"),
        "negative_prompt": text_member(data, "negative_prompt", "real_negative_prompt"),
        "seed": data.get("seed"),
        "steps": data.get("steps"),
        "cfg_scale": first_member(data, "guidance_scale", "cfg"),
        "sampler": text_member(data, "sampler"),
        "scheduler": text_member(data, "scheduler"),
        "size": size,
        "clip_skip": data.get("clip_skip"),
        "model": text_member(data, "base_model", "base_model_name"),
        "model_hash": text_member(data, "base_model_hash"),
        "vae": text_member(data, "vae"),
        "loras": list(_loras(data)),
        "tool_version": text_member(data, "version", "software"),
        "settings": {
            name: value
            for name, value in data.items()
            if name not in _TAKEN and not name.startswith("lora_combined_")
        },
    }


def _loras(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the networks: ``[[name, weight, hash]]``, or ``lora_combined_1: "name : weight"``."""
    if listed := list_member(data, "loras"):
        for entry in listed:
            if isinstance(entry, list) and entry:
                name, weight, digest = (*entry, None, None)[:3]
                yield {"name": name, "weight": weight, "hash": digest}
        return
    for key, value in data.items():
        if key.startswith("lora_combined_") and isinstance(value, str):
            parts = value.split(" : ")
            # Newer versions put whether the network is switched on before its name.
            name, weight = parts[-2:] if len(parts) > 1 else (parts[0], None)
            if parts[0] != "False":
                yield {"name": name, "weight": weight}
