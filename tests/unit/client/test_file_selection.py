"""Which files are meant by what was typed."""

from __future__ import annotations

import os

import pytest

from anchor.client.file_selection import select_files
from anchor.errors import NotFoundError, StoreError, UsageError


def names(base, *typed):
    return [
        (str(path.relative_to(base)) if path.is_absolute() else str(path), error and type(error))
        for path, error in select_files(typed)
    ]


@pytest.fixture
def tree(tmp_path):
    for name in ("b.png", "a.png", "a.png.proof", "a.png.ots", ".hidden", "sub/c.txt", "sub/.x/d"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(name)
    (tmp_path / "link.png").symlink_to("a.png")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_folder_stands_for_its_regular_files_in_order(tree):
    assert names(tree, str(tree)) == [("a.png", None), ("b.png", None), ("sub/c.txt", None)]


def test_file_named_twice_comes_once_and_a_link_named_outright_is_taken(tree):
    typed = [str(tree / "b.png"), str(tree), str(tree / "link.png")]
    assert [name for name, _ in names(tree, *typed)] == ["b.png", "a.png", "sub/c.txt", "link.png"]


def test_evidence_named_outright_is_refused(tree):
    assert names(tree, str(tree / "a.png.proof")) == [("a.png.proof", UsageError)]


def test_pattern_is_expanded_only_where_no_file_has_that_name(tree):
    assert names(tree, str(tree / "*.png")) == [
        ("a.png", None),
        ("b.png", None),
        ("link.png", None),
    ]
    assert names(tree, str(tree / "**" / "*.txt")) == [("sub/c.txt", None)]
    (tree / "x[1].png").write_text("")
    assert names(tree, str(tree / "x[1].png")) == [("x[1].png", None)]
    assert names(tree, str(tree / "*.jpg")) == [("*.jpg", NotFoundError)]


def test_what_is_not_there_is_reported_and_the_rest_goes_on(tree):
    found = names(tree, str(tree / "none"), str(tree / "a.png"))
    assert found == [("none", NotFoundError), ("a.png", None)]


def test_folder_that_cannot_be_read_is_reported(tree, monkeypatch):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names(tree, str(tree))[-1] == ("sub", StoreError)


def test_broken_link_named_outright_is_taken_and_fails_when_it_is_read(tree):
    (tree / "broken").symlink_to("nowhere")
    assert names(tree, str(tree / "broken")) == [("broken", None)]
