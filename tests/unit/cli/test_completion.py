"""``vestige completion``: scripts that the shells accept, with every verb and option in them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from anchor.cli.completion import completions


@pytest.fixture
def script(run):
    def make(shell: str) -> str:
        ran = run("completion", shell)
        assert ran.status == 0
        return ran.out

    return make


def test_every_verb_and_option_is_in_every_script(script):
    bash, zsh, fish = script("bash"), script("zsh"), script("fish")
    for verb, words in completions():
        for text in (bash, zsh):
            assert f"    {verb}) words=" in text
        assert f"-a {verb}\n" in fish
        for word, _ in words:
            assert word in bash
            assert f"-l {word[2:]}" in fish if word.startswith("--") else word[1:] in fish


def complete(script: str, *words: str) -> set[str]:
    """Return what bash would propose for the last word."""
    typed = " ".join(f"'{word}'" for word in words)
    program = (
        f"{script}\nCOMP_WORDS=(vestige {typed})\nCOMP_CWORD={len(words)}\n"
        '_vestige\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_bash_completes_verbs_options_and_choices(script, require):
    require(shutil.which("bash"), "the bash command is missing")
    text = script("bash")
    assert {"stamp", "verify", "upgrade", "demo", "serve"} <= complete(text, "")
    assert complete(text, "ver") == {"verify"}
    assert complete(text, "verify", "--o") == {"--online"}
    assert "default" in complete(text, "policy", "d")
    assert complete(text, "-q", "verify", "--bef") == {"--before"}
    assert complete(text, "stamp", "--wait", "") == {"pending", "anchored", "final"}
    assert complete(text, "stamp", "a.png", "--wait", "f") == {"final"}
    assert "-l wait -x -a 'pending anchored final'" in script("fish")


def test_unknown_shell_is_wrong_use(run):
    assert run("completion", "tcsh").status == 2
