"""Serve a local time-stamping authority over HTTP, to this machine alone."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from anchor.backends.local_tsa import MAX_REQUEST_BYTES, LocalAuthority


class LocalAuthorityServer:
    """The authority behind HTTP on 127.0.0.1, on a port that the system picks; a context manager.

    Attributes:
        url: where to post requests.
    """

    def __init__(self, authority: LocalAuthority) -> None:
        handler = type("Handler", (_Handler,), {"authority": authority})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/tsr"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="local-tsa", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering; safe to call twice."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    authority: LocalAuthority
    timeout = 10

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_REQUEST_BYTES:
            self.send_error(413)
            return
        body = self.authority.respond(self.rfile.read(int(length)))
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write no log."""
