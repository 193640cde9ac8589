"""What ``vestige --help`` prints: the verbs, in the groups in which people look for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

_GROUPS: Final = (
    ("to see it work", ("demo",)),
    ("evidence for files", ("stamp", "upgrade", "verify", "inspect", "policy")),
    (
        "records of how a work came to be",
        (
            "init", "add", "watch", "prompt", "idea", "note", "sketch", "select", "edit", "final",
            "publish", "record", "correct", "close",
        ),
    ),
    (
        "what is recorded",
        ("log", "show", "status", "send", "export", "keys", "adopt", "rebuild"),
    ),
    ("a service of your own", ("serve", "admin")),
)  # fmt: skip
_REST: Final = "besides"
_HEAD: Final = """\
usage: vestige VERB [OPTION…]

Leave traces of a creative process that a court can check.
"""
_TAIL: Final = """\
  -h, --help   print this, or with a verb: its options
  --version    print the version
  --json       write one JSON object instead of text (every verb)
  -q, --quiet  write results and errors only (every verb)

vestige VERB --help shows a verb's options; vestige demo is a way to begin.
"""


def overview(summaries: Mapping[str, str]) -> str:
    """Return the help of the whole program.

    Args:
        summaries: each verb, and in one line what it does.
    """
    columns = max(map(len, summaries)) + 2
    lines = [_HEAD]
    for title, verbs in _grouped(summaries):
        lines.append(f"{title}:")
        lines += [f"  {verb.ljust(columns)}{summaries[verb]}" for verb in verbs]
        lines.append("")
    return "\n".join([*lines, "options:", _TAIL])


def _grouped(summaries: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    left = dict.fromkeys(summaries)
    for title, verbs in _GROUPS:
        found = [verb for verb in verbs if verb in summaries]
        for verb in found:
            del left[verb]
        if found:
            yield title, found
    if left:
        yield _REST, list(left)
