"""Where everything stands in an exhibit, and what may stand there at all.

Paths are those within the bag (``data/exhibit.json``), with ``/`` between their parts.
"""

from __future__ import annotations

import re
from typing import Final

from anchor import limits

FOLDER_SUFFIX: Final = ".exhibit"
ZIP_SUFFIX: Final = ".exhibit.zip"

BAGIT: Final = "bagit.txt"
BAG_INFO: Final = "bag-info.txt"
MANIFEST_SHA256: Final = "manifest-sha256.txt"
MANIFEST_SHA512: Final = "manifest-sha512.txt"
SIGNATURE: Final = "signature.json"
TAG_MANIFEST_SHA256: Final = "tagmanifest-sha256.txt"
TAG_MANIFEST_SHA512: Final = "tagmanifest-sha512.txt"
TAG_MANIFESTS: Final = (TAG_MANIFEST_SHA256, TAG_MANIFEST_SHA512)
# What the manifests of tag files name.
TAG_FILES: Final = (BAGIT, BAG_INFO, MANIFEST_SHA256, MANIFEST_SHA512, SIGNATURE)

DATA: Final = "data/"
LISTING: Final = "data/exhibit.json"
RECORDS: Final = "data/records/"
PROOFS: Final = "data/proofs/"
FILES: Final = "data/files/"
ANCHORS: Final = "data/anchors/"
CRATE: Final = "data/ro-crate-metadata.json"
PDF: Final = "data/exhibit.pdf"
PAGE: Final = "data/verify.html"
REPORT: Final = "data/report/verification.json"
POLICY: Final = "data/report/policy.json"

RECORD_SUFFIX: Final = ".sdjwt"
PROOF_SUFFIX: Final = ".proof"
OTS_SUFFIX: Final = ".ots"

_EVIDENCE: Final = re.compile(
    r"data/(?:records/([0-9]{8})\.sdjwt|proofs/([0-9]{8})\.(?:proof|ots))", re.ASCII
)
_FILE: Final = re.compile(r"files/([0-9a-f]{64})(?:\.[a-z0-9]{1,8})?", re.ASCII)
_READ_WHOLE: Final = {
    LISTING: limits.MAX_EXHIBIT_LIST_BYTES,
    MANIFEST_SHA256: limits.MAX_EXHIBIT_LIST_BYTES,
    MANIFEST_SHA512: limits.MAX_EXHIBIT_LIST_BYTES,
}
_EVIDENCE_BYTES: Final = {
    RECORD_SUFFIX: limits.MAX_RECORD_BYTES,
    PROOF_SUFFIX: limits.MAX_PROOF_BYTES,
    OTS_SUFFIX: limits.MAX_OTS_BYTES,
}
# By media type alone: a name is the party's word, and a suffix makes programs run.
_SUFFIXES: Final = {
    "application/json": ".json",
    "application/pdf": ".pdf",
    "application/x-krita": ".kra",
    "application/zip": ".zip",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/tiff": ".tif",
    "image/vnd.adobe.photoshop": ".psd",
    "image/webp": ".webp",
    "text/plain": ".txt",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
}


def record_path(seq: int) -> str:
    """Return the path of a record."""
    return f"{RECORDS}{seq:08}{RECORD_SUFFIX}"


def proof_path(seq: int) -> str:
    """Return the path of a record's proof."""
    return f"{PROOFS}{seq:08}{PROOF_SUFFIX}"


def ots_path(seq: int) -> str:
    """Return the path of the same for stock OpenTimestamps clients."""
    return f"{PROOFS}{seq:08}{OTS_SUFFIX}"


def file_path(sha256: bytes, media_type: str) -> str:
    """Return the path of a file, within ``data/``, by its content and media type."""
    return f"files/{sha256.hex()}{_SUFFIXES.get(media_type, '.bin')}"


def sha256_of_file_path(path: str) -> bytes | None:
    """Return the SHA-256 that a path within ``data/`` is named after, or None."""
    match = _FILE.fullmatch(path)
    return None if match is None else bytes.fromhex(match[1])


def seq_of_path(path: str) -> int | None:
    """Return the number of the record that a record, proof or ``.ots`` belongs to, or None."""
    match = _EVIDENCE.fullmatch(path)
    return None if match is None else int(match[1] or match[2])


def is_evidence(path: str) -> bool:
    """Return whether it is a record, a proof or an ``.ots`` file."""
    return _EVIDENCE.fullmatch(path) is not None


def max_bytes_read_whole(path: str) -> int | None:
    """Return how long a file may be that is read whole; None for one that is only hashed."""
    if is_evidence(path):
        return _EVIDENCE_BYTES[path[path.rindex(".") :]]
    if path in _READ_WHOLE:
        return _READ_WHOLE[path]
    return limits.MAX_EXHIBIT_TAG_BYTES if "/" not in path else None
