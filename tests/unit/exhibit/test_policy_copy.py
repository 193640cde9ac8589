"""The enclosed policy says whom was believed, and not whom its owner asks."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from importlib.resources import files

from anchor.exhibit.policy_copy import policy_copy
from anchor.proof.policy import parse_policy
from tests import exhibits

KEY = "9f-the-key-of-the-node"


def test_the_policy_of_the_release_loses_its_addresses_and_nothing_else():
    data = files("anchor").joinpath("policies", "default.json").read_bytes()
    copy = policy_copy(data)
    before, after = parse_policy(data), parse_policy(copy)
    assert b'"sources"' not in copy
    assert any(chain.sources for chain in before.chains), "else this shows nothing"
    bare = replace(
        before,
        sha256=hashlib.sha256(copy).digest(),
        chains=tuple(replace(chain, sources=()) for chain in before.chains),
        bitcoin=replace(before.bitcoin, sources=()),
        drand=tuple(replace(entry, sources=()) for entry in before.drand),
    )
    assert after == bare


def test_a_policy_without_addresses_stays_byte_for_byte(case):
    assert policy_copy(case.policy_bytes) == case.policy_bytes


def test_no_address_and_no_comment_is_handed_over(case, tmp_path):
    value = json.loads(case.policy_bytes)
    value["comment"] = f"{KEY} belongs to the office"
    value["chains"][0]["sources"] = [f"https://rpc.example.org/v2/{KEY}"]
    value["bitcoin"]["sources"] = [f"https://user:{KEY}@node.example.org/?k={KEY}"]
    used = replace(case, policy_bytes=json.dumps(value).encode())
    made, _ = exhibits.export(used, tmp_path)
    with zipfile.ZipFile(made.path) as file:
        everything = {name.partition("/")[2]: file.read(name) for name in file.namelist()}
    assert [name for name, data in everything.items() if KEY.encode() in data] == []
    assert parse_policy(everything["data/report/policy.json"]).chains[0].sources == ()
    report = json.loads(everything["data/report/verification.json"])
    assert report["policy"]["sha256"] == hashlib.sha256(used.policy_bytes).hexdigest()
    assert exhibits.verify(made.path, used).status.value == "verified"
