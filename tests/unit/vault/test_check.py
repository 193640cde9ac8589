"""A vault that is read again: sound, or what is wrong with it, by record."""

from __future__ import annotations

import shutil

import pytest

from anchor.errors import StoreConflictError
from anchor.vault import Attachment, Draft
from anchor.vault.check import check_vault
from tests.unit.vault.conftest import Project


@pytest.fixture
def filled(project: Project) -> Project:
    for number in range(4):
        path = project.write(f"{number}.png", b"\x89PNG\r\n\x1a\n%d" % number)
        project.recorder().append(Draft("generation", {}, (Attachment("output", path),)))
    return project


def codes(project: Project, **more) -> list[tuple[int | None, str]]:
    return [(p.seq, p.code) for p in check_vault(project.vault, **more).problems]


def test_a_sound_vault_has_no_problems(filled: Project):
    steps = []
    report = check_vault(filled.vault, originals=True, step=lambda: steps.append(1))
    assert report.problems == ()
    assert (report.records, report.originals, report.complete_up_to) == (5, 4, 4)
    assert len(steps) == 9


def original(project: Project, seq: int):
    entry = project.vault.index.entry(seq)
    path = project.vault.layout.object(entry.files[0].sha256)
    path.chmod(0o644)
    return path


def test_a_lost_or_cut_original_is_named(filled: Project):
    original(filled, 2).unlink()
    original(filled, 3).write_bytes(b"cut")
    assert codes(filled) == [(2, "file.not_found"), (3, "vault.object_changed")]


def test_a_changed_original_of_the_same_size_needs_reading(filled: Project):
    path = original(filled, 2)
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    assert codes(filled) == []
    assert codes(filled, originals=True) == [(2, "vault.object_changed")]


@pytest.mark.parametrize("what", ["payload", "signature", "disclosure", "cut", "noise"])
def test_a_changed_record_is_named(filled: Project, what: str):
    path = filled.vault.layout.record(2)
    path.chmod(0o644)
    jwt, *rest = path.read_text().split("~")
    header, payload, signature = jwt.split(".")
    if what == "payload":
        payload = payload.replace(payload[40], "A" if payload[40] != "A" else "B", 1)
    elif what == "signature":
        signature = ("A" if signature[0] != "A" else "B") + signature[1:]
    elif what == "disclosure":
        rest[0] = rest[0][:-8] + "AAAAAAAA"
    text = "~".join((f"{header}.{payload}.{signature}", *rest))
    text = {"cut": text[:300], "noise": "noise"}.get(what, text)
    path.write_text(text)
    found = codes(filled)
    assert found
    assert 2 in {seq for seq, _ in found} or 3 in {seq for seq, _ in found}


def test_a_record_of_another_project_in_the_place_of_one_is_named(filled: Project, begin):
    other = begin("other")
    for text in "abc":
        other.note(text)
    path = filled.vault.layout.record(2)
    path.unlink()
    shutil.copy(other.vault.layout.record(2), path)
    assert 2 in {seq for seq, _ in codes(filled)}


def test_a_hole_is_an_error(filled: Project):
    filled.vault.layout.record(2).unlink()
    with pytest.raises(StoreConflictError):
        check_vault(filled.vault)


def test_fields_that_are_gone_from_a_record_are_named(filled: Project):
    """The signature holds without them; the words and their salts are lost all the same."""
    filled.note("what only this file holds")
    path = filled.vault.layout.record(5)
    path.chmod(0o644)
    path.write_text(path.read_text().partition("~")[0] + "~")
    assert codes(filled) == [(5, "vault.fields_missing")]
    (problem,) = check_vault(filled.vault, originals=True).problems
    assert problem.reason.startswith("1 of its 1 hidden fields is gone")


def test_a_lost_file_entry_is_named(filled: Project):
    path = filled.vault.layout.record(2)
    path.chmod(0o644)
    jwt, *_rest = path.read_text().split("~")
    path.write_text(f"{jwt}~")
    assert codes(filled) == [(2, "vault.fields_missing")]
