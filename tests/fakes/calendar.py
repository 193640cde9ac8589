"""A small but real OpenTimestamps calendar on loopback, with the Bitcoin chain it stamps into.

It aggregates what comes within a tick, answers each submission with a tree up to its commitment,
puts all pending commitments into one transaction when :meth:`FakeCalendar.mine` is called, and
answers for a commitment once its block is deep enough. The same server speaks Esplora's interface
(under ``/esplora``) and Bitcoin Core's RPC (``POST /``) from the same chain. Trees are made with
the reference library, not with ours. ``faults`` switches how it misbehaves.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA1, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import Timestamp, cat_sha256d, make_merkle_tree

from tests.fakes.bitcoin_chain import FakeChain

_TICK_S = 0.01
_OP_RETURN = b"\x6a\x20"


@dataclass
class Faults:
    """How the calendar misbehaves; all off at first.

    ``silent`` accepts and never answers; ``drip`` sends a byte at a time for ever; ``status``
    answers that status to everything of the calendar; ``submission``/``upgrade`` replace the body
    of that answer; ``wrong_root`` lets upgrades end in a block's wrong merkle root; ``named_uri``
    is named in promises instead of the calendar's own; ``header`` replaces a header by height.
    """

    silent: bool = False
    drip: bool = False
    status: int | None = None
    submission: bytes | None = None
    upgrade: bytes | None = None
    wrong_root: bool = False
    named_uri: str | None = None
    header: dict[int, bytes] = field(default_factory=dict)


def serialized(tree: Timestamp) -> bytes:
    context = BytesSerializationContext()
    tree.serialize(context)
    return context.getbytes()


def nested_answer(digest: bytes, depth: int, uri: str) -> bytes:
    """Return a tree of ``depth`` nested operations that ends in a promise."""
    tree = node = Timestamp(digest)
    for _ in range(depth):
        node = node.ops.add(OpSHA256())
    node.attestations.add(PendingAttestation(uri))
    return serialized(tree)


def sha1_answer(digest: bytes, uri: str) -> bytes:
    tree = Timestamp(digest)
    tree.ops.add(OpSHA1()).attestations.add(PendingAttestation(uri))
    return serialized(tree)


class FakeCalendar:
    """The calendar, its chain and its server; use it as a context manager.

    Args:
        chain: shared with others, or a fresh one of 101 blocks.
        confirmations: how deep a block must be before its trees are handed out.
    """

    def __init__(self, chain: FakeChain | None = None, *, confirmations: int = 1) -> None:
        self.chain = chain or FakeChain()
        self.confirmations = confirmations
        self.faults = Faults()
        self.requests: list[str] = []
        self.rpc_login = ("ots", "secret")
        self.stopped = threading.Event()
        self._lock = threading.Condition()
        self._queue: list[tuple[bytes, list[bytes]]] = []
        self._pending: list[bytes] = []
        self._mined: dict[bytes, tuple[int, str, bytes]] = {}
        self._commitments = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True),
            threading.Thread(target=self._aggregate, daemon=True),
        ]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def rpc_url(self) -> str:
        user, password = self.rpc_login
        return f"http://{user}:{password}@127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(5)

    # -- stamping ------------------------------------------------------------------------------

    def submit(self, digest: bytes) -> bytes:
        """Wait for the next tick and return the serialized tree up to the commitment."""
        box: list[bytes] = []
        with self._lock:
            self._queue.append((digest, box))
            self._lock.wait_for(lambda: box or self.stopped.is_set(), 5)
        return box[0]

    def _aggregate(self) -> None:
        while not self.stopped.wait(_TICK_S):
            with self._lock:
                queue, self._queue = self._queue, []
                if queue:
                    self._commit(queue)
                    self._lock.notify_all()

    def _commit(self, queue: list[tuple[bytes, list[bytes]]]) -> None:
        stamps = [Timestamp(digest) for digest, _ in queue]
        tip = make_merkle_tree(
            [s.ops.add(OpAppend(os.urandom(16))).ops.add(OpSHA256()) for s in stamps]
        )
        self._commitments += 1
        node = tip.ops.add(OpPrepend(struct.pack(">L", self._commitments)))
        commitment = node.ops.add(OpAppend(hashlib.sha256(node.msg + b"key").digest()[:8]))
        commitment.attestations.add(PendingAttestation(self.faults.named_uri or self.url))
        self._pending.append(commitment.msg)
        for stamp, (_, box) in zip(stamps, queue, strict=True):
            box.append(serialized(stamp))

    def mine(self) -> int:
        """Put every pending commitment into one transaction of one new block; return its height."""
        with self._lock:
            stamps = [Timestamp(commitment) for commitment in self._pending]
            tip = make_merkle_tree([stamp.ops.add(OpSHA256()) for stamp in stamps])
            head = b"\x02\0\0\0\x01" + os.urandom(36) + b"\0" + b"\xfd\xff\xff\xff"
            head += b"\x01" + bytes(8) + b"\x22" + _OP_RETURN
            raw = tip.ops.add(OpPrepend(head)).ops.add(OpAppend(bytes(4)))
            txid = raw.ops.add(OpSHA256()).ops.add(OpSHA256())
            pair = cat_sha256d(os.urandom(32), txid)
            root = cat_sha256d(pair, os.urandom(32))
            height = self.chain.mine(merkle_root=root.msg)
            root.attestations.add(BitcoinBlockHeaderAttestation(height))
            for stamp in stamps:
                self._mined[stamp.msg] = (height, txid.msg[::-1].hex(), serialized(stamp))
            self._pending = []
            return height

    def reorganise(self, depth: int) -> None:
        """Drop blocks; the commitments in them are pending again."""
        with self._lock:
            first = self.chain.reorganise(depth)
            lost = [c for c, (height, _, _) in self._mined.items() if height >= first]
            for commitment in lost:
                del self._mined[commitment]
            self._pending += lost

    def answer_for(self, commitment: bytes) -> tuple[int, bytes]:
        """Return status and body for ``GET /timestamp/<commitment>``."""
        with self._lock:
            if commitment in self._pending:
                return 404, b"Pending confirmation in Bitcoin blockchain"
            if commitment not in self._mined:
                return 404, b"Not found"
            height, txid, tree = self._mined[commitment]
            if self.chain.height - height + 1 < self.confirmations:
                return 404, (
                    f"Timestamped by transaction {txid}; "
                    f"waiting for {self.confirmations} confirmations"
                ).encode()
            if self.faults.wrong_root:
                wrong = Timestamp(commitment)
                wrong.ops.add(OpSHA256()).attestations.add(BitcoinBlockHeaderAttestation(height))
                return 200, serialized(wrong)
            return 200, tree

    # -- the chain, as others show it ------------------------------------------------------------

    def esplora(self, path: str) -> tuple[int, bytes]:
        match path.strip("/").split("/"):
            case ["blocks", "tip", "height"]:
                return 200, str(self.chain.height).encode()
            case ["block-height", height]:
                try:
                    return 200, self.chain.block_hash(int(height)).encode()
                except IndexError:
                    return 404, b"Block not found"
            case ["block", block_hash, "header"]:
                try:
                    return 200, self._header(block_hash).encode()
                except KeyError:
                    return 404, b"Block not found"
        return 404, b""

    def rpc(self, method: str, parameters: list[Any]) -> tuple[int, dict[str, Any]]:
        try:
            match method:
                case "getblockcount":
                    return 200, {"result": self.chain.height, "error": None}
                case "getblockhash":
                    return 200, {"result": self.chain.block_hash(parameters[0]), "error": None}
                case "getblockheader":
                    return 200, {"result": self._header(parameters[0]), "error": None}
        except IndexError:
            error = {"code": -8, "message": "Block height out of range"}
            return 500, {"result": None, "error": error}
        except KeyError:
            return 500, {"result": None, "error": {"code": -5, "message": "Block not found"}}
        return 404, {"result": None, "error": {"code": -32601, "message": "Method not found"}}

    def _header(self, block_hash: str) -> str:
        for height, header in self.faults.header.items():
            if height <= self.chain.height and self.chain.block_hash(height) == block_hash:
                return header.hex()
        return self.chain.header_of(block_hash)


def _handler(calendar: FakeCalendar) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/digest":
                calendar.requests.append(f"POST /digest {body.hex()}")
                if not self._misbehaved():
                    submission = calendar.faults.submission
                    self._send(200, calendar.submit(body) if submission is None else submission)
                return
            login = base64.b64encode(":".join(calendar.rpc_login).encode()).decode()
            if self.headers.get("Authorization") != f"Basic {login}":
                self._send(401, b"")
                return
            request = json.loads(body)
            calendar.requests.append(f"RPC {request['method']}")
            status, reply = calendar.rpc(request["method"], request.get("params", []))
            self._send(status, json.dumps(reply | {"id": request.get("id")}).encode())

        def do_GET(self) -> None:
            calendar.requests.append(f"GET {self.path}")
            if self.path.startswith("/esplora/"):
                self._send(*calendar.esplora(self.path.removeprefix("/esplora")))
            elif self.path.startswith("/timestamp/") and not self._misbehaved():
                if calendar.faults.upgrade is not None:
                    self._send(200, calendar.faults.upgrade)
                else:
                    commitment = bytes.fromhex(self.path.removeprefix("/timestamp/"))
                    self._send(*calendar.answer_for(commitment))

        def _misbehaved(self) -> bool:
            faults = calendar.faults
            if faults.silent:
                calendar.stopped.wait(30)
                self.close_connection = True
            elif faults.drip:
                self.send_response(200)
                self.send_header("Content-Length", "9999")
                self.end_headers()
                self.close_connection = True
                while not calendar.stopped.wait(0.02):
                    try:
                        self.wfile.write(b"\xff")
                        self.wfile.flush()
                    except OSError:
                        break
            elif faults.status is not None:
                self._send(faults.status, b"\x1b[31mgo away\r\n")
            return faults.silent or faults.drip or faults.status is not None

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
