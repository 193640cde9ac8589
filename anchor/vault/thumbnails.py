"""Small pictures of recorded images, for the page of ``vestige log --html``.

Drawn by Pillow where it is installed, in a process of its own (:mod:`thumbnail_worker`), and kept
in the vault's ``cache/``, which can be deleted. An image that is too large, damaged, or of a type
that is not drawn has none: the page then shows its name. Nothing here is evidence; originals are.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self

import anchor
from anchor.errors import VestigeError
from anchor.limits import CAPTURE_TIME_S
from anchor.vault.durable import discard, make_folder, write_scratch
from anchor.vault.layout import Layout

_LENGTH_BYTES: Final = 4
_MAX_BYTES: Final = 1 << 20
_PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv[2]); "
    "from anchor.vault.thumbnail_worker import serve; serve(int(sys.argv[1]))"
)
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}


class Thumbnails:
    """The thumbnails of one vault; a context manager."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._folder = layout.cache / "thumbnails"
        self._worker: ThumbnailWorker | None = None
        self._can_draw = hasattr(socket, "send_fds") and find_spec("PIL") is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that draws; safe to call twice."""
        if self._worker is not None:
            self._worker.close()
        self._worker = None

    def jpeg(self, sha256: bytes) -> bytes | None:
        """Return the thumbnail of an original as JPEG, or None where there can be none."""
        path = self._folder / f"{sha256.hex()}.jpg"
        with contextlib.suppress(OSError):
            return path.read_bytes()
        data = self._drawn(sha256) if self._can_draw else None
        if data is not None:
            with contextlib.suppress(VestigeError, OSError):  # only a cache
                make_folder(self._folder)
                scratch = write_scratch(self._layout.scratch, data)
                try:
                    scratch.replace(path)
                finally:
                    discard(scratch)
        return data

    def _drawn(self, sha256: bytes) -> bytes | None:
        try:
            if self._worker is None:
                self._worker = ThumbnailWorker()
            with self._layout.object(sha256).open("rb", buffering=0) as file:
                return self._worker.draw(file.fileno()) or None
        except OSError:
            self.close()  # it died of this image; the next one gets a new one
            return None


class ThumbnailWorker:
    """The process that draws small pictures, behind walls (:mod:`thumbnail_worker`)."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            root = str(Path(anchor.__file__).parent.parent)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", _PROGRAM, str(theirs.fileno()), root],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd=os.sep,
                start_new_session=True,
            )
        self._channel.settimeout(2 * CAPTURE_TIME_S)

    def draw(self, descriptor: int) -> bytes:
        """Return the JPEG, or nothing; OSError if the process is gone or answers nonsense."""
        socket.send_fds(self._channel, [b"x"], [descriptor])
        length = int.from_bytes(self._read(_LENGTH_BYTES))
        if length > _MAX_BYTES:
            raise OSError("no thumbnail is that large")
        return self._read(length)

    def close(self) -> None:
        """Kill it and let go of everything."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._channel.close()

    def _read(self, n_bytes: int) -> bytes:
        data = bytearray()
        while len(data) < n_bytes:
            part = self._channel.recv(n_bytes - len(data))
            if not part:
                raise OSError("the process that draws is gone")
            data += part
        return bytes(data)
