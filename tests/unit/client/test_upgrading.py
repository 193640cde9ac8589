"""Upgrading: what comes back is judged, what was there is kept, nothing false is merged."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from anchor.client.calendar_answers import CalendarAnswers
from anchor.client.known_logs import KnownLogs
from anchor.client.ots_file import ots_of_proof, write_ots_beside
from anchor.client.service_client import ServiceClient
from anchor.client.upgrading import Upgrader
from anchor.errors import (
    BackendProtocolError,
    BackendUnavailableError,
    ConsistencyError,
    DigestMismatchError,
    FormatError,
    IncompleteProofError,
    NotFoundError,
    UsageError,
    VerificationError,
)
from anchor.formats.ots.attestation import BitcoinAttestation
from anchor.formats.ots.codec import parse_detached, parse_tree, serialize_tree
from anchor.formats.ots.op import Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.codec import parse_proof, serialize_proof
from anchor.proof.proof import ExpectedAttestation, OpenTimestampsAttestation, Proof
from anchor.verify.judge import Judge
from anchor.verify.verdict import Status
from tests.evidence import (
    CALENDAR,
    NOW,
    Case,
    digest_of,
    evm_attestation,
    pending_attestation,
    whole_case,
)
from tests.fakes.vestige_service import FakeVestige, problem


class Bench:
    """A proof without evidence on disk, and a service that has some for it."""

    def __init__(self, folder: Path) -> None:
        self.case: Case = whole_case()
        self.fake = FakeVestige(self.case.log)
        self.fake.attestations = [(7, a) for a in self.case.proof.attestations]
        self.state = folder / "state"
        self.path = folder / "cat.png.proof"
        self.bare = replace(
            self.case.proof, inclusions=self.case.proof.inclusions[:1], attestations=()
        )
        self.write(self.bare)

    def write(self, proof: Proof) -> None:
        self.path.write_bytes(serialize_proof(proof))

    def upgrader(self, **options) -> Upgrader:
        service = ServiceClient(
            "http://service.example",
            transport=self.fake.transport(),
            attempts=1,
            sleep=lambda _: None,
        )
        known = {
            "now": NOW,
            "service": service,
            "logs": KnownLogs(self.state, self.case.policy),
            **options,
        }
        return Upgrader(self.case.policy, **known)

    def upgrade(self, **options):
        return self.upgrader(**options).upgrade(self.path)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_everything_that_is_true_is_added_and_the_opening_kept(bench):
    upgraded = bench.upgrade()
    written = parse_proof(bench.path.read_bytes())
    assert written == upgraded.proof
    assert written.opening == bench.bare.opening
    assert set(written.attestations) == set(bench.case.proof.attestations)
    assert set(upgraded.gained) == set(bench.case.proof.attestations)
    assert (upgraded.changed, upgraded.complete, upgraded.dropped) == (True, True, ())
    verdict = Judge(bench.case.policy, now=NOW).verify_proof(
        written, file_digest=bench.case.file_digest
    )
    assert verdict.status is Status.VERIFIED


def test_upgrading_again_changes_nothing_on_disk(bench):
    bench.upgrade()
    before = bench.path.stat()
    upgraded = bench.upgrade()
    assert (upgraded.changed, upgraded.gained) == (False, ())
    assert bench.path.stat().st_ino == before.st_ino


def test_attestation_that_fails_is_left_out_and_named(bench):
    false = evm_attestation(digest_of("another root"))
    root = bench.case.proof.attestations[0].root_hash
    forged = replace(false, root_hash=root)
    bench.fake.attestations.append((7, forged))
    upgraded = bench.upgrade()
    assert forged not in upgraded.proof.attestations
    assert len(upgraded.dropped) == 1
    assert upgraded.dropped[0].startswith("evm: ")
    assert set(upgraded.proof.attestations) == set(bench.case.proof.attestations)


def test_attestation_for_a_root_that_nothing_leads_to_is_left_out(bench):
    stray = bench.case.authority.attestation(digest_of("nowhere"))
    bench.fake.attestations.append((7, stray))
    assert stray not in bench.upgrade().proof.attestations


def test_evidence_that_the_service_has_lost_is_kept(bench):
    bench.write(bench.case.proof)
    bench.fake.attestations = []
    upgraded = bench.upgrade()
    assert set(upgraded.proof.attestations) == set(bench.case.proof.attestations)


def test_expected_rows_come_from_the_newer_proof_alone(bench):
    bench.fake.attestations = []
    bench.fake.expected = [ExpectedAttestation("evm", "evm:1", None, "in an hour")]
    first = bench.upgrade()
    assert [a.kind for a in first.proof.attestations] == ["expected"]
    assert not first.complete
    assert first.gained == ()
    bench.fake.expected = []
    bench.fake.attestations = [(7, bench.case.proof.attestations[0])]
    assert [a.kind for a in bench.upgrade().proof.attestations] == ["rfc3161"]


def test_inclusion_that_leads_nowhere_is_left_out(bench):
    false = replace(bench.case.log.inclusion(6, 8), hashes=(bytes(32),) * 3)
    proof = replace(bench.case.proof, inclusions=(bench.case.proof.inclusions[0], false))
    bench.fake.before = lambda _m, path, *_: (
        (200, {}, serialize_proof(proof)) if path.endswith("/proof") else None
    )
    upgraded = bench.upgrade()
    assert false not in upgraded.proof.inclusions
    assert any("size 8" in reason for reason in upgraded.dropped)


def test_answer_without_a_true_inclusion_is_refused_whole(bench):
    false = replace(bench.case.log.inclusion(6, 8, signed=False), hashes=())
    proof = replace(bench.case.proof, inclusions=(false,))
    bench.fake.before = lambda _m, path, *_: (
        (200, {}, serialize_proof(proof)) if path.endswith("/proof") else None
    )
    before = bench.path.read_bytes()
    with pytest.raises(VerificationError):
        bench.upgrade()
    assert bench.path.read_bytes() == before


def test_proof_of_another_digest_is_a_broken_protocol(bench):
    other = replace(bench.case.proof, digest=digest_of("another"))
    bench.fake.before = lambda *_: (200, {}, serialize_proof(other))
    with pytest.raises(BackendProtocolError):
        bench.upgrade()


def test_log_that_shows_another_history_is_refused_and_the_file_stays(bench, tmp_path):
    bench.upgrade()
    before = bench.path.read_bytes()
    bench.fake.log.digests[0] = digest_of("rewritten")
    bench.fake.attestations = []
    with pytest.raises(ConsistencyError):
        bench.upgrade()
    assert bench.path.read_bytes() == before
    assert len(list(bench.state.rglob("*.checkpoint"))) == 2


def test_checkpoints_of_one_round_are_compared_once(bench):
    upgrader = bench.upgrader()
    upgrader.upgrade(bench.path)
    bench.fake.requests.clear()
    upgrader.upgrade(bench.path)
    assert [path for _, path, *_ in bench.fake.requests if "/tile/" in path] == []


def test_what_is_no_proof_is_not_touched(bench):
    bench.path.write_bytes(b"{}")
    with pytest.raises(FormatError):
        bench.upgrade()
    bench.path.unlink()
    with pytest.raises(NotFoundError):
        bench.upgrade()


# -- without the service ---------------------------------------------------------------------------


def calendars_of(bench: Bench, monkeypatch, answer, *, bitcoin=None, listed=True):
    """Return the calendars of a policy, with ``answer`` in the place of the network."""
    policy = bench.case.policy_with(calendars=[CALENDAR] if listed else [])
    answers = CalendarAnswers(policy, bitcoin=bitcoin)
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        status, body = answer(request)
        return httpx.Response(status, stream=httpx.ByteStream(body))

    for client in answers._clients:
        client._http._client = httpx.Client(transport=httpx.MockTransport(handle))
    return answers, asked


class Headers:
    """Bitcoin headers of the case's own chain."""

    name = "the case's chain"

    def __init__(self, bench: Bench) -> None:
        self.chain = bench.case.bitcoin

    def fetch_tip_height(self) -> int:
        return len(self.chain.headers) - 1

    def fetch_headers(self, first_height: int, count: int) -> list[bytes]:
        return [h.raw for h in self.chain.headers[first_height : first_height + count]]


def pending_and_answer(bench: Bench) -> tuple[Proof, bytes]:
    """Return the proof with a calendar's promise, and the tree that keeps it."""
    root = bench.case.proof.attestations[0].root_hash
    pending = pending_attestation(root)
    node = next(iter(parse_tree(pending.tree, root).paths())).message
    tree = Timestamp(node)
    block = tree.add(Sha256())
    block.attest(BitcoinAttestation(bench.case.bitcoin.mine(block.message)))
    for _ in range(6):
        bench.case.bitcoin.mine()
    return replace(bench.bare, attestations=(pending,)), serialize_tree(tree)


def test_listed_calendar_is_asked_when_the_service_is_gone(bench, monkeypatch):
    proof, tree = pending_and_answer(bench)
    bench.write(proof)
    bench.fake.before = lambda *_: problem(503, "overloaded")
    calendars, asked = calendars_of(
        bench, monkeypatch, lambda _: (200, tree), bitcoin=Headers(bench)
    )
    upgraded = bench.upgrade(calendars=calendars)
    assert asked[0].startswith(f"{CALENDAR}/timestamp/")
    (attestation,) = upgraded.proof.attestations
    assert isinstance(attestation, OpenTimestampsAttestation)
    assert [len(run.headers) for run in attestation.headers] == [7]
    height = attestation.headers[0].height
    policy = bench.case.policy_with(bitcoin=bench.case.bitcoin.policy(height))
    verdict = Judge(policy, now=NOW).verify_proof(upgraded.proof)
    assert verdict.status is Status.VERIFIED


def test_calendar_that_the_policy_does_not_list_is_never_asked(bench, monkeypatch):
    proof, tree = pending_and_answer(bench)
    bench.write(proof)
    bench.fake.before = lambda *_: problem(503, "overloaded")
    calendars, asked = calendars_of(bench, monkeypatch, lambda _: (200, tree), listed=False)
    with pytest.raises(BackendUnavailableError):
        bench.upgrade(calendars=calendars)
    assert asked == []


def test_calendar_that_is_not_ready_leaves_the_proof_as_it_is(bench, monkeypatch):
    proof, _ = pending_and_answer(bench)
    bench.write(proof)
    calendars, asked = calendars_of(bench, monkeypatch, lambda _: (404, b"Pending confirmation"))
    upgraded = bench.upgrade(calendars=calendars, service=None)
    assert (upgraded.changed, upgraded.complete, len(asked)) == (False, False, 1)


def test_without_service_and_promise_there_is_nobody_to_ask(bench):
    with pytest.raises(UsageError):
        bench.upgrade(service=None)


# -- the .ots file ---------------------------------------------------------------------------------


def test_ots_file_holds_the_trees_of_every_root(bench):
    case = bench.case
    other = case.bitcoin.attestation(case.log.root(8))
    proof = replace(case.proof, attestations=(*case.proof.attestations, other))
    detached = parse_detached(ots_of_proof(proof, case.file_digest))
    heights = sorted(path.attestation.height for path in detached.tree.paths())
    assert detached.file_digest == case.file_digest
    assert heights == [0, 7]


def test_ots_file_is_written_beside_only_for_the_right_file(bench):
    with pytest.raises(NotFoundError):
        write_ots_beside(bench.path, bench.case.proof)
    bench.path.with_suffix("").write_bytes(b"another cat")
    with pytest.raises(DigestMismatchError):
        write_ots_beside(bench.path, bench.case.proof)
    bench.path.with_suffix("").write_bytes(b"a cat")
    assert write_ots_beside(bench.path, bench.case.proof).name == "cat.png.ots"
    with pytest.raises(IncompleteProofError):
        write_ots_beside(bench.path, bench.bare)


# -- many at once ----------------------------------------------------------------------------------


def many(bench: Bench, count: int) -> list[Path]:
    paths = [bench.path.with_name(f"{number:03}.proof") for number in range(count)]
    for path in paths:
        path.write_bytes(serialize_proof(bench.bare))
    return paths


def test_many_are_upgraded_in_their_order_and_failures_stay_alone(bench):
    paths = many(bench, 200)
    paths[7].write_bytes(b"{}")
    paths[150].unlink()
    found = list(bench.upgrader().upgrade_many(paths))
    assert [path for path, _ in found] == paths
    assert isinstance(found[7][1], FormatError)
    assert isinstance(found[150][1], NotFoundError)
    rest = [one for number, (_, one) in enumerate(found) if number not in (7, 150)]
    assert all(one.changed and one.complete for one in rest)
    assert all(parse_proof(one.path.read_bytes()) == one.proof for one in rest)


def test_sixteen_are_asked_for_at_once(bench):
    together = threading.Barrier(16, timeout=20)

    def meet(_method, path, *_rest):
        if path.endswith("/proof"):
            together.wait()  # breaks, and fails the request, unless sixteen come

    bench.fake.before = meet
    found = [one for _, one in bench.upgrader().upgrade_many(many(bench, 32))]
    assert all(one.changed for one in found)


def test_a_proof_that_cannot_be_written_is_its_own_failure(bench):
    first, second = many(bench, 2)
    outside = bench.path.parent / "elsewhere" / "x"
    outside.parent.mkdir()
    first.rename(outside)
    first.symlink_to(outside)
    (_, failed), (_, good) = bench.upgrader().upgrade_many([first, second])
    assert failed.code == "file.link"
    assert good.changed
    assert parse_proof(outside.read_bytes()) == bench.bare


def test_a_service_that_is_silent_is_not_asked_for_every_proof(bench):
    paths = many(bench, 300)
    bench.fake.before = lambda *_: problem(503, "backend.unavailable")
    found = list(bench.upgrader().upgrade_many(paths))
    assert all(isinstance(one, BackendUnavailableError) for _, one in found)
    assert 16 <= len(bench.fake.requests) < 64


def test_a_hiccup_of_the_service_costs_one_proof(bench):
    paths = many(bench, 60)
    turns = iter(range(10_000))
    bench.fake.before = lambda *_: problem(503, "x") if next(turns) % 20 == 5 else None
    found = [one for _, one in bench.upgrader().upgrade_many(paths)]
    failed = [one for one in found if isinstance(one, BackendUnavailableError)]
    assert 1 <= len(failed) <= 4


def test_checkpoints_of_many_proofs_are_compared_once(bench):
    paths = many(bench, 50)
    list(bench.upgrader().upgrade_many(paths))
    tiles = [path for _, path, *_ in bench.fake.requests if "/tile/" in path]
    assert len(tiles) == len(set(tiles))
