"""Where records and their proofs are found, and what is said of those that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anchor import limits
from anchor.client import record_evidence
from anchor.client.record_evidence import (
    find_proof,
    load_records,
    record_paths,
    vault_records_above,
)
from anchor.errors import (
    FormatError,
    LimitExceededError,
    NotFoundError,
    StoreError,
    VerificationError,
)
from tests.parts.record_folder import text_of, write_records
from tests.recorder import proven, whole_project

WHOLE = whole_project()
ITEMS = proven(WHOLE.records)


@pytest.mark.parametrize(
    ("proofs", "suffix"), [("../proofs", ""), (".", ""), (".", ".sdjwt")], ids=str
)
def test_proofs_are_found_where_a_vault_or_a_person_puts_them(tmp_path, proofs, suffix):
    paths = write_records(tmp_path / "records", ITEMS, proofs=proofs, suffix=suffix)
    loaded = load_records(paths)
    assert loaded.failures == ()
    assert [file.item for file in loaded.files] == ITEMS


def test_proofs_folder_only_counts_beside_a_folder_of_records(tmp_path):
    paths = write_records(tmp_path / "other", ITEMS[:1])
    assert find_proof(paths[0]) is None
    assert load_records(paths).files[0].item.proof is None


def test_folder_stands_for_its_records_or_its_vaults(tmp_path):
    paths = write_records(tmp_path / ".vestige" / "records", ITEMS)
    for folder in (tmp_path, tmp_path / ".vestige", tmp_path / ".vestige" / "records"):
        assert record_paths(folder) == paths
    assert record_paths(tmp_path / ".vestige" / "proofs") == []
    (tmp_path / ".vestige" / "records" / ".hidden.sdjwt").write_text("x")
    (tmp_path / ".vestige" / "records" / "folder.sdjwt").mkdir()
    os.mkfifo(tmp_path / ".vestige" / "records" / "pipe.sdjwt")
    assert record_paths(tmp_path) == paths
    assert vault_records_above(tmp_path / "a" / "b.png") == paths
    assert vault_records_above(Path("/none/at/all")) == []


def test_folder_that_is_not_there_or_holds_too_much(tmp_path, monkeypatch):
    with pytest.raises(StoreError):
        record_paths(tmp_path / "none")
    write_records(tmp_path, ITEMS)
    monkeypatch.setattr(limits, "MAX_PROJECT_RECORDS", 3)
    with pytest.raises(LimitExceededError):
        record_paths(tmp_path)


def altered_ending(text: str) -> str:
    """Return a record whose signature ends in another character that decodes to the same bytes."""
    head, _, rest = text.partition("~")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = letters[letters.index(head[-1]) ^ 1]
    return f"{head[:-1]}{last}~{rest}"


GOOD = text_of(WHOLE.records[5])
FOREIGN = text_of(WHOLE.records[1]).split("~")[1]
BROKEN = {
    "empty": (b"", FormatError),
    "binary": (bytes(range(256)) * 40, FormatError),
    "five megabytes of binary": (b"\xff" * (5 << 20), FormatError),
    "five megabytes of text": (b"A" * (5 << 20), FormatError),
    "five megabytes of tildes": (b"~" * (5 << 20), FormatError),
    "five megabytes of dots": (b"." * (5 << 20) + b"~", FormatError),
    "cut in the payload": (GOOD[:200].encode(), FormatError),
    "cut in a disclosure": (GOOD[:-9].encode(), FormatError),
    "line end": (GOOD.encode() + b"\n", FormatError),
    "two of them": (GOOD.encode() * 2, FormatError),
    "altered ending of the signature": (altered_ending(GOOD).encode(), FormatError),
    "unreferenced disclosure": (f"{GOOD}{FOREIGN}~".encode(), VerificationError),
    "repeated disclosure": (f"{GOOD}{GOOD.split('~')[1]}~".encode(), VerificationError),
    "json": (b'{"version": 1}', FormatError),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("what", BROKEN)
def test_record_that_is_broken_is_named_in_one_line(tmp_path, what):
    data, kind = BROKEN[what]
    path = tmp_path / "00000005.sdjwt"
    path.write_bytes(data)
    loaded = load_records([path])
    assert loaded.files == ()
    ((where, error),) = loaded.failures
    assert where == path
    assert isinstance(error, kind)
    assert isinstance(error, FormatError) is (kind is FormatError)
    assert error.message.startswith(f"{path}: ")
    assert "\n" not in error.message
    assert len(error.message) < len(str(path)) + 200


def test_larger_than_any_record_and_no_file_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_RECORD_BYTES", 1000)
    path = tmp_path / "a.sdjwt"
    path.write_bytes(b"A" * 1001)
    os.mkfifo(tmp_path / "pipe.sdjwt")
    loaded = load_records([path, tmp_path / "pipe.sdjwt", tmp_path / "none.sdjwt"])
    kinds = [type(error) for _, error in loaded.failures]
    assert kinds == [LimitExceededError, StoreError, NotFoundError]


def test_record_whose_proof_cannot_be_read_is_given_without_it(tmp_path):
    (path,) = write_records(tmp_path, ITEMS[:1], proofs=".")
    path.with_suffix(".proof").write_bytes(b"{")
    loaded = load_records([path])
    assert [file.item.proof for file in loaded.files] == [None]
    assert loaded.failures[0][1].message.startswith(str(path.with_suffix(".proof")))


def test_proof_that_is_named_counts_before_the_one_beside(tmp_path):
    (path,) = write_records(tmp_path, ITEMS[:1], proofs=".")
    named = tmp_path / "elsewhere"
    path.with_suffix(".proof").rename(named)
    write_records(tmp_path, ITEMS[:1], proofs=".")
    path.with_suffix(".proof").write_bytes(b"{")
    assert load_records([path], proof=named).files[0].item == ITEMS[0]
    assert record_evidence.find_proof(path) == path.with_suffix(".proof")
