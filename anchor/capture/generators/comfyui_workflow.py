"""Turn a drawn ComfyUI graph into the form of one that ran, as far as its usual nodes go.

A drawn graph lists nodes with their links by number and the values of their fields by position;
the names of the fields are in the node's program, not in the file. The table below has those of
the nodes that hold prompts and settings.
"""

from __future__ import annotations

from typing import Any, Final

from anchor.capture.generators.json_text import list_member
from anchor.errors import FormatError, LimitExceededError
from anchor.limits import MAX_GRAPH_NODES

_FIELDS: Final = {
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler"),
    "CLIPTextEncode": ("text",),
    "CheckpointLoaderSimple": ("ckpt_name",),
    "CheckpointLoader": ("config_name", "ckpt_name"),
    "UNETLoader": ("unet_name",),
    "VAELoader": ("vae_name",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"),
    "LoraLoaderModelOnly": ("lora_name", "strength_model"),
    "EmptyLatentImage": ("width", "height"),
    "EmptySD3LatentImage": ("width", "height"),
    "RandomNoise": ("noise_seed",),
    "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "FluxGuidance": ("guidance",),
    "CFGGuider": ("cfg",),
}
_MUTED: Final = (2, 4)


def graph_of_workflow(workflow: dict[str, Any]) -> dict[str, Any]:
    """Return ``{id: {"class_type", "inputs"}}`` for a drawn graph; muted nodes are left out.

    Raises:
        FormatError: it is no drawn graph.
        LimitExceededError: it has too many nodes or links.
    """
    nodes, links = workflow.get("nodes"), workflow.get("links")
    if not isinstance(nodes, list) or not isinstance(links, list):
        raise FormatError("comfyui: the workflow has no nodes", code="capture.comfyui")
    if max(len(nodes), len(links)) > 4 * MAX_GRAPH_NODES:
        raise LimitExceededError("comfyui: the workflow has too many nodes or links")
    sources: dict[int, list[Any]] = {}
    for link in links:
        # number, from node, from output, to node, to input, type
        if isinstance(link, list) and len(link) >= 5 and isinstance(link[0], int):
            sources[link[0]] = [str(link[1]), link[2]]
    graph: dict[str, Any] = {}
    for node in nodes:
        if isinstance(node, dict) and node.get("mode") not in _MUTED:
            kind = str(node.get("type", ""))
            graph[str(node.get("id"))] = {
                "class_type": kind,
                "inputs": _inputs(node, kind, sources),
            }
    return graph


def _inputs(node: dict[str, Any], kind: str, sources: dict[int, list[Any]]) -> dict[str, Any]:
    values = node.get("widgets_values")
    inputs: dict[str, Any] = {}
    if isinstance(values, dict):
        inputs |= values
    elif isinstance(values, list):
        names = _FIELDS.get(kind, ())
        inputs |= {name: value for name, value in zip(names, values, strict=False) if name}
    for entry in list_member(node, "inputs"):
        link = entry.get("link") if isinstance(entry, dict) else None
        if isinstance(link, int) and link in sources:
            inputs[str(entry.get("name"))] = sources[link]
    return inputs
