"""``vestige policy``: show, check, default."""

from __future__ import annotations

import hashlib

import pytest

from anchor.policies import load_default_policy, load_default_policy_bytes


def test_show_names_it_its_class_its_digest_and_everything_it_trusts(run, desk):
    ran = run("policy", "show", desk.policy)
    assert ran.status == 0
    for text in (
        "tests",
        "class       test",
        hashlib.sha256(desk.policy.read_bytes()).hexdigest(),
        "log.example.org/test",
        "Test Authority",
        hashlib.sha256(desk.case.authority.root.der).hexdigest(),
        "test chain (31337, test)",
        "regtest  checkpoints: 1, the last at block 6",
        "witness.example.org",
    ):
        assert text in ran.out


def test_show_without_file_shows_the_one_in_force(run, desk, monkeypatch):
    assert load_default_policy().name in run("policy", "show").out
    monkeypatch.setenv("VESTIGE_POLICY", str(desk.policy))
    assert "tests" in run("policy", "show").out


def test_show_as_json_has_the_same(run, desk):
    value = run("policy", "show", desk.policy, "--json").json
    assert (value["name"], value["class"]) == ("tests", "test")
    assert value["sha256"] == hashlib.sha256(desk.policy.read_bytes()).hexdigest()
    assert value["logs"][0]["key"] == desk.case.log.signer.key.text


def test_default_is_the_shipped_file_byte_for_byte(run):
    assert run("policy", "default").out.encode() == load_default_policy_bytes()
    assert run("policy", "default", "x").status == 2


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1, "name": "x"}', '{"version": 2}'])
def test_check_says_what_is_wrong_with_a_file(run, tmp_path, text):
    path = tmp_path / "p.json"
    path.write_text(text)
    ran = run("policy", "check", path)
    assert ran.status == 5
    assert ran.err.startswith("vestige: error: policy")


def test_check_accepts_a_policy_and_wants_a_file(run, desk):
    ran = run("policy", "check", desk.policy)
    assert (ran.status, len(ran.out.splitlines())) == (0, 3)
    assert run("policy", "check").status == 2
    assert run("policy", "sniff").status == 2
