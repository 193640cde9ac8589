"""Read what SwarmUI writes: one JSON object with ``sui_image_params``.

Where: PNG text ``parameters``; Exif UserComment in other formats, Exif Model in old ones; pixels.
Source: docs/Image Metadata Format.md of SwarmUI.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from anchor.capture.findings import Findings
from anchor.capture.generators.json_text import (
    list_member,
    member,
    parse_json_object,
    text_member,
)
from anchor.capture.generators.reading import Reading

_MARK: Final = '"sui_image_params"'
_PLACES: Final = ("parameters", "exif.UserComment", "exif.Model", "exif.ImageDescription")
_TAKEN: Final = frozenset(
    ("prompt", "negativeprompt", "seed", "steps", "cfgscale", "sampler", "comfyuisampler",
     "scheduler", "comfyuischeduler", "width", "height", "model", "vae", "loras", "loraweights",
     "swarm_version")
)  # fmt: skip


def read_swarmui(found: Findings) -> Reading | None:
    """Read the parameters, if the file has them."""
    texts = (text.value for place in _PLACES for text in found.texts(place))
    text = next((text for text in texts if _MARK in text), None)
    if text is None:
        return None
    data = parse_json_object(text, "swarmui: parameters")
    run = data.get("sui_image_params")
    run = run if isinstance(run, dict) else {}
    extra = data.get("sui_extra_data")
    extra = extra if isinstance(extra, dict) else {}
    width, height = run.get("width"), run.get("height")
    models = list_member(data, "sui_models")
    return Reading(
        "SwarmUI",
        {
            "prompt": text_member(run, "prompt"),
            "negative_prompt": text_member(run, "negativeprompt"),
            "original_prompt": text_member(extra, "original_prompt")
            or text_member(run, "original_prompt"),
            "seed": run.get("seed"),
            "steps": run.get("steps"),
            "cfg_scale": run.get("cfgscale"),
            "sampler": text_member(run, "sampler", "comfyuisampler"),
            "scheduler": text_member(run, "scheduler", "comfyuischeduler"),
            "size": f"{width}x{height}" if width and height else None,
            "model": text_member(run, "model"),
            "model_hash": _model_hash(models, run.get("model")),
            "vae": text_member(run, "vae"),
            "loras": list(_loras(run, models)),
            "tool_version": text_member(run, "swarm_version"),
            "settings": {k: v for k, v in {**run, **extra}.items() if k not in _TAKEN},
        },
    )


def _model_hash(models: list[Any], name: Any) -> str | None:
    """Return the hash that ``sui_models`` lists for a model; names may carry an extension there."""
    for entry in models:
        listed = member(entry, "name")
        if isinstance(listed, str) and isinstance(name, str) and listed.split(".safet")[0] == name:
            return text_member(entry, "hash")
    return None


def _loras(run: dict[str, Any], models: list[Any]) -> Iterator[dict[str, Any]]:
    weights = _list(run.get("loraweights"))
    for index, name in enumerate(_list(run.get("loras"))):
        yield {
            "name": name,
            "weight": weights[index] if index < len(weights) else None,
            "hash": _model_hash(models, name),
        }


def _list(value: Any) -> list[Any]:
    """Return a list, or the parts of a text with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value if isinstance(value, list) else []
