"""The process that reads files: one request, one file, one answer, until the socket closes.

Started by :mod:`anchor.capture.sandbox.worker_process` with the number of its socket; a request is
the limits as JSON, with the descriptor of the file beside it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import sys
from typing import Any

from anchor.capture.c2pa_manifest import load_c2pa, read_c2pa
from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.file_bytes import FileBytes
from anchor.capture.parse import parse_metadata
from anchor.capture.sandbox.confinement import Confinement
from anchor.capture.sandbox.frames import (
    C2PA,
    DONE,
    METADATA,
    frame,
    json_bytes,
    parse_object,
    serialize_metadata,
)
from anchor.errors import FormatError

_MAX_REQUEST_BYTES = 4096


def serve(descriptor: int) -> None:
    """Answer requests on the socket of that number until it is closed."""
    # Cycles are few here, and looking for them among a million lists of a hostile file is dear.
    gc.freeze()
    gc.disable()
    with socket.socket(fileno=descriptor) as channel:
        worker = _Worker(channel, Confinement())
        while worker.answer():
            gc.collect()


class _Worker:
    def __init__(self, channel: socket.socket, confinement: Confinement) -> None:
        self._channel = channel
        self._confinement = confinement
        self._c2pa: Any = None
        self._tried_c2pa = False

    def answer(self) -> bool:
        """Answer one request; False when there are no more, or memory ran out."""
        request, descriptors, _, _ = socket.recv_fds(self._channel, _MAX_REQUEST_BYTES, 1)
        if not request or not descriptors:
            return False
        try:
            return self._read(descriptors[0], CaptureLimits(**parse_object(request)))
        finally:
            for opened in descriptors:
                os.close(opened)

    def _read(self, descriptor: int, limits: CaptureLimits) -> bool:
        self._confinement.begin()
        complete = True
        try:
            file = FileBytes.of_descriptor(descriptor, max_read_bytes=limits.read_bytes)
            metadata, found = parse_metadata(file, limits)
            self._channel.sendall(frame(METADATA, serialize_metadata(metadata)))
            if found.manifests:
                self._send_c2pa(descriptor, limits, metadata.media_type)
        except MemoryError:
            # Whatever was held is let go by now; this little can be said, and then it is over.
            complete = False
        with contextlib.suppress(BrokenPipeError):
            self._channel.sendall(frame(DONE, b"" if complete else b"memory"))
        self._confinement.end()
        return complete

    def _send_c2pa(self, descriptor: int, limits: CaptureLimits, media_type: str) -> None:
        """Send what the C2PA library reads, as an answer of its own: it may not come to an end."""
        size = os.fstat(descriptor).st_size
        if size > limits.c2pa_checked_bytes:
            answer: dict[str, Any] = {"note": "c2pa: not read, the file is too large to be checked"}
        else:
            if not self._tried_c2pa:
                self._confinement.let_load()
                self._tried_c2pa, self._c2pa = True, load_c2pa()
            self._confinement.let_call()
            answer = self._read_c2pa(descriptor, limits, media_type)
        self._channel.sendall(frame(C2PA, json_bytes(answer)))

    def _read_c2pa(self, descriptor: int, limits: CaptureLimits, media_type: str) -> dict[str, Any]:
        if self._c2pa is None:
            return {"note": "c2pa: found, not read: the c2pa extra is not installed"}
        # The library reads the file several times over.
        file = FileBytes.of_descriptor(descriptor, max_read_bytes=64 * limits.c2pa_checked_bytes)
        try:
            return {"fields": read_c2pa(self._c2pa, file, media_type)}
        except FormatError as error:
            return {"note": str(error)}


if __name__ == "__main__":
    serve(int(sys.argv[1]))
