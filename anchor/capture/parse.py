"""Read the metadata of one file: the container, then the generators. No digests, no sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.containers.avif import read_avif
from anchor.capture.containers.jpeg import read_jpeg
from anchor.capture.containers.png import read_png
from anchor.capture.containers.webp import read_webp
from anchor.capture.file_bytes import FileBytes
from anchor.capture.findings import Findings
from anchor.capture.generators.recognise import recognise
from anchor.capture.media_type import FIRST_BYTES, media_type
from anchor.capture.metadata import Metadata
from anchor.errors import FormatError

_CONTAINERS: Final[dict[str, Callable[[FileBytes, Findings], None]]] = {
    "image/png": read_png,
    "image/jpeg": read_jpeg,
    "image/webp": read_webp,
    "image/avif": read_avif,
    "image/heic": read_avif,
    "image/heif": read_avif,
}


def parse_metadata(file: FileBytes, limits: CaptureLimits) -> tuple[Metadata, Findings]:
    """Return what a file carries, and the findings it was made from. Raises nothing.

    Whatever a file holds, the worst that its parsing can give is a note: a record is made of the
    file all the same. That holds for mistakes of ours too, so every exception is caught here.
    """
    found = Findings(limits)
    tool: str | None = None
    fields: dict[str, Any] = {}
    try:
        _walk(file, found)
        tool, fields = recognise(found)
    except MemoryError:
        found.note("the metadata could not be read: it needs more memory than a file may have")
    except FormatError as error:
        found.note(str(error))
    except Exception as error:  # noqa: BLE001 - a parse failure never blocks a record
        found.note(f"the metadata could not be read: {type(error).__name__}")
    metadata = Metadata(
        media_type=found.media_type,
        width=found.width,
        height=found.height,
        tool=tool,
        fields=fields,
        raw=tuple(found.raw),
        notes=tuple(found.notes),
    )
    return metadata, found


def _walk(file: FileBytes, found: Findings) -> None:
    if file.size == 0:
        found.note("the file is empty")
        return
    found.media_type = media_type(file.peek(0, FIRST_BYTES))
    read = _CONTAINERS.get(found.media_type)
    if read is None:
        found.note(f"no metadata is read from {found.media_type}")
        return
    try:
        read(file, found)
    except FormatError as error:
        # What was found up to there is still worth reading.
        found.note(str(error))
