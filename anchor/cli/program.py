"""The program around the verbs: parser, dispatch, errors to exit statuses.

``serve`` and ``demo`` belong to the service, which this package may not import: they are found by
the entry points of group ``anchor.commands``. Such a command is a callable that takes the arguments
after its name and returns an exit status; ``build_parser`` in its module makes its parser, for help
and completion.
"""

from __future__ import annotations

import argparse
import difflib
import gc
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, NoReturn

from anchor.cli import _exit_status
from anchor.cli._output import Output
from anchor.errors import ConfigError, UsageError, VestigeError

_GROUP: Final = "anchor.commands"
_DEBUG: Final = "VESTIGE_DEBUG"
_HELP: Final = "help"
# One command lives for moments: collecting cycles while modules load costs more than it frees.
_COLLECT_EVERY: Final = 50_000
_EXTRAS: Final = {
    "httpx": "client", "keyring": "recorder", "web3": "evm", "eth_tester": "demo",
    "typst": "exhibit", "pyhanko": "exhibit", "PIL": "exhibit",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of this package: its module has ``add_arguments(parser)`` and ``run(args, out)``."""

    name: str
    summary: str
    module: str


VERBS: Final = (
    Verb("stamp", "put the digests of files into the log and write their proofs", "stamp"),
    Verb("upgrade", "fetch the evidence that was added to proofs since", "upgrade"),
    Verb("verify", "say what a proof shows; offline unless told otherwise", "verify"),
    Verb("inspect", "print every step of a proof so that a person can redo it", "inspect"),
    Verb("init", "make a vault in this folder: the records of one project", "init"),
    Verb("add", "record files: images from a generator, or what --as says", "add"),
    Verb("watch", "record every new image of a folder as it is written", "watch"),
    Verb("prompt", "record an instruction", "prompt"),
    Verb("idea", "record what was thought", "note"),
    Verb("note", "record a remark", "note"),
    Verb("sketch", "record a draft made by hand", "sketch"),
    Verb("select", "record a choice and what was not chosen", "choose"),
    Verb("edit", "record a change by hand, or of a region", "edit"),
    Verb("final", "record the finished work", "final"),
    Verb("publish", "record where the work was first shown", "publish"),
    Verb("record", "make a record of a kind that has no verb of its own", "record"),
    Verb("correct", "say that an earlier record was wrong", "correct"),
    Verb("close", "end the project: no more records", "close"),
    Verb("log", "show the records and how they came from each other", "log"),
    Verb("show", "show one record whole", "show"),
    Verb("status", "say how the vault stands: queue, proofs, key", "status"),
    Verb("export", "make the exhibit that a court and the other side get", "export"),
    Verb("send", "send what is queued and fetch what was added to proofs", "send"),
    Verb("keys", "list, replace, revoke or export signing keys", "keys"),
    Verb("adopt", "make a copy of a vault go on here", "adopt"),
    Verb("rebuild", "read a vault again and say what is wrong with it", "rebuild"),
    Verb("policy", "show or check what a verifier trusts", "policy"),
    Verb("admin", "look after a service: status, rounds, backup, fsck, force", "admin"),
    Verb("completion", "print the completion script of a shell", "completion"),
)
EXTERNAL_VERBS: Final = {
    "demo": "the whole job on this machine: record, anchor, verify offline",
    "serve": "run the service: the log, the anchorer, the HTTP interface",
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are UsageErrors."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print, with the nearest known option."""
        raise UsageError(message, hint=self._nearest(message) or f"see {self.shown} --help")

    @property
    def shown(self) -> str:
        """Return the words that lead to the help of what was typed."""
        return self.prog

    def options(self) -> list[str]:
        """Return every option that may stand here."""
        return [option for action in self._actions for option in action.option_strings]

    def _nearest(self, message: str) -> str | None:
        wrong = message.partition("unrecognized arguments: ")[2].split()
        if not wrong or not wrong[0].startswith("-"):
            return None
        near = difflib.get_close_matches(wrong[0].partition("=")[0], self.options(), n=1)
        return f"the nearest known option is {near[0]}; see {self.shown} --help" if near else None


class _Program(Parser):
    """The parser of the whole command line; ``verb`` is the one that was typed."""

    verb: Parser | None = None

    def format_help(self) -> str:
        """Return the verbs in groups."""
        from anchor.cli._help import overview

        return overview({**{verb.name: verb.summary for verb in VERBS}, **EXTERNAL_VERBS})

    @property
    def shown(self) -> str:
        """Return the program's name and the verb's."""
        return self.prog if self.verb is None else self.verb.prog

    def options(self) -> list[str]:
        """Return the options of the verb that was typed, or of the program."""
        return super().options() if self.verb is None else self.verb.options()


def run_program(argv: Sequence[str] | None = None) -> int:
    """Run one command; see :func:`anchor.cli.main`."""
    gc.set_threshold(_COLLECT_EVERY)
    words = list(sys.argv[1:] if argv is None else argv)
    out = Output(as_json="--json" in words, quiet=bool({"-q", "--quiet"} & set(words)))
    try:
        return _run(words, out)
    except ModuleNotFoundError as error:
        return _failed(_missing(error), out)
    except VestigeError as error:
        return _failed(error, out)
    except SystemExit as exit_:
        return int(exit_.code or 0)  # --help has printed and is done
    except KeyboardInterrupt:
        out.error("interrupted")
        return _exit_status.INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has gone; Python must not try to flush to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _exit_status.BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, no traceback
        return _unexpected(error, out)


def error_to_json(error: VestigeError) -> dict[str, str | None]:
    """Return an error as it stands in ``--json`` output."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


def build_parser(only: str | None = None) -> Parser:
    """Return the parser, with the arguments of one verb or (None) of every verb of this package."""
    common = common_arguments()
    parser = _Program(
        prog="vestige",
        description="Leave traces of a creative process that a court can check.",
        parents=[common],
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", parser_class=Parser)
    for verb in VERBS:
        child = verbs.add_parser(
            verb.name, help=verb.summary, description=_capital(verb.summary), parents=[common]
        )
        if only is None or only == verb.name:
            _module(verb).add_arguments(child)
        if only == verb.name:
            parser.verb = child
    for name, summary in EXTERNAL_VERBS.items():
        verbs.add_parser(name, help=summary, add_help=False)
    return parser


def common_arguments() -> Parser:
    """Return a parser to be used as a parent: what every verb takes."""
    common = Parser(add_help=False)
    common.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="write one JSON object instead of text",
    )
    common.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        default=argparse.SUPPRESS,
        help="write results and errors only",
    )
    return common


def external_command(name: str) -> Callable[[Sequence[str]], int]:
    """Return a command that another package brings.

    Raises:
        ConfigError: it is not installed, or what it needs is not.
    """
    command: Callable[[Sequence[str]], int] = _external(name, None)
    return command


def external_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of such a command; errors as :func:`external_command`."""
    parser: argparse.ArgumentParser = _external(name, "build_parser")()
    return parser


def _external(name: str, attribute: str | None) -> Any:
    """Return the command, or something else that stands in its module."""
    from importlib.metadata import entry_points

    found = next(iter(entry_points(group=_GROUP, name=name)), None)
    if found is None:
        raise ConfigError(
            f"vestige {name} is not installed",
            code="config.missing",
            hint="install it with: pip install 'vestige[all]'",
        )
    try:
        return getattr(import_module(found.module), attribute or found.attr)
    except ModuleNotFoundError as error:
        raise _missing(error) from error


def _run(words: list[str], out: Output) -> int:
    verb = next((word for word in words if not word.startswith("-")), None)
    if verb == _HELP:
        # vestige help, vestige help stamp: as --help, which people may not know yet.
        words.remove(verb)
        words.append("--help")
        verb = next((word for word in words if not word.startswith("-")), None)
    if verb in EXTERNAL_VERBS:
        position = words.index(verb)
        return external_command(verb)(words[:position] + words[position + 1 :])
    known = {item.name: item for item in VERBS}
    if verb is not None and verb not in known:
        near = difflib.get_close_matches(verb, [*known, *EXTERNAL_VERBS], n=1)
        hint = f"the nearest known verb is {near[0]}" if near else "see vestige --help"
        if verb == "version":
            hint = "vestige --version prints it"
        raise UsageError(f"there is no verb {verb!r}", code="usage.verb", hint=hint)
    parser = build_parser(verb or "")
    args = parser.parse_args(words)
    if args.version:
        return _version(out)
    if verb is None:
        parser.print_help()
        return _exit_status.USAGE
    status: int = _module(known[verb]).run(args, out)
    return status


def _version(out: Output) -> int:
    from importlib.metadata import version

    out.line(f"vestige {version('vestige')}")
    out.object({"version": version("vestige")})
    return _exit_status.OK


def _failed(error: VestigeError, out: Output) -> int:
    if os.environ.get(_DEBUG):
        traceback.print_exc()
    status = _exit_status.exit_status_of(error)
    out.error(error)
    out.object({"error": error_to_json(error), "exit_status": status})
    return status


def _missing(error: ModuleNotFoundError) -> ConfigError:
    """Say which of the distribution's extras brings a package that is not there."""
    package = (error.name or "?").partition(".")[0]
    extra = _EXTRAS.get(package, "all")
    return ConfigError(
        f"this needs the package {package}, which is not installed",
        code="config.missing",
        hint=f"install it with: pip install 'vestige[{extra}]'",
    )


def _unexpected(error: Exception, out: Output) -> int:
    if os.environ.get(_DEBUG):
        traceback.print_exc()
    message = f"unexpected {type(error).__name__}: {error}"
    hint = f"this is a fault of vestige: please report it, with what {_DEBUG}=1 makes it print"
    out.error(message, hint)
    value = {"code": "unexpected", "message": message, "hint": hint}
    out.object({"error": value, "exit_status": _exit_status.UNREADABLE})
    return _exit_status.UNREADABLE


def _module(verb: Verb) -> Any:
    return import_module(f"anchor.cli.{verb.module}")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
