"""The two nodes, in ComfyUI's manner.

Images are saved by ComfyUI's own ``SaveImage``: names, folders and metadata are its own, whatever
its release. Recording comes after, and what fails there is shown and never raised.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import folder_paths
import nodes

from .vestige_recorder import Draw, record_images
from .vestige_seed import draw_seed

CLIENT = "comfyui_vestige/0.1.0"
_VAULT = ("STRING", {
    "default": "", "tooltip": "a folder with a vault; empty: the output folder or one above it",
})  # fmt: skip


class VestigeSaveImage(nodes.SaveImage):  # type: ignore[misc]  # the host has no types
    """Saves as ComfyUI does, and records the run."""

    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("record",)
    FUNCTION = "save_and_record"
    OUTPUT_NODE = True
    CATEGORY = "image/vestige"
    DESCRIPTION = "Saves the images and records the run in a Vestige vault."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return ComfyUI's own inputs, with a vault and the seed's draw."""
        own: dict[str, Any] = nodes.SaveImage.INPUT_TYPES()
        optional = {**own.get("optional", {}), "vault": _VAULT, "draw": ("VESTIGE_DRAW",)}
        return {**own, "optional": optional}

    def save_and_record(
        self, images: Any, vault: str = "", draw: Draw | None = None, **given: Any
    ) -> dict[str, Any]:
        """Save with all that ComfyUI gives, then record; return what ComfyUI shows."""
        saved: dict[str, Any] = self.save_images(images, **given)
        paths = [_path(item) for item in saved.get("ui", {}).get("images", ())]
        outcome = record_images(paths, vault=vault, client=CLIENT, draw=draw)
        ui = {**saved.get("ui", {}), "text": [outcome.text]}
        return {**saved, "ui": ui, "result": (outcome.text,)}


class VestigeSeed:
    """Gives a seed that nobody could know before a beacon."""

    RETURN_TYPES = ("INT", "VESTIGE_DRAW")
    RETURN_NAMES = ("seed", "draw")
    FUNCTION = "give_seed"
    CATEGORY = "image/vestige"
    DESCRIPTION = "A 64-bit seed from the newest beacon, for the vault's next record."
    INPUTS: ClassVar[dict[str, Any]] = {"required": {}, "optional": {"vault": _VAULT}}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs."""
        return cls.INPUTS

    @classmethod
    def IS_CHANGED(cls, **_given: Any) -> float:  # noqa: N802 - ComfyUI's name
        """Return what equals nothing: each run draws anew."""
        return float("nan")

    def give_seed(self, vault: str = "") -> dict[str, Any]:
        """Return the seed, and where it came from for the node that saves."""
        draw = draw_seed(vault.strip() or folder_paths.get_output_directory())
        return {"ui": {"text": [draw.text]}, "result": (draw.seed, draw)}


def _path(item: dict[str, str]) -> str:
    folder = Path(folder_paths.get_output_directory())
    return str(folder / item.get("subfolder", "") / item["filename"])


NODE_CLASS_MAPPINGS = {"VestigeSaveImage": VestigeSaveImage, "VestigeSeed": VestigeSeed}
NODE_DISPLAY_NAME_MAPPINGS = {
    "VestigeSaveImage": "Save Image (Vestige)",
    "VestigeSeed": "Vestige Seed",
}
