"""Read what image generators write into their files: prompts, settings, manifests, labels.

    >>> with CapturePool() as pool:
    ...     capture = pool.read(Path("cat-07.png"))
    >>> capture.tool, capture.fields["prompt"]

Floor 6: an adapter to other people's programs. ``containers`` finds the metadata of a file,
``generators`` says what it means, ``sandbox`` keeps both from doing harm. Everything found is the
file's own word: nothing here verifies, and nothing that fails here keeps a file from its record.

Importing this package loads nothing else (PEP 562): the confined reader needs little of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from anchor.capture.capture import Capture
    from anchor.capture.capture_limits import CaptureLimits
    from anchor.capture.capture_pool import CapturePool
    from anchor.capture.file_digests import FileDigests
    from anchor.capture.metadata import PARSER, Metadata, RawItem
    from anchor.capture.record_fields import generation_fields
    from anchor.capture.single_file import read_metadata, read_metadata_sandboxed

__all__ = [
    "PARSER",
    "Capture",
    "CaptureLimits",
    "CapturePool",
    "FileDigests",
    "Metadata",
    "RawItem",
    "generation_fields",
    "read_metadata",
    "read_metadata_sandboxed",
]

_HOMES: Final = {
    "PARSER": "metadata",
    "Capture": "capture",
    "CaptureLimits": "capture_limits",
    "CapturePool": "capture_pool",
    "FileDigests": "file_digests",
    "Metadata": "metadata",
    "RawItem": "metadata",
    "generation_fields": "record_fields",
    "read_metadata": "single_file",
    "read_metadata_sandboxed": "single_file",
}


def __getattr__(name: str) -> Any:
    """Import the module of a public name, and remember the name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted(__all__)
