"""What the worker answers: a header in JSON, then the raw items' bytes one after the other.

The worker reads hostile files, so its answer is read as if a stranger had sent it: every length
and type is checked. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from anchor.capture.metadata import Metadata, RawItem
from anchor.capture.text import printable
from anchor.errors import FormatError

#: Kind of frame (one octet) and length of its content (eight), before each content.
FRAME_HEADER_BYTES: Final = 9
METADATA: Final = b"M"
C2PA: Final = b"C"
DONE: Final = b"D"
KINDS: Final = (METADATA, C2PA, DONE)
_LENGTH_BYTES: Final = 8
_MAX_NOTE_CHARACTERS: Final = 400


def frame(kind: bytes, content: bytes) -> bytes:
    """Return a frame's header and content."""
    return kind + len(content).to_bytes(_LENGTH_BYTES) + content


def json_bytes(value: Any) -> bytes:
    """Write JSON as it travels between the two processes."""
    return json.dumps(value, ensure_ascii=False).encode()


def serialize_metadata(metadata: Metadata) -> bytes:
    """Write metadata as the content of a frame."""
    header = json_bytes(
        {
            "media_type": metadata.media_type,
            "width": metadata.width,
            "height": metadata.height,
            "tool": metadata.tool,
            "fields": metadata.fields,
            "raw": [[item.location, len(item.data), item.offset] for item in metadata.raw],
            "notes": metadata.notes,
        }
    )
    size = len(header).to_bytes(_LENGTH_BYTES)
    return b"".join((size, header, *(item.data for item in metadata.raw)))


def parse_metadata_frame(content: bytes) -> Metadata:
    """Read metadata back.

    Raises:
        FormatError: it is not what a worker writes.
    """
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES])
    header = parse_object(content[_LENGTH_BYTES:start])
    items: list[RawItem] = []
    for entry in _list(header, "raw"):
        location, size, offset = entry if isinstance(entry, list) and len(entry) == 3 else (0, 0, 0)
        if (
            not isinstance(location, str)
            or not _is_size(size)
            or not (offset is None or _is_size(offset))
        ):
            raise _malformed()
        if start + size > len(content):
            raise _malformed()
        items.append(RawItem(location, content[start : start + size], offset))
        start += size
    notes = _list(header, "notes")
    media_type, fields = header.get("media_type"), header.get("fields")
    if not isinstance(media_type, str) or not isinstance(fields, dict) or start != len(content):
        raise _malformed()
    return Metadata(
        media_type=media_type,
        width=_size_or_none(header, "width"),
        height=_size_or_none(header, "height"),
        tool=header["tool"] if isinstance(header.get("tool"), str) else None,
        fields=fields,
        raw=tuple(items),
        notes=tuple(
            printable(note, max_characters=_MAX_NOTE_CHARACTERS)
            for note in notes
            if isinstance(note, str)
        ),
    )


def parse_object(content: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FormatError: it is none.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _malformed() from error
    if not isinstance(value, dict):
        raise _malformed()
    return value


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _size_or_none(header: Mapping[str, Any], name: str) -> int | None:
    value = header.get(name)
    return value if _is_size(value) else None


def _list(header: Mapping[str, Any], name: str) -> list[Any]:
    value = header.get(name)
    if not isinstance(value, list):
        raise _malformed()
    return value


def _malformed() -> FormatError:
    return FormatError("the reader's answer is malformed", code="capture.answer")
