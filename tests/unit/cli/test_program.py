"""The program around the verbs: dispatch, errors to exit statuses, the last line of defence."""

from __future__ import annotations

import io
import sys
import types

import pytest

from anchor import errors
from anchor.cli import _exit_status, main, program
from anchor.cli._exit_status import EXIT_STATUS, exit_status_of, worst_status
from anchor.errors import ConfigError, VestigeError


def every_error() -> list[type[VestigeError]]:
    found, todo = [], [VestigeError]
    while todo:
        kind = todo.pop()
        found.append(kind)
        todo += kind.__subclasses__()
    return found


def test_every_error_class_has_an_exit_status_that_verify_knows():
    for kind in every_error():
        assert exit_status_of(kind("x")) in range(1, 7), kind


def test_every_class_of_the_hierarchys_first_floor_has_a_row_of_its_own():
    for kind in VestigeError.__subclasses__():
        if kind.__module__ == errors.__name__:
            assert kind in EXIT_STATUS, kind


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.TruncatedError, 5),
        (errors.InclusionError, 1),
        (errors.PolicyNotMetError, 4),
        (errors.IncompleteProofError, 3),
        (errors.BackendUnavailableError, 5),
        (errors.StoreUnavailableError, 5),
        (errors.LogIntegrityError, 1),
        (errors.ConfigError, 2),
        (errors.UsageError, 2),
        (errors.NotFoundError, 5),
    ],
)
def test_statuses_are_those_of_the_surface(kind, status):
    assert exit_status_of(kind("x")) == status


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 3], 3),
        ([3, 4, 0], 4),
        ([4, 6, 3], 6),
        ([6, 1], 1),
        ([1, 5], 5),
        ([5, 2, 1], 2),
    ],
)
def test_worst_status_follows_the_precedence(statuses, worst):
    assert worst_status(statuses) == worst


def test_no_verb_prints_the_help_and_is_wrong_use(run):
    ran = run()
    assert ran.status == 2
    assert ran.out.startswith("usage: vestige")
    for verb in (*(item.name for item in program.VERBS), *program.EXTERNAL_VERBS):
        assert verb in ran.out


@pytest.mark.parametrize("verb", [item.name for item in program.VERBS])
def test_every_verb_has_help(run, verb):
    ran = run(verb, "--help")
    assert ran.status == 0
    assert "--json" in ran.out


def test_version_is_the_distributions(run):
    assert run("--version").out == "vestige 0.1.0\n"
    assert run("--version", "--json").json == {"version": "0.1.0"}


def test_mistyped_verb_names_the_nearest(run):
    ran = run("verfy", "x")
    assert (ran.status, ran.out) == (2, "")
    assert "no verb 'verfy'" in ran.err
    assert "vestige: hint: the nearest known verb is verify" in ran.err


def test_wrong_arguments_are_errors_in_our_voice(run):
    ran = run("verify")
    assert ran.status == 2
    assert ran.err.splitlines() == [
        "vestige: error: the following arguments are required: PATH",
        "vestige: hint: see vestige verify --help",
    ]


def test_options_are_not_guessed_from_their_beginnings(run):
    assert run("verify", "--poli", "x", "y").status == 2


def test_errors_are_an_object_under_json(run):
    ran = run("verfy", "--json")
    assert ran.json == {
        "error": {
            "code": "usage.verb",
            "message": "there is no verb 'verfy'",
            "hint": "the nearest known verb is verify",
        },
        "exit_status": 2,
    }
    assert "vestige: error:" in ran.err


def fail_with(monkeypatch, error: BaseException) -> None:
    def raise_it(*_):
        raise error

    monkeypatch.setattr(program, "_run", raise_it)


def test_unexpected_exception_is_one_line_and_how_to_report_it(run, monkeypatch):
    fail_with(monkeypatch, KeyError("x\x1b"))
    ran = run("verify", "x")
    assert ran.status == 5
    lines = ran.err.splitlines()
    assert len(lines) == 2
    assert "unexpected KeyError" in lines[0]
    assert "VESTIGE_DEBUG=1" in lines[1]
    assert "Traceback" not in ran.err
    assert run("verify", "x", "--json").json["error"]["code"] == "unexpected"


@pytest.mark.parametrize("error", [KeyError("x"), ConfigError("x")])
def test_debugging_shows_where_it_happened(run, monkeypatch, error):
    fail_with(monkeypatch, error)
    monkeypatch.setenv("VESTIGE_DEBUG", "1")
    assert "Traceback" in run("verify", "x").err


def test_interrupt_is_130(run, monkeypatch):
    fail_with(monkeypatch, KeyboardInterrupt())
    assert run("verify", "x").status == _exit_status.INTERRUPTED


def test_reader_that_went_away_is_no_error(monkeypatch):
    fail_with(monkeypatch, BrokenPipeError())
    redirected = []
    monkeypatch.setattr(program.os, "dup2", lambda *pair: redirected.append(pair))
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1, raising=False)
    assert main(["verify", "x"]) == _exit_status.BROKEN_PIPE
    assert len(redirected) == 1


def test_command_of_another_package_that_is_missing_says_how_to_get_it(run, monkeypatch):
    import importlib.metadata

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: ())
    ran = run("serve")
    assert ran.status == 2
    assert "pip install 'vestige[all]'" in ran.err


class Found:
    """An entry point to a module that a test made up."""

    attr = "serve"

    def __init__(self, module: str) -> None:
        self.module = module


@pytest.fixture
def found(monkeypatch):
    """Return a function that makes every entry point lead to one module."""
    import importlib.metadata

    def lead_to(module: str) -> None:
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: (Found(module),))

    return lead_to


def test_command_of_another_package_gets_every_word_but_its_name(run, found, monkeypatch):
    seen = []
    module = types.ModuleType("made_up")
    module.serve = lambda words: seen.append(list(words)) or 7
    monkeypatch.setitem(sys.modules, "made_up", module)
    found("made_up")
    assert run("--json", "serve", "--port", "0", "-q").status == 7
    assert seen == [["--json", "--port", "0", "-q"]]


def test_command_whose_packages_are_missing_names_the_first(run, found):
    found("no_such_package")
    ran = run("serve")
    assert ran.status == 2
    assert "needs the package no_such_package" in ran.err


def test_package_that_an_extra_brings_is_named_with_the_extra(run, monkeypatch):
    fail_with(monkeypatch, ModuleNotFoundError("No module named 'httpx'", name="httpx"))
    ran = run("stamp", "x")
    assert ran.status == 2
    assert "pip install 'vestige[client]'" in ran.err


# -- help ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("help",), ("--help",), ("-h",), ("-q", "help")])
def test_help_lists_every_verb_in_a_group(run, words):
    ran = run(*words)
    assert ran.status == (0 if words else 2)
    assert (ran.err, ran.out.startswith("usage: vestige VERB")) == ("", True)
    listed = [line.split()[0] for line in ran.out.splitlines() if line.startswith("  ")]
    for verb in (*(item.name for item in program.VERBS), *program.EXTERNAL_VERBS):
        assert listed.count(verb) == 1, verb
    assert max(map(len, ran.out.splitlines())) <= 80
    besides = ran.out.partition("besides:")[2].partition("options:")[0].split("\n")
    assert [line.split()[0] for line in besides if line.strip()] == ["completion"]


@pytest.mark.parametrize("verb", ["stamp", "demo", "admin"])
def test_help_of_a_verb(run, verb):
    assert run("help", verb).out == run(verb, "--help").out
    assert f"usage: vestige {verb}" in run("help", verb).out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            ("stamp", "a", "--wiat", "final"),
            "the nearest known option is --wait; see vestige stamp",
        ),
        (("stamp", "a", "--wiat=final"), "the nearest known option is --wait"),
        (("stamp", "a", "--qqqqqq"), "see vestige stamp --help"),
        (("--versoin",), "the nearest known option is --version; see vestige --help"),
        (("stmap", "a"), "the nearest known verb is stamp"),
        (("help", "stmap"), "the nearest known verb is stamp"),
        (("version",), "vestige --version prints it"),
        (("xyzzy",), "see vestige --help"),
        (("stamp", "--wait", "finl"), "see vestige stamp --help"),
    ],
)
def test_what_was_mistyped_is_answered_with_the_nearest(run, words, hint):
    ran = run(*words)
    assert ran.status == 2
    assert f"vestige: hint: {hint}" in ran.err


def test_version_is_one_line(run):
    assert run("--version").out.startswith("vestige 0.")
