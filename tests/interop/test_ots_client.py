"""The stock `ots` client: what we write in its hands, and the whole way to a Bitcoin block.

The calendar, the chain and the node are on loopback (`tests/fakes/calendar.py`); the client, its
reading, upgrading and verifying are the real ones.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchor.backends.bitcoin_headers import CoreHeaders
from anchor.backends.calendar import CalendarBackend, CalendarSettings
from anchor.formats.merkle import inclusion_steps, leaf_hash, node_hash
from anchor.formats.ots.attestation import (
    BitcoinAttestation,
    PendingAttestation,
    UnknownAttestation,
)
from anchor.formats.ots.codec import (
    DetachedTimestamp,
    parse_detached,
    parse_tree,
    serialize_detached,
)
from anchor.formats.ots.op import Append, Prepend, Ripemd160, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.ports import Attempt, Phase, Round
from anchor.proof.ots_export import export_ots
from tests.fakes.calendar import FakeCalendar

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


# -- with a calendar and a chain -------------------------------------------------------------------

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.fixture
def calendar() -> Iterator[FakeCalendar]:
    with FakeCalendar() as fake:
        yield fake


def on_regtest(calendar: FakeCalendar) -> tuple[str, ...]:
    return ("--btc-regtest", "--bitcoin-node", calendar.rpc_url, "-l", calendar.url)


def test_the_fake_calendar_serves_the_stock_client_from_stamp_to_verify(
    ots, calendar, tmp_path: Path
) -> None:
    (tmp_path / "cat").write_bytes(b"a picture of a cat")
    stamped = ots(*on_regtest(calendar), "stamp", "-c", calendar.url, "-m", "1", tmp_path / "cat")
    assert stamped.returncode == 0, stamped.stderr
    ours = parse_detached((tmp_path / "cat.ots").read_bytes())
    assert ours.canonical
    assert [p.attestation for p in ours.tree.paths()] == [PendingAttestation(calendar.url)]

    waiting = ots(*on_regtest(calendar), "upgrade", tmp_path / "cat.ots")
    assert waiting.returncode == 1
    assert "Pending confirmation in Bitcoin blockchain" in waiting.stderr
    height = calendar.mine()
    calendar.chain.mine(6)
    assert ots(*on_regtest(calendar), "upgrade", tmp_path / "cat.ots").returncode == 0
    verified = ots(*on_regtest(calendar), "verify", tmp_path / "cat.ots")
    assert verified.returncode == 0, verified.stderr
    assert f"Success! Bitcoin block {height} attests existence" in verified.stderr
    assert parse_detached((tmp_path / "cat.ots").read_bytes()).canonical


class Stamped:
    """A file in a log of three, its round stamped by our own backend."""

    def __init__(self, calendar: FakeCalendar) -> None:
        self.content = b"a picture of a cat"
        self.file_digest = hashlib.sha256(self.content).digest()
        self.opening = bytes(range(16))
        digest = hashlib.sha256(self.file_digest + self.opening).digest()
        left, right = leaf_hash(b"l" * 32), leaf_hash(b"r" * 32)
        pair = node_hash(left, leaf_hash(digest))
        self.steps = inclusion_steps(1, 3, [left, right])
        self.round = Round(3, node_hash(pair, right), "", NOW)
        self.source = CoreHeaders(calendar.rpc_url, timeout_s=5)
        settings = CalendarSettings(calendar.url, min_header_work=0, timeout_s=5)
        self.backend = CalendarBackend(settings, self.source, now=lambda: NOW)
        self.attempt = Attempt()

    def step(self) -> Phase:
        self.attempt = self.backend.advance(self.round, self.attempt)
        return self.attempt.phase

    def export(self) -> bytes:
        trees = [
            parse_tree(base64.b64decode(a["tree"]), self.round.root_hash)
            for a in self.attempt.attestations
        ]
        return export_ots(self.file_digest, self.opening, self.steps, trees)


@pytest.fixture
def stamped(calendar) -> Iterator[Stamped]:
    made = Stamped(calendar)
    yield made
    made.backend.close()
    made.source.close()


def test_the_client_upgrades_our_pending_file_by_itself(
    ots, calendar, stamped, tmp_path: Path
) -> None:
    """Even where our service is gone: the calendar's promise in the file is enough."""
    assert stamped.step() is Phase.PENDING
    (tmp_path / "cat").write_bytes(stamped.content)
    (tmp_path / "cat.ots").write_bytes(stamped.export())
    not_listed = ots("--btc-regtest", "--bitcoin-node", calendar.rpc_url, "upgrade",
                     tmp_path / "cat.ots")  # fmt: skip
    assert "not in whitelist" in not_listed.stderr
    height = calendar.mine()
    calendar.chain.mine(6)
    upgraded = ots(*on_regtest(calendar), "upgrade", tmp_path / "cat.ots")
    assert upgraded.returncode == 0, upgraded.stderr
    assert "Success! Timestamp complete" in upgraded.stderr
    verified = ots(*on_regtest(calendar), "verify", tmp_path / "cat.ots")
    assert verified.returncode == 0, verified.stderr
    assert f"Bitcoin block {height} attests existence" in verified.stderr

    assert stamped.step() is Phase.FINAL
    assert (tmp_path / "cat.ots").read_bytes() == stamped.export()


def test_the_client_verifies_our_final_file(ots, calendar, stamped, tmp_path: Path) -> None:
    stamped.step()
    height = calendar.mine()
    calendar.chain.mine(6)
    assert stamped.step() is Phase.FINAL
    (tmp_path / "cat").write_bytes(stamped.content)
    (tmp_path / "cat.ots").write_bytes(stamped.export())

    shown = ots("info", tmp_path / "cat.ots").stdout
    assert f"verify BitcoinBlockHeaderAttestation({height})" in shown
    root = calendar.chain.headers[height][36:68][::-1].hex()
    assert f"# Bitcoin block merkle root {root}" in shown
    assert re.search(r"Transaction id [0-9a-f]{64}", shown)

    verified = ots(*on_regtest(calendar), "verify", tmp_path / "cat.ots")
    assert verified.returncode == 0, verified.stderr
    assert f"Bitcoin block {height} attests existence" in verified.stderr
    by_digest = ots(
        *on_regtest(calendar), "verify", "-d", stamped.file_digest.hex(), tmp_path / "cat.ots"
    )
    assert by_digest.returncode == 0

    (tmp_path / "cat").write_bytes(stamped.content + b"!")
    changed = ots(*on_regtest(calendar), "verify", tmp_path / "cat.ots")
    assert changed.returncode == 1
    assert "File does not match original!" in changed.stderr


def test_the_client_refuses_a_final_file_bent_on_its_way(
    ots, calendar, stamped, tmp_path: Path
) -> None:
    stamped.step()
    calendar.mine()
    calendar.chain.mine(6)
    assert stamped.step() is Phase.FINAL
    data = bytearray(stamped.export())
    data[data.index(stamped.opening)] ^= 1
    (tmp_path / "cat").write_bytes(stamped.content)
    (tmp_path / "cat.ots").write_bytes(bytes(data))
    verified = ots(*on_regtest(calendar), "verify", tmp_path / "cat.ots")
    assert verified.returncode == 1
    assert "Digest does not match merkleroot" in verified.stderr
