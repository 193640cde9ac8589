"""What a path stands for."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from pathlib import Path

import pytest

from anchor.client.evidence import files_with_evidence, load_evidence
from anchor.errors import LimitExceededError, NotFoundError, StoreError, UsageError
from anchor.formats.ots.attestation import PendingAttestation
from anchor.formats.ots.codec import DetachedTimestamp, serialize_detached
from anchor.formats.ots.op import Sha1, Sha256
from anchor.formats.ots.timestamp import Timestamp
from anchor.proof.codec import serialize_proof
from tests.evidence import whole_case


@pytest.fixture(scope="module")
def proof():
    return whole_case().proof


def ots_of(data: bytes, op=None) -> bytes:
    op = op or Sha256()
    digest = hashlib.new(op.name, data).digest()
    tree = Timestamp(digest)
    tree.attest(PendingAttestation("https://calendar.example.org"))
    return serialize_detached(DetachedTimestamp(op, digest, tree))


def test_proof_and_its_file_are_found_from_either_side(tmp_path, proof):
    file, path = tmp_path / "cat.png", tmp_path / "cat.png.proof"
    path.write_bytes(serialize_proof(proof))
    alone = load_evidence(str(path))
    assert (alone.content, alone.file_path, alone.file_digest) == (proof, None, None)
    assert alone.name == str(path)
    file.write_bytes(b"a cat")
    for typed in (file, path):
        found = load_evidence(str(typed))
        assert found.content == proof
        assert found.name == str(file)
        assert found.file_digest == hashlib.sha256(b"a cat").digest()


def test_file_elsewhere_can_be_named(tmp_path, proof):
    (tmp_path / "x.proof").write_bytes(serialize_proof(proof))
    (tmp_path / "cat").write_bytes(b"a cat")
    found = load_evidence(str(tmp_path / "x.proof"), file=tmp_path / "cat")
    assert found.file_digest == hashlib.sha256(b"a cat").digest()


@pytest.mark.parametrize("op", [Sha256(), Sha1()])
def test_ots_file_is_compared_with_its_own_digest_operation(tmp_path, op):
    (tmp_path / "cat").write_bytes(b"a cat")
    (tmp_path / "cat.ots").write_bytes(ots_of(b"a cat", op))
    for name in ("cat", "cat.ots"):
        found = load_evidence(str(tmp_path / name))
        assert isinstance(found.content, DetachedTimestamp)
        assert found.file_digest == found.content.file_digest


def test_proof_goes_before_ots(tmp_path, proof):
    file = tmp_path / "data.json"
    file.write_bytes(b'{"version": 1}')
    (tmp_path / "data.json.ots").write_bytes(ots_of(b'{"version": 1}'))
    assert isinstance(load_evidence(str(file)).content, DetachedTimestamp)
    (tmp_path / "data.json.proof").write_bytes(serialize_proof(proof))
    assert load_evidence(str(file)).content == proof


def test_document_that_is_a_proof_of_something_else_is_a_document(tmp_path, proof):
    for name, data in (("contract.pdf", serialize_proof(proof)), ("other", ots_of(b"x"))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(NotFoundError) as raised:
            load_evidence(str(tmp_path / name))
        assert raised.value.code == "proof.not_found"
        assert "--proof" in raised.value.hint


def test_evidence_under_another_name_is_read_where_it_is_named_as_evidence(tmp_path, proof):
    (tmp_path / "cat").write_bytes(b"a cat")
    (tmp_path / "renamed").write_bytes(serialize_proof(proof))
    alone = load_evidence(None, proof=tmp_path / "renamed")
    assert (alone.content, alone.file_path) == (proof, None)
    both = load_evidence(str(tmp_path / "cat"), proof=tmp_path / "renamed")
    assert (both.name, both.path) == (str(tmp_path / "cat"), tmp_path / "renamed")
    assert both.file_digest == hashlib.sha256(b"a cat").digest()
    with pytest.raises(UsageError):
        load_evidence(None)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["fifo.proof", "fifo.ots", "fifo"])
def test_pipe_is_refused_at_once(tmp_path, proof, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(StoreError) as raised:
        load_evidence(str(tmp_path / name))
    assert raised.value.code == "file.kind"
    (tmp_path / f"{name}.proof").write_bytes(serialize_proof(proof))
    with pytest.raises(StoreError):
        load_evidence(str(tmp_path / name))
    with pytest.raises(StoreError):
        load_evidence(None, proof=tmp_path / name)


@pytest.mark.timeout(20)
def test_device_is_refused_whatever_it_gives(tmp_path):
    (tmp_path / "zero.proof").symlink_to("/dev/zero")
    with pytest.raises(StoreError, match="a device"):
        load_evidence(str(tmp_path / "zero.proof"))


def test_nothing_there_or_nothing_beside_are_said_apart(tmp_path):
    with pytest.raises(NotFoundError) as raised:
        load_evidence(str(tmp_path / "none"))
    assert raised.value.code == "file.not_found"
    (tmp_path / "cat").write_bytes(b"a cat")
    with pytest.raises(NotFoundError) as raised:
        load_evidence(str(tmp_path / "cat"))
    assert raised.value.code == "proof.not_found"
    assert "vestige stamp" in raised.value.hint
    with pytest.raises(StoreError):
        load_evidence(str(tmp_path))


def test_folder_with_the_name_of_evidence_cannot_be_read(tmp_path):
    (tmp_path / "x.proof").mkdir()
    with pytest.raises(StoreError):
        load_evidence(str(tmp_path / "x.proof"))


def test_standard_input_is_evidence_within_the_limit(monkeypatch, proof):
    def feed(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    feed(serialize_proof(proof))
    assert load_evidence("-").name == "standard input"
    feed(b"{" * ((8 << 20) + 1))
    with pytest.raises(LimitExceededError):
        load_evidence("-")


def test_folder_that_cannot_be_listed_is_reported_and_the_rest_goes_on(
    tmp_path, proof, monkeypatch
):
    (tmp_path / "cat").write_bytes(b"a cat")
    (tmp_path / "cat.proof").write_bytes(serialize_proof(proof))
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "dog.ots").write_bytes(ots_of(b"x"))
    monkeypatch.chdir(tmp_path)
    for _ in range(25):  # a path longer than the system lists
        os.mkdir("a" * 200)
        os.chdir("a" * 200)
    found = files_with_evidence(tmp_path)
    assert found.files == (tmp_path / "cat",)
    assert found.alone == (tmp_path / "z" / "dog.ots",)
    (failure,) = found.failures
    assert isinstance(failure, StoreError)
    assert len(failure.message) < 500
    assert [error.code for error in files_with_evidence(tmp_path / "none").failures] == [
        "file.unavailable"
    ]


def test_folders_within_folders_take_no_stack(tmp_path, proof, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1500):
        os.mkdir("a")
        os.chdir("a")
    (Path() / "cat").write_bytes(b"a cat")
    (Path() / "cat.proof").write_bytes(serialize_proof(proof))
    try:
        (found,) = files_with_evidence(tmp_path).files
    finally:  # what clears old folders of tests away may need the stack
        os.unlink("cat")
        os.unlink("cat.proof")
        for _ in range(1500):
            os.chdir("..")
            os.rmdir("a")
    assert found.name == "cat"
