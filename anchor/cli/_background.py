"""A command that goes on without its terminal: double fork, a log, a file with its number.

The person's shell waits until the command works, or says why it does not; then it is let go.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from anchor.cli._exit_status import UNREADABLE, exit_status_of
from anchor.errors import StoreUnavailableError, UsageError, VestigeError
from anchor.vault.durable import discard, translated

_MAX_LOG_BYTES: Final = 4 << 20


def run_in_background(log: Path, pid_file: Path, body: Callable[[Callable[[], None]], int]) -> int:
    """Start a command in a process of its own session; return its number once it works.

    Args:
        log: what it writes goes here; one of more than 4 MiB is put aside first.
        pid_file: holds its number as long as it runs.
        body: the command; it calls what it is given when it works, and returns its exit status.

    Raises:
        UsageError: there is no such thing on this system.
        StoreUnavailableError: it ended before it worked, or could not be started.
    """
    if not hasattr(os, "fork"):
        raise UsageError("--daemon is not for this system", code="usage.daemon")
    with translated(log):
        if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
            log.replace(log.with_name(log.name + ".1"))
        written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        news, told = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    first = os.fork()
    if first == 0:
        os.close(news)
        _leave(told, written, pid_file, body)
    os.close(told)
    os.close(written)
    os.waitpid(first, 0)
    with os.fdopen(news, "rb") as stream:
        said = stream.read()
    value: dict[str, Any] = (
        json.loads(said) if said else {"message": "the process ended at once", "hint": None}
    )
    if "pid" in value:
        return int(value["pid"])
    raise StoreUnavailableError(
        value["message"], code=value.get("code", "daemon.ended"), hint=value["hint"] or f"see {log}"
    )


def _leave(
    told: int, written: int, pid_file: Path, body: Callable[[Callable[[], None]], int]
) -> None:
    """Leave session and terminal, run the command, end the process."""
    status = UNREADABLE
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (written, 1), (written, 2)):
            os.dup2(source, target)

        def works() -> None:
            with contextlib.suppress(OSError):
                pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
            os.write(told, json.dumps({"pid": os.getpid()}).encode())
            os.close(told)

        status = body(works)
        discard(pid_file)
    except VestigeError as error:
        status = exit_status_of(error)
        _say(told, {"message": error.message, "code": error.code, "hint": error.hint})
    except BaseException as error:  # noqa: BLE001 - nobody is above this
        _say(told, {"message": f"unexpected {type(error).__name__}: {error}", "hint": None})
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _say(told: int, value: Mapping[str, str | None]) -> None:
    """Tell the shell, if it still listens, else the log."""
    try:
        os.write(told, json.dumps(value).encode())
    except OSError:
        sys.stderr.write(f"vestige: error: {value['message']}\n")


def systemd_unit(title: str, command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return a user unit that keeps a command running (systemd.service(5))."""
    lines = [
        "[Unit]",
        f"Description={title.replace('%', '%%')}",
        "",
        "[Service]",
        f"ExecStart={' '.join(map(_quoted, command))}",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in environment.items()),
        "Restart=on-failure",
        "RestartSec=5",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("%", "%%").replace("$", "$$") + '"'
