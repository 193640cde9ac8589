"""The few calls of a Kubo RPC that publishing needs: blocks, pins, one small file.

Source: Kubo RPC API v0 (every call is a POST; parameters in the query, data as one multipart file).

Rules:

* A block's CID is computed here and compared, as bytes, with what the node answers: a node that
  stores something else is caught at once. What is read back is hashed again.
* No block is larger than :data:`MAX_BLOCK_BYTES`; more than that is refused before it is sent and
  never read.
* Nothing here asks the node for files (UnixFS): the node would choose how to cut them, and the CID
  would depend on its version. The one exception is the pointer to the newest round, which is only
  a hint.

Whoever controls the node can refuse or forget blocks, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from anchor.backends.bounded_http import Answer, BoundedHttp, base_url
from anchor.errors import (
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    DigestMismatchError,
    FormatError,
    UsageError,
    quote_peer,
)
from anchor.formats.cid import DAG_JSON, RAW, Cid, cid_of, parse_cid, parse_cid_bytes, verify_block
from anchor.formats.encoding import parse_json

MAX_BLOCK_BYTES: Final = 256 << 10
_MAX_ANSWER_BYTES: Final = 64 << 10
_CODEC_NAMES: Final = {RAW: "raw", DAG_JSON: "dag-json"}
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class IpfsSettings:
    """Which node, and how long to wait for it.

    Attributes:
        api_url: its RPC address, without ``/api/v0``. Never an address that strangers can reach:
            the RPC has full control of the node.
        authorization: the value of the Authorization header, or "". A secret.
        timeout_s: of each network operation.
        pin_timeout_s: of pinning, which walks over everything that is pinned.
    """

    api_url: str
    authorization: str = ""
    timeout_s: float = 30.0
    pin_timeout_s: float = 600.0


class IpfsNode:
    """One node, used by one thread at a time.

    Args:
        settings: which node.
        transport: stands in for the network in tests.

    Raises:
        ConfigError: the address cannot be used.
    """

    def __init__(
        self, settings: IpfsSettings, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = base_url(settings.api_url, "ipfs.api_url")
        self._headers = {"Authorization": settings.authorization} if settings.authorization else {}
        self._http = BoundedHttp(timeout_s=settings.timeout_s, transport=transport)
        self._slow_http = BoundedHttp(timeout_s=settings.pin_timeout_s, transport=transport)

    def put_block(self, block: bytes, codec: int = RAW) -> Cid:
        """Store one block and return its CID, which the node confirmed.

        Raises:
            BackendUnavailableError, BackendRejectedError: not stored.
            BackendProtocolError: the node names another CID (``backend.protocol.cid``), or does
                not speak the protocol.
            UsageError: the block is too large.
        """
        if len(block) > MAX_BLOCK_BYTES:
            raise UsageError(f"block of {len(block)} bytes, wanted at most {MAX_BLOCK_BYTES}")
        cid = cid_of(block, codec)
        answer = self._call(
            "block/put",
            {"cid-codec": _CODEC_NAMES[codec], "mhtype": "sha2-256", "cid-base": "base32"},
            data=block,
        )
        named = _named_cid(_object(answer).get("Key"))
        if named != cid:
            raise BackendProtocolError(
                f"the node stored {named.text if named else 'no CID'} for {cid.text}",
                code="backend.protocol.cid",
            )
        return cid

    def get_block(self, cid: Cid, *, offline: bool = True) -> bytes:
        """Return a block, checked against its CID.

        Args:
            cid: which.
            offline: ask this node alone; False lets it look for the block among its peers.

        Raises:
            BackendUnavailableError: the node does not have it, or does not answer.
            BackendProtocolError: what it returned is not the block.
        """
        parameters = {"arg": cid.text, **({"offline": "true"} if offline else {})}
        answer = self._call("block/get", parameters, max_bytes=MAX_BLOCK_BYTES)
        try:
            verify_block(cid, answer.body)
        except DigestMismatchError as exc:
            raise BackendProtocolError(
                f"the node returned other bytes for {cid.text}", code="backend.protocol.cid"
            ) from exc
        return answer.body

    def pin(self, cid: Cid) -> None:
        """Keep a block and everything it links to.

        Raises:
            BackendUnavailableError: not pinned; a block under it may be missing.
            BackendProtocolError: the node does not confirm this CID.
        """
        parameters = {"arg": cid.text, "recursive": "true", "cid-base": "base32"}
        answer = self._call("pin/add", parameters, http=self._slow_http)
        pins = _object(answer).get("Pins")
        if not isinstance(pins, list) or cid not in [_named_cid(pin) for pin in pins]:
            raise BackendProtocolError(
                f"the node did not confirm the pin of {cid.text}", code="backend.protocol.pin"
            )

    def write_file(self, path: str, data: bytes) -> None:
        """Write a small file into the node's own tree of files, with its folders."""
        parameters = {"arg": path, "create": "true", "parents": "true", "truncate": "true"}
        self._call("files/write", parameters, data=data)

    def read_file(self, path: str, *, max_bytes: int) -> bytes | None:
        """Return a small file of the node's own tree, or None if there is none."""
        try:
            return self._call("files/read", {"arg": path}, max_bytes=max_bytes).body
        except BackendUnavailableError as exc:
            # The node has one status for all errors, and these words for this one.
            if "does not exist" in exc.message:
                return None
            raise

    def close(self) -> None:
        """Close the connections; safe to call twice."""
        self._http.close()
        self._slow_http.close()

    def _call(
        self,
        command: str,
        parameters: Mapping[str, str],
        *,
        data: bytes | None = None,
        max_bytes: int = _MAX_ANSWER_BYTES,
        http: BoundedHttp | None = None,
    ) -> Answer:
        content, headers = b"", dict(self._headers)
        if data is not None:
            content, headers["Content-Type"] = _multipart(data)
        answer = (http or self._http).send(
            "POST",
            f"{self.url}/api/v0/{command}?{urlencode(parameters)}",
            max_bytes=max_bytes,
            content=content,
            headers=headers,
        )
        if answer.status != 200:
            raise _refusal(command, answer)
        return answer


def _multipart(data: bytes) -> tuple[bytes, str]:
    """Return the data as a form of one file, and the form's content type."""
    # The data cannot hold the hash of itself.
    boundary = f"vestige-{hashlib.sha256(data).hexdigest()}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="data"; filename="data"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _object(answer: Answer) -> dict[str, Any]:
    """Return the one JSON object of an answer."""
    try:
        value = parse_json(answer.body, max_bytes=_MAX_ANSWER_BYTES, what="the node's answer")
    except FormatError as exc:
        raise BackendProtocolError(f"the node's answer is no JSON: {answer.shown!r}") from exc
    if not isinstance(value, dict):
        raise BackendProtocolError(f"the node's answer is no object: {answer.shown!r}")
    return value


def _named_cid(text: object) -> Cid | None:
    """Return the CID that a node names in base32 or base58, or None if it is none of ours."""
    if not isinstance(text, str) or len(text) > 128:
        return None
    try:
        return parse_cid_bytes(_base58(text[1:])) if text.startswith("z") else parse_cid(text)
    except FormatError:
        return None


def _base58(text: str) -> bytes:
    """Return the bytes of base58btc; FormatError if it is none (leading zeros do not occur)."""
    number = 0
    for character in text:
        value = _BASE58.find(character)
        if value < 0:
            raise FormatError(f"{character!r} is no base58")
        number = number * 58 + value
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _refusal(command: str, answer: Answer) -> Exception:
    """Return the error that a status other than 200 means; Kubo says 500 to almost everything."""
    try:
        message = quote_peer(str(json.loads(answer.body)["Message"]))
    except (ValueError, KeyError, TypeError):
        message = answer.shown
    shown = f"the node answered {answer.status} to {command}: {message}"
    if answer.status in (401, 403):
        return BackendRejectedError(shown, code="backend.rejected.ipfs_authorization")
    if answer.status == 429 or answer.status >= 500:
        return BackendUnavailableError(shown, code="backend.unavailable.ipfs")
    return BackendProtocolError(
        shown, code="backend.protocol.status", hint="is this the address of a Kubo RPC?"
    )
