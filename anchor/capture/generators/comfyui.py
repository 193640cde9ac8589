"""Read what ComfyUI writes: the graph that ran (``prompt``), the one drawn (``workflow``).

Where: PNG text, or the private chunk ``comf`` of animated PNG; Exif Model (``prompt:{…}``), Make
(``workflow:{…}``) and the tags below in WebP; Exif UserComment as one JSON object, from nodes that
save other formats.

A graph may have several samplers. The first that ran gives the fields, since it is what the later
ones refine; all are listed under ``samplers``. Both graphs are kept as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from anchor.capture.findings import Findings
from anchor.capture.generators.comfyui_graph import ComfyGraph, Node
from anchor.capture.generators.comfyui_workflow import graph_of_workflow
from anchor.capture.generators.json_text import (
    compact,
    looks_like_object,
    parse_json_object,
)
from anchor.capture.generators.reading import Reading
from anchor.errors import FormatError

_SETTINGS: Final = {
    "seed": ("seed", "noise_seed"),
    "steps": ("steps",),
    "cfg_scale": ("cfg",),
    "sampler": ("sampler_name", "sampler"),
    "scheduler": ("scheduler",),
    "denoise": ("denoise",),
}
_MODELS: Final = ("ckpt_name", "unet_name", "model_name", "model")
_HELPERS: Final = ("noise", "sigmas", "guider", "sampler")
_MAX_SAMPLERS: Final = 16
_MAX_LORAS: Final = 256


def read_comfyui(found: Findings) -> Reading | None:
    """Read the graphs, if the file has one of them."""
    prompt, workflow = _graphs(found)
    if prompt is None and workflow is None:
        return None
    notes: list[str] = []
    fields: dict[str, Any] = {"workflow": workflow, "graph": prompt}
    try:
        if prompt is not None:
            graph = ComfyGraph(parse_json_object(prompt, "comfyui: prompt"))
        else:
            graph = ComfyGraph(graph_of_workflow(parse_json_object(workflow, "comfyui: workflow")))
            notes.append("comfyui: only the drawn graph is there; the settings are read from it")
        fields |= _run(graph)
    except FormatError as error:
        notes.append(str(error))
    return Reading("ComfyUI", fields, tuple(notes))


def _graphs(found: Findings) -> tuple[str | None, str | None]:
    """Return the texts of both graphs, from wherever this file has them."""
    texts = {name: found.text(name) for name in ("prompt", "workflow")}
    for name, text in texts.items():
        if not looks_like_object(text):
            texts[name] = _from_exif(found, name)
    comment = found.text("exif.UserComment")
    if not any(texts.values()) and comment is not None and '"class_type"' in comment:
        try:
            members = parse_json_object(comment, "comfyui: comment")
        except FormatError:
            return None, None
        texts = {
            name: compact(members[name]) if isinstance(members.get(name), dict) else None
            for name in texts
        }
    return texts["prompt"], texts["workflow"]


def _from_exif(found: Findings, name: str) -> str | None:
    """Return ``{…}`` of an Exif text ``name:{…}``."""
    for text in found.texts():
        key, separator, value = text.value.partition(":")
        is_named = text.key.startswith("exif.") and separator and key.lower() == name
        if is_named and looks_like_object(value):
            return value
    return None


def _run(graph: ComfyGraph) -> dict[str, Any]:
    samplers = graph.samplers()
    if not samplers:
        raise FormatError("comfyui: no sampler in the graph", code="capture.comfyui")
    runs = [_sampler(graph, sampler) for sampler in samplers[:_MAX_SAMPLERS]]
    fields = dict(runs[0])
    if len(runs) > 1:
        fields["samplers"] = runs
    return fields


def _sampler(graph: ComfyGraph, sampler: Node) -> dict[str, Any]:
    helpers = [sampler, *_helpers(graph, sampler)]
    fields: dict[str, Any] = {
        name: _first(graph, helpers, keys) for name, keys in _SETTINGS.items()
    }
    # With a guider of their own, conditioning and CFG scale are its inputs.
    for node in helpers:
        for name, role in (("prompt", "positive"), ("negative_prompt", "negative")):
            source = node.link(role)
            if fields.get(name) is None and source is not None:
                fields[name] = graph.text(source, role)  # type: ignore[arg-type]
    source = next((s for node in helpers for s in _conditioning(node)), None)
    if fields.get("prompt") is None and source is not None:
        fields["prompt"] = graph.text(source, "positive")
    before = graph.upstream(*(source for node in helpers for _, source in node.links()))
    fields["model"] = _model(graph, helpers)
    fields["loras"] = list(_loras(graph, before))[:_MAX_LORAS]
    fields["vae"] = next((n.inputs["vae_name"] for n in before if "vae_name" in n.inputs), None)
    fields["size"] = _size(graph, before)
    # Of models with guidance built in: a number of its own, not the CFG scale.
    guidance = next((n.inputs["guidance"] for n in before if "guidance" in n.inputs), None)
    fields["settings"] = {} if isinstance(guidance, list) else {"guidance": guidance}
    return fields


def _helpers(graph: ComfyGraph, sampler: Node) -> Iterator[Node]:
    """Yield the nodes that hold parts of a sampler's settings: noise, sigmas, guider, sampler."""
    for name in _HELPERS:
        source = sampler.link(name)
        if source in graph.nodes and source is not None:
            yield graph.nodes[source]


def _conditioning(node: Node) -> Iterator[str]:
    for name in ("conditioning", "text_embeds"):
        source = node.link(name)
        if source is not None:
            yield source


def _first(graph: ComfyGraph, nodes: list[Node], names: tuple[str, ...]) -> Any:
    for node in nodes:
        for name in names:
            if name in node.inputs and (value := graph.value(node, name)) is not None:
                return value
    return None


def _model(graph: ComfyGraph, helpers: list[Node]) -> str | None:
    """Return the checkpoint nearest to the sampler, up its model input."""
    source = next((s for node in helpers if (s := node.link("model")) is not None), None)
    if source is None:
        return None
    for node in graph.upstream(source):
        for name in _MODELS:
            value = graph.value(node, name)
            if isinstance(value, str) and "lora_name" not in node.inputs:
                return value
    return None


def _loras(graph: ComfyGraph, nodes: list[Node]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        name = graph.value(node, "lora_name")
        if isinstance(name, str):
            weight = graph.value(node, "strength_model")
            yield {"name": name, "weight": weight}
        for value in node.inputs.values():
            # rgthree's "Power Lora Loader" and its like hold one object a network.
            if isinstance(value, dict) and isinstance(value.get("lora"), str) and value.get("on"):
                yield {"name": value["lora"], "weight": value.get("strength")}


def _size(graph: ComfyGraph, nodes: list[Node]) -> str | None:
    """Return the size of the empty latent that the run starts from."""
    for node in nodes:
        if "Empty" in node.class_type and "width" in node.inputs and "height" in node.inputs:
            width, height = graph.value(node, "width"), graph.value(node, "height")
            if isinstance(width, int) and isinstance(height, int):
                return f"{width}x{height}"
    return None
