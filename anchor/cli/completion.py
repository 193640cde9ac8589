"""``vestige completion``: the completion script of a shell, made from the parser itself."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Final

from anchor.cli import _exit_status
from anchor.cli._output import Output
from anchor.cli.program import EXTERNAL_VERBS, build_parser, external_parser
from anchor.errors import ConfigError

_SHELLS: Final = ("bash", "zsh", "fish")

_BASH: Final = """\
# bash completion of vestige: eval "$(vestige completion bash)"
_vestige() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" verb="" item
  for item in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$item" in -*) ;; *) verb="$item"; break ;; esac
  done
  local words=""
  case "$verb $before" in
{values}
  esac
  if [[ -n "$words" ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  case "$verb" in
    "") words="{verbs} --help --version" ;;
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [[ -n "$verb" && "$word" != -* ]]; then
    COMPREPLY+=($(compgen -f -- "$word"))
  fi
}}
complete -o filenames -F _vestige vestige
"""
_ZSH_HEAD: Final = """\
#compdef vestige
# zsh completion of vestige: eval "$(vestige completion zsh)"
autoload -U +X bashcompinit && bashcompinit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``completion``."""
    parser.add_argument("shell", choices=_SHELLS, help="the shell to complete in")


def run(args: argparse.Namespace, out: Output) -> int:
    """Print the script."""
    verbs = dict(completions())
    script = _fish(verbs) if args.shell == "fish" else _bash(verbs)
    out.raw(((_ZSH_HEAD if args.shell == "zsh" else "") + script).encode())
    return _exit_status.OK


def completions() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each verb with its options and fixed words, each with its help."""
    for name, parser in verb_parsers().items():
        words = []
        for action in parser._actions:
            text = "" if action.help is argparse.SUPPRESS else (action.help or "")
            words += [(option, text) for option in action.option_strings]
            if not action.option_strings and action.choices:
                words += [(str(choice), "") for choice in action.choices]
        yield name, words


def option_values() -> Iterator[tuple[str, str, list[str]]]:
    """Yield each verb and option that takes one word of a few, with those words."""
    for name, parser in verb_parsers().items():
        for action in parser._actions:
            for option in action.option_strings if action.choices else ():
                yield name, option, [str(choice) for choice in action.choices or ()]


def verb_parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each verb, those of other packages too where they are installed."""
    parsers: dict[str, argparse.ArgumentParser] = {}
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers.update(action.choices)
    for name in EXTERNAL_VERBS:
        with contextlib.suppress(ConfigError):
            parsers[name] = external_parser(name)
    return parsers


def _bash(verbs: dict[str, list[tuple[str, str]]]) -> str:
    cases = "\n".join(
        f'    {name}) words="{" ".join(word for word, _ in words)}" ;;'
        for name, words in verbs.items()
    )
    values = "\n".join(
        f'    "{name} {option}") words="{" ".join(words)}" ;;'
        for name, option, words in option_values()
    )
    return _BASH.format(verbs=" ".join(verbs), cases=cases, values=values)


def _fish(verbs: dict[str, list[tuple[str, str]]]) -> str:
    lines = ["# fish completion of vestige: vestige completion fish | source"]
    values = {(name, option): words for name, option, words in option_values()}
    for name, words in verbs.items():
        lines.append(f"complete -c vestige -n __fish_use_subcommand -a {name}")
        seen = f"-n '__fish_seen_subcommand_from {name}'"
        for word, text in words:
            described = f" -d {_quoted(text)}" if text else ""
            flag = f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}"
            kind = flag if word.startswith("-") else f"-a {word}"
            known = values.get((name, word), [])
            takes = f" -x -a {_quoted(' '.join(known))}" if known else ""
            lines.append(f"complete -c vestige {seen} {kind}{takes}{described}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
