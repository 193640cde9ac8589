"""The calls of the HTTP interface as values: what to send, and how to read what comes back.

The synchronous and the asynchronous client differ only in how they wait, so everything else stands
here and in :mod:`anchor.client.problem`. Answers are read strictly; a service is a peer that may be
wrong or hostile, so no answer is read past the bound of its call.

Specification: ``docs/spec/http.md``.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from anchor import limits
from anchor.errors import BackendProtocolError, FormatError, UsageError
from anchor.formats.encoding import parse_hex, parse_json, utc_text
from anchor.formats.ots.codec import DetachedTimestamp, parse_detached
from anchor.formats.tiles import entries_path, parse_entry_bundle, parse_tile, tile_path
from anchor.formats.tlog_proof import TlogProof, parse_tlog_proof
from anchor.proof.codec import PROOF_MEDIA_TYPE, ProofReader, parse_proof
from anchor.proof.proof import Proof

T = TypeVar("T")

_CREATED_BIT: Final = 1 << 63
_MAX_JSON_BYTES: Final = 4 << 20
_RAW: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and the reader of its answer.

    Attributes:
        path: below the service's address, with a leading slash.
        read: makes the value of a 200 reply, or raises FormatError.
        max_bytes: bound on the body of the reply.
        safe: sending it again cannot do harm (all calls of this interface are).
    """

    method: str
    path: str
    read: Callable[[Reply], T]
    max_bytes: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class SubmittedLeaf:
    """Where a digest stands, and whether this submission put it there."""

    leaf_index: int
    created: bool


@dataclass(frozen=True, slots=True)
class SubmittedDigests:
    """The answer to a submission: one leaf a digest, in order, all under the checkpoint."""

    leaves: tuple[SubmittedLeaf, ...]
    checkpoint: str


# -- submissions -----------------------------------------------------------------------------------


def submit_call(digests: Sequence[bytes]) -> Call[SubmittedDigests]:
    """Submit 1 to 1,000 digests as JSON.

    Raises:
        UsageError: too few or too many, or one is not 32 bytes.
    """
    _check_digests(digests, limits.MAX_JSON_DIGESTS)
    body = json.dumps({"digests": [digest.hex() for digest in digests]}).encode()
    return Call(
        "POST",
        "/v1/digests",
        lambda reply: _read_submitted(reply, digests),
        _MAX_JSON_BYTES,
        {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(16)},
        body,
    )


def submit_raw_call(digests: Sequence[bytes]) -> Call[SubmittedDigests]:
    """Submit 1 to 1,000,000 digests as raw bytes; errors as :func:`submit_call`."""
    _check_digests(digests, limits.MAX_RAW_DIGESTS)
    return Call(
        "POST",
        "/v1/digests",
        lambda reply: _read_submitted_raw(reply, len(digests)),
        8 * len(digests),
        {"Content-Type": _RAW, "Accept": _RAW, "Idempotency-Key": secrets.token_hex(16)},
        b"".join(digests),
    )


def _check_digests(digests: Sequence[bytes], most: int) -> None:
    if not 1 <= len(digests) <= most:
        raise UsageError(f"{len(digests)} digests, wanted 1 to {most:,}", code="usage.digests")
    if any(len(digest) != limits.DIGEST_BYTES for digest in digests):
        raise UsageError(f"a digest is not {limits.DIGEST_BYTES} bytes", code="usage.digests")


def _read_submitted(reply: Reply, digests: Sequence[bytes]) -> SubmittedDigests:
    value = _object(reply, "submission answer")
    leaves = []
    for item, digest in zip(_items(value, "digests", len(digests)), digests, strict=True):
        if not isinstance(item, dict) or item.get("digest") != digest.hex():
            raise FormatError("the submission answer is about other digests")
        leaves.append(SubmittedLeaf(_index(item.get("leaf_index")), item.get("created") is True))
    return SubmittedDigests(tuple(leaves), _text(value, "checkpoint"))


def _read_submitted_raw(reply: Reply, count: int) -> SubmittedDigests:
    if len(reply.body) != 8 * count:
        raise FormatError(f"{len(reply.body)} bytes of leaf indices, wanted {8 * count}")
    try:
        note = base64.b64decode(reply.headers.get("vestige-checkpoint", ""), validate=True)
        checkpoint = note.decode()
    except (binascii.Error, ValueError) as error:
        raise FormatError("the checkpoint in the answer's head is not base64 of text") from error
    leaves = tuple(
        SubmittedLeaf(_index(number & ~_CREATED_BIT), bool(number & _CREATED_BIT))
        for (number,) in struct.iter_unpack(">Q", reply.body)
    )
    return SubmittedDigests(leaves, checkpoint)


# -- what is known of a digest ---------------------------------------------------------------------


def standing_call(digest: bytes, *, before: datetime | None = None) -> Call[dict[str, Any]]:
    """Ask where a digest stands; with ``before``, for the service's verdict too."""
    query = "" if before is None else f"?before={utc_text(before)}"
    path = f"/v1/digests/{digest.hex()}{query}"
    return Call("GET", path, lambda reply: _object(reply, "standing"), _MAX_JSON_BYTES)


def proof_call(digest: bytes, reader: ProofReader | None = None) -> Call[Proof]:
    """Fetch the proof of a digest, as far as it is; ``reader`` as for the codec."""
    parse = parse_proof if reader is None else reader.parse
    return Call(
        "GET",
        f"/v1/digests/{digest.hex()}/proof",
        lambda reply: parse(reply.body),
        limits.MAX_PROOF_BYTES,
        {"Accept": PROOF_MEDIA_TYPE},
    )


def receipt_call(digest: bytes) -> Call[TlogProof]:
    """Fetch the receipt of a digest (C2SP tlog-proof)."""
    return Call(
        "GET",
        f"/v1/digests/{digest.hex()}/proof",
        lambda reply: parse_tlog_proof(reply.body),
        limits.MAX_TLOG_PROOF_BYTES,
        {"Accept": "text/x-tlog-proof"},
    )


def ots_call(digest: bytes) -> Call[DetachedTimestamp]:
    """Fetch the ``.ots`` file over a digest; the service knows no opening."""
    return Call(
        "GET",
        f"/v1/digests/{digest.hex()}/proof",
        lambda reply: parse_detached(reply.body),
        limits.MAX_OTS_BYTES,
        {"Accept": "application/vnd.opentimestamps.ots"},
    )


# -- the log and the service -----------------------------------------------------------------------


def checkpoint_call() -> Call[str]:
    """Fetch the newest checkpoint, a signed note."""
    return Call("GET", "/checkpoint", lambda r: _utf8(r.body, "checkpoint"), limits.MAX_NOTE_BYTES)


def tile_call(level: int, index: int, width: int) -> Call[list[bytes]]:
    """Fetch the first ``width`` hashes of a tile."""
    path = f"/{tile_path(level, index, width)}"
    wanted = 32 * width
    return Call("GET", path, lambda reply: parse_tile(reply.body, width=width), wanted)


def entries_call(index: int, width: int) -> Call[list[bytes]]:
    """Fetch the first ``width`` entries of an entry bundle."""
    path = f"/{entries_path(index, width)}"
    most = width * (2 + 2**16)
    return Call("GET", path, lambda r: parse_entry_bundle(r.body, count=width), most)


def status_call() -> Call[dict[str, Any]]:
    """Fetch the state of the service."""
    return Call("GET", "/v1/status", lambda reply: _object(reply, "status"), _MAX_JSON_BYTES)


def rounds_call(*, limit: int = 50) -> Call[dict[str, Any]]:
    """Fetch the newest anchoring rounds."""
    path = f"/v1/rounds?limit={limit}"
    return Call("GET", path, lambda reply: _object(reply, "rounds"), _MAX_JSON_BYTES)


def beacon_call() -> Call[dict[str, Any]]:
    """Fetch recent block hashes, to be put into records."""
    return Call("GET", "/v1/beacon", lambda reply: _object(reply, "beacons"), _MAX_JSON_BYTES)


# -- reading ---------------------------------------------------------------------------------------


def read_reply(call: Call[T], reply: Reply) -> T:
    """Read a 200 reply; BackendProtocolError if it is not what the call is answered with."""
    try:
        return call.read(reply)
    except FormatError as error:
        raise BackendProtocolError(
            f"the answer to {call.method} {call.path} cannot be read: {error.message}"
        ) from error


def log_key_of(status: Mapping[str, Any]) -> str:
    """Return the log's key out of the service's state.

    Raises:
        BackendProtocolError: it is not there.
    """
    log = status.get("log")
    key = log.get("key") if isinstance(log, dict) else None
    if not isinstance(key, str):
        raise BackendProtocolError("the service does not say what its log's key is")
    return key


def _object(reply: Reply, what: str) -> dict[str, Any]:
    value = parse_json(reply.body, max_bytes=_MAX_JSON_BYTES, what=what)
    if not isinstance(value, dict):
        raise FormatError(f"the {what} is no JSON object")
    return value


def _items(value: Mapping[str, Any], name: str, count: int) -> list[Any]:
    items = value.get(name)
    if not isinstance(items, list) or len(items) != count:
        raise FormatError(f"{name}: an array of {count} is wanted")
    return items


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise FormatError(f"{name}: a string is wanted")
    return text


def _index(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < limits.MAX_TREE_SIZE:
        raise FormatError("a leaf index is no number that a log can have")
    return value


def _utf8(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"the {what} is not UTF-8") from error


def parse_digest(text: str) -> bytes:
    """Read a digest as people type it: 64 hexadecimal digits; UsageError otherwise."""
    try:
        return parse_hex(text.lower(), n_bytes=limits.DIGEST_BYTES, what="digest")
    except FormatError as error:
        raise UsageError(error.message, code="usage.digest") from error
