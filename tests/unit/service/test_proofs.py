"""Assembled proofs are read by the proof's own reader and judged by the verifier."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest

from anchor.errors import NotFoundError
from anchor.formats.note import sign_note
from anchor.ports import Attempt, Phase, Round
from anchor.proof.codec import attestation_to_json, parse_proof
from anchor.proof.proof import NOT_REACHED
from anchor.service.expectation import Expectation
from anchor.service.proofs import ProofAssembler
from anchor.service.standing import Standings
from anchor.service.token_log import token_digest
from anchor.stores.round_store import SqliteRoundStore
from anchor.verify import Judge, Status
from tests import evidence
from tests.fakes.clock import START
from tests.fakes.memory_log import MemoryLog


class Scene:
    """A log with a real key, a round store, and evidence that really verifies."""

    def __init__(self, path) -> None:
        self.signer = evidence.Signer("log.example.org/test")
        self.log = MemoryLog(self.signer.name, self._sign)
        self.rounds = SqliteRoundStore(path)
        self.authority = evidence.Authority()
        self.bitcoin = evidence.Bitcoin()
        self.evm: list = []
        self.witness = evidence.Signer("witness.example.org", 4, b"\x09" * 32)
        self.expected: list[Expectation] = []

    def _sign(self, text: str) -> str:
        return sign_note(text, self.signer.key, self.signer.private.sign).serialize()

    def round(self) -> Round:
        tree = self.log.tree()
        round_ = Round(tree.tree_size, tree.root_hash, tree.checkpoint, START)
        self.rounds.add_round(round_)
        return round_

    def put(self, round_: Round, backend: str, *attestations, phase=Phase.FINAL, **more) -> Attempt:
        rows = tuple(
            row if isinstance(row, dict) else attestation_to_json(row) for row in attestations
        )
        attempt = Attempt(phase, attestations=rows, **more)
        self.rounds.set_attempt(round_.tree_size, backend, attempt)
        return attempt

    def put_token(self, round_: Round, backend: str = "rfc3161:test") -> bytes:
        attempt = self.put(round_, backend, self.authority.attestation(round_.root_hash))
        return token_digest(attempt.attestations[0])

    def put_evm(self, round_: Round) -> None:
        attestation = evidence.evm_attestation(round_.root_hash)
        self.evm.append(attestation)
        self.put(round_, "evm:31337", attestation)

    def put_bitcoin(self, round_: Round) -> None:
        self.put(round_, "calendar:a", self.bitcoin.attestation(round_.root_hash))

    def policy(self):
        return evidence.policy(
            logs=[{"origin": self.signer.name, "key": self.signer.key.text}],
            authorities=[self.authority.policy()],
            chains=[evidence.evm_policy(*self.evm)] if self.evm else [],
            bitcoin=self.bitcoin.policy(len(self.bitcoin.headers) - 1)
            if self.bitcoin.headers
            else {},
            witnesses=[{"key": self.witness.key.text, "related": False}],
        )

    def assemble(self, digest: bytes) -> dict:
        return ProofAssembler(self.log, self.rounds, lambda: self.expected).assemble(digest)

    def judge(self, value: dict, now=evidence.NOW + timedelta(days=1)):
        proof = parse_proof(json.dumps(value).encode())
        return Judge(self.policy(), now=now).verify_proof(proof)

    def standing(self, digest: bytes) -> dict:
        return Standings(self.log, self.rounds, lambda: self.expected).standing(digest)


@pytest.fixture
def scene(tmp_path):
    one = Scene(tmp_path / "r.db")
    yield one
    one.rounds.close()


def statuses(verdict) -> dict[str, list[Status]]:
    found: dict[str, list[Status]] = {}
    for row in verdict.rows:
        found.setdefault(row.attestation.kind, []).append(row.status)
    return found


def test_a_digest_that_the_log_does_not_have_is_not_found(scene):
    scene.log.grow(2)
    for call in (scene.assemble, scene.standing):
        with pytest.raises(NotFoundError) as caught:
            call(b"\x01" * 32)
        assert caught.value.code == "not_found.digest"


def test_before_any_round_a_proof_shows_the_log_and_what_is_expected(scene):
    scene.expected = [
        Expectation("rfc3161:test", "rfc3161", START),
        Expectation("witness:w", "witness", None),
    ]
    first, *_ = scene.log.grow(3)
    value = scene.assemble(first)
    assert [i["tree_size"] for i in value["inclusions"]] == [3]
    assert value["opening"] is None
    assert value["attestations"] == [
        {
            "kind": "expected",
            "root_hash": None,
            "family": "rfc3161",
            "by": "rfc3161:test",
            "expected_at": "2026-11-23T12:00:00Z",
            "note": "a round of the log is expected by 2026-11-23 12:00:00 UTC",
        },
        {
            "kind": "expected",
            "root_hash": None,
            "family": "witness",
            "by": "witness:w",
            "expected_at": None,
            "note": "a round of the log that holds it is still to come",
        },
    ]
    verdict = scene.judge(value)
    assert verdict.status is not Status.FAILED
    assert verdict.log.status is Status.VERIFIED


def test_evidence_of_every_family_from_rounds_of_different_sizes_verifies(scene):
    wanted, *_ = scene.log.grow(3)
    one = scene.round()
    scene.put_token(one)
    note = evidence.cosign(one.checkpoint, scene.witness, int(evidence.NOW.timestamp()) - 60)
    scene.put(
        one,
        "witness:w",
        {
            "kind": "witness",
            "root_hash": one.root_hash.hex(),
            "witness": scene.witness.name,
            "checkpoint": note.serialize(),
        },
    )
    scene.log.grow(3)
    two = scene.round()
    scene.put_evm(two)
    scene.log.grow(3)
    three = scene.round()
    scene.put_bitcoin(three)
    scene.log.grow(3)
    value = scene.assemble(wanted)
    assert [i["tree_size"] for i in value["inclusions"]] == [3, 6, 9, 12]
    assert statuses(scene.judge(value)) == {
        "rfc3161": [Status.VERIFIED],
        "witness": [Status.VERIFIED],
        "evm": [Status.VERIFIED],
        "opentimestamps": [Status.VERIFIED],
    }


def test_each_digest_takes_the_first_final_round_that_covers_it(scene):
    digests = scene.log.grow(2)
    one = scene.round()
    scene.put_token(one)
    digests += scene.log.grow(2)
    two = scene.round()
    scene.put_token(two)
    for leaf_index, digest in enumerate(digests):
        value = scene.assemble(digest)
        (row,) = value["attestations"]
        assert row["root_hash"] == (one if leaf_index < 2 else two).root_hash.hex()
        assert statuses(scene.judge(value)) == {"rfc3161": [Status.VERIFIED]}


def test_a_promise_stands_in_for_what_is_not_final(scene):
    scene.expected = [Expectation("calendar:a", "bitcoin", START)]
    digest, *_ = scene.log.grow(1)
    round_ = scene.round()
    scene.put(
        round_, "calendar:a", evidence.pending_attestation(round_.root_hash), phase=Phase.PENDING
    )
    value = scene.assemble(digest)
    assert [row["kind"] for row in value["attestations"]] == ["opentimestamps"]
    assert statuses(scene.judge(value)) == {"opentimestamps": [Status.PENDING]}


def test_an_attempt_without_evidence_is_an_expected_row_with_its_own_time(scene):
    scene.expected = [Expectation("evm:31337", "evm", START)]
    digest, *_ = scene.log.grow(1)
    round_ = scene.round()
    later = START + timedelta(minutes=13)
    scene.put(
        round_, "evm:31337", phase=Phase.SUBMITTED, expected_at=later, note="waits for block 9"
    )
    (row,) = scene.assemble(digest)["attestations"]
    assert (row["kind"], row["expected_at"]) == ("expected", "2026-11-23T12:13:00Z")
    assert row["note"] == "waits for block 9"


def test_a_party_that_does_not_answer_is_said_to_be_out_of_reach(scene):
    scene.expected = [Expectation("rfc3161:test", "rfc3161", START)]
    digest, *_ = scene.log.grow(1)
    round_ = scene.round()
    scene.put(round_, "rfc3161:test", phase=Phase.PREPARED, failures=2, note="no such host")
    value = scene.assemble(digest)
    assert value["attestations"][0]["note"] == f"{NOT_REACHED}: no such host"
    assert scene.judge(value).reason == f"{NOT_REACHED}: no such host"


def test_a_failed_attempt_gives_nothing_but_an_expected_row(scene):
    scene.expected = [Expectation("evm:31337", "evm", START)]
    digest, *_ = scene.log.grow(1)
    round_ = scene.round()
    scene.put(round_, "evm:31337", evidence.evm_attestation(round_.root_hash), phase=Phase.FAILED)
    assert [row["kind"] for row in scene.assemble(digest)["attestations"]] == ["expected"]


# -- tokens ----------------------------------------------------------------------------------------


def protected_scene(scene: Scene) -> bytes:
    """A digest stamped at once, its token in the log, and a calendar's round over both later."""
    digest, *_ = scene.log.grow(3)
    one = scene.round()
    token = scene.put_token(one)
    scene.put_bitcoin(one)
    scene.log.add(token)
    scene.log.grow(2)
    scene.put_bitcoin(scene.round())
    scene.log.grow(2)
    return digest


LONG_AFTER = evidence.NOW + timedelta(days=40 * 365)


def test_a_token_outlives_its_certificate_by_a_later_round_of_another_family(scene):
    value = scene.assemble(protected_scene(scene))
    kinds = [row["kind"] for row in value["attestations"]]
    assert kinds.count("opentimestamps") == 2
    assert [i["tree_size"] for i in value["inclusions"]] == [3, 6, 8]
    token_row = next(row for row in value["attestations"] if row["kind"] == "rfc3161")
    assert [(i["leaf_index"], i["tree_size"]) for i in token_row["inclusions"]] == [(3, 6)]
    assert statuses(scene.judge(value, LONG_AFTER))["rfc3161"] == [Status.VERIFIED]


def test_every_token_of_the_proof_is_protected(scene):
    digest, *_ = scene.log.grow(3)
    one = scene.round()
    first, second = scene.put_token(one, "rfc3161:a"), scene.put_token(one, "rfc3161:b")
    assert first != second
    scene.log.add(first)
    scene.put_bitcoin(scene.round())  # covers the digest and the first token only
    scene.log.add(second)
    scene.put_bitcoin(scene.round())
    value = scene.assemble(digest)
    paths = [row["inclusions"] for row in value["attestations"] if row["kind"] == "rfc3161"]
    assert [[i["tree_size"] for i in some] for some in paths] == [[5], [5]]
    assert statuses(scene.judge(value, LONG_AFTER))["rfc3161"] == [Status.VERIFIED] * 2


def test_without_those_paths_the_token_lapses(scene):
    value = scene.assemble(protected_scene(scene))
    for row in value["attestations"]:
        row.pop("inclusions", None)
    assert statuses(scene.judge(value, LONG_AFTER))["rfc3161"] == [Status.NOT_CHECKED]
    assert statuses(scene.judge(value))["rfc3161"] == [Status.VERIFIED]


def test_one_round_that_covers_digest_and_token_is_listed_once(scene):
    digest, *_ = scene.log.grow(3)
    token = scene.put_token(scene.round())
    scene.log.add(token)
    scene.put_evm(scene.round())
    value = scene.assemble(digest)
    assert [row["kind"] for row in value["attestations"]] == ["rfc3161", "evm"]
    assert [i["tree_size"] for i in value["inclusions"]] == [3, 4]
    assert statuses(scene.judge(value, LONG_AFTER))["rfc3161"] == [Status.VERIFIED]


def test_another_token_does_not_protect_a_token(scene):
    digest, *_ = scene.log.grow(3)
    token = scene.put_token(scene.round())
    scene.log.add(token)
    scene.put_token(scene.round())
    value = scene.assemble(digest)
    (row,) = value["attestations"]
    assert row["inclusions"] == []


def test_a_round_that_is_only_promised_does_not_protect_a_token(scene):
    digest, *_ = scene.log.grow(3)
    token = scene.put_token(scene.round())
    scene.log.add(token)
    later = scene.round()
    scene.put(
        later, "calendar:a", evidence.pending_attestation(later.root_hash), phase=Phase.PENDING
    )
    value = scene.assemble(digest)
    assert value["attestations"][0]["inclusions"] == []
    assert [row["kind"] for row in value["attestations"]] == ["rfc3161", "opentimestamps"]


def test_assembling_changes_nothing_that_is_stored_and_repeats_itself(scene):
    digest = protected_scene(scene)
    before = scene.rounds.attempts(3)
    assert scene.assemble(digest) == scene.assemble(digest)
    assert scene.rounds.attempts(3) == before


def test_a_proof_never_grows_past_what_readers_take(scene):
    digest, *_ = scene.log.grow(1)
    for number in range(80):
        round_ = scene.round()
        rows = [{"kind": "test", "root_hash": round_.root_hash.hex(), "n": n} for n in range(4)]
        scene.put(round_, f"test:{number:02}", *rows)
        scene.log.add(hashlib.sha256(b"%d" % number).digest())
    scene.expected = [Expectation(f"later:{n}", "evm", None) for n in range(40)]
    value = scene.assemble(digest)
    proof = parse_proof(json.dumps(value).encode())
    assert len(proof.inclusions) == 64
    assert len(proof.attestations) <= 256
    sizes = {i["tree_size"] for i in value["inclusions"]}
    roots = {scene.log.root_hash(size).hex() for size in sizes}
    assert all(r["root_hash"] in roots for r in value["attestations"] if r["root_hash"])


# -- standing --------------------------------------------------------------------------------------


def test_standing_goes_from_accepted_to_final(scene):
    scene.expected = [
        Expectation("evm:31337", "evm", START + timedelta(hours=1)),
        Expectation("rfc3161:test", "rfc3161", START),
    ]
    digest, *_ = scene.log.grow(3)
    accepted = scene.standing(digest)
    assert (accepted["state"], accepted["leaf_index"]) == ("accepted", 0)
    assert accepted["accepted_at"] is None
    assert [a["phase"] for a in accepted["anchors"]] == ["expected", "expected"]
    scene.rounds.record_commit(3, START)
    round_ = scene.round()
    scene.put(round_, "evm:31337", phase=Phase.SCHEDULED)
    assert scene.standing(digest)["state"] == "accepted"
    assert scene.standing(digest)["accepted_at"] == "2026-11-23T12:00:00Z"
    scene.put(
        round_,
        "evm:31337",
        {"kind": "evm", "root_hash": round_.root_hash.hex(), "transaction_hash": "ab" * 32},
        phase=Phase.CONFIRMED,
        data={"secret": "no", "public": {"confirmations": 3, "block_number": 77}},
        expected_at=START + timedelta(minutes=13),
        note="3 of 64 confirmations",
    )
    pending = scene.standing(digest)
    assert pending["state"] == "pending"
    evm = next(a for a in pending["anchors"] if a["backend"] == "evm:31337")
    assert evm["transaction_hash"] == "ab" * 32
    assert (evm["confirmations"], evm["block_number"]) == (3, 77)
    assert evm["expected_at"] == "2026-11-23T12:13:00Z"
    assert evm["note"] == "3 of 64 confirmations"
    assert "secret" not in json.dumps(pending)
    scene.put_token(round_)
    assert scene.standing(digest)["state"] == "anchored"
    scene.put_evm(round_)
    final = scene.standing(digest)
    assert final["state"] == "final"
    assert all(a["expected_at"] is None for a in final["anchors"])


def test_a_calendars_block_is_shown(scene):
    digest, *_ = scene.log.grow(1)
    scene.put_bitcoin(scene.round())
    (anchor,) = scene.standing(digest)["anchors"]
    assert (anchor["block_height"], anchor["calendar"]) == (0, evidence.CALENDAR)
    assert scene.standing(digest)["state"] == "final"


def test_failed_attempts_are_not_shown_as_standing(scene):
    digest, *_ = scene.log.grow(1)
    scene.put(scene.round(), "evm:31337", phase=Phase.FAILED)
    assert scene.standing(digest)["state"] == "accepted"
    assert scene.standing(digest)["anchors"] == []
