"""Read what Easy Diffusion writes: its settings by name, in either of two spellings.

Where: PNG text, one for each setting; Exif UserComment with JSON in JPEG and WebP.
"""

from __future__ import annotations

from typing import Any, Final

from anchor.capture.findings import Findings
from anchor.capture.generators.json_text import (
    first_member,
    looks_like_object,
    parse_json_object,
    text_member,
)
from anchor.capture.generators.reading import Reading

_NAMES: Final = {
    "prompt": ("prompt", "Prompt"),
    "negative_prompt": ("negative_prompt", "Negative Prompt"),
    "seed": ("seed", "Seed"),
    "steps": ("num_inference_steps", "Steps"),
    "cfg_scale": ("guidance_scale", "Guidance Scale"),
    "sampler": ("sampler_name", "Sampler"),
    "scheduler": ("scheduler_name", "Scheduler"),
    "denoise": ("prompt_strength", "Prompt Strength"),
    "clip_skip": ("clip_skip", "Clip Skip"),
    "model": ("use_stable_diffusion_model", "Stable Diffusion model"),
    "vae": ("use_vae_model", "VAE model"),
    "width": ("width", "Width"),
    "height": ("height", "Height"),
    "lora": ("use_lora_model", "LoRA model"),
    "lora_weight": ("lora_alpha", "LoRA Strength"),
}
_MARKS: Final = ("use_stable_diffusion_model", "Stable Diffusion model", "num_inference_steps")


def read_easy_diffusion(found: Findings) -> Reading | None:
    """Read the settings, if the file has them in one of the two spellings."""
    data: dict[str, Any] = {
        key: value
        for names in _NAMES.values()
        for key in names
        if (value := found.text(key)) is not None
    }
    comment = found.text("exif.UserComment")
    if not any(mark in data for mark in _MARKS):
        marked = comment is not None and any(f'"{mark}"' in comment for mark in _MARKS)
        if not marked or not looks_like_object(comment):
            return None
        data = parse_json_object(comment, "easy diffusion: UserComment")
    fields = {name: first_member(data, *keys) for name, keys in _NAMES.items()}
    width, height = fields.pop("width"), fields.pop("height")
    names, weights = _list(fields.pop("lora")), _list(fields.pop("lora_weight"))
    taken = {key for keys in _NAMES.values() for key in keys}
    fields |= {
        "model": _file_name(text_member(data, *_NAMES["model"])),
        "size": f"{width}x{height}" if width and height else None,
        "loras": [
            {"name": name, "weight": weights[i] if i < len(weights) else None}
            for i, name in enumerate(names)
        ],
        "settings": {key: value for key, value in data.items() if key not in taken},
    }
    return Reading("Easy Diffusion", fields)


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value in (None, "", "None") else [value]


def _file_name(path: str | None) -> str | None:
    """Return the last part of a path of either kind of system: no folder of the person's."""
    return None if path is None else path.replace("\\", "/").rpartition("/")[2]
