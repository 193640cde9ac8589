"""A small but real log witness on loopback.

It speaks tlog-witness: checks the log's signature, the size it saw last and the consistency proof,
writes the new checkpoint to disk before it answers, and cosigns. ``faults`` makes it misbehave.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from anchor.errors import VerificationError, VestigeError
from anchor.formats.checkpoint import parse_checkpoint, sign_cosignature
from anchor.formats.merkle import verify_consistency
from anchor.formats.note import COSIGNATURE_V1, NoteKey, NoteSignature, parse_note, verify_note

Answer = tuple[int, str, bytes]


class _QuietServer(ThreadingHTTPServer):
    """Says nothing when a client hangs up in the middle: tests do that on purpose."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@dataclass
class Faults:
    """How the witness misbehaves; all off at first.

    ``status`` answers that to everything; ``body`` replaces the lines of a 200; ``lose_answer``
    cosigns, stores and then hangs up; ``conflict`` answers 409 with that body; ``time`` is signed
    instead of the clock's.
    """

    status: int | None = None
    body: Callable[[bytes], bytes] | None = None
    lose_answer: bool = False
    conflict: bytes | None = None
    time: int | None = None


@dataclass
class FakeWitness:
    """The witness and its server; use it as a context manager.

    Args:
        folder: where the newest checkpoint of each log is kept.
        logs: verifier keys by origin.
        name: of the witness's key.
    """

    folder: Path
    logs: dict[str, NoteKey]
    name: str = "witness.example.org/w1"
    seed: bytes = b"\x31" * 32
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(self.seed)
        public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key = NoteKey.of(self.name, COSIGNATURE_V1, public)
        self.requests: list[tuple[str, bytes]] = []
        self._lock = threading.Lock()
        witness = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body in one packet: two would wait for each other's acknowledgement.
            wbufsize = 1 << 16

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = witness.answer_post(self.path, body)
                if witness.faults.lose_answer:
                    self.close_connection = True
                    return
                self._send(*answer)

            def do_GET(self) -> None:
                self._send(*witness.answer_get(self.path))

            def _send(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
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

    # -- the protocol ------------------------------------------------------------------------------

    def newest(self, origin: str) -> tuple[int, bytes]:
        path = self._path(origin)
        if not path.exists():
            return 0, b""
        stored = json.loads(path.read_text())
        return stored["size"], bytes.fromhex(stored["root"])

    def forget(self, origin: str) -> None:
        self._path(origin).unlink()

    def _path(self, origin: str) -> Path:
        return self.folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.json"

    def answer_get(self, path: str) -> Answer:
        if self.faults.status is not None:
            return self.faults.status, "text/plain", b"misbehaving"
        for origin in self.logs:
            log_id = hashlib.sha256(origin.encode()).hexdigest()
            if path == f"/{log_id}/checkpoint" and self._path(origin).exists():
                stored = json.loads(self._path(origin).read_text())
                return 200, "text/plain", stored["note"].encode()
        return 404, "text/plain", b"no such log"

    def answer_post(self, path: str, body: bytes) -> Answer:
        self.requests.append((path, body))
        if self.faults.status is not None:
            return self.faults.status, "text/plain", b"misbehaving \x1b[31m"
        if self.faults.conflict is not None:
            return 409, "text/x.tlog.size", self.faults.conflict
        if path != "/add-checkpoint":
            return 405, "text/plain", b""
        try:
            with self._lock:
                status, kind, answer = self._add_checkpoint(body)
        except (VestigeError, ValueError) as exc:
            return 400, "text/plain", str(exc).encode()
        if status == 200 and self.faults.body is not None:
            answer = self.faults.body(answer)
        return status, kind, answer

    def _add_checkpoint(self, body: bytes) -> Answer:
        head, _, text = body.decode().partition("\n\n")
        lines = head.split("\n")
        if not lines[0].startswith("old ") or len(lines) > 64:
            raise ValueError("no old size, or too many lines")
        old_size = int(lines[0].removeprefix("old "))
        if lines[0] != f"old {old_size}":
            raise ValueError("the old size is not written canonically")
        proof = [base64.b64decode(line, validate=True) for line in lines[1:]]
        note = parse_note(text)
        checkpoint = parse_checkpoint(note.text)
        if checkpoint.origin not in self.logs:
            return 404, "text/plain", b"unknown origin"
        try:
            verify_note(note, self.logs[checkpoint.origin])
        except VerificationError:
            return 403, "text/plain", b"no signature of a trusted key"
        if old_size > checkpoint.tree_size:
            return 400, "text/plain", b"old size is greater than the checkpoint's"
        seen_size, seen_root = self.newest(checkpoint.origin)
        if old_size != seen_size:
            return 409, "text/x.tlog.size", b"%d\n" % seen_size
        if old_size == checkpoint.tree_size and seen_root != checkpoint.root_hash:
            return 409, "text/plain", b"another root at this size"
        try:
            self._check(old_size, seen_root, checkpoint.tree_size, checkpoint.root_hash, proof)
        except VerificationError as exc:
            return 422, "text/plain", str(exc).encode()
        stored = {"size": checkpoint.tree_size, "root": checkpoint.root_hash.hex(), "note": text}
        temporary = self._path(checkpoint.origin).with_suffix(".new")
        temporary.write_text(json.dumps(stored))
        temporary.replace(self._path(checkpoint.origin))
        unix_time = int(time.time()) if self.faults.time is None else self.faults.time
        line = sign_cosignature(note, self.key, unix_time, self._private.sign)
        return 200, "text/plain", (self.stranger_line() + line.line).encode()

    @staticmethod
    def _check(old_size: int, old_root: bytes, size: int, root: bytes, proof: list[bytes]) -> None:
        if old_size == 0:
            if proof:
                raise VerificationError("a proof from nothing")
            return
        verify_consistency(old_size, size, old_root, root, proof)

    def stranger_line(self) -> str:
        """Return a line of a key and of a type that nobody asked for; clients must ignore it."""
        return NoteSignature("other.example/w9", b"\x06\x00\x00\x01", b"\x55" * 2420).line
