"""The witness client against a real witness on loopback."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest

from anchor.backends.witness import WitnessBackend, WitnessSettings
from anchor.errors import (
    BackendProtocolError,
    BackendRejectedError,
    BackendUnavailableError,
    ConfigError,
)
from anchor.formats.note import NoteKey, parse_note, sign_note
from anchor.ports import Attempt, Phase, Round
from anchor.proof.codec import attestation_from_json
from anchor.service.anchorer import Anchorer
from anchor.stores.round_store import SqliteRoundStore
from anchor.verify.verdict import Status
from anchor.verify.witness import judge_witness
from tests import evidence
from tests.fakes.backends import ScriptedBackend
from tests.fakes.clock import FakeClock
from tests.fakes.memory_log import MemoryLog
from tests.fakes.witness import FakeWitness


class Scene:
    """A log with a real key, a witness that knows it, and the client between them."""

    def __init__(self, tmp_path, witness: FakeWitness, signer: evidence.Signer) -> None:
        self.signer = signer
        self.witness = witness
        self.log = MemoryLog(signer.name, self.sign)
        self.rounds = SqliteRoundStore(tmp_path / "r.db")
        self.clients: list[WitnessBackend] = []
        self.backend = self.client()

    def sign(self, text: str) -> str:
        return sign_note(text, self.signer.key, self.signer.private.sign).serialize()

    def client(self, **more) -> WitnessBackend:
        settings = WitnessSettings(self.witness.key.text, self.witness.url, timeout_s=10)
        journal = self.rounds.journal(f"witness:{self.witness.name}")
        client = WitnessBackend(settings, journal, self.log.consistency_path, **more)
        self.clients.append(client)
        return client

    def close(self) -> None:
        for client in self.clients:
            client.close()
            client.close()
        self.rounds.close()

    def round(self) -> Round:
        tree = self.log.tree()
        return Round(tree.tree_size, tree.root_hash, tree.checkpoint, datetime.now(UTC))

    def run(self, round_: Round) -> Attempt:
        attempt = Attempt()
        for _ in range(10):
            attempt = self.backend.advance(round_, attempt)
            assert attempt.retry_at is None
            if attempt.phase is Phase.FINAL:
                return attempt
        raise AssertionError("no end")

    def old_sizes(self) -> list[str]:
        return [body.split(b"\n", 1)[0].decode() for _, body in self.witness.requests]


@pytest.fixture
def scene(tmp_path):
    signer = evidence.Signer("log.example.org/test")
    folder = tmp_path / "witness"
    folder.mkdir()
    with FakeWitness(folder, {signer.name: signer.key}) as witness:
        one = Scene(tmp_path, witness, signer)
        yield one
        one.close()


def judged(attempt: Attempt, key: NoteKey) -> Status:
    (row,) = attempt.attestations
    attestation = attestation_from_json(json.loads(json.dumps(row)))
    policy = evidence.policy(witnesses=[{"key": key.text, "related": False}])
    return judge_witness(attestation, policy, datetime.now(UTC)).status


def test_each_round_is_cosigned_and_the_cosignature_verifies(scene):
    for count in (1, 1, 5, 250, 3):
        scene.log.grow(count)
        round_ = scene.round()
        attempt = scene.run(round_)
        assert judged(attempt, scene.witness.key) is Status.VERIFIED
        note = parse_note(attempt.attestations[0]["checkpoint"])
        assert [s.name for s in note.signatures] == [scene.signer.name, scene.witness.name]
        assert scene.witness.newest(scene.signer.name) == (round_.tree_size, round_.root_hash)
    assert scene.old_sizes() == ["old 0", "old 1", "old 2", "old 7", "old 257"]
    assert scene.backend.health().ok


def test_the_same_checkpoint_again_is_cosigned_again(scene):
    scene.log.grow(3)
    round_ = scene.round()
    scene.run(round_)
    assert judged(scene.run(round_), scene.witness.key) is Status.VERIFIED
    assert scene.old_sizes() == ["old 0", "old 3"]


def test_an_answer_that_got_lost_is_asked_for_again_from_where_the_witness_is(scene):
    scene.log.grow(3)
    scene.witness.faults.lose_answer = True
    with pytest.raises(BackendUnavailableError):
        scene.backend.advance(scene.round(), Attempt())
    assert not scene.backend.health().ok
    scene.witness.faults.lose_answer = False
    assert judged(scene.run(scene.round()), scene.witness.key) is Status.VERIFIED
    assert scene.old_sizes() == ["old 0", "old 0", "old 3"]
    assert scene.backend.health().ok


def test_a_client_that_forgot_starts_from_the_size_that_the_witness_names(scene, tmp_path):
    scene.log.grow(5)
    scene.run(scene.round())
    scene.rounds.close()
    scene.rounds = SqliteRoundStore(tmp_path / "empty.db")
    scene.backend = scene.client()
    scene.log.grow(4)
    assert judged(scene.run(scene.round()), scene.witness.key) is Status.VERIFIED
    assert scene.old_sizes() == ["old 0", "old 0", "old 5"]


def test_a_witness_that_forgot_is_started_from_nothing(scene):
    scene.log.grow(5)
    scene.run(scene.round())
    scene.witness.forget(scene.signer.name)
    scene.log.grow(4)
    assert judged(scene.run(scene.round()), scene.witness.key) is Status.VERIFIED
    assert scene.old_sizes() == ["old 0", "old 5", "old 0"]


def test_a_log_that_forked_gets_no_cosignature(scene):
    scene.log.grow(5)
    scene.run(scene.round())
    fork = MemoryLog(scene.signer.name, scene.sign)
    fork.add(*(bytes([n]) * 32 for n in range(7)))
    scene.log.__dict__.update(fork.__dict__)
    with pytest.raises(BackendRejectedError) as caught:
        scene.backend.advance(scene.round(), Attempt())
    assert caught.value.code == "backend.rejected.witness_consistency"


def test_another_root_at_the_same_size_is_a_conflict(scene):
    scene.log.grow(5)
    scene.run(scene.round())
    fork = MemoryLog(scene.signer.name, scene.sign)
    fork.add(*(bytes([n]) * 32 for n in range(5)))
    scene.log.__dict__.update(fork.__dict__)
    with pytest.raises(BackendRejectedError) as caught:
        scene.backend.advance(scene.round(), Attempt())
    assert caught.value.code == "backend.rejected.witness_conflict"
    assert caught.value.hint


def test_a_round_smaller_than_what_the_witness_saw_is_refused(scene):
    scene.log.grow(3)
    early = scene.round()
    scene.log.grow(3)
    scene.run(scene.round())
    with pytest.raises(BackendRejectedError) as caught:
        scene.run(early)
    assert caught.value.code == "backend.rejected.witness_ahead"
    scene.log.grow(1)
    assert scene.run(scene.round()).phase is Phase.FINAL


def test_a_size_that_the_witness_makes_up_does_not_stick(scene):
    scene.log.grow(3)
    scene.witness.faults.conflict = b"9007199254740991\n"
    with pytest.raises(BackendRejectedError):
        scene.run(scene.round())
    scene.witness.faults.conflict = b"2\n"
    with pytest.raises(BackendRejectedError):
        scene.run(scene.round())
    scene.witness.faults.conflict = None
    assert scene.run(scene.round()).phase is Phase.FINAL


@pytest.mark.parametrize("body", [b"", b"two\n", b"-1\n", b"03\n", b"1\n2\n", b"9" * 5000, b"\xff"])
def test_a_conflict_without_a_size_is_refused(scene, body):
    scene.log.grow(3)
    scene.witness.faults.conflict = body
    with pytest.raises(BackendRejectedError) as caught:
        scene.run(scene.round())
    assert caught.value.code == "backend.rejected.witness_conflict"


def test_a_witness_that_names_a_new_size_each_time_is_given_up(scene):
    scene.log.grow(9)
    round_, attempt = scene.round(), Attempt()
    for size in range(1, 5):
        scene.witness.faults.conflict = b"%d\n" % size
        attempt = scene.backend.advance(round_, attempt)
    scene.witness.faults.conflict = b"5\n"
    with pytest.raises(BackendRejectedError):
        scene.backend.advance(round_, attempt)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, BackendRejectedError, "backend.rejected.witness_bad_request"),
        (403, BackendRejectedError, "backend.rejected.witness_unknown_key"),
        (404, BackendRejectedError, "backend.rejected.witness_unknown_origin"),
        (422, BackendRejectedError, "backend.rejected.witness_consistency"),
        (429, BackendUnavailableError, "backend.unavailable"),
        (500, BackendUnavailableError, "backend.unavailable"),
        (503, BackendUnavailableError, "backend.unavailable"),
        (204, BackendProtocolError, "backend.protocol.status"),
        (302, BackendProtocolError, "backend.protocol.status"),
        (418, BackendProtocolError, "backend.protocol.status"),
    ],
)
def test_each_status_has_its_meaning(scene, status, error, code):
    scene.log.grow(1)
    scene.witness.faults.status = status
    with pytest.raises(error) as caught:
        scene.backend.advance(scene.round(), Attempt())
    assert caught.value.code == code
    assert "\x1b" not in caught.value.message
    assert not scene.backend.health().ok
    assert scene.backend.health().note == caught.value.message


def test_unknown_origin_and_unknown_key_are_told_apart(scene):
    scene.log.grow(1)
    scene.witness.logs = {}
    with pytest.raises(BackendRejectedError) as caught:
        scene.backend.advance(scene.round(), Attempt())
    assert caught.value.code == "backend.rejected.witness_unknown_origin"
    other = evidence.Signer(scene.signer.name, seed=b"\x08" * 32)
    scene.witness.logs = {scene.signer.name: other.key}
    with pytest.raises(BackendRejectedError) as caught:
        scene.backend.advance(scene.round(), Attempt())
    assert caught.value.code == "backend.rejected.witness_unknown_key"


def flipped(line: bytes) -> bytes:
    """Flip one bit inside the base64 of the last line."""
    head, _, encoded = line.rstrip(b"\n").rpartition(b" ")
    changed = bytearray(encoded)
    changed[40] = ord("A") if changed[40] != ord("A") else ord("B")
    return head + b" " + bytes(changed) + b"\n"


@pytest.mark.parametrize(
    "change",
    [
        lambda _line: b"",
        lambda _line: b"\n",
        lambda line: line[:-1],
        lambda line: line[:-20],
        flipped,
        lambda line: line + b"\n",
        lambda line: b"new text\n\n" + line,
        lambda line: line.replace(b"w1", b"w2"),
        lambda line: line.split(b"\n")[0] + b"\n",
        lambda _line: b"<html>hello</html>",
        lambda _line: b"\xff\xfe",
        lambda line: line * 70,
        lambda line: line + flipped(line),
    ],
    ids=range(13),
)
def test_what_is_no_cosignature_on_this_checkpoint_is_refused(scene, change):
    scene.log.grow(4)
    scene.witness.faults.body = change
    with pytest.raises(BackendProtocolError):
        scene.backend.advance(scene.round(), Attempt())
    assert scene.backend._journal.get("newest") is None


def test_the_cosignature_of_another_checkpoint_is_refused(scene):
    scene.log.grow(4)
    kept: list[bytes] = []
    scene.witness.faults.body = lambda line: kept.append(line) or line
    scene.run(scene.round())
    scene.log.grow(1)
    scene.witness.faults.body = lambda _line: kept[0]
    with pytest.raises(BackendProtocolError):
        scene.backend.advance(scene.round(), Attempt())


def test_an_answer_without_end_is_cut(scene):
    scene.log.grow(1)
    scene.witness.faults.body = lambda line: line * 100_000
    with pytest.raises(BackendProtocolError):
        scene.backend.advance(scene.round(), Attempt())


def test_time_zero_is_refused_and_a_clock_ahead_is_shown(scene):
    scene.log.grow(1)
    scene.witness.faults.time = 0
    with pytest.raises(BackendProtocolError):
        scene.backend.advance(scene.round(), Attempt())
    scene.witness.faults.time = int(datetime.now(UTC).timestamp()) + 3600
    assert scene.run(scene.round()).phase is Phase.FINAL
    assert not scene.backend.health().ok
    assert "ahead" in scene.backend.health().note


def test_a_terminal_attempt_is_left_alone(scene):
    scene.log.grow(1)
    for phase in (Phase.FINAL, Phase.FAILED):
        attempt = Attempt(phase)
        assert scene.backend.advance(scene.round(), attempt) is attempt
    assert scene.witness.requests == []


def test_the_newest_checkpoint_can_be_fetched_for_the_check_at_start(scene):
    assert scene.backend.fetch_checkpoint(scene.signer.name) is None
    scene.log.grow(3)
    round_ = scene.round()
    scene.run(round_)
    assert scene.backend.fetch_checkpoint(scene.signer.name) == round_.checkpoint
    assert scene.backend.fetch_checkpoint("another.example/log") is None
    scene.witness.faults.status = 500
    with pytest.raises(BackendUnavailableError):
        scene.backend.fetch_checkpoint(scene.signer.name)
    scene.witness.faults.status = 204
    with pytest.raises(BackendProtocolError):
        scene.backend.fetch_checkpoint(scene.signer.name)


def test_nobody_listening_is_unavailable(scene):
    scene.log.grow(1)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    backend = scene.client(transport=httpx.MockTransport(refuse))
    with pytest.raises(BackendUnavailableError):
        backend.advance(scene.round(), Attempt())


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "nonsense"},
        {"key": evidence.Signer("log.example.org/x").key.text},
        {"url": "ftp://witness.example.org"},
        {"url": "https://witness.example.org/?q=1"},
        {"monitoring_url": "nowhere"},
    ],
)
def test_settings_that_cannot_work_are_refused(scene, changes):
    whole = {"key": scene.witness.key.text, "url": scene.witness.url, **changes}
    with pytest.raises(ConfigError):
        WitnessBackend(
            WitnessSettings(**whole), scene.rounds.journal("w"), scene.log.consistency_path
        )


def test_the_anchorer_has_every_round_cosigned(scene):
    tsa = ScriptedBackend("rfc3161:x", interval_s=60.0)
    clock = FakeClock()
    anchorer = Anchorer(scene.log.tree, scene.rounds, [tsa, scene.backend], clock)
    for _ in range(3):
        scene.log.grow(2)
        anchorer.run_once("rfc3161:x")
        anchorer.run_once(scene.backend.name)
        clock.advance(60.0)
    assert [r.tree_size for r in scene.rounds.rounds()] == [6, 4, 2]
    for size in (2, 4, 6):
        attempt = scene.rounds.attempt(size, scene.backend.name)
        assert judged(attempt, scene.witness.key) is Status.VERIFIED
