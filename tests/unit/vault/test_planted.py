"""Whoever may write into the vault and has no key: nothing of theirs becomes the creator's."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from anchor.errors import SignatureError, StoreConflictError
from anchor.vault import Draft, Vault
from anchor.vault.entry import entry_of
from anchor.vault.key_records import revoke_key, rotate_key
from tests.unit.vault.conftest import Project
from tests.unit.vault.planting import PLANTED, STRANGER, forged_record, plant, tip_of


def refusal(action: Callable[[], Any]) -> StoreConflictError:
    with pytest.raises(StoreConflictError) as caught:
        action()
    return caught.value


# -- a record file without a key -------------------------------------------------------------------


@pytest.mark.parametrize("own_name", [False, True])
@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_record_is_refused_and_nothing_is_signed_on_top(
    project: Project, kind: str, own_name: bool
):
    project.note("mine")
    record = forged_record(project.vault, kind, key=STRANGER.thumbprint if own_name else None)
    plant(project.vault, record)
    path = project.vault.layout.record(2)
    for action in (
        lambda: project.note("after"),
        project.vault.refresh,
        lambda: Vault.open(project.work),
        lambda: Vault.open(project.work, fresh_index=True),
    ):
        error = refusal(action)
        assert error.code == "vault.not_signed"
        assert str(path) in error.message
        assert str(path) in error.hint
    assert not project.vault.layout.record(3).exists()
    assert project.vault.size in (0, 2)
    # The hint is true: without that file the vault is as it was.
    path.rename(project.work / "planted.sdjwt")
    with Vault.open(project.work) as vault:
        assert vault.size == 2
        project.recorder(vault).append(Draft("note", {"text": "after"}))
        (key,) = vault.project_keys().all()
        assert key.thumbprint == project.signer.thumbprint
    project.assert_sound()


def test_a_planted_record_with_others_below_it_asks_for_a_copy(project: Project):
    for number in range(3):
        project.note(f"{number}")
    path = project.vault.layout.record(1)
    jwt, *rest = path.read_text().split("~")
    path.chmod(0o644)
    path.write_text("~".join((f"{jwt.rpartition('.')[0]}.{'A' * 86}", *rest)))
    error = refusal(lambda: Vault.open(project.work, fresh_index=True))
    assert error.code == "vault.not_signed"
    assert "copy of the vault" in error.hint


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_record_that_is_in_the_index_too_is_refused(project: Project, kind: str):
    """The index is as easily written to as the folder."""
    project.note("mine")
    tip, record = tip_of(project.vault), forged_record(project.vault, kind)
    plant(project.vault, record)
    tip.append(record)
    project.vault.index.add([entry_of(record)], tip.to_bytes())
    assert refusal(lambda: project.note("after")).code == "vault.not_signed"
    assert refusal(lambda: Vault.open(project.work)).code == "vault.not_signed"
    assert not project.vault.layout.record(3).exists()


# -- rows of the index that no record stands for ---------------------------------------------------


def change_index(project: Project, statement: str, *values: Any) -> None:
    with sqlite3.connect(project.vault.layout.index) as db:
        db.execute(statement, values)
    db.close()


def test_keys_are_what_the_records_say_whatever_the_index_says(project: Project):
    project.note("one")
    rotate_key(project.vault, project.store, project.recovery)
    wanted = project.vault.project_keys().all()
    assert [key.ended_by for key in wanted] == [2, None]
    change_index(project, "UPDATE record SET kind = 'note' WHERE kind = 'key_rotate'")
    assert project.vault.project_keys().all() == wanted
    change_index(project, "UPDATE record SET kind = 'key_bind' WHERE seq = 1")
    assert project.vault.project_keys().all() == wanted


def test_a_key_that_was_ended_signs_nothing_more_though_the_index_forgot(project: Project):
    project.note("one")
    revoke_key(project.vault, project.recovery, project.signer.thumbprint)
    change_index(project, "UPDATE record SET kind = 'note' WHERE kind = 'key_revoke'")
    assert refusal(lambda: project.note("after")).code == "keys.not_in_force"


@pytest.mark.parametrize("hidden", [True, False])
def test_a_project_is_closed_when_its_records_say_so(project: Project, hidden: bool):
    project.note("one")
    if hidden:
        project.recorder().append(Draft("close", {}))
        change_index(project, "UPDATE record SET kind = 'note' WHERE kind = 'close'")
        assert refusal(lambda: project.note("after")).code == "vault.closed"
    else:
        change_index(project, "UPDATE record SET kind = 'close' WHERE seq = 1")
        project.note("after")
        project.assert_sound()


def test_a_content_is_recorded_only_where_a_record_names_it(project: Project):
    project.note("one")
    sha256 = hashlib.sha256(b"never recorded").digest()
    change_index(
        project, "INSERT INTO file VALUES (1, 0, 'output', 'b.png', 'image/png', 3, ?)", sha256
    )
    assert project.vault.index.where(sha256) == ["1.0"]
    assert project.vault.where(sha256) == []
    assert project.vault.index.where(sha256) == [], "the index was made anew"


def test_a_record_that_would_not_count_is_not_made(project: Project):
    """A key that was ended does not come back: verifiers say so, and so does the recorder."""
    rotate_key(project.vault, project.store, project.recovery)
    (signer,) = project.vault.project_keys().in_force()
    fields = {"public_key": project.signer.public_key.hex(), "key_role": "author"}
    with pytest.raises(SignatureError) as caught:
        project.recorder(signer=project.store.signer(signer.thumbprint)).append(
            Draft("key_bind", fields)
        )
    assert caught.value.code == "record.key_reused"
    project.recorder(signer=project.store.signer(signer.thumbprint)).append(
        Draft("note", {"text": "after"})
    )
    project.assert_sound()
