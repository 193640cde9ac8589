"""The queue: what has no proof is sent, once there is somebody to send it to; the log is real."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anchor import limits
from anchor.backends.local_tsa import LocalAuthority
from anchor.backends.local_tsa_server import LocalAuthorityServer
from anchor.backends.tsa import TsaBackend
from anchor.backends.tsa_client import TsaSettings
from anchor.client.known_logs import KnownLogs
from anchor.client.service_client import ServiceClient
from anchor.client.state_folder import state_folder
from anchor.errors import BackendUnavailableError, IncompleteProofError, SignatureError
from anchor.proof.codec import parse_proof, serialize_proof
from anchor.proof.policy import parse_policy
from anchor.proof.proof import ExpectedAttestation
from anchor.vault import Draft, Sender
from anchor.vault.lock import held
from anchor.vault.proof_states import (
    PolicySource,
    changed_proofs,
    refresh_states,
    scan_proofs,
)
from anchor.vault.sender import open_proofs
from anchor.verify.judge import Judge
from anchor.verify.records import ProvenRecord, judge_records
from tests.e2e.http_service import POLICY, served
from tests.evidence import Log, Signer
from tests.fakes.vestige_service import FakeVestige, problem
from tests.unit.vault.conftest import Project


def now() -> datetime:
    return datetime.now(UTC)


def sender(project: Project, service: ServiceClient, policy=POLICY) -> Sender:
    return Sender(project.vault, service, policy, KnownLogs(state_folder(), policy), now)


def proof_of(project: Project, seq: int):
    return parse_proof(project.vault.layout.proof(seq).read_bytes())


def nowhere() -> ServiceClient:
    return ServiceClient("http://127.0.0.1:9", attempts=1)


@pytest.fixture
def real(tmp_path: Path):
    """A real service without outside parties."""
    with served(tmp_path / "service") as (server, service), ServiceClient(server.url) as client:
        yield client, service


def test_what_was_recorded_offline_is_sent_in_one_go(project: Project, real):
    client, service = real
    for number in range(30):
        project.note(f"{number}")
    with pytest.raises(BackendUnavailableError):
        sender(project, nowhere()).send()
    assert os.listdir(project.vault.layout.proofs) == []
    done = sender(project, client).send()
    assert done.sent == tuple(range(31))
    assert (done.queued, done.failures) == (0, ())
    assert service.store.committed.tree_size == 31
    for seq in range(31):
        assert proof_of(project, seq).digest == project.vault.read(seq).digest
    again = sender(project, client).send()
    assert again.sent == ()
    assert service.store.committed.tree_size == 31


def test_only_what_waits_is_sent(project: Project, real):
    client, _ = real
    project.note("one")
    sender(project, client).send()
    first = project.vault.layout.proof(0).read_bytes()
    project.vault.layout.proof(1).unlink()
    project.note("two")
    assert sender(project, client).send().sent == (1, 2)
    assert project.vault.layout.proof(0).read_bytes() == first


def test_more_than_one_json_request_holds_goes_as_raw_bytes(project: Project, real):
    client, service = real
    drafts = [Draft("note", {"text": f"{n}"}) for n in range(limits.MAX_JSON_DIGESTS + 5)]
    project.recorder().append_many(drafts)
    done = sender(project, client).send()
    assert len(done.sent) == limits.MAX_JSON_DIGESTS + 6
    assert service.store.committed.tree_size == limits.MAX_JSON_DIGESTS + 6


def test_two_senders_do_not_get_into_each_others_way(project: Project, real):
    client, _ = real
    lock = project.vault.layout.lock("send")
    with held(lock, "is sending"), pytest.raises(IncompleteProofError) as caught:
        sender(project, client).send()
    assert caught.value.code == "vault.sending"
    assert sender(project, client).send().sent == (0,)


def test_a_proof_that_can_not_be_written_leaves_its_record_in_the_queue(project: Project, real):
    client, _ = real
    project.note("one")
    blocked = project.vault.layout.proof(1)
    blocked.mkdir()
    done = sender(project, client).send()
    assert done.sent == (0,)
    assert done.queued == 1
    assert [seq for seq, _ in done.failures] == [1]
    blocked.rmdir()
    assert sender(project, client).send().sent == (1,)
    assert proof_of(project, 1).digest == project.vault.read(1).digest


def test_a_log_that_signs_with_another_key_is_not_believed(project: Project):
    """The proofs are not written, so that the records stay in the queue."""
    first = FakeVestige()
    with ServiceClient("http://log.example", transport=first.transport()) as client:
        assert sender(project, client).send().sent == (0,)
    project.note("one")
    second = FakeVestige(log=Log(Signer("log.example.org/test", seed=b"\x08" * 32)))
    with ServiceClient("http://log.example", transport=second.transport()) as client:
        sending = sender(project, client)
        with pytest.raises(SignatureError):
            sending.send()
    assert not project.vault.layout.proof(1).exists()


def test_one_proof_that_can_not_be_upgraded_stops_no_other(project: Project):
    fake = FakeVestige()
    for text in "ab":
        project.note(text)
    with ServiceClient("http://log.example", transport=fake.transport(), attempts=1) as client:
        sending = sender(project, client)
        sending.send()
        fake.expected = [ExpectedAttestation("bitcoin", "calendar:a")]
        sending.upgrade()
        lost = project.vault.index.entry(1).digest.hex()

        def forgetting(_method, path, _headers, _body):
            return problem(422, "refused") if lost in path else None

        fake.before = forgetting
        done = sending.upgrade()
    assert [seq for seq, _ in done.failures] == [1]
    asked = [path for _, path, _, _ in fake.requests[-3:]]
    assert any(project.vault.index.entry(2).digest.hex() in path for path in asked)


def test_a_service_that_goes_away_while_proofs_are_upgraded_ends_it(project: Project):
    fake = FakeVestige()
    project.note("one")
    with ServiceClient("http://log.example", transport=fake.transport(), attempts=1) as client:
        sending = sender(project, client)
        sending.send()
        before = {path.name: path.read_bytes() for path in project.vault.layout.proofs.iterdir()}
        fake.before = lambda *_: problem(503, "overloaded")
        with pytest.raises(BackendUnavailableError):
            sending.upgrade()
    after = {path.name: path.read_bytes() for path in project.vault.layout.proofs.iterdir()}
    assert after == before


@pytest.mark.parametrize("rows", ["seq = 1", "seq = 3", "seq >= 0"])
def test_an_index_that_somebody_changed_sends_no_other_digest(project: Project, real, rows: str):
    """What is sent is what the record files hold; the index is made anew."""
    client, _ = real
    for text in "abc":
        project.note(text)
    with sqlite3.connect(project.vault.layout.index) as db:
        db.execute(f"UPDATE record SET digest = zeroblob(32) WHERE {rows}")
    db.close()
    done = sender(project, client).send()
    assert (done.sent, done.queued, done.failures) == ((0, 1, 2, 3), 0, ())
    for seq in range(4):
        digest = project.vault.read(seq).digest
        assert proof_of(project, seq).digest == digest
        assert project.vault.index.entry(seq).digest == digest


def test_a_record_that_was_exchanged_is_not_sent_and_the_others_are(project: Project, real):
    client, _ = real
    for text in "abc":
        project.note(text)
    path = project.vault.layout.record(1)
    path.chmod(0o644)
    path.write_bytes(project.vault.layout.record(2).read_bytes())
    done = sender(project, client).send()
    assert (done.sent, done.queued) == ((0, 2, 3), 1)
    assert [(seq, error.code) for seq, error in done.failures] == [(1, "vault.chain_broken")]


# -- what proofs show ------------------------------------------------------------------------------


@pytest.fixture
def anchored(tmp_path: Path):
    """A real service with a real time-stamping authority, and the policy that trusts it."""
    authority = LocalAuthority.create(now())
    with LocalAuthorityServer(authority) as tsa:
        backend = TsaBackend(
            TsaSettings("local", tsa.url, (authority.root,), interval_s=0.05, min_gap_s=0.05)
        )
        policy = parse_policy(
            json.dumps(
                {
                    "version": 1,
                    "name": "tests",
                    "class": "test",
                    "authorities": [authority.policy_entry()],
                }
            ).encode()
        )
        with (
            served(tmp_path / "service", backends=(backend,), policy=policy) as (server, service),
            ServiceClient(server.url) as client,
        ):
            yield client, service, policy
        backend.close()


def test_records_are_sent_upgraded_and_verified_with_the_chain(project: Project, anchored):
    client, service, policy = anchored
    for number in range(5):
        project.note(f"{number}")
    sending = sender(project, client, policy)
    assert sending.send().sent == tuple(range(6))
    states = refresh_states(project.vault, PolicySource.of(policy), now())
    assert {state.status for state in states.values()} <= {"pending", "verified", "not_checked"}
    service.anchorer.force()
    assert not service.anchorer.wait_final(6, 20, None)
    done = sending.upgrade()
    assert done.failures == ()
    states = refresh_states(project.vault, PolicySource.of(policy), now())
    assert {state.status for state in states.values()} == {"verified"}
    assert all(state.existed_before for state in states.values())
    assert open_proofs(states) == []
    # Another policy trusts nobody; the first one is not taken for it, nor the other way round.
    states = refresh_states(project.vault, PolicySource.of(POLICY), now())
    assert "verified" not in {state.status for state in states.values()}
    states = refresh_states(project.vault, PolicySource.of(policy), now())
    assert {state.status for state in states.values()} == {"verified"}
    proven = [ProvenRecord(project.vault.read(seq), proof_of(project, seq)) for seq in range(6)]
    verdict = judge_records(proven, Judge(policy, now=now()))
    assert verdict.status.value == "verified"
    assert verdict.report.complete_up_to == 5


def test_proofs_are_judged_once_and_again_when_they_change(project: Project, real):
    client, _ = real
    project.note("one")
    sender(project, client).send()
    assert changed_proofs(project.vault, scan_proofs(project.vault)) == [0, 1]
    refresh_states(project.vault, PolicySource.of(POLICY), now())
    assert changed_proofs(project.vault, scan_proofs(project.vault)) == []

    def no_policy():
        raise AssertionError("nothing changed, so nothing is to be judged")

    assert set(refresh_states(project.vault, PolicySource(POLICY.sha256, no_policy), now())) == {
        0,
        1,
    }
    path = project.vault.layout.proof(1)
    path.write_bytes(path.read_bytes() + b" ")
    assert changed_proofs(project.vault, scan_proofs(project.vault)) == [1]
    path.unlink()
    assert set(refresh_states(project.vault, PolicySource(POLICY.sha256, no_policy), now())) == {0}
    assert scan_proofs(project.vault).queued(project.vault.size) == [1]


@pytest.mark.parametrize("content", [b"", b"no proof", b"other"])
def test_a_file_that_is_no_proof_of_the_record_is_called_failed(
    project: Project, real, content: bytes
):
    client, _ = real
    project.note("one")
    sender(project, client).send()
    if content == b"other":
        content = serialize_proof(proof_of(project, 0))
    project.vault.layout.proof(1).write_bytes(content)
    states = refresh_states(project.vault, PolicySource.of(POLICY), now())
    assert states[1].status == "failed"
    assert states[0].status != "failed"


def test_files_that_are_no_proofs_are_not_looked_at(project: Project):
    for name in ("notes.txt", "x.proof", ".00000000.proof.tmp", "00000000.proof.bak"):
        (project.vault.layout.proofs / name).write_bytes(b"x")
    assert scan_proofs(project.vault).files == {}
    assert scan_proofs(project.vault).queued(project.vault.size) == [0]
