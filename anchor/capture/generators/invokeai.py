"""Read what InvokeAI writes, now and before.

Where: PNG text ``invokeai_metadata`` with ``invokeai_workflow`` and ``invokeai_graph`` (version 3
and later), ``sd-metadata`` (version 2), ``Dream`` (the command line before that). In the older two
the negative prompt stands in square brackets inside the prompt.
"""

from __future__ import annotations

import re
from typing import Any, Final

from anchor.capture.findings import Findings
from anchor.capture.generators.json_text import (
    first_member,
    list_member,
    member,
    parse_json_object,
    text_member,
)
from anchor.capture.generators.reading import Reading
from anchor.errors import FormatError

_BRACKETS: Final = re.compile(r"\[([^\[\]]*)\]")
_DREAM: Final = re.compile(r'\s*"((?:[^"\\]++|\\.)*+)"(.*)', re.DOTALL)
_DREAM_OPTION: Final = re.compile(r"-(\w)\s*([^\s-]\S*)")
_DREAM_NAMES: Final = {
    "A": "sampler", "C": "cfg_scale", "H": "height", "S": "seed", "s": "steps", "W": "width",
}  # fmt: skip
_TAKEN: Final = frozenset(
    ("positive_prompt", "negative_prompt", "seed", "steps", "cfg_scale", "scheduler", "width",
     "height", "model", "vae", "loras", "app_version", "strength", "clip_skip")
)  # fmt: skip
_SECOND_SETTINGS: Final = ("type", "variations", "postprocessing", "threshold", "perlin")
_MAX_DREAM_CHARACTERS: Final = 1 << 20


def read_invokeai(found: Findings) -> Reading | None:
    """Read the newest form that the file has."""
    if (text := found.text("invokeai_metadata")) is not None:
        fields = _current(parse_json_object(text, "invokeai: invokeai_metadata"))
    elif (text := found.text("sd-metadata")) is not None:
        fields = _second(parse_json_object(text, "invokeai: sd-metadata"))
    elif (text := found.text("Dream")) is not None:
        fields = _dream(text)
    elif found.text("invokeai_graph") is not None or found.text("invokeai_workflow") is not None:
        fields = {}
    else:
        return None
    fields["workflow"] = found.text("invokeai_workflow")
    fields["graph"] = found.text("invokeai_graph")
    return Reading("InvokeAI", fields)


def _current(data: dict[str, Any]) -> dict[str, Any]:
    model = data.get("model")
    return {
        "prompt": text_member(data, "positive_prompt"),
        "negative_prompt": text_member(data, "negative_prompt"),
        "seed": data.get("seed"),
        "steps": data.get("steps"),
        "cfg_scale": data.get("cfg_scale"),
        "sampler": text_member(data, "scheduler"),
        "size": _size(data),
        "denoise": data.get("strength"),
        "clip_skip": data.get("clip_skip"),
        "model": text_member(model, "name", "model_name"),
        "model_hash": text_member(model, "hash"),
        "vae": text_member(data.get("vae"), "name", "model_name"),
        "loras": [_lora(lora) for lora in list_member(data, "loras") if isinstance(lora, dict)],
        "tool_version": text_member(data, "app_version"),
        "settings": {name: value for name, value in data.items() if name not in _TAKEN},
    }


def _lora(lora: dict[str, Any]) -> dict[str, Any]:
    model = first_member(lora, "model", "lora")
    return {
        "name": text_member(model, "name", "model_name"),
        "hash": text_member(model, "hash"),
        "weight": lora.get("weight"),
    }


def _second(data: dict[str, Any]) -> dict[str, Any]:
    image = data.get("image")
    if not isinstance(image, dict):
        raise FormatError("invokeai: sd-metadata has no image", code="capture.invokeai")
    prompt = image.get("prompt")
    if isinstance(prompt, list):
        prompt = " ".join(p for item in prompt if isinstance(p := member(item, "prompt"), str))
    positive, negative = _split(prompt if isinstance(prompt, str) else "")
    return {
        "prompt": positive,
        "negative_prompt": negative,
        "seed": image.get("seed"),
        "steps": image.get("steps"),
        "cfg_scale": image.get("cfg_scale"),
        "sampler": text_member(image, "sampler"),
        "size": _size(image),
        "denoise": image.get("strength"),
        "model": text_member(data, "model_weights"),
        "model_hash": text_member(data, "model_hash"),
        "tool_version": text_member(data, "app_version"),
        "settings": {
            k: image.get(k) for k in ("type", "variations", "postprocessing", "threshold")
        },
    }


def _dream(text: str) -> dict[str, Any]:
    match = _DREAM.match(text[:_MAX_DREAM_CHARACTERS])
    if match is None:
        raise FormatError("invokeai: the Dream text does not start with a prompt")
    positive, negative = _split(match[1])
    options: dict[str, Any] = {}
    for option in _DREAM_OPTION.finditer(match[2]):
        options.setdefault(option[1], option[2])
    fields: dict[str, Any] = {"prompt": positive, "negative_prompt": negative}
    fields |= {name: options.pop(key) for key, name in _DREAM_NAMES.items() if key in options}
    fields["size"] = _size(fields)
    fields["settings"] = {f"-{key}": value for key, value in options.items()}
    return fields


def _split(prompt: str) -> tuple[str, str]:
    """Return what stands outside and what inside square brackets."""
    negative = ", ".join(text.strip(" ,") for text in _BRACKETS.findall(prompt))
    return _BRACKETS.sub("", prompt).strip(" ,"), negative


def _size(data: dict[str, Any]) -> str | None:
    width, height = data.pop("width", None), data.pop("height", None)
    return None if width is None or height is None else f"{width}x{height}"
