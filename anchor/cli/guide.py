"""The guide to the commands, its tables written from the parsers themselves.

``docs/guides/commands.md`` is this text; a test compares the two. To write it anew::

    python -m anchor.cli.guide > docs/guides/commands.md
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Final

from anchor.cli._recorder_notes import RECORDER_NOTES
from anchor.cli.completion import verb_parsers
from anchor.cli.program import EXTERNAL_VERBS, VERBS

_HEAD: Final = """\
# Commands

`vestige VERB --help` shows what stands here. Every verb takes `--json` (one object on standard
output instead of text) and `-q` (results and errors only). Errors and hints go to standard error,
as `vestige: error: …` and `vestige: hint: …`. `vestige help` lists the verbs in groups. Work of
more than a second shows its progress on a terminal and is silent in a pipe. `NO_COLOR` is obeyed;
colour never stands alone.

| variable | meaning |
|---|---|
| `VESTIGE_SERVER` | the service, with its password if there is one; default this machine |
| `VESTIGE_POLICY` | the policy that verdicts are given under; default the one of this release |
| `VESTIGE_DATA` | the data folder that `admin` reads; default `vestige-data` |
| `VESTIGE_DEBUG` | any value: show where in the program an error was raised |
| `VESTIGE_OFFLINE` | any value: verbs that record do not send |
| `VESTIGE_KEYS` | where new signing keys go: `keyring`, `file`, or `auto` (the default) |
| `VESTIGE_PASSPHRASE_FILE` | holds the passphrase of signing keys in files; new keys go there too |
| `XDG_STATE_HOME` | in `vestige/` there: what is remembered of logs, vaults and services |
| `XDG_DATA_HOME` | in `vestige/keys` there: the signing keys |

## Exit statuses

The same for every verb; several inputs give the first of 2, 5, 1, 6, 4, 3, 0 that any of them gave.

| status | meaning |
|---|---|
| 0 | done; of `verify`: verified (and, if asked, before the time) |
| 1 | something is false: the file, the opening, the log, an attestation, a receipt, a checkpoint |
| 2 | wrong use |
| 3 | pending: nothing verified yet, nothing false; of `--wait`: not there in time |
| 4 | not checked: evidence is there, and what it needs was not given or is not trusted |
| 5 | could not be read, or an outside system failed |
| 6 | asked for a time, and genuine evidence does not show it |
| 130, 141 | interrupted; whoever read the output has gone |

## The ladder

`vestige verify` prints a sentence, and below it a row for each attestation, earliest bound first:
what it is, the upper bound with its tolerance applied (UTC), the word, whom one has to believe.

```
cat-07.png existed before 2026-11-23 10:02:08 UTC                       ✓ verified
  RFC 3161    before 2026-11-23 10:02:08   ✓ verified     believe Example TSA (root a1b2c3d4…)
  ethereum    before 2026-11-23 10:04:31   ✓ verified     believe that block 24113902 is canonical
  bitcoin     –                            … pending      calendar alice; usually within 12 hours
  not before  2026-11-23 07:58:10          ✓ verified     Bitcoin block 976101, minus 2 hours
```

✓ verified · ✕ failed · … pending · ○ not checked. Where the terminal cannot show the signs, `+`,
`x`, `...` and `o` stand for them.
"""

_NOTES: Final = {
    **RECORDER_NOTES,
    "stamp": """\
A file's entry in the log is `SHA-256(SHA-256(file) ‖ nonce)` with 16 random bytes, so that the log
does not tell who holds a known file. The receipt is verified before `FILE.proof` is written: the
checkpoint under the log's known key, its consistency with the newest one seen (a log's key is taken
on first use, unless the policy has it), and the inclusion proof, made from the log's tiles.

A proof that is there already is kept if it is of the same content and never overwritten if not, so
the same command can be given again after an interruption. In a folder, what begins with a dot,
symbolic links and evidence are passed over. A file that fails does not stop the others. Of two
commands that stamp one file at the same moment, one writes the proof and the other says so. A proof
that is a link to another folder is not written through.

`--json`: `files` (`file`, `proof`, `digest`, `leaf_index`, `kept`, `created`, `error`),
`exit_status`.
""",
    "upgrade": """\
What comes back is judged under the policy before it is merged: what fails is left out and named,
and the exit status is 1. What was in the proof stays; what contradicts it and cannot be judged
today is left out and named, too. Nothing in a proof says where to ask; where the service does not
answer, calendars that the policy lists are asked for what they promised.

A folder stands for all the proofs in it. Many are asked for at once. A proof is rewritten only if
it says something else than before, not for a new guess of when something will come; what it said
before stays beside it as `NAME.proof.bak`.

`--json`: `proofs` (`path`, `changed`, `gained`, `dropped`, `left_out`, `complete`, `status`,
`error`, `exit_status`), `exit_status`.
""",
    "verify": """\
What a path is, its name says, never what stands in it. `NAME.proof` and `NAME.ots` are judged with
`NAME` if it lies beside. `NAME.sdjwt` is a record: its proof lies beside it or in a vault's
`proofs`, and the other records of its folder are read with it, since earlier ones name its key;
with `--file`, whether the record names that file is said, too. Any other path is a file whose
`.proof`, else `.ots`, lies beside; one that has none and lies in a working folder with a vault is
judged by the oldest record that names it. `--proof` names a proof that lies elsewhere or under
another name.

A folder stands for every file in it that has evidence beside it, a line each, and for the records
in it or in its vault, judged as one list: signatures, keys, order, and what is not listed. Each
exhibit in it gets a line; named by itself it is told in full.

A row *log* that is not checked since the policy does not name the log's key takes nothing from the
dates; it leaves open which index the entry has. Add the key of your own service to a policy of
yours to have that checked, too. A row that *was expected* by a time that has passed is waited for
in vain so far: `vestige admin status` says how the service stands with that party.

The row *not before* is a record's: it was not made earlier, by a block or a drand round that it
names. It says nothing of when a file was made. Signatures of drand rounds are checked where the
extra `drand` is installed.

Offline unless `--online` is given: then the sources that the policy names are asked about the
blocks and rounds in the evidence, and nobody else. A source that stays silent is a warning; where
what it was asked for stays not checked for it, the exit status is 5.

`--headers` takes Bitcoin headers as nodes keep them, 80 bytes each; the file may begin with the
line `bitcoin headers from HEIGHT`. They are believed from a checkpoint of the policy on.

`--json`: the verdict as in [verification.md](../spec/verification.md), with `path`; of a record
also `list`, what it adds up to with the others; of several paths or a folder `verdicts` and
`exit_status`, where a project's verdict holds those of its `records`.
""",
    "inspect": """\
Prints what was recomputed, not what the proof claims, and for each hash the command of a stock tool
that gives the same. The exit status only says whether the proof could be read.

`--extract` writes tokens as DER, certificates as PEM, headers and checkpoints as they are, and
`commands.txt`. A root certificate that the policy does not trust is called
`…root-from-the-proof.pem`: compare it with what the authority publishes before a check against it
means anything.
""",
    "policy": """\
`show` prints the policy in force, or FILE; `check` says whether FILE is a policy; `default` prints
the policy of this release byte for byte.
""",
    "admin": """\
`status` and `rounds` ask a running service. The others read its data folder, beside the running
service or without it. A backup leaves out the log's private key. `force` leaves a wish in the data
folder; it replaces a backend's interval, not the least gap between two rounds.
""",
    "completion": """\
`eval "$(vestige completion bash)"`, the same for zsh; `vestige completion fish | source`.
""",
    "demo": """\
Starts the real service with a chain in this process and a time-stamping authority made for the
occasion, stamps copies of the files, waits until the proofs are final, stops everything, verifies
them in a process that can open no socket, and shows what one changed byte does. Its policy, of
class `test`, lies beside the proofs: what it verifies shows nothing to anybody else.
""",
    "serve": """\
Every other setting is a flag too: [settings.md](settings.md).
""",
}


def commands_guide() -> str:
    """Return the whole guide as Markdown."""
    summaries = {verb.name: verb.summary for verb in VERBS} | EXTERNAL_VERBS
    parts = [_HEAD]
    parsers = verb_parsers()
    for name, summary in summaries.items():
        parser = parsers[name]
        parts.append(f"\n## vestige {name}\n\n{_sentence(summary)}\n\n{_NOTES[name]}")
        parts.append(_table(parser))
        for action, child in _actions(parser):
            parts.append(f"\n### vestige {name} {action}\n\n{_sentence(child.description or '')}\n")
            parts.append(_table(child))
    return "".join(parts)


def _table(parser: argparse.ArgumentParser) -> str:
    rows = [f"| {what} | {text} |\n" for what, text in _arguments(parser)]
    return "\n| argument | meaning |\n|---|---|\n" + "".join(rows) if rows else ""


def _arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yield each argument that is shown, with its help."""
    for action in parser._actions:
        if action.help in (None, argparse.SUPPRESS) or action.dest in ("help", "json", "quiet"):
            continue
        takes = str(action.metavar or "|".join(map(str, action.choices or ())))
        takes = takes.replace("|", "\\|")
        value = "" if action.nargs == 0 else f" {takes}"
        names = ", ".join(f"`{option}{value}`" for option in action.option_strings)
        yield names or f"`{takes}`", str(action.help).replace("%%", "%")


def _actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


if __name__ == "__main__":
    sys.stdout.write(commands_guide())
