"""Ask each tool's reader in turn what a file says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from anchor.capture.findings import Findings
from anchor.capture.generators.a1111 import read_a1111
from anchor.capture.generators.aigc_label import read_aigc_label
from anchor.capture.generators.comfyui import read_comfyui
from anchor.capture.generators.draw_things import read_draw_things
from anchor.capture.generators.easy_diffusion import read_easy_diffusion
from anchor.capture.generators.field_values import field_values
from anchor.capture.generators.fooocus import read_fooocus
from anchor.capture.generators.invokeai import read_invokeai
from anchor.capture.generators.midjourney import read_midjourney
from anchor.capture.generators.novelai import read_novelai
from anchor.capture.generators.provenance import digital_source_type, read_named_tool
from anchor.capture.generators.reading import Reading
from anchor.capture.generators.swarmui import read_swarmui
from anchor.errors import FormatError

# The more particular first: several write into the place that A1111 made common.
_READERS: Final[tuple[Callable[[Findings], Reading | None], ...]] = (
    read_invokeai,
    read_swarmui,
    read_easy_diffusion,
    read_draw_things,
    read_fooocus,
    read_novelai,
    read_comfyui,
    read_a1111,
    read_midjourney,
    read_named_tool,
)


def recognise(found: Findings) -> tuple[str | None, dict[str, Any]]:
    """Return the tool and its fields, with the label and source type that any file may have.

    The first reader that finds a prompt is believed; without one, the first that finds anything.
    That others find something too is noted, since one of the two was not written by the tool.
    """
    readings = [reading for read in _READERS if (reading := _ask(read, found)) is not None]
    fields: dict[str, Any] = {}
    tool = None
    if readings:
        chosen = next((r for r in readings if r.fields.get("prompt")), readings[0])
        tool = chosen.tool
        fields = field_values(chosen.fields)
        for note in chosen.notes:
            found.note(note)
        others = [r.tool for r in readings if r is not chosen and r.tool != tool]
        if others:
            found.note(f"the file also carries what {', '.join(others)} writes")
    if label := read_aigc_label(found):
        fields["aigc_label"] = field_values({"label": label})["label"]
    if source_type := digital_source_type(found):
        fields["digital_source_type"] = source_type
    if found.manifests:
        fields["c2pa"] = {"found": True, "read": False}
    return tool, fields


def _ask(read: Callable[[Findings], Reading | None], found: Findings) -> Reading | None:
    """Ask one reader; whatever it trips over is a note, and the next one is asked."""
    try:
        return read(found)
    except FormatError as error:
        found.note(str(error))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - what tools write has every shape there is
        found.note(f"{read.__name__} does not understand the file: {type(error).__name__}")
    return None
