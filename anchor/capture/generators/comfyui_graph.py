"""Find the run in a ComfyUI graph: its sampler, and what leads into it.

A graph maps node ids to ``{"class_type", "inputs"}``; an input is a value, or a link ``[node id,
output number]`` to the node that gives it. Custom nodes are many, so a node is known by its inputs
more than by its name: a sampler is what takes conditioning and a latent, a text is what holds a
string under one of a few names.

Every walk goes to a node once, so that a graph that runs in circles ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from anchor.errors import FormatError, LimitExceededError
from anchor.limits import MAX_GRAPH_NODES, MAX_GRAPH_STEPS

_TEXTS: Final = (
    "text", "text_g", "text_l", "clip_g", "clip_l", "t5xxl", "positive", "negative", "prompt",
    "string", "value", "text_positive", "text_negative", "wildcard_text",
)  # fmt: skip
_CONDITIONING: Final = ("positive", "negative", "guider", "conditioning", "text_embeds")
# Where a walk for text does not go: what these give is no text.
_NO_TEXT: Final = frozenset(
    ("clip", "model", "vae", "control_net", "image", "images", "pixels", "samples", "latent_image",
     "clip_vision_output", "clip_vision", "style_model", "mask")
)  # fmt: skip
_SAMPLER_INPUTS: Final = ("latent_image", "steps", "sigmas", "latent", "samples")
_SINKS: Final = ("images", "image", "samples", "video", "frames")


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the graph."""

    id: str
    class_type: str
    inputs: Mapping[str, Any]

    def link(self, name: str) -> str | None:
        """Return the id of the node that gives this input, or None if it is a value."""
        value = self.inputs.get(name)
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int):
            return str(value[0])
        return None

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield the name and source of each input that is a link."""
        for name in self.inputs:
            source = self.link(name)
            if source is not None:
                yield name, source


class ComfyGraph:
    """The graph of one prompt.

    Raises:
        FormatError: it is no graph.
        LimitExceededError: it has too many nodes.
    """

    def __init__(self, graph: Any) -> None:
        if not isinstance(graph, dict):
            raise FormatError("comfyui: the prompt is no graph", code="capture.comfyui")
        if len(graph) > MAX_GRAPH_NODES:
            raise LimitExceededError(f"comfyui: more than {MAX_GRAPH_NODES} nodes")
        self._steps_left = MAX_GRAPH_STEPS
        self.nodes: dict[str, Node] = {}
        for name, node in graph.items():
            inputs = node.get("inputs") if isinstance(node, dict) else None
            if isinstance(inputs, dict):
                self.nodes[name] = Node(name, str(node.get("class_type", "")), inputs)
        if not self.nodes:
            raise FormatError("comfyui: the prompt has no nodes", code="capture.comfyui")

    def samplers(self) -> list[Node]:
        """Return the nodes that make the image, in the order in which they run.

        Only those that lead to an output count, if any does: a graph may hold others.
        """
        reached = self.upstream(*self._outputs())
        samplers = [node for node in reached if _is_sampler(node)]
        if not samplers:
            samplers = [node for node in self.nodes.values() if _is_sampler(node)]
        # The walk goes from the output backwards: what was met last ran first.
        return samplers[::-1]

    def text(self, start: str, role: Literal["positive", "negative"]) -> str | None:
        """Return the text that leads into a node: its own, or the nearest before it, joined.

        Nodes that take both roles (ControlNet, prompt stylers) are passed on the side of ``role``.
        """
        other = "negative" if role == "positive" else "positive"
        texts: list[str] = []
        for node in self._walk(start, other=other):
            texts += (text for text in _own_texts(node, other) if text not in texts)
        return "\n".join(texts) if texts else None

    def value(self, node: Node, name: str) -> Any:
        """Return an input's value; where it is a link, the value that the source holds."""
        source = node.link(name)
        seen: set[str] = set()
        while source is not None and source in self.nodes and source not in seen:
            seen.add(source)
            node = self.nodes[source]
            known = (name, "value", "seed", "noise_seed", "int", "float", "string", "number")
            name = next((key for key in known if key in node.inputs), "")
            source = node.link(name) if name else None
        value = node.inputs.get(name)
        return None if isinstance(value, list | dict) else value

    def upstream(self, *starts: str) -> list[Node]:
        """Return the nodes that lead into these, nearest first, those themselves included."""
        return list(self._walk(*starts))

    def _outputs(self) -> list[str]:
        """Return the nodes that nothing takes anything from, and that take an image."""
        sources = {source for node in self.nodes.values() for _, source in node.links()}
        ends = [name for name in self.nodes if name not in sources]
        images = [name for name in ends if any(key in self.nodes[name].inputs for key in _SINKS)]
        return images or ends

    def _walk(self, *starts: str, other: str | None = None) -> Iterator[Node]:
        """Go up the links, breadth first; in search of text, no further than where text is."""
        waiting = deque(dict.fromkeys(starts))
        seen = set(starts)
        while waiting:
            node = self.nodes.get(waiting.popleft())
            if node is None:
                continue
            yield node
            if other is not None and any(True for _ in _own_texts(node, other)):
                continue
            self._steps_left -= len(node.inputs)
            if self._steps_left < 0:
                raise LimitExceededError("comfyui: the graph is too tangled to be followed")
            for name, source in node.links():
                is_way = other is None or (name not in _NO_TEXT and other not in name)
                if is_way and source not in seen:
                    seen.add(source)
                    waiting.append(source)


def _is_sampler(node: Node) -> bool:
    if not any(node.link(name) is not None for name in _CONDITIONING):
        return False
    return any(name in node.inputs for name in _SAMPLER_INPUTS)


def _own_texts(node: Node, other: str) -> Iterator[str]:
    for name in _TEXTS:
        value = node.inputs.get(name)
        if isinstance(value, str) and value.strip() and other not in name:
            yield value.strip()
