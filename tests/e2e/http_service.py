"""A real service behind a real server on loopback, in this process or as ``vestige serve``."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from anchor.config.settings import (
    CalendarEndpointSettings,
    HttpSettings,
    LogSettings,
    Settings,
)
from anchor.config.wiring import build_service
from anchor.proof.policy import Policy
from anchor_api.app import create_app
from anchor_api.server import BackgroundServer

POLICY = Policy("tests", bytes(32), "test")
# One for all tests: making one costs more than most requests do.
HTTP = httpx.Client(timeout=60)
RAW = {"content-type": "application/octet-stream"}


def digest(number: int, salt: str = "") -> bytes:
    return hashlib.sha256(f"{salt}{number}".encode()).digest()


@contextmanager
def served(folder: Path, *, backends: Any = (), policy: Policy = POLICY, **http: Any):
    """Serve in a thread; yield the server and the service."""
    settings = Settings(
        data=folder / "data",
        log=LogSettings(disk_reserve_mb=0),
        http=HttpSettings(**http),
        calendar_endpoint=CalendarEndpointSettings(enabled=True),
    )
    service = build_service(
        settings, backends=backends, policy=policy, public_url="http://127.0.0.1:1"
    )
    try:
        service.start()
        with BackgroundServer(create_app(service)) as server:
            yield server, service
    finally:
        service.stop()


def connection(url: str, timeout_s: float = 10.0) -> socket.socket:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s)


def response_of(sock: socket.socket) -> tuple[int, bytes]:
    """Read one response with a length from a raw socket; status 0 where the peer hangs up."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            part = sock.recv(65_536)
            if not part:
                return 0, data
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(body) < length:
            part = sock.recv(65_536)
            if not part:
                break
            body += part
    except (ConnectionResetError, TimeoutError):
        return 0, data
    return int(head.split(b" ", 2)[1]), body


@dataclass
class Process:
    """``vestige serve`` as a process of its own."""

    process: subprocess.Popen[str]
    url: str
    log_key: str
    log_file: Path

    def log_text(self) -> str:
        return self.log_file.read_text()

    def stop(self, sig: int = signal.SIGTERM, timeout_s: float = 60.0) -> int:
        self.process.send_signal(sig)
        return self.process.wait(timeout_s)


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        **more,
    }


def serve_command(folder: Path, *flags: str) -> list[str]:
    return [
        str(Path(sys.executable).with_name("vestige")),
        "serve",
        "--json",
        f"--data={folder / 'data'}",
        "--port=0",
        "--calendars-urls=",
        "--rfc3161-authorities=",
        "--log-disk-reserve-mb=0",
        *flags,
    ]


@contextmanager
def process(folder: Path, *flags: str, **variables: str) -> Iterator[Process]:
    """Start ``vestige serve`` and wait until it says that it is ready; killed at the end."""
    with (folder / "serve.log").open("a") as log:
        child = subprocess.Popen(
            serve_command(folder, *flags),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(folder, **variables),
        )
    try:
        line = child.stdout.readline() if child.stdout else ""
        assert line, (folder / "serve.log").read_text()
        ready = json.loads(line)
        yield Process(child, ready["url"], ready["log_key"], folder / "serve.log")
    finally:
        if child.poll() is None:
            child.kill()
        child.wait(30)
        if child.stdout:
            child.stdout.close()
