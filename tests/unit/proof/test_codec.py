"""The proof file: strict reading, deterministic writing, nothing lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from anchor.errors import (
    FormatError,
    LimitExceededError,
    NonCanonicalError,
    UnsupportedVersionError,
)
from anchor.proof.codec import ProofReader, parse_proof, proof_to_json, serialize_proof
from anchor.proof.proof import ExpectedAttestation, UnknownAttestation
from tests.evidence import whole_case

CASE = whole_case()


def document() -> dict[str, Any]:
    return json.loads(serialize_proof(CASE.proof))


def parse(value: Any) -> Any:
    return parse_proof(json.dumps(value).encode())


def test_written_and_read_again_is_the_same_proof_and_the_same_bytes() -> None:
    data = serialize_proof(CASE.proof)
    assert parse_proof(data) == CASE.proof
    assert serialize_proof(parse_proof(data)) == data


def test_unknown_kind_is_kept_word_for_word() -> None:
    value = document()
    value["attestations"].append({"kind": "moon", "phase": ["full", 1], "é": None})
    proof = parse(value)
    assert isinstance(proof.attestations[-1], UnknownAttestation)
    assert proof_to_json(proof)["attestations"][-1] == value["attestations"][-1]


def test_expected_row_is_read_with_and_without_time() -> None:
    value = document()
    row = {"kind": "expected", "root_hash": None, "family": "evm", "by": "evm:1", "note": "soon"}
    value["attestations"] = [row, {**row, "expected_at": "2026-11-23T11:00:00Z"}]
    first, second = parse(value).attestations
    assert isinstance(first, ExpectedAttestation)
    assert first.expected_at is None
    assert second.expected_at.isoformat() == "2026-11-23T11:00:00+00:00"


def test_expected_row_has_no_root_hash() -> None:
    value = document()
    row = {"kind": "expected", "root_hash": "00" * 32, "family": "evm", "by": "evm:1", "note": ""}
    value["attestations"] = [row]
    with pytest.raises(FormatError, match="root_hash: a row that is not there has none"):
        parse(value)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda v: v.update(version=2), UnsupportedVersionError),
        (lambda v: v.update(version=True), FormatError),
        (lambda v: v.pop("digest"), FormatError),
        (lambda v: v.update(digest=v["digest"].upper()), NonCanonicalError),
        (lambda v: v.update(digest=v["digest"][:-2]), FormatError),
        (lambda v: v.update(opening="00" * 65), FormatError),
        (lambda v: v.update(opening="0"), FormatError),
        (lambda v: v.update(note="extra"), FormatError),
        (lambda v: v.update(inclusions=[]), FormatError),
        (lambda v: v.update(inclusions=v["inclusions"] * 40), LimitExceededError),
        (lambda v: v["inclusions"][0].update(leaf_index=-1), FormatError),
        (lambda v: v["inclusions"][0].update(leaf_index=2**53), FormatError),
        (lambda v: v["inclusions"][0].update(tree_size=0), FormatError),
        (lambda v: v["inclusions"][0].update(hashes=["00" * 32] * 64), LimitExceededError),
        (lambda v: v["inclusions"][0].update(hashes="00" * 32), FormatError),
        (lambda v: v["inclusions"][0].update(checkpoint="x" * 70_000), LimitExceededError),
        (lambda v: v["attestations"][0].update(covers="file"), FormatError),
        (
            lambda v: v["attestations"][0].update(token=v["attestations"][0]["token"] + "="),
            FormatError,
        ),
        (lambda v: v["attestations"][0].update(token="A" * 500_000), LimitExceededError),
        (lambda v: v["attestations"][0].update(kind=7), FormatError),
        (lambda v: v["attestations"][2].update(chain_id=0), FormatError),
        (lambda v: v["attestations"][2]["transaction"].update(extra=1), FormatError),
        (lambda v: v["attestations"][3]["headers"][0].update(headers=[]), FormatError),
        (lambda v: v["attestations"][3]["headers"][0].update(headers=["00" * 79]), FormatError),
        (lambda v: v.update(attestations=v["attestations"] * 60), LimitExceededError),
        (lambda v: v.update(attestations={}), FormatError),
    ],
)
def test_what_is_not_a_proof_is_refused(change: Any, error: type[Exception]) -> None:
    value = document()
    change(value)
    with pytest.raises(error):
        parse(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'{"version":1,"version":1}',
        b"\xff\xfe",
        b'{"version":1.0}',
        b"[" * 100_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
)
def test_what_is_not_even_json_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_proof(data)


def test_unknown_field_names_the_nearest_known_one() -> None:
    value = document()
    value["digests"] = value["digest"]
    with pytest.raises(FormatError) as caught:
        parse(value)
    assert caught.value.code == "format.unknown_field"
    assert caught.value.hint == "did you mean 'digest'?"


def test_the_message_says_where() -> None:
    value = document()
    value["inclusions"][1]["hashes"][2] = "zz" * 32
    with pytest.raises(FormatError, match=r"inclusions\[1\]\.hashes\[2\]"):
        parse(value)


def test_a_reader_of_many_reads_what_a_reader_of_one_reads() -> None:
    reader = ProofReader()
    data = serialize_proof(CASE.proof)
    assert reader.parse(data) == reader.parse(data) == parse_proof(data)


def test_a_reader_of_many_is_as_strict_the_second_time() -> None:
    reader = ProofReader()
    value = document()
    value["attestations"][2]["transaction"]["index"] = 1
    reader.parse(json.dumps(value).encode())
    value["attestations"][2]["transaction"]["index"] = True
    with pytest.raises(FormatError):
        reader.parse(json.dumps(value).encode())


def test_a_file_that_nobody_could_read_is_not_written() -> None:
    inclusion = CASE.proof.inclusions[0]
    many = tuple(replace(inclusion, leaf_index=n, checkpoint=None) for n in range(65))
    with pytest.raises(LimitExceededError):
        serialize_proof(replace(CASE.proof, inclusions=many))
