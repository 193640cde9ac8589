"""The stock `ots` client reading what we write."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from anchor.formats.ots.attestation import (
    BitcoinAttestation,
    PendingAttestation,
    UnknownAttestation,
)
from anchor.formats.ots.codec import DetachedTimestamp, serialize_detached
from anchor.formats.ots.op import Append, Prepend, Ripemd160, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.ots_export import export_ots

pytestmark = pytest.mark.ots_client

OTS = Path(sys.executable).with_name("ots")


@pytest.fixture
def ots(require, tmp_path: Path):
    """Return a function that runs the stock client in its own home."""
    require(OTS.is_file(), f"the stock client (PyPI opentimestamps-client) is not at {OTS}")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(OTS), "--no-cache", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TZ": "UTC"},
        )

    return run


def test_info_shows_every_operation_and_attestation(ots, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"cat").digest()
    tree = Timestamp(digest)
    top = tree.add(Append(b"\x01\x02")).add(Sha256())
    top.add(Prepend(b"\x03")).add(Ripemd160()).attest(BitcoinAttestation(123456))
    top.attest(PendingAttestation("https://calendar.example/x"))
    top.attest(UnknownAttestation(b"vestige1", b"\x00\xff"))
    (tmp_path / "cat.ots").write_bytes(
        serialize_detached(DetachedTimestamp(Sha256(), digest, tree))
    )
    shown = ots("info", tmp_path / "cat.ots")
    assert shown.returncode == 0, shown.stderr
    assert f"File sha256 hash: {digest.hex()}" in shown.stdout
    for line in (
        "append 0102",
        "prepend 03",
        "ripemd160",
        "verify BitcoinBlockHeaderAttestation(123456)",
        "verify PendingAttestation('https://calendar.example/x')",
        "verify UnknownAttestation(b'vestige1', b'\\x00\\xff')",
    ):
        assert line in shown.stdout


def test_a_cut_file_is_refused_by_the_client_too(ots, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"cat").digest()
    tree = Timestamp(digest)
    tree.add(Sha256()).attest(BitcoinAttestation(1))
    data = serialize_detached(DetachedTimestamp(Sha256(), digest, tree))
    (tmp_path / "cut.ots").write_bytes(data[:-1])
    assert ots("info", tmp_path / "cut.ots").returncode == 1


def test_info_reads_an_export_with_255_nested_operations(ots, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"cat").digest()
    leaf = hashlib.sha256(b"\x00" + hashlib.sha256(digest + b"nonce").digest()).digest()
    sibling = bytes(range(32))
    root = hashlib.sha256(b"\x01" + leaf + sibling).digest()
    tree = node = Timestamp(root)
    for _ in range(255 - 7):
        node = node.add(Sha256())
    node.attest(PendingAttestation("https://calendar.example"))
    exported = export_ots(digest, b"nonce", [("right", sibling)], [tree])
    (tmp_path / "cat.ots").write_bytes(exported)
    shown = ots("-v", "info", tmp_path / "cat.ots")
    assert shown.returncode == 0, shown.stderr
    assert f"append {sibling.hex()}" in shown.stdout
    assert root.hex() in shown.stdout
    assert "verify PendingAttestation('https://calendar.example')" in shown.stdout
