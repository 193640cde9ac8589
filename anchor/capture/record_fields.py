"""Turn what was captured into the fields of a ``generation`` record.

The names and types are those of ``docs/spec/record.md``. Everything that has no field of its own
goes, as text, into ``settings``. A record has a largest size: what would not fit stays in the file,
the longest settings first and the prompts last, and ``parser`` says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from anchor.capture.generators.json_text import compact
from anchor.capture.metadata import PARSER, Metadata
from anchor.capture.text import printable
from anchor.limits import MAX_GENERATION_FIELD_BYTES

_NAMES: Final = {
    "tool_version": "tool_version",
    "author": "account",
    "job_id": "job",
    "prompt": "positive",
    "negative_prompt": "negative",
    "sampler": "sampler",
    "scheduler": "scheduler",
    "steps": "steps",
    "cfg_scale": "guidance",
    "denoise": "denoise",
    "seed": "seed",
}
_MODELS: Final = ("model", "model_hash", "vae", "vae_hash", "loras")
_SIZE: Final = re.compile(r"([0-9]{1,6})\s*[x×]\s*([0-9]{1,6})", re.ASCII)
_MAX_NAMED: Final = 16
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def generation_fields(metadata: Metadata) -> dict[str, Any]:
    """Return the hidden fields that a ``generation`` record has of its own, ready to be signed.

    ``width`` and ``height`` are what the tool says, else those of the file. ``parser`` names the
    reader, with its notes, so that what could not be read is on record too.
    """
    fields = metadata.fields
    result: dict[str, Any] = {
        name: fields[key] if name == "steps" else compact(fields[key])
        for key, name in _NAMES.items()
        if key in fields
    }
    if metadata.tool is not None:
        result["tool"] = metadata.tool
    if models := list(_models(fields)):
        result["models"] = models
    width, height = _size(metadata)
    if width is not None and height is not None:
        result["width"], result["height"] = width, height
    settings = dict(_settings(fields))
    left_out = _fit(result, settings)
    if settings:
        result["settings"] = [[name, value] for name, value in settings.items()]
    notes = [*metadata.notes]
    if left_out:
        notes.append(f"too long for a record, and left in the file: {', '.join(left_out)}")
    result["parser"] = "; ".join((PARSER, *notes))
    return result


def _fit(result: dict[str, Any], settings: dict[str, str]) -> list[str]:
    """Take out what is too long for a record, and return its names."""
    sizes = {name: _n_bytes(name) + _n_bytes(value) for name, value in settings.items()}
    total = sum(sizes.values()) + sum(map(_n_bytes, result.values()))
    left_out: list[str] = []
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if total <= MAX_GENERATION_FIELD_BYTES:
            break
        total -= sizes[name]
        del settings[name]
        left_out.append(name)
    for name in sorted(result, key=lambda name: _n_bytes(result[name]), reverse=True):
        if total <= MAX_GENERATION_FIELD_BYTES:
            break
        total -= _n_bytes(result.pop(name))
        left_out.append(name)
    return [printable(name, max_characters=80) for name in left_out[:_MAX_NAMED]]


def _n_bytes(value: Any) -> int:
    """Return the length of a value as JSON."""
    return len(json.dumps(value, ensure_ascii=False).encode())


def _models(fields: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for role, key in (("checkpoint", "model"), ("vae", "vae")):
        if key in fields or f"{key}_hash" in fields:
            yield _model(role, fields.get(key), fields.get(f"{key}_hash"))
    for lora in fields.get("loras", ()):
        yield _model("lora", lora.get("name"), lora.get("hash"), lora.get("weight"))


def _model(role: str, name: Any, digest: Any, weight: Any = None) -> dict[str, str]:
    """Return one model; a whole SHA-256 is called so, the short forms of the tools ``hash``."""
    key = "sha256" if _SHA256.fullmatch(str(digest)) else "hash"
    values = {"role": role, "name": name, key: digest, "weight": weight}
    return {key: value for key, value in values.items() if isinstance(value, str)}


def _size(metadata: Metadata) -> tuple[int | None, int | None]:
    match = _SIZE.fullmatch(str(metadata.fields.get("size", "")).strip())
    if match is not None:
        return int(match[1]), int(match[2])
    fields = metadata.fields
    return fields.get("width", metadata.width), fields.get("height", metadata.height)


def _settings(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from fields.get("settings", {}).items()
    taken = {*_NAMES, *_MODELS, "settings", "size", "width", "height"}
    for name, value in fields.items():
        if name not in taken:
            yield name, compact(value)
