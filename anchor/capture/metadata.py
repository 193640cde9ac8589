"""What was found in one file: the values that capture gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: Named in records beside what it read, since parsed values are derived and readers change.
PARSER: Final = "vestige-capture/1"


@dataclass(frozen=True, slots=True)
class RawItem:
    """One piece of metadata, byte for byte.

    Attributes:
        location: container, part and name, as in ``png:tEXt:parameters`` or ``jpeg:APP1:Exif``.
        data: the part's content as it stands in the file, still compressed if it is; without the
            part's own header and checksum. What was put together from several parts (a long JPEG
            manifest, text in pixels) stands joined.
        offset: of its first byte in the file; None where it has no one place.
    """

    location: str
    data: bytes
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the readers found, before the file's digests join it.

    Attributes:
        media_type: by content, never by name; ``application/octet-stream`` if not known.
        width, height: in pixels, as the file declares them.
        tool: the generator, or None if nothing names one.
        fields: what the tool says of the run; JSON values without floats: a number that may have a
            fraction or be large (seed, CFG scale) is decimal text.
        raw: every piece of metadata met, in the order of the file.
        notes: in words, what was wrong, doubtful or left out.
    """

    media_type: str = "application/octet-stream"
    width: int | None = None
    height: int | None = None
    tool: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    raw: tuple[RawItem, ...] = ()
    notes: tuple[str, ...] = ()
