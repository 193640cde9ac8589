"""A Vestige service in memory: the client's half of the HTTP interface, and ways to misbehave.

It serves a :class:`tests.evidence.Log`. ``handle`` answers one request; ``transport()`` puts it
under an httpx client, ``served()`` behind a real socket for the command line.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from anchor.formats.merkle import leaf_hash, node_hash
from anchor.formats.tiles import parse_tile_path
from anchor.proof.codec import attestation_to_json, proof_to_json
from anchor.proof.proof import Attestation, Inclusion, Proof
from tests.evidence import Log

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, dict[str, str], bytes], Response | None]


def problem(status: int, code: str, detail: str = "no", **headers: str) -> Response:
    value = {"status": status, "title": "no", "code": code, "detail": detail, "hint": "a hint"}
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return status, {"content-type": "application/problem+json", **named}, json.dumps(value).encode()


@dataclass
class FakeVestige:
    """One log behind HTTP.

    ``attestations`` are shown for every digest whose root they are for; ``expected`` are rows shown
    besides. ``before`` may answer a request in the place of the service. ``state`` is the standing.
    """

    log: Log = field(default_factory=Log)
    attestations: list[tuple[int, Attestation]] = field(default_factory=list)
    expected: list[Attestation] = field(default_factory=list)
    before: Handler = lambda *_: None
    state: str = "accepted"
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    checkpoint: Callable[[int], str] | None = None
    key: str | None = None

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        self.requests.append((method, path, headers, body))
        instead = self.before(method, path, headers, body)
        if instead is not None:
            return instead
        bare = path.partition("?")[0]
        if (method, bare) == ("POST", "/v1/digests"):
            return self._submit(headers, body)
        if bare == "/v1/status":
            key = self.key or self.log.signer.key.text
            return self._json({"log": {"origin": self.log.signer.name, "key": key}})
        if bare == "/checkpoint":
            return 200, {}, self._note(len(self.log.digests)).encode()
        if bare.startswith("/tile/"):
            return self._tile(bare[1:])
        match = re.fullmatch(r"/v1/digests/([0-9a-f]{64})(/proof)?", bare)
        if match and bytes.fromhex(match[1]) in self.log.digests:
            digest = bytes.fromhex(match[1])
            return self._proof(digest) if match[2] else self._json({"state": self.state})
        return problem(404, "not_found", "it is not here")

    def transport(self) -> httpx.MockTransport:
        def answer(request: httpx.Request) -> httpx.Response:
            path = request.url.raw_path.decode()
            named = {name.lower(): value for name, value in request.headers.items()}
            status, headers, body = self.handle(request.method, path, named, request.read())
            return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))

        return httpx.MockTransport(answer)

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """Serve on a loopback socket; yield the address."""
        fake = self

        class Served(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                named = {name.lower(): value for name, value in self.headers.items()}
                status, headers, data = fake.handle(self.command, self.path, named, body)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _answer

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    # -- the routes --------------------------------------------------------------------------------

    def _note(self, size: int) -> str:
        return self.checkpoint(size) if self.checkpoint else self.log.checkpoint(size)

    def _submit(self, headers: dict[str, str], body: bytes) -> Response:
        raw = headers.get("content-type") == "application/octet-stream"
        if raw:
            digests = [body[i : i + 32] for i in range(0, len(body), 32)]
        else:
            digests = [bytes.fromhex(text) for text in json.loads(body)["digests"]]
        leaves = []
        for digest in digests:
            created = digest not in self.log.digests
            if created:
                self.log.add(digest)
            leaves.append((self.log.digests.index(digest), created))
        size = len(self.log.digests)
        if raw:
            packed = b"".join((i | (1 << 63) * c).to_bytes(8, "big") for i, c in leaves)
            note = base64.b64encode(self._note(size).encode()).decode()
            return 200, {"vestige-tree-size": str(size), "vestige-checkpoint": note}, packed
        return self._json(
            {
                "tree_size": size,
                "root_hash": self.log.root(size).hex(),
                "checkpoint": self._note(size),
                "digests": [
                    {"digest": d.hex(), "leaf_index": i, "created": c}
                    for d, (i, c) in zip(digests, leaves, strict=True)
                ],
            }
        )

    def _tile(self, path: str) -> Response:
        wanted = parse_tile_path(path)
        if wanted.level is None:
            start = wanted.index * 256
            entries = self.log.digests[start : start + wanted.width]
            return 200, {}, b"".join(b"\x00\x20" + entry for entry in entries)
        hashes = [leaf_hash(digest) for digest in self.log.digests]
        for _ in range(8 * wanted.level):
            hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=False)]
        held = hashes[wanted.index * 256 :][: wanted.width]
        if len(held) < wanted.width:
            return problem(404, "not_found.tile", "no such tile")
        return 200, {}, b"".join(held)

    def _proof(self, digest: bytes) -> Response:
        index, size = self.log.digests.index(digest), len(self.log.digests)
        sizes = sorted({s for s, _ in self.attestations if s > index} | {size})
        inclusions: list[Inclusion] = [self.log.inclusion(index, s) for s in sizes]
        rows = [a for s, a in self.attestations if s > index]
        value = proof_to_json(Proof(digest, None, tuple(inclusions), tuple(rows)))
        value["attestations"] += [attestation_to_json(row) for row in self.expected]
        return self._json(value)

    def _json(self, value: Any) -> Response:
        return 200, {"content-type": "application/json"}, json.dumps(value).encode()
