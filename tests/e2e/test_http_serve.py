"""``vestige serve`` as a process: what it acknowledged is there after any end."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import threading
import time
from dataclasses import dataclass, field

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anchor.formats.checkpoint import parse_checkpoint
from anchor.formats.note import COSIGNATURE_V1, NoteKey, parse_note, parse_note_key, verify_note
from anchor.proof.codec import parse_proof
from tests.e2e.http_service import HTTP, RAW, digest, environment, process, serve_command


@dataclass
class Load:
    """Clients that submit without a pause, and what was acknowledged to them."""

    url: str
    salt: str
    clients: int = 24
    acknowledged: dict[bytes, int] = field(default_factory=dict)
    checkpoints: list[str] = field(default_factory=list)
    refused: int = 0
    cut_off: int = 0

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            await asyncio.gather(*(self._submit(client, n) for n in range(self.clients)))

    async def _submit(self, client: httpx.AsyncClient, number: int) -> None:
        for turn in range(1_000_000):
            mine = digest(turn, f"{self.salt}-{number}-")
            try:
                response = await client.post("/v1/digests", json={"digests": [mine.hex()]})
            except httpx.TransportError:
                self.cut_off += 1
                return
            if response.status_code != 200:
                self.refused += 1
                return
            answer = response.json()
            self.acknowledged[mine] = answer["digests"][0]["leaf_index"]
            self.checkpoints.append(answer["checkpoint"])


def entries(url, size):
    """Fetch all entries of the log by its tiles."""
    from anchor.formats.tiles import entries_path, parse_entry_bundle

    found = []
    for index in range(-(-size // 256)):
        width = min(256, size - index * 256)
        data = HTTP.get(f"{url}/{entries_path(index, width)}").content
        found += parse_entry_bundle(data, count=width)
    return found


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_end_during_load_loses_nothing_acknowledged(tmp_path, sig):
    with process(tmp_path) as running:
        load = Load(running.url, sig.name)
        thread = threading.Thread(target=load.run)
        thread.start()
        while len(load.acknowledged) < 300:
            time.sleep(0.01)
        status = running.stop(sig)
        thread.join(60)
        assert not thread.is_alive()
    assert status == (0 if sig != signal.SIGKILL else -signal.SIGKILL)
    assert len(load.acknowledged) >= 300
    key = parse_note_key(running.log_key)
    with process(tmp_path) as again:
        assert again.log_key == running.log_key
        checkpoint = HTTP.get(f"{again.url}/checkpoint").text
        note = parse_note(checkpoint)
        verify_note(note, key)
        size = parse_checkpoint(note.text).tree_size
        held = entries(again.url, size)
        assert len(set(held)) == len(held)
        for mine, leaf_index in load.acknowledged.items():
            assert held[leaf_index] == mine
        # No two trees of one size were ever signed.
        roots: dict[int, bytes] = {}
        for text in {*load.checkpoints, checkpoint}:
            signed = parse_note(text)
            verify_note(signed, key)
            parsed = parse_checkpoint(signed.text)
            assert roots.setdefault(parsed.tree_size, parsed.root_hash) == parsed.root_hash
        # Submitting again gives the first index.
        some = list(load.acknowledged)[:50]
        body = HTTP.post(f"{again.url}/v1/digests", json={"digests": [d.hex() for d in some]})
        found = [item["leaf_index"] for item in body.json()["digests"]]
        assert found == [load.acknowledged[d] for d in some]
        assert not any(item["created"] for item in body.json()["digests"])
        assert again.stop() == 0


def test_requests_under_way_are_answered_before_the_end(tmp_path):
    with process(tmp_path) as running:
        body = b"".join(digest(n) for n in range(200_000))
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(
                HTTP.post(f"{running.url}/v1/digests", content=body, headers=RAW, timeout=60)
            )
        )
        thread.start()
        while not HTTP.get(f"{running.url}/v1/status").json()["http"]["bytes_in_flight"]:
            time.sleep(0.005)
        assert running.stop() == 0
        thread.join(60)
        assert answers[0].status_code == 200
        assert len(answers[0].content) == 8 * 200_000


def test_an_event_stream_does_not_hold_up_the_end(tmp_path):
    with process(tmp_path) as running:
        lines = []
        with httpx.stream("GET", f"{running.url}/v1/events", timeout=30) as stream:
            reader = threading.Thread(target=lambda: lines.extend(stream.iter_lines()))
            reader.start()
            while not HTTP.get(f"{running.url}/v1/status").json()["http"]["event_streams"]:
                time.sleep(0.01)
            started = time.monotonic()
            assert running.stop() == 0
            assert time.monotonic() - started < 20
            reader.join(20)
            assert not reader.is_alive()


def test_a_proof_from_the_process_is_one_of_the_kernel(tmp_path):
    with process(tmp_path) as running:
        HTTP.post(f"{running.url}/v1/digests", json={"digests": [digest(1).hex()]})
        data = HTTP.get(f"{running.url}/v1/digests/{digest(1).hex()}/proof").content
        proof = parse_proof(data)
        assert proof.digest == digest(1)
        verify_note(parse_note(proof.inclusions[0].checkpoint), parse_note_key(running.log_key))


def test_a_log_that_contradicts_itself_ends_the_process(tmp_path):
    """The anchorer's memory says another root for the size that the log has: nothing goes on."""
    witness = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    key = NoteKey.of("witness.example", COSIGNATURE_V1, witness)
    stamps = (f"--witnesses-witnesses={key.text} http://127.0.0.1:9", "--witnesses-min-gap-s=0")
    with process(tmp_path, *stamps) as running:
        HTTP.post(f"{running.url}/v1/digests", json={"digests": [digest(1).hex()]})
        while not HTTP.get(f"{running.url}/v1/rounds").json()["rounds"]:
            time.sleep(0.05)
        assert running.stop() == 0
    with sqlite3.connect(tmp_path / "data" / "rounds.sqlite") as rounds:
        # Not the checkpoint, which would be noticed at start.
        rounds.execute("UPDATE rounds SET root_hash = zeroblob(32)")
        rounds.execute("UPDATE attempts SET phase = 'failed'")
    rounds.close()
    with process(tmp_path, *stamps) as running:
        assert running.process.wait(30) == 1
    log = (tmp_path / "serve.log").read_text()
    assert "vestige: error: the log shows size 1" in log
    assert "Traceback" not in log


# -- what cannot be started ------------------------------------------------------------------------


def refused(folder, *flags, **more):
    return subprocess.run(
        serve_command(folder, *flags),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(folder, **more),
    )


def test_an_unknown_flag_names_the_nearest(tmp_path):
    found = refused(tmp_path, "--calendar-urls=https://x")
    assert found.returncode == 2
    assert "--calendars-urls" in found.stderr
    assert "Traceback" not in found.stderr


def test_an_unknown_variable_names_the_nearest(tmp_path):
    found = refused(tmp_path, VESTIGE_PROT="1")
    assert found.returncode == 2
    assert "VESTIGE_PORT" in found.stderr


def test_an_unknown_key_of_the_file_names_the_nearest(tmp_path):
    (tmp_path / "vestige.toml").write_text("[http]\nrequest_per_s = 1\n")
    found = refused(tmp_path, f"--config={tmp_path / 'vestige.toml'}")
    assert found.returncode == 2
    assert "http.requests_per_s" in found.stderr
    assert "vestige.toml" in found.stderr


def test_a_secret_is_never_printed(tmp_path):
    secret = "5e" * 31 + "zz"
    found = refused(
        tmp_path,
        "--evm-rpc-url=http://127.0.0.1:9/key-in-path",
        "--evm-chain-id=1",
        "--log-level=debug",
        VESTIGE_EVM_PRIVATE_KEY=secret,
    )
    assert found.returncode == 2
    assert "private key" in found.stderr
    assert secret not in found.stderr + found.stdout
    assert "key-in-path" not in found.stderr + found.stdout


def test_a_second_process_on_one_folder_is_refused(tmp_path):
    with process(tmp_path) as running:
        found = refused(tmp_path)
        assert found.returncode == 5
        assert "Traceback" not in found.stderr
        assert HTTP.get(f"{running.url}/healthz").status_code == 200


def test_a_port_that_is_taken_is_named(tmp_path):
    with process(tmp_path) as running:
        port = running.url.rpartition(":")[2]
        found = refused(tmp_path / "other", f"--port={port}")
        assert found.returncode == 2
        assert port in found.stderr
        assert "--port" in found.stderr


def test_help_is_quick_and_shows_the_frequent_flags(tmp_path):
    found = refused(tmp_path, "--help")
    assert found.returncode == 0
    for flag in ("--config", "--data", "--host", "--port", "--evm-rpc-url"):
        assert flag in found.stdout
    assert "--http-body-idle-s" not in found.stdout


def test_errors_are_json_on_demand(tmp_path):
    found = refused(tmp_path, "--port=x")
    value = json.loads(found.stdout)
    assert value["error"]["code"] == "config.value"
