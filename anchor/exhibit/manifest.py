"""A bag's manifests, its two lines of tags, and the bundle digest.

A manifest names each file once, as ``digest  path``, in the order of paths (as bytes), a line feed
after each: so one set of files has one manifest. ``bag-info.txt`` holds only what follows from the
list and the files, so that a verifier can rebuild it to the letter.

Specification: ``docs/spec/exhibit.md``; BagIt 1.0 (RFC 8493), sections 2.1, 2.2.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from anchor import limits
from anchor.errors import FormatError, NonCanonicalError
from anchor.exhibit.layout import DATA, PDF
from anchor.formats.encoding import parse_utf8

BAGIT_TEXT: Final = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_LINE: Final = re.compile(r"([0-9a-f]+)  ([^\n]+)")
_BLOCK_BYTES: Final = 1 << 20


def manifest_text(digests: Mapping[str, bytes]) -> str:
    """Return the manifest of files by path."""
    ordered = sorted(digests.items(), key=lambda item: item[0].encode())
    return "".join(f"{digest.hex()}  {_escaped(path)}\n" for path, digest in ordered)


def parse_manifest(data: bytes, n_bytes: int) -> dict[str, bytes]:
    """Read a manifest of digests of ``n_bytes``.

    Raises:
        FormatError: a line is none, a file is named twice, or the order is another.
    """
    text = parse_utf8(data, max_bytes=limits.MAX_EXHIBIT_LIST_BYTES, what="manifest")
    if text and not text.endswith("\n"):
        raise FormatError("the manifest does not end in a line feed")
    found: dict[str, bytes] = {}
    for number, line in enumerate(text.split("\n")[:-1], 1):
        match = _LINE.fullmatch(line)
        if match is None or len(match[1]) != 2 * n_bytes:
            raise FormatError(f"line {number} of the manifest is no digest and path")
        path = _unescaped(match[2])
        if path in found:
            raise FormatError(f"line {number} of the manifest names a file again")
        found[path] = bytes.fromhex(match[1])
    if manifest_text(found) != text:
        raise NonCanonicalError("the manifest is not in the order of paths")
    return found


def bundle_digest(manifest: bytes) -> bytes:
    """Return SHA-256 of ``manifest-sha256.txt`` without the line of the PDF, 32 bytes."""
    pdf = b"  " + PDF.encode()
    lines = (line for line in io.BytesIO(manifest) if line.removesuffix(b"\n")[64:] != pdf)
    return hashlib.sha256(b"".join(lines)).digest()


def bundle_of_payload(payload: Path) -> bytes:
    """Return the bundle digest of a payload folder (``data/``), the PDF in it or not."""
    digests = {}
    for path in payload.rglob("*"):
        name = DATA + path.relative_to(payload).as_posix()
        if path.is_file() and name != PDF:
            with path.open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").digest()
    return bundle_digest(manifest_text(digests).encode())


def bag_info_text(
    *, generator: str, date: str, project: str, payload_bytes: int, payload_files: int
) -> str:
    """Return ``bag-info.txt``.

    Args:
        generator: as the list has it.
        date: the same.
        project: the same.
        payload_bytes: of everything under ``data/``.
        payload_files: how many files that is.
    """
    return (
        f"Bag-Software-Agent: {generator}\n"
        f"Bagging-Date: {date[:10]}\n"
        f"External-Identifier: {project}\n"
        f"Payload-Oxum: {payload_bytes}.{payload_files}\n"
    )


def _escaped(path: str) -> str:
    return path.replace("%", "%25")


def _unescaped(path: str) -> str:
    return path.replace("%25", "%")
