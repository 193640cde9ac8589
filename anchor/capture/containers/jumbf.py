"""Recognise a C2PA manifest store in the box that carries it.

Specification: ISO/IEC 19566-5 (JUMBF boxes: ``jumb`` holding ``jumd``, which starts with a UUID);
C2PA 2.2 section 11.1 (the UUID of a manifest store). What the store says is not read here.
"""

from __future__ import annotations

from typing import Final

from anchor.capture.findings import Findings

_MANIFEST_STORE: Final = bytes.fromhex("6332706100110010800000aa00389b71")


def is_manifest(box: bytes) -> bool:
    """Return whether a JUMBF superbox is a C2PA manifest store."""
    return box[4:8] == b"jumb" and box[12:16] == b"jumd" and box[16:32] == _MANIFEST_STORE


def read_manifest(box: bytes, found: Findings, location: str, offset: int | None) -> None:
    """Keep a JUMBF superbox, and list it among the manifests if it is one."""
    found.keep(location, box, offset)
    if not is_manifest(box):
        found.note(f"{location}: a JUMBF box that is no C2PA manifest")
        return
    if int.from_bytes(box[:4]) not in (0, 1) and int.from_bytes(box[:4]) > len(box):
        found.note(f"{location}: the C2PA manifest is cut off")
    found.manifests.append(box)
