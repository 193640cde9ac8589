"""Read what AUTOMATIC1111's web UI writes, and Forge, SD.Next and others in its manner.

Where: PNG text ``parameters`` (and ``postprocessing`` from the extras tab); Exif UserComment in
JPEG, WebP and AVIF; pixels, with the extension for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from anchor.capture.findings import Findings
from anchor.capture.generators.infotext import Infotext, parse_infotext
from anchor.capture.generators.json_text import looks_like_object
from anchor.capture.generators.reading import Reading

_NAMES: Final = {
    "Steps": "steps",
    "Sampler": "sampler",
    "Schedule type": "scheduler",
    "CFG scale": "cfg_scale",
    "Seed": "seed",
    "Size": "size",
    "Model": "model",
    "Model hash": "model_hash",
    "VAE": "vae",
    "VAE hash": "vae_hash",
    "Denoising strength": "denoise",
    "Clip skip": "clip_skip",
    "Version": "tool_version",
}
_TAG: Final = re.compile(r"<(lora|lyco|hypernet):([^:<>]{1,200})(?::([^<>]{0,40}))?")
_MAX_TAGS: Final = 256


def read_a1111(found: Findings) -> Reading | None:
    """Read infotext, if the file has it."""
    text = found.text("parameters")
    if text is None:
        comment = found.first_text("exif.UserComment", "exif.ImageDescription", "jpeg.COM")
        # What stands in these places is often somebody's own comment.
        text = comment.value if comment and _is_infotext(comment.value) else None
    if text is None or looks_like_object(text):
        return None
    info = parse_infotext(text)
    fields = infotext_fields(info)
    if extras := found.text("postprocessing"):
        fields["settings"]["postprocessing"] = extras
    notes = () if info.settings else ("the text called 'parameters' has no line of settings",)
    return Reading(_tool(info.settings), fields, notes)


def infotext_fields(info: Infotext) -> dict[str, Any]:
    """Return the fields of a parsed text; LoRAs from the prompt's tags and the hashes."""
    settings = dict(info.settings)
    fields: dict[str, Any] = {
        "prompt": info.prompt,
        "negative_prompt": info.negative_prompt,
        "loras": _loras(info.prompt, settings),
    }
    fields |= {name: settings.pop(key) for key, name in _NAMES.items() if key in settings}
    fields["settings"] = settings
    return fields


def _is_infotext(text: str) -> bool:
    return "Steps: " in text and bool(parse_infotext(text).settings)


def _tool(settings: Mapping[str, str]) -> str:
    version, app = settings.get("Version", ""), settings.get("App", "")
    if app == "SD.Next":
        return "SD.Next"
    if version.startswith("Fooocus"):
        return "Fooocus"
    if version.startswith(("f", "neo")) and any(c.isdigit() for c in version):
        return "Forge"
    if version == "ComfyUI" or "ComfyUI" in settings.get("Generator", ""):
        return "ComfyUI"
    return "AUTOMATIC1111"


def _loras(prompt: str, settings: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the networks that the prompt calls, each once, with its hash if one is listed."""
    hashes = {}
    for pair in settings.get("Lora hashes", "").split(","):
        name, separator, digest = pair.rpartition(":")
        if separator:
            hashes[name.strip()] = digest.strip()
    loras: dict[str, dict[str, str]] = {}
    for match in _TAG.finditer(prompt):
        if len(loras) < _MAX_TAGS:
            name = match[2]
            loras[name] = {"name": name, "weight": match[3] or "", "hash": hashes.get(name, "")}
    for name, digest in hashes.items():
        if len(loras) < _MAX_TAGS:
            loras.setdefault(name, {"name": name, "hash": digest})
    return list(loras.values())
