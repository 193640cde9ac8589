"""A small implementation of the Kubo RPC on loopback: blocks, pins, files.

Blocks live in a :class:`BlockShelf`: in memory here, or in the repository of a real node
(``tests/parts/kubo.py``), whose own code then pins. ``faults`` makes the node misbehave.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, Self
from urllib.parse import parse_qs, urlsplit

CODECS = {"raw": b"\x55", "dag-json": b"\xa9\x02", "dag-pb": b"\x70"}
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class NodeError(Exception):
    """What Kubo answers with status 500."""


def base32_of(binary: bytes) -> str:
    return "b" + base64.b32encode(binary).decode().lower().rstrip("=")


def base58_of(binary: bytes) -> str:
    number, text = int.from_bytes(binary, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "z" + text


def binary_of(text: str) -> bytes:
    if not text.startswith("b"):
        raise NodeError(f"invalid path {text!r}: selected encoding not supported")
    try:
        return base64.b32decode(text[1:].upper() + "=" * (-len(text[1:]) % 8))
    except ValueError as exc:
        raise NodeError("invalid cid") from exc


class BlockShelf(Protocol):
    """Where blocks are, by their SHA-256."""

    def put(self, digest: bytes, block: bytes) -> None: ...

    def get(self, digest: bytes) -> bytes: ...

    def pin(self, text: str) -> None: ...


class MemoryShelf:
    """Blocks in memory; pins walk over dag-json links, and what is not pinned can be collected."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, bytes] = {}
        self.pins: dict[str, set[bytes]] = {}

    def put(self, digest: bytes, block: bytes) -> None:
        self.blocks[digest] = block

    def get(self, digest: bytes) -> bytes:
        if digest not in self.blocks:
            raise NodeError("block was not found locally (offline): ipld: could not find it")
        return self.blocks[digest]

    def pin(self, text: str) -> None:
        self.pins[text] = self._reached(text)

    def _reached(self, text: str) -> set[bytes]:
        binary = binary_of(text)
        block = self.get(binary[-32:])
        reached = {binary[-32:]}
        if binary[1:3] == CODECS["dag-json"]:
            for link in links(json.loads(block)):
                reached |= self._reached(link)
        return reached

    def collect(self) -> int:
        """Forget what is not pinned; return how many blocks that were."""
        kept = set().union(*self.pins.values()) if self.pins else set()
        gone = [digest for digest in self.blocks if digest not in kept]
        for digest in gone:
            del self.blocks[digest]
        return len(gone)


def links(value: Any) -> list[str]:
    if isinstance(value, dict):
        if set(value) == {"/"}:
            return [value["/"]]
        return [link for item in value.values() for link in links(item)]
    return [link for item in value for link in links(item)] if isinstance(value, list) else []


class _QuietServer(ThreadingHTTPServer):
    """Says nothing when a client hangs up in the middle: tests do that on purpose."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@dataclass
class Faults:
    """How the node misbehaves; all off at first.

    ``status``, ``body`` answer that to everything (or to commands that start with ``only``);
    ``key`` changes the CID that block/put names; ``stored`` changes what it stores; ``returned``
    changes what block/get returns; ``base58`` names CIDs in base58; ``no_pins`` confirms nothing;
    ``no_files`` has no files; ``fail_after`` counts calls and then fails each one; ``lose_answer``
    does what it was asked and hangs up.
    """

    status: int | None = None
    body: bytes = b'{"Message":"misbehaving \\u001b[31m","Code":0,"Type":"error"}'
    only: str = ""
    key: Callable[[str], Any] | None = None
    stored: Callable[[bytes], bytes] | None = None
    returned: Callable[[bytes], bytes] | None = None
    base58: bool = False
    no_pins: bool = False
    no_files: bool = False
    fail_after: int | None = None
    lose_answer: bool = False


@dataclass
class FakeKubo:
    """The node and its server; use it as a context manager."""

    shelf: BlockShelf = field(default_factory=MemoryShelf)
    authorization: str | None = None
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.calls: list[tuple[str, dict[str, str]]] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body in one packet: two would wait for each other's acknowledgement.
            wbufsize = 1 << 16

            def do_GET(self) -> None:
                self._send(405, b"405 - Method Not Allowed\n")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = node.answer(self.path, dict(self.headers), body)
                if node.faults.lose_answer:
                    self.close_connection = True
                    return
                self._send(status, answer)

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def count(self, command: str) -> int:
        return sum(1 for name, _ in self.calls if name == command)

    # -- commands ----------------------------------------------------------------------------------

    def answer(self, target: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(target)
        command = parts.path.removeprefix("/api/v0/")
        query = {k: v[-1] for k, v in parse_qs(parts.query, strict_parsing=True).items()}
        self.calls.append((command, query))
        faults = self.faults
        if self.authorization is not None and headers.get("Authorization") != self.authorization:
            return 403, b"403 - Forbidden"
        if faults.fail_after is not None:
            faults.fail_after -= 1
            if faults.fail_after < 0:
                return 500, faults.body
        if faults.status is not None and command.startswith(faults.only):
            return faults.status, faults.body
        run = {
            "block/put": self._block_put,
            "block/get": self._block_get,
            "pin/add": self._pin_add,
            "files/write": self._files_write,
            "files/read": self._files_read,
        }.get(command)
        if run is None or (faults.no_files and command.startswith("files/")):
            return 404, b"404 page not found\n"
        try:
            return 200, run(query, _form_file(headers, body))
        except NodeError as exc:
            return 500, json.dumps({"Message": str(exc), "Code": 0, "Type": "error"}).encode()

    def _named(self, binary: bytes) -> str:
        return base58_of(binary) if self.faults.base58 else base32_of(binary)

    def _block_put(self, query: dict[str, str], data: bytes | None) -> bytes:
        if data is None:
            raise NodeError("file argument 'data' is required")
        if len(data) > 1 << 20:
            raise NodeError("produced block is over 1MiB: big blocks can't be exchanged")
        if query.get("mhtype", "sha2-256") != "sha2-256":
            raise NodeError("unknown hash")
        if self.faults.stored is not None:
            data = self.faults.stored(data)
        digest = hashlib.sha256(data).digest()
        self.shelf.put(digest, data)
        binary = b"\x01" + CODECS[query.get("cid-codec", "raw")] + b"\x12\x20" + digest
        key: Any = self._named(binary)
        if self.faults.key is not None:
            key = self.faults.key(key)
        return json.dumps({"Key": key, "Size": len(data)}).encode() + b"\n"

    def _block_get(self, query: dict[str, str], _data: bytes | None) -> bytes:
        block = self.shelf.get(binary_of(query["arg"])[-32:])
        return block if self.faults.returned is None else self.faults.returned(block)

    def _pin_add(self, query: dict[str, str], _data: bytes | None) -> bytes:
        if query.get("recursive") != "true":
            raise NodeError("the tests want recursive pins")
        self.shelf.pin(query["arg"])
        named = self._named(binary_of(query["arg"]))
        return json.dumps({"Pins": [] if self.faults.no_pins else [named]}).encode() + b"\n"

    def _files_write(self, query: dict[str, str], data: bytes | None) -> bytes:
        if data is None or query.get("create") != "true" or query.get("truncate") != "true":
            raise NodeError("file does not exist")
        self.files[query["arg"]] = data
        return b""

    def _files_read(self, query: dict[str, str], _data: bytes | None) -> bytes:
        if query["arg"] not in self.files:
            raise NodeError("file does not exist")
        return self.files[query["arg"]]


def _form_file(headers: dict[str, str], body: bytes) -> bytes | None:
    """Return the one file of a multipart form, read by the standard library's own parser."""
    kind = headers.get("Content-Type", "")
    if not kind.startswith("multipart/form-data"):
        return None
    message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    (part,) = message.get_payload()
    if part.get_param("name", header="content-disposition") not in ("data", "file"):
        raise NodeError("file argument 'data' is required")
    # The parser decodes text; the bytes between the headers and the boundary are what was sent.
    boundary = message.get_boundary()
    raw = body.split(b"\r\n\r\n", 1)[1]
    return raw[: raw.rindex(f"\r\n--{boundary}--".encode())]
