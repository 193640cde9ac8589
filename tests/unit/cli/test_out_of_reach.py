"""Parties that the service could not reach, told where the vault is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anchor.proof.codec import parse_proof, serialize_proof
from anchor.proof.proof import NOT_REACHED, ExpectedAttestation
from anchor.vault.layout import Layout
from tests import exhibits
from tests.unit.vault.conftest import FakeKeyring

WHY = f"{NOT_REACHED}: tsa.example.org: there is no such host"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A vault of which the last proof waits for an authority."""
    import keyring

    backend = FakeKeyring()
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    case = exhibits.make_vault(tmp_path)
    (tmp_path / "policy.json").write_bytes(case.policy_bytes)
    path = Layout(case.work).proof(case.records - 1)
    row = ExpectedAttestation("rfc3161", "rfc3161:tests", None, WHY)
    proof = parse_proof(path.read_bytes())
    path.write_bytes(serialize_proof(replace(proof, attestations=(*proof.attestations, row))))
    monkeypatch.chdir(case.work)
    return path


def test_status_names_the_party_and_why(run, work, tmp_path):
    ran = run("status", "--policy", tmp_path / "policy.json")
    assert ran.status == 0, ran.err
    said = (
        "the service has not reached rfc3161:tests so far: tsa.example.org: there is no such host"
    )
    assert said in ran.err
    value = run("status", "--policy", tmp_path / "policy.json", "--json").json
    assert value["out_of_reach"] == {"rfc3161:tests": "tsa.example.org: there is no such host"}


def test_status_says_nothing_where_all_were_reached(run, work, tmp_path):
    proof = parse_proof(work.read_bytes())
    work.write_bytes(serialize_proof(replace(proof, attestations=proof.attestations[:-1])))
    ran = run("status", "--policy", tmp_path / "policy.json")
    assert ran.status == 0, ran.err
    assert "reached" not in ran.err
    assert run("status", "--policy", tmp_path / "policy.json", "--json").json["out_of_reach"] == {}


def test_a_proof_that_can_not_be_read_stops_nothing(run, work, tmp_path):
    work.write_bytes(b"{}")
    ran = run("status", "--policy", tmp_path / "policy.json")
    assert ran.status == 0, ran.err
