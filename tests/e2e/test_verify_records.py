"""``vestige verify`` of a real vault in processes of their own: without a network, then with one.

The records are made by the recorder's commands with beacons that a service gave it once. The
sources that the policy names are real servers on loopback: a calendar's explorer, a node, a relay.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from anchor.cli import main
from anchor.formats.bitcoin import parse_header
from anchor.formats.evm import parse_evm_header
from anchor.proof.codec import serialize_proof
from anchor.records.record import parse_record
from tests import recorder
from tests.attacks import forged_evm
from tests.fakes.calendar import FakeCalendar
from tests.parts.drand import QUICKNET_32281667, QUICKNET_ENTRY
from tests.parts.record_folder import write_policy
from tests.unit.backends.test_drand import as_json
from tests.unit.backends.test_evm_headers import shown_block

PNG = b"\x89PNG\r\n\x1a\n"
EVM_TIME = 1_760_000_000
EVM_RAW = forged_evm.header_rlp(number=77, time=EVM_TIME)
EVM_HASH = parse_evm_header(EVM_RAW).block_hash
HEIGHT = 90
WITHOUT_SOCKETS = """
import socket, sys
def refuse(*args, **kwargs):
    raise RuntimeError("a socket was opened")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from anchor.cli import main
sys.exit(main(sys.argv[1:]))
"""


class Sources:
    """A node's JSON-RPC and a drand relay, on one port; ``asked`` lists what they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        sources = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sources.asked.append(self.path)
                known = self.path.endswith(f"/public/{QUICKNET_32281667.number}")
                self._send(200 if known else 404, as_json(QUICKNET_32281667) if known else {})

            def do_POST(self) -> None:
                call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sources.asked.append(call["method"])
                self._send(200, {"result": sources.rpc(call["method"], call["params"])})

            def _send(self, status: int, value: Any) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def rpc(self, method: str, params: list[Any]) -> Any:
        if method == "eth_chainId":
            return "0x1"
        if params[0] == "finalized":
            return {"number": "0x64", "hash": "0x" + "11" * 32}
        return shown_block(EVM_RAW) if int(params[0], 16) == 77 else None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def sources() -> Iterator[Sources]:
    made = Sources()
    yield made
    made.close()


@pytest.fixture
def calendar() -> Iterator[FakeCalendar]:
    with FakeCalendar() as made:
        yield made


@pytest.fixture
def work(tmp_path: Path, monkeypatch, capsys, calendar: FakeCalendar, sources: Sources) -> Path:
    """A working folder whose vault holds genesis, an image and a note, proven an instant later."""
    folder = tmp_path / "cats"
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("VESTIGE_OFFLINE", "1")
    (tmp_path / "passphrase").write_text("correct horse")
    monkeypatch.setenv("VESTIGE_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    monkeypatch.chdir(folder)
    found = QUICKNET_32281667
    said = {
        "beacons": {
            "bitcoin": {
                "chain": "bitcoin", "number": HEIGHT, "time": 1,
                "block_hash": calendar.chain.block_hash(HEIGHT),
            },
            "evm:1": {"chain": "evm:1", "number": 77, "block_hash": EVM_HASH.hex(), "time": 1},
        },
        "drand": {key: value for key, value in as_json(found).items() if key != "signature"},
    }  # fmt: skip
    (tmp_path / "state" / "vestige").mkdir(parents=True)
    kept = {"fetched_at": int(time.time()), "said": said}
    (tmp_path / "state" / "vestige" / "beacons.json").write_text(json.dumps(kept))
    (folder / "cat.png").write_bytes(PNG + b"a cat")
    for words in (["init", "--recovery", str(tmp_path / "key.txt")], ["add", "cat.png"],
                  ["note", "a remark"]):  # fmt: skip
        assert main(words) == 0
    capsys.readouterr()
    (folder / ".vestige" / "proofs").mkdir(exist_ok=True)
    for path in sorted((folder / ".vestige" / "records").iterdir()):
        record = parse_record(path.read_bytes())
        proof = serialize_proof(recorder.proof(record, datetime.now(UTC)))
        (folder / ".vestige" / "proofs" / f"{path.stem}.proof").write_bytes(proof)
    write_policy(
        tmp_path / "policy.json",
        bitcoin={"network": "regtest", "sources": [f"{calendar.url}/esplora"], "agree": 1},
        chains=[{"chain_id": 1, "name": "example", "class": "l1", "sources": [sources.url]}],
        drand=[{**QUICKNET_ENTRY, "sources": [sources.url]}],
    )
    monkeypatch.setenv("VESTIGE_POLICY", str(tmp_path / "policy.json"))
    time.sleep(1.1)  # a token of this very second bounds the next one
    return folder


def verify(*words: object, network: bool = False) -> subprocess.CompletedProcess[str]:
    program = ["-m", "anchor.cli"] if network else ["-c", WITHOUT_SOCKETS]
    command = [sys.executable, *program, "verify", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("COLUMNS", None)
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment
    )


def test_vault_record_and_file_are_verified_without_a_network(work: Path, sources: Sources):
    whole = verify(".")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout.count("✓ verified") == 4
    assert "complete up to record 2" in whole.stdout
    record = verify(".vestige/records/00000001.sdjwt")
    assert (record.returncode, record.stderr) == (0, "")
    assert record.stdout.count("○ not checked  nothing here says that") == 3
    file = verify("cat.png")
    assert file.returncode == 0
    assert file.stdout.startswith("cat.png existed before ")
    assert "cat.png is file 0 of record 1 (generation)" in file.stdout
    assert sources.asked == []


def test_beacons_are_verified_with_the_sources_of_the_policy_alone(
    work: Path, sources: Sources, calendar: FakeCalendar
):
    ran = verify(".vestige/records/00000002.sdjwt", "--online", "--json", network=True)
    assert ran.returncode == 0, ran.stderr
    value = json.loads(ran.stdout)
    rows = {row["source"]: row for row in value["record"]["beacons"]}
    assert {name: row["status"] for name, row in rows.items()} == dict.fromkeys(rows, "verified")
    assert rows["evm"]["not_before"] == "2025-10-09T08:53:08Z"
    assert rows["drand"]["not_before"] == "2026-09-17T12:32:45Z"
    assert "signed by the key that the policy names" in rows["drand"]["trust"]
    mined = datetime.fromtimestamp(parse_header(calendar.chain.headers[HEIGHT]).time, UTC)
    assert rows["bitcoin"]["not_before"].startswith(f"{mined:%Y-%m-%dT}"[:5])
    assert value["not_before"] == max(row["not_before"] for row in rows.values())
    assert [path for path in sources.asked if path.startswith("/")] == [
        f"/{QUICKNET_ENTRY['chain_hash']}/public/32281667"
    ]


def test_source_that_says_another_value_makes_the_record_false(
    work: Path, sources: Sources, monkeypatch
):
    other = forged_evm.header_rlp(number=77, time=EVM_TIME + 1)
    monkeypatch.setattr(
        sources,
        "rpc",
        lambda method, params: "0x1" if method == "eth_chainId" else shown_block(other),
    )
    ran = verify(".vestige/records/00000002.sdjwt", "--online", network=True)
    assert ran.returncode == 1
    assert "✕ failed" in ran.stdout.splitlines()[0]


def test_silent_sources_are_a_warning_and_the_record_stays_verified(work: Path, sources: Sources):
    sources.close()
    ran = verify(".vestige/records/00000002.sdjwt", "--online", network=True)
    assert ran.returncode == 0, ran.stdout
    assert ran.stderr.count("vestige: warning: ") == 2


def test_one_changed_byte_in_any_record_or_original_digest_is_found(work: Path):
    for path in sorted((work / ".vestige" / "records").iterdir()):
        data = path.read_bytes()
        for position in (10, len(data) // 2, len(data) - 2):
            changed = bytearray(data)
            changed[position] ^= 1
            path.write_bytes(changed)
            assert main(["verify", ".vestige"]) in (1, 4, 5), (path.name, position)
        path.write_bytes(data)
    assert main(["verify", ".vestige"]) == 0
