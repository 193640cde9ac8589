"""Have the C2PA library read a file's manifest, where that library is installed (extra ``c2pa``).

What is taken: who signed, what made the claim, what the library's check of it says, the digital
source types of its actions. The check covers the bytes and the signature; whether the signer is to
be trusted depends on a list, which is not consulted here: ``trusted`` is never claimed.

The library is native code with network functions. They are switched off in its settings, and it
runs where :mod:`anchor.capture.sandbox` confines it, never in the caller's process.
"""

from __future__ import annotations

import io
import json
from typing import Any, Final

from anchor.capture.file_bytes import FileBytes
from anchor.capture.generators.field_values import field_values
from anchor.capture.generators.json_text import list_member, member, text_member
from anchor.capture.generators.provenance import source_type_code
from anchor.errors import FormatError

_SETTINGS: Final = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False}
}
_MAX_SOURCE_TYPES: Final = 16
_MAX_FAILURES: Final = 32


def load_c2pa() -> Any:
    """Return the library, or None where it is not installed or cannot be loaded."""
    try:
        import c2pa  # noqa: PLC0415 - an extra, and native
    except Exception:  # noqa: BLE001 - whatever keeps a native library from loading
        return None
    return c2pa


def read_c2pa(c2pa: Any, file: FileBytes, media_type: str) -> dict[str, Any]:
    """Return what the active manifest says, as fields.

    Raises:
        FormatError: the library cannot read it.
    """
    try:
        context = c2pa.Context.from_dict(_SETTINGS)
        with c2pa.Reader(media_type, _Stream(file), context=context) as reader:
            data = json.loads(reader.json())
    except Exception as error:
        raise FormatError(
            f"c2pa: the manifest cannot be read: {type(error).__name__.strip('_')}",
            code="capture.c2pa",
        ) from error
    return _fields(data)


def _fields(data: Any) -> dict[str, Any]:
    active = member(data, "manifests", str(member(data, "active_manifest")))
    signature = member(active, "signature_info")
    return field_values(
        {
            "found": True,
            "read": True,
            "claim_generator": _generator(active),
            "signer": text_member(signature, "issuer"),
            "signer_name": text_member(signature, "common_name"),
            "signed_at": text_member(signature, "time"),
            "state": text_member(data, "validation_state"),
            "failures": [
                code
                for item in list_member(data, "validation_status")[:_MAX_FAILURES]
                if (code := text_member(item, "code")) is not None
            ],
            "source_types": sorted(_source_types(active)),
        }
    )


def _generator(active: Any) -> str | None:
    """Return the claim generator: a text in the first version, a list with names in the second."""
    if (text := text_member(active, "claim_generator")) is not None:
        return text
    info = list_member(active, "claim_generator_info")
    first = info[0] if info else None
    name, version = text_member(first, "name"), text_member(first, "version")
    return f"{name} {version}" if name and version else name


def _source_types(active: Any) -> set[str]:
    codes: set[str] = set()
    for assertion in list_member(active, "assertions"):
        for action in list_member(assertion, "data", "actions"):
            code = text_member(action, "digitalSourceType")
            if code is not None and len(codes) < _MAX_SOURCE_TYPES:
                codes.add(source_type_code(code))
    return codes


class _Stream(io.RawIOBase):
    """A file for the library to read: positioned reads, nothing written."""

    def __init__(self, file: FileBytes) -> None:
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}
        self._position = max(0, start[whence] + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._file.peek(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
