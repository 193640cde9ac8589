"""``vestige stamp`` and ``upgrade`` at a service that misbehaves: exit statuses and words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anchor.cli import stamp, upgrade
from anchor.client import waiting
from anchor.proof.codec import parse_proof
from anchor.proof.proof import NOT_REACHED, ExpectedAttestation
from tests.evidence import NOW, digest_of, evm_attestation
from tests.fakes.vestige_service import FakeVestige, problem


@pytest.fixture
def fake(desk, monkeypatch):
    """Serve the log of the case on loopback, in a copy that a test may change."""
    log = replace(desk.case.log, digests=list(desk.case.log.digests))
    service = FakeVestige(log)
    monkeypatch.setattr(upgrade, "now", lambda: NOW)
    monkeypatch.setattr(stamp, "now", lambda: NOW)
    monkeypatch.chdir(desk.folder)
    with service.served() as url:
        monkeypatch.setenv("VESTIGE_SERVER", url)
        yield service


def test_stamp_names_the_entry_and_the_proof(run, desk, fake):
    (desk.folder / "dog.png").write_text("a dog")
    ran = run("stamp", "dog.png", "--policy", desk.policy)
    assert (ran.status, ran.out, ran.err) == (0, "dog.png.proof  entry 8 of the log\n", "")


def test_stamp_of_nothing_is_wrong_use(run):
    assert run("stamp").status == 2


def test_stamp_never_overwrites_the_proof_of_another_content(run, desk, fake):
    desk.file.write_text("edited since")
    before = desk.proof.read_bytes()
    ran = run("stamp", "cat.png", "--policy", desk.policy)
    assert ran.status == 5
    assert "is the proof of another content" in ran.err
    assert desk.proof.read_bytes() == before
    assert run("stamp", "cat.png", "--policy", desk.policy, "--force").status == 0
    assert desk.proof.read_bytes() != before


def test_stamp_refused_by_the_service_writes_nothing(run, desk, fake):
    (desk.folder / "dog.png").write_text("a dog")
    fake.before = lambda *_: problem(400, "usage.digests", "not today")
    ran = run("stamp", "dog.png", "--policy", desk.policy, "--json")
    assert ran.status == 2
    assert ran.json["error"]["code"] == "usage.digests"
    assert not (desk.folder / "dog.png.proof").exists()


def test_wait_tells_each_state_and_gives_up_in_time(run, desk, fake, monkeypatch):
    (desk.folder / "dog.png").write_text("a dog")
    clock = iter(range(1000))
    patient = waiting.wait_until

    def wait(*arguments, **options):
        return patient(
            *arguments, **options, clock=lambda: float(next(clock)), sleep=lambda _: None
        )

    monkeypatch.setattr(stamp, "wait_until", wait)
    ran = run("stamp", "dog.png", "--policy", desk.policy, "--wait", "final", "--timeout", "20")
    assert ran.status == 3
    assert "vestige: the proofs are accepted\n" in ran.err
    assert "not final" in ran.err
    assert (desk.folder / "dog.png.proof").exists()
    fake.state = "anchored"
    ran = run("stamp", "dog.png", "--policy", desk.policy, "--wait", "pending")
    assert ran.status == 0
    assert "was stamped before, kept" in ran.out


def test_upgrade_says_what_was_gained_and_what_is_left(run, desk, fake):
    desk.write_proof(replace(desk.case.proof, attestations=()))
    fake.attestations = [(7, desk.case.proof.attestations[0])]
    fake.expected = [ExpectedAttestation("evm", "evm:1", None, "in an hour")]
    ran = run("upgrade", "cat.png", "--policy", desk.policy)
    assert ran.status == 0
    assert ran.out.startswith("cat.png.proof  gained rfc3161; 1 pending")
    assert ran.out.endswith("✓ verified\n")


def test_upgrade_says_whom_the_service_could_not_reach(run, desk, fake):
    desk.write_proof(replace(desk.case.proof, attestations=()))
    note = f"{NOT_REACHED}: no such host ✓ verified"
    fake.expected = [ExpectedAttestation("rfc3161", "rfc3161:digicert", None, note)]
    ran = run("upgrade", "cat.png", "--policy", desk.policy)
    assert ran.status == 0
    assert "has not reached rfc3161:digicert so far: no such host ? verified" in ran.err
    assert "it tries again by itself" in ran.err
    value = run("upgrade", "cat.png", "--policy", desk.policy, "--json").json
    assert value["out_of_reach"] == {"rfc3161:digicert": "no such host ? verified"}
    fake.expected = [ExpectedAttestation("evm", "evm:1", None, "in an hour")]
    desk.write_proof(replace(desk.case.proof, attestations=()))
    assert "reached" not in run("upgrade", "cat.png", "--policy", desk.policy).err


def test_upgrade_leaves_out_what_is_false_and_says_so(run, desk, fake):
    desk.write_proof(replace(desk.case.proof, attestations=()))
    root = desk.case.proof.attestations[0].root_hash
    forged = replace(evm_attestation(digest_of("another root")), root_hash=root)
    fake.attestations = [(7, forged), (7, desk.case.proof.attestations[0])]
    ran = run("upgrade", "cat.png", "--policy", desk.policy)
    assert ran.status == 1
    assert "left out what is false: evm:" in ran.err
    kinds = [a.kind for a in parse_proof(desk.proof.read_bytes()).attestations]
    assert kinds == ["rfc3161"]


def test_upgrade_goes_on_past_failures_and_sums_up(run, desk, fake):
    (desk.folder / "broken.proof").write_text("{}")
    ran = run("upgrade", ".", "--policy", desk.policy)
    assert ran.status == 5
    assert "2 proofs: 0 say more now, 1 failed" in ran.out
    value = run("upgrade", ".", "--policy", desk.policy, "--json").json
    assert [item["exit_status"] for item in value["proofs"]] == [5, 0]
    (desk.folder / "empty").mkdir()
    assert run("upgrade", "empty", "--policy", desk.policy).status == 2


def test_upgrade_of_a_log_that_was_rewritten_fails_and_keeps_the_proof(run, desk, fake):
    assert run("upgrade", "cat.png", "--policy", desk.policy).status == 0
    before = desk.proof.read_bytes()
    fake.log.digests[0] = digest_of("rewritten")
    ran = run("upgrade", "cat.png", "--policy", desk.policy)
    assert ran.status == 1
    assert "does not show that it agrees" in ran.err
    assert desk.proof.read_bytes() == before


def test_upgrade_writes_the_ots_file(run, desk, fake):
    ran = run("upgrade", "cat.png", "--policy", desk.policy, "--ots")
    assert ran.status == 0
    assert (desk.folder / "cat.png.ots").read_bytes().startswith(b"\x00OpenTimestamps")


def test_a_failure_names_its_file(run, desk, fake):
    (desk.folder / "bad.proof").write_text("{}")
    ran = run("upgrade", desk.file, "bad.proof", "--policy", desk.policy)
    assert ran.status == 5
    assert "error: bad.proof: proof: " in ran.err
    ran = run("verify", desk.file, "bad.proof", "--policy", desk.policy)
    assert "error: bad.proof: proof: " in ran.err


def test_columns_of_the_service_hold_its_longest_name(run, fake):
    names = ["evm:1", "calendar:a.very.long.name.of.a.calendar.that.somebody.runs.example.org"]
    backends = [{"name": name, "state": "idle", "pending": 1} for name in names]
    anchors = [{"backend": name, "phase": "final", "note": "note"} for name in names]
    answers = {
        "/v1/status": {"log": {"origin": "o"}, "anchoring": {"backends": backends}},
        "/v1/rounds": {"rounds": [{"tree_size": 1, "root_hash": "00", "anchors": anchors}]},
    }
    fake.before = lambda _m, path, *_: fake._json(answers[path.partition("?")[0]])
    for verb, column in (("status", "idle"), ("rounds", "final")):
        lines = run("admin", verb).out.splitlines()[-2:]
        assert len({line.index(f" {column} ") for line in lines}) == 1


def test_an_upgrade_is_told_although_there_is_no_ots_file_yet(run, desk, fake):
    ran = run("upgrade", desk.file, "--ots", "--policy", desk.policy)
    assert "error: " not in ran.err
    bare = replace(desk.case.proof, attestations=())
    desk.write_proof(bare)
    ran = run("upgrade", desk.file, "--ots", "--policy", desk.policy)
    assert ran.status == 3
    assert "cat.png.proof  nothing new; no evidence" in ran.out
    assert "cat.png.proof: no calendar has attested to this proof yet; vestige upgrade" in ran.err
    assert "error: " not in ran.err, "there is nothing to mend"
    again = run("upgrade", desk.file, "--ots", "--policy", desk.policy, "--json").json["proofs"][0]
    assert (again["error"]["code"], again["exit_status"]) == ("ots.no_attestation", 3)
    assert again["status"] == "not_checked"


def test_what_has_not_come_yet_is_no_failure_of_a_folder(run, desk, fake):
    desk.write_proof(replace(desk.case.proof, attestations=()))
    (desk.folder / "b.png").write_bytes(desk.file.read_bytes())
    (desk.folder / "b.png.proof").write_bytes(desk.proof.read_bytes())
    ran = run("upgrade", desk.folder, "--ots", "--policy", desk.policy)
    assert ran.out.splitlines()[-1].startswith("2 proofs: ")
    assert ran.out.endswith(", 0 failed\n")
    assert ran.status == 3


def test_stamping_with_ots_notes_that_no_calendar_has_answered(run, desk, fake):
    desk.write_proof(replace(desk.case.proof, attestations=()))
    ran = run("stamp", desk.file, "--ots", "--policy", desk.policy)
    assert "no calendar has attested to this proof yet; vestige upgrade" in ran.err
    assert "error: " not in ran.err
    assert ran.status == 3
