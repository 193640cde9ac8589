"""The policy: what is trusted, strictly read."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from anchor.errors import FormatError
from anchor.proof.policy import parse_policy
from tests.evidence import whole_case

ENTRIES = whole_case().entries
BASE: dict[str, Any] = {"version": 1, "name": "p", "class": "test", **ENTRIES}


def parse(value: Any) -> Any:
    return parse_policy(json.dumps(value).encode())


def changed(**entries: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(BASE)), **entries}


def test_its_digest_is_of_the_bytes_as_read() -> None:
    data = json.dumps(BASE).encode()
    assert parse_policy(data).sha256 == hashlib.sha256(data).digest()
    assert parse_policy(data + b"\n").sha256 != parse_policy(data).sha256


def test_bitcoin_hashes_are_written_as_explorers_show_them() -> None:
    display = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    policy = parse(changed(bitcoin={"checkpoints": [{"height": 0, "hash": display}]}))
    assert policy.bitcoin.checkpoints[0].block_hash[::-1].hex() == display


@pytest.mark.parametrize(
    "value",
    [
        changed(version=2),
        changed(**{"class": "staging"}),
        changed(surprise=1),
        changed(headline_families=["rfc3161", "moon"]),
        changed(families_wanted=0),
        changed(logs=[{"origin": "x", "key": "not a key"}]),
        changed(authorities=[{"name": "a", "roots": ["!!"]}]),
        changed(chains=[BASE["chains"][0], BASE["chains"][0]]),
        changed(chains=[{**BASE["chains"][0], "class": "l2"}]),
        changed(chains=[{**BASE["chains"][0], "tolerance_s": -1}]),
        changed(bitcoin={"checkpoints": [{"height": 0, "hash": "00"}]}),
    ],
)
def test_what_is_not_a_policy_is_refused(value: Any) -> None:
    with pytest.raises(FormatError):
        parse(value)


def test_a_production_policy_trusts_no_test_chain() -> None:
    with pytest.raises(FormatError, match="regtest"):
        parse(changed(**{"class": "production"}, chains=[]))
    with pytest.raises(FormatError, match="test chain"):
        parse(changed(**{"class": "production"}, bitcoin={}))


def test_a_key_of_another_type_is_refused() -> None:
    """A witness's cosignature has its own type of key; a log's note key would never verify one."""
    log_key, witness_key = ENTRIES["logs"][0]["key"], ENTRIES["witnesses"][0]["key"]
    with pytest.raises(FormatError, match="type 1, a witness signs with type 4"):
        parse(changed(witnesses=[{"key": log_key, "related": False}]))
    with pytest.raises(FormatError, match="type 4, a log signs with type 1"):
        parse(changed(logs=[{"origin": "o", "key": witness_key}]))


CHAIN = ENTRIES["chains"][0]
BITCOIN = ENTRIES["bitcoin"]


@pytest.mark.parametrize(
    ("entries", "place"),
    [
        (
            {"bitcoin": {**BITCOIN, "checkpoints": [*BITCOIN["checkpoints"], {
                "height": BITCOIN["checkpoints"][0]["height"], "hash": "11" * 32}]}},
            "height 6",
        ),
        (
            {"chains": [{**CHAIN, "pinned": [*CHAIN["pinned"], {
                "number": CHAIN["pinned"][0]["number"], "hash": "11" * 32}]}]},
            f"block {CHAIN['pinned'][0]['number']}",
        ),
        (
            {"chains": [{**CHAIN, "contracts": [
                *CHAIN["contracts"], {**CHAIN["contracts"][0], "map_slot": 5}]}]},
            "one contract",
        ),
        (
            {"authorities": [
                ENTRIES["authorities"][0],
                {**ENTRIES["authorities"][0], "name": "another", "accuracy_s": 0}]},
            "root certificate",
        ),
        (
            {"witnesses": [
                ENTRIES["witnesses"][0], {**ENTRIES["witnesses"][0], "related": True}]},
            "one key",
        ),
    ],
)  # fmt: skip
def test_two_entries_for_one_thing_are_refused(entries: dict[str, Any], place: str) -> None:
    """Which of the two holds would depend on their order, or on the reader."""
    with pytest.raises(FormatError, match=place) as caught:
        parse(changed(**entries))
    assert caught.value.code == "policy.twice"
