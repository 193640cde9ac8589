"""The operator's wish for a round now, handed to a running service through its data folder.

``vestige admin force`` writes the wish into a file there; the service looks for it every second,
takes it away, acts, and writes what came of it. Whoever may write in the data folder could do far
worse, so nothing else has to be shown. There is no address for this in the HTTP interface, on
purpose: only the operator forces a round.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

from anchor.client.local_file import load_bytes, write_atomically
from anchor.errors import (
    BackendUnavailableError,
    FormatError,
    NotFoundError,
    StoreError,
    VestigeError,
)
from anchor.formats.encoding import parse_json

_log = logging.getLogger(__name__)

_WISH: Final = "force.json"
_ANSWER: Final = "force-answer.json"
_MAX_BYTES: Final = 64 << 10
_LOOK_S: Final = 1.0
_WAIT_S: Final = 15.0

Force = Callable[[str | None], Mapping[str, str]]
"""Takes a backend's name, or None for all; returns what each answers."""


class ForceWishes:
    """The service's side: looks for wishes until it is closed; a context manager.

    Args:
        data: the data folder.
        force: asks for rounds.
    """

    def __init__(self, data: Path, force: Force) -> None:
        self._data = data
        self._force = force
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="force-wishes", daemon=True)

    def __enter__(self) -> Self:
        # A wish that nobody was there to fulfil is not fulfilled later.
        (self._data / _WISH).unlink(missing_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            try:
                self._look()
            except (VestigeError, OSError) as error:
                _log.warning("a wish for a round could not be answered: %s", error)

    def _look(self) -> None:
        wish = _load(self._data / _WISH)
        if wish is None:
            return
        (self._data / _WISH).unlink(missing_ok=True)
        backend = wish.get("backend")
        answer: dict[str, Any] = {"id": wish.get("id")}
        try:
            answers = self._force(backend if isinstance(backend, str) else None)
            answer["answers"] = {name: str(said) for name, said in answers.items()}
        except VestigeError as error:
            answer["error"] = error.message
        write_atomically(self._data / _ANSWER, json.dumps(answer).encode())


def wish_force(data: Path, backend: str | None, *, timeout_s: float = _WAIT_S) -> dict[str, str]:
    """Ask the service of a data folder for a round; return what each backend answers.

    Args:
        data: the data folder.
        backend: its name, or None for all.
        timeout_s: how long an answer is waited for.

    Raises:
        NotFoundError: the folder is none, or there is no such backend.
        BackendUnavailableError: no service answers.
        StoreError: the folder cannot be written.
    """
    if not data.is_dir():
        raise NotFoundError(
            f"{data} is no data folder of a service", code="data.not_found", hint="--data names it"
        )
    wish = {"id": secrets.token_hex(8), "backend": backend}
    (data / _ANSWER).unlink(missing_ok=True)
    write_atomically(data / _WISH, json.dumps(wish).encode())
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        answer = _load(data / _ANSWER)
        if answer is not None and answer.get("id") == wish["id"]:
            (data / _ANSWER).unlink(missing_ok=True)
            if "error" in answer:
                raise NotFoundError(str(answer["error"]), code="not_found.backend")
            return {str(name): str(said) for name, said in dict(answer["answers"]).items()}
        time.sleep(min(0.1, timeout_s))
    (data / _WISH).unlink(missing_ok=True)
    raise BackendUnavailableError(
        f"no service answers for {data} within {timeout_s:g} s",
        code="backend.unavailable.service",
        hint="is vestige serve running with this data folder?",
    )


def _load(path: Path) -> dict[str, Any] | None:
    with contextlib.suppress(NotFoundError):
        try:
            data = load_bytes(path, max_bytes=_MAX_BYTES, what="wish")
            value = parse_json(data, max_bytes=_MAX_BYTES, what=str(path))
        except FormatError as error:
            path.unlink(missing_ok=True)
            raise StoreError(f"{path}: {error.message}") from error
        return value if isinstance(value, dict) else None
    return None
