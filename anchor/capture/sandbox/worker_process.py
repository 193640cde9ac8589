"""The caller's end of a worker: start it, hand it a file, take its answer or kill it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import anchor
from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.generators.field_values import field_values
from anchor.capture.metadata import Metadata
from anchor.capture.sandbox.frames import (
    C2PA,
    DONE,
    FRAME_HEADER_BYTES,
    KINDS,
    METADATA,
    json_bytes,
    parse_metadata_frame,
    parse_object,
)
from anchor.capture.text import printable
from anchor.errors import FormatError
from anchor.limits import CAPTURE_TIME_S, MAX_CAPTURE_ANSWER_BYTES

# The folder of the running package comes last on the worker's path: it is found where the caller
# found it, and nothing beside it hides a module of the system. With -I, neither the working folder
# (which holds strangers' files) nor the environment has a say.
_PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv[2]); "
    "from anchor.capture.sandbox.worker import serve; serve(int(sys.argv[1]))"
)
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}
_BLOCK_BYTES: Final = 1 << 20
# A long life makes memory patchy; starting anew costs what reading some hundred files does.
_MAX_FILES: Final = 2000


class WorkerProcess:
    """One worker, reading one file at a time.

    It belongs to one thread at a time. Starting it takes about a tenth of a second.

    Raises:
        OSError: the system starts no further process.
    """

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        with contextlib.ExitStack() as undo, theirs:
            undo.callback(self._channel.close)
            root = str(Path(anchor.__file__).parent.parent)
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", _PROGRAM, str(theirs.fileno()), root],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
            undo.pop_all()
        self._n_files = 0
        self._started = False
        self._deadline = 0.0
        self._answer = _Answer()

    @property
    def is_usable(self) -> bool:
        """Return whether it can take another file."""
        return self._process.poll() is None and self._n_files < _MAX_FILES

    def begin(self, descriptor: int, limits: CaptureLimits) -> None:
        """Hand over a file; its answer is taken by :meth:`finish`."""
        self._n_files += 1
        self._answer = _Answer()
        # Before its first file the worker has its own start before it, which no file can lengthen.
        grace_s = 0 if self._started else CAPTURE_TIME_S
        self._started = True
        self._deadline = time.monotonic() + CAPTURE_TIME_S + grace_s
        self._channel.settimeout(CAPTURE_TIME_S)
        try:
            socket.send_fds(self._channel, [_request(limits)], [descriptor])
        except OSError:
            self.close()

    def poll(self) -> None:
        """Take what has come of the answer, without waiting; kill the worker if it is too late."""
        self._take(0)

    def finish(self) -> Metadata:
        """Wait for the answer; what is missing of it is told in a note. Raises nothing."""
        while not self._answer.done and self._process.returncode is None:
            self._take(max(0.0, self._deadline - time.monotonic()))
        return self._answer.metadata(_ending(self._process.returncode))

    def close(self) -> None:
        """Kill the worker, if it lives, and let go of everything."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
        self._channel.close()

    def _take(self, timeout_s: float) -> None:
        if self._answer.done or self._process.returncode is not None:
            return
        self._channel.settimeout(timeout_s)
        try:
            data = self._channel.recv(_BLOCK_BYTES)
            self._answer.take(data)
        except (BlockingIOError, TimeoutError):
            if time.monotonic() >= self._deadline:
                self.close()
            return
        except (OSError, FormatError):
            self.close()
            return
        if not data:
            # It is at its end: how it came to it shows in a moment.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            self.close()
        elif self._answer.out_of_memory:
            self.close()


class _Answer:
    """The frames of one answer, as they come in."""

    def __init__(self) -> None:
        self.done = False
        self.out_of_memory = False
        self._buffer = bytearray()
        self._frames: dict[bytes, bytes] = {}

    def take(self, data: bytes) -> None:
        """Add what came over the socket.

        Raises:
            FormatError: no worker answers so.
        """
        self._buffer += data
        while len(self._buffer) >= FRAME_HEADER_BYTES and not self.done:
            kind = bytes(self._buffer[:1])
            length = int.from_bytes(self._buffer[1:FRAME_HEADER_BYTES])
            if kind not in KINDS or length > MAX_CAPTURE_ANSWER_BYTES:
                raise FormatError("the reader's answer is malformed", code="capture.answer")
            end = FRAME_HEADER_BYTES + length
            if len(self._buffer) < end:
                return
            self._frames[kind] = bytes(self._buffer[FRAME_HEADER_BYTES:end])
            del self._buffer[:end]
            self.done = kind == DONE
            self.out_of_memory = self.done and length > 0

    def metadata(self, ending: str) -> Metadata:
        """Return what was answered; ``ending`` says how the worker ended, if it did too early."""
        notes: list[str] = []
        metadata = Metadata()
        if self.out_of_memory:
            notes.append("the metadata could not be read: it needs more memory than is allowed")
        elif not self.done:
            what = "c2pa: the manifest" if METADATA in self._frames else "the metadata"
            notes.append(f"{what} could not be read: {ending}")
        try:
            if METADATA in self._frames:
                metadata = parse_metadata_frame(self._frames[METADATA])
            metadata = _with_c2pa(metadata, self._frames.get(C2PA), notes)
        except FormatError as error:
            notes.append(str(error))
        return replace(metadata, notes=(*metadata.notes, *notes))


def _with_c2pa(metadata: Metadata, content: bytes | None, notes: list[str]) -> Metadata:
    if content is None:
        return metadata
    answer = parse_object(content)
    if isinstance(note := answer.get("note"), str):
        notes.append(printable(note, max_characters=400))
    fields = answer.get("fields")
    if not isinstance(fields, dict):
        return metadata
    read: dict[str, Any] = field_values({"c2pa": fields})
    tool = metadata.tool
    generator = fields.get("claim_generator")
    if tool is None and isinstance(generator, str):
        tool = generator
    return replace(metadata, tool=tool, fields={**metadata.fields, **read})


@cache
def _request(limits: CaptureLimits) -> bytes:
    return json_bytes(asdict(limits))


def _ending(status: int | None) -> str:
    """Say in words how a process ended."""
    if status in (-signal.SIGKILL, -signal.SIGALRM, -signal.SIGXCPU):
        return f"it took longer than {CAPTURE_TIME_S} seconds, or more than is allowed"
    if status is not None and status < 0:
        return f"the reader was ended by signal {-status}"
    return "the reader ended without an answer"


def can_confine() -> bool:
    """Return whether this system has what a worker needs: descriptors over sockets, and limits."""
    return os.name == "posix" and hasattr(socket, "send_fds")
