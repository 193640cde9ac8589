"""Commands to type next begin with the words that start this program here."""

from __future__ import annotations

import sys

import pytest

from anchor.cli._called import called_as


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Return a program called ``vestige`` in a folder that is not on PATH."""
    path = tmp_path / "a b" / "vestige"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(path)])
    return path


def test_a_program_that_is_not_on_the_path_is_named_as_it_was_called(program, monkeypatch):
    assert called_as() == f"'{program}'"
    monkeypatch.chdir(program.parent.parent)
    monkeypatch.setattr(sys, "argv", ["a b/vestige"])
    assert called_as() == "'a b/vestige'"


def test_one_that_is_on_the_path_has_its_short_name(program, monkeypatch):
    monkeypatch.setenv("PATH", str(program.parent))
    assert called_as() == "vestige"


def test_another_one_on_the_path_is_not_meant(program, tmp_path):
    other = tmp_path / "vestige"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    assert called_as() == f"'{program}'"


def test_a_module_is_called_as_such(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/anchor/cli/__main__.py"])
    assert called_as() == f"{sys.executable} -m anchor.cli"


def test_in_a_process_that_is_something_else_it_is_the_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest"])
    assert called_as() == "vestige"
