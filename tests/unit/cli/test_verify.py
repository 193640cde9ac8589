"""``vestige verify``: every exit status by a real case, and what is printed."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from anchor.cli import _verifier
from anchor.cli._output import Output
from anchor.client import online_facts
from anchor.errors import BackendUnavailableError
from anchor.formats.ots.codec import (
    DetachedTimestamp,
    parse_tree,
    serialize_detached,
)
from anchor.formats.ots.op import Sha256
from anchor.proof.proof import ExpectedAttestation
from tests.evidence import NOW, pending_attestation


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    monkeypatch.setattr(_verifier, "now", lambda: NOW)


def root_of(desk) -> bytes:
    return desk.case.proof.attestations[0].root_hash


# -- exit statuses ---------------------------------------------------------------------------------


def test_0_verified(run, desk):
    ran = run("verify", desk.file, "--policy", desk.policy)
    assert (ran.status, ran.err) == (0, "")


def test_0_verified_before_a_time(run, desk):
    assert run("verify", desk.file, "--policy", desk.policy, "--before", "2021-01-01").status == 0


def test_1_file_was_changed(run, desk):
    desk.file.write_bytes(b"a dog")
    ran = run("verify", desk.file, "--policy", desk.policy)
    assert ran.status == 1
    assert ran.out.splitlines()[0].endswith("✕ failed")
    assert "not the one that the proof is about" in ran.out


def test_1_attestation_is_false(run, desk):
    token = desk.case.proof.attestations[0]
    broken = replace(token, token=token.token[:-1] + bytes([token.token[-1] ^ 1]))
    desk.write_proof(replace(desk.case.proof, attestations=(broken,)))
    assert run("verify", desk.file, "--policy", desk.policy).status == 1


def test_2_wrong_use(run, desk):
    assert run("verify").status == 2
    assert run("verify", desk.file, "--before", "yesterday").status == 2
    assert run("verify", desk.file, "--policy", desk.policy, "--headers-from", "5").status == 2
    both = run("verify", desk.file, desk.file, "--file", desk.file, "--policy", desk.policy)
    assert both.status == 2


def test_3_pending(run, desk):
    rows = (
        pending_attestation(root_of(desk)),
        ExpectedAttestation("evm", "evm:1", NOW, "a round of the log is expected"),
    )
    desk.write_proof(replace(desk.case.proof, attestations=rows))
    ran = run("verify", desk.file, "--policy", desk.policy)
    assert ran.status == 3
    assert ran.out.splitlines()[0].endswith("… pending")
    assert "chain 1; was expected by 2026-11-23" in ran.out


def test_4_not_checked(run, desk):
    desk.write_policy(authorities=[], chains=[], bitcoin={"network": "regtest"}, witnesses=[])
    ran = run("verify", desk.file, "--policy", desk.policy)
    assert ran.status == 4
    assert ran.out.splitlines()[0].endswith("○ not checked")


@pytest.mark.parametrize("content", [b"", b"{", b"\x00OpenTimestamps\x00\x00Proof", b"\xff" * 99])
def test_5_could_not_be_read(run, desk, content):
    desk.proof.write_bytes(content)
    ran = run("verify", desk.proof, "--policy", desk.policy)
    assert (ran.status, ran.out) == (5, "")
    assert ran.err.startswith("vestige: error: ")


def test_5_not_there(run, desk):
    assert run("verify", desk.folder / "dog.png", "--policy", desk.policy).status == 5
    assert run("verify", desk.file, "--policy", desk.folder / "none.json").status == 5


def test_6_genuine_and_does_not_show_it(run, desk):
    ran = run("verify", desk.file, "--policy", desk.policy, "--before", "2019-01-01")
    assert ran.status == 6
    assert "before 2019-01-01 00:00:00 UTC? no: the evidence is genuine" in ran.out


def test_unknown_before_a_time_keeps_3_and_4_apart(run, desk):
    desk.write_proof(replace(desk.case.proof, attestations=(pending_attestation(root_of(desk)),)))
    words = ("verify", desk.file, "--policy", desk.policy, "--before")
    assert run(*words, "2027-01-01").status == run(*words, "2026-01-01").status == 3
    desk.write_proof(desk.case.proof)
    desk.write_policy(authorities=[], chains=[], bitcoin={"network": "regtest"}, witnesses=[])
    ran = run(*words, "2027-01-01")
    assert ran.status == 4
    assert "unknown" in ran.out


# -- what is printed -------------------------------------------------------------------------------


def test_ladder_is_aligned_and_says_whom_to_believe(run, desk):
    ran = run("verify", desk.file, "--policy", desk.policy)
    lines = ran.out.splitlines()
    sentence = f"{desk.file} existed before 2020-01-01 00:00:12 UTC"
    assert lines[0] == sentence.ljust(max(72, len(sentence) + 2)) + "✓ verified"
    rows = [line for line in lines[1:] if "before 2" in line]
    assert len(rows) == 5
    for line in rows:
        assert line.index("before") == 14
        assert line.index("✓ verified") == 43
        assert line.index("believe") == 58
    assert lines[1].startswith("  test chain  before 2020-01-01 00:00:12   ✓ verified     believe")
    assert lines[2].startswith("  bitcoin     before 2026-06-01 03:00:00   ✓ verified     believe")
    assert "honest to the day" in lines[2]
    assert "RFC 3161" in lines[4]
    assert lines[-3].startswith("  not before  –")
    assert "entry 6 of the log log.example.org/test" in lines[-2]
    assert "class test" in lines[-1]


def test_sample_of_the_look_page_column_by_column(run, desk):
    only = desk.case.proof.attestations[0]
    desk.write_proof(replace(desk.case.proof, attestations=(only,)))
    line = run("verify", desk.file, "--policy", desk.policy).out.splitlines()[1]
    sample = (
        "  RFC 3161    before 2026-11-23 10:02:08   ✓ verified     believe Example TSA (root a1b2…)"
    )
    for part in ("RFC 3161", "before 2026-11-23 10:02:0", "✓ verified", "believe"):
        assert line.index(part) == sample.index(part)


def test_without_the_file_the_sentence_is_about_the_digest(run, desk):
    desk.file.unlink()
    ran = run("verify", desk.proof, "--policy", desk.policy)
    digest = desk.case.proof.digest.hex()[:8]
    assert f"its digest {digest}… existed before" in ran.out.splitlines()[0]


def test_json_is_the_verdict_with_the_path(run, desk):
    value = run("verify", desk.file, "--policy", desk.policy, "--json").json
    assert value["path"] == str(desk.file)
    assert (value["status"], value["exit_status"], value["file"]) == ("verified", 0, "verified")
    assert value["existed_before"]["headline"] == "2020-01-01T00:00:12Z"
    assert "steps" not in value
    with_steps = run("verify", desk.file, "--policy", desk.policy, "--json", "--steps").json
    assert {step["number"] for step in with_steps["steps"]} >= {"1", "2.1", "5.1", "6.1", "7.1"}


def test_steps_print_every_hash(run, desk):
    ran = run("verify", desk.file, "--policy", desk.policy, "--steps")
    assert f"SHA-256(00 ‖ {desk.case.proof.digest.hex()})" in ran.out
    assert "step 7.1" in ran.out


def test_several_paths_give_the_worst_status_and_one_object(run, desk):
    other = desk.folder / "dog.png"
    other.write_bytes(b"a dog")
    other.with_name("dog.png.proof").write_bytes(desk.proof.read_bytes())
    missing = desk.folder / "none"
    words = ("verify", desk.file, other, missing, "--policy", desk.policy)
    ran = run(*words)
    assert ran.status == 5
    assert "✓ verified" in ran.out
    assert "✕ failed" in ran.out
    value = run(*words, "--json").json
    assert [item["exit_status"] for item in value["verdicts"]] == [0, 1, 5]
    assert value["exit_status"] == 5
    assert value["verdicts"][2]["error"]["code"] == "file.not_found"


def test_ots_file_beside_the_original(run, desk):
    (mined,) = (a for a in desk.case.proof.attestations if a.kind == "opentimestamps")
    tree = parse_tree(mined.tree, mined.root_hash)
    path = desk.folder / "root.ots"
    path.write_bytes(serialize_detached(DetachedTimestamp(Sha256(), mined.root_hash, tree)))
    ran = run("verify", path, "--policy", desk.policy)
    assert ran.status == 4
    headers = desk.folder / "headers"
    headers.write_bytes(b"".join(header.raw for header in desk.case.bitcoin.headers))
    desk.write_policy(bitcoin=desk.case.bitcoin.policy(0))
    ran = run("verify", path, "--policy", desk.policy, "--headers", headers)
    assert ran.status == 0
    headers.write_bytes(headers.read_bytes()[80:])
    assert run("verify", path, "--policy", desk.policy, "--headers", headers).status == 5


def test_warning_of_a_bare_digest(run, desk):
    bare = desk.case.log
    bare.add(desk.case.file_digest)
    proof = replace(
        desk.case.proof,
        digest=desk.case.file_digest,
        opening=None,
        inclusions=(bare.inclusion(8, 9),),
        attestations=(),
    )
    desk.write_proof(proof)
    assert "note: a bare digest" in run("verify", desk.file, "--policy", desk.policy).out
    bare.digests.pop()


def test_policy_may_be_named_by_the_environment(run, desk, monkeypatch):
    monkeypatch.setenv("VESTIGE_POLICY", str(desk.policy))
    assert run("verify", desk.file).status == 0


# -- online ----------------------------------------------------------------------------------------


class Silent:
    name = "nobody"

    def fetch_tip_height(self):
        raise BackendUnavailableError("nobody answers")

    def fetch_block_hash(self, number):
        raise BackendUnavailableError("nobody answers")


def without_trust_offline(desk, monkeypatch, source) -> None:
    monkeypatch.setattr(online_facts, "bitcoin_source_of", lambda _: source)
    monkeypatch.setattr(online_facts, "_evm_source", lambda _: source)
    desk.write_policy(
        authorities=[],
        witnesses=[],
        bitcoin={"network": "regtest"},
        chains=[{**desk.case.entries["chains"][0], "pinned": []}],
    )


def test_5_when_what_is_missing_was_asked_for_in_vain(run, desk, monkeypatch):
    without_trust_offline(desk, monkeypatch, Silent())
    assert run("verify", desk.file, "--policy", desk.policy).status == 4
    ran = run("verify", desk.file, "--policy", desk.policy, "--online")
    assert ran.status == 5
    assert "vestige: warning: nobody answers" in ran.err


def test_silent_source_does_not_spoil_what_is_verified_anyway(run, desk, monkeypatch):
    without_trust_offline(desk, monkeypatch, Silent())
    desk.write_policy(
        bitcoin={"network": "regtest"},
        chains=[{**desk.case.entries["chains"][0], "pinned": []}],
    )
    ran = run("verify", desk.file, "--policy", desk.policy, "--online")
    assert ran.status == 0
    assert "warning" in ran.err


def test_policy_without_sources_stays_not_checked_online(run, desk, monkeypatch):
    without_trust_offline(desk, monkeypatch, None)
    assert run("verify", desk.file, "--policy", desk.policy, "--online").status == 4


# -- what a path is --------------------------------------------------------------------------------


def test_document_that_is_a_proof_of_something_else_is_not_taken_for_its_own_proof(run, desk):
    contract = desk.folder / "contract.pdf"
    contract.write_bytes(desk.proof.read_bytes())
    ran = run("verify", contract, "--policy", desk.policy)
    assert (ran.status, ran.out) == (5, "")
    assert "there is no contract.pdf.proof" in ran.err
    named = run("verify", "--proof", contract, "--policy", desk.policy)
    assert named.status == 0
    assert "its digest" in named.out.splitlines()[0]
    assert run("verify", contract, "--proof", desk.proof, "--policy", desk.policy).status == 1
    both = run("verify", desk.file, "--proof", contract, "--policy", desk.policy)
    assert both.status == 0
    assert both.out.splitlines()[0].startswith(f"{desk.file} existed before")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["pipe.proof", "pipe.ots", "pipe"])
def test_pipe_is_refused_at_once(run, desk, name):
    os.mkfifo(desk.folder / name)
    ran = run("verify", desk.folder / name, "--policy", desk.policy)
    assert ran.status == 5
    assert ran.err.count("\n") == 1
    assert "file" in ran.err


def test_folder_gets_one_line_a_file_and_the_worst_status(run, desk):
    for name in ("a.png", "sub/b.png"):
        copy = desk.folder / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(b"a cat")
        copy.with_name(copy.name + ".proof").write_bytes(desk.proof.read_bytes())
    (desk.folder / "alone.txt").write_text("no proof")
    (desk.folder / "gone.png.proof").write_bytes(desk.proof.read_bytes())
    ran = run("verify", desk.folder, "--policy", desk.policy)
    assert ran.status == 0
    names = [line.split(" existed")[0] for line in ran.out.splitlines()]
    assert names == [str(desk.folder / name) for name in ("a.png", "cat.png", "sub/b.png")]
    assert "1 proof of files that are not there" in ran.err
    (desk.folder / "a.png").write_bytes(b"a dog")
    assert run("verify", desk.folder, "--policy", desk.policy).status == 1
    (desk.folder / "sub" / "b.png.proof").write_bytes(b"{")
    ran = run("verify", desk.folder, "--policy", desk.policy, "--json")
    assert ran.status == 5
    assert [item["exit_status"] for item in ran.json["verdicts"]] == [1, 0, 5]


def test_options_of_one_proof_do_not_go_with_folders(run, desk):
    for option in ("--file", "--proof"):
        words = ("verify", desk.folder, option, desk.file, "--policy", desk.policy)
        assert run(*words).status == 2


def test_narrow_terminal_gets_the_text_below_its_row(run, desk, monkeypatch):
    monkeypatch.setattr(Output, "columns", lambda self: 80)
    ran = run("verify", desk.file, "--policy", desk.policy)
    lines = ran.out.splitlines()
    first = lines.index("  test chain  before 2020-01-01 00:00:12   ✓ verified")
    assert "".join(lines[: first - 1]).startswith(str(desk.file))
    assert lines[first - 1] == "  ✓ verified"
    assert lines[first + 1].startswith("              believe that block")
    assert all(len(line) <= 80 for line in lines[first - 1 :])
