"""The table of errors, written from the classes, the exit statuses and the HTTP statuses.

``docs/errors.md`` is this text; a test compares the two. To write it anew::

    python -m anchor_api.error_guide > docs/errors.md
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Final

import anchor
import anchor_api
from anchor.cli._exit_status import EXIT_STATUS
from anchor.errors import VestigeError
from anchor_api.problems import row_of

_HEAD: Final = """\
# Errors

Every error that Vestige raises on purpose is one of these. The type says whose fault it is and what
to do next; `code` names the exact cause for programs and starts with the code given here or is more
precise; `hint`, where there is one, says what to try. The command line ends with the exit status,
the service answers with a problem (RFC 9457) of the HTTP status.

| error | code | exit status | HTTP status | meaning |
|---|---|---|---|---|
"""


def error_guide() -> str:
    """Return the whole table as Markdown."""
    return _HEAD + "".join(_line(kind) for kind in error_classes())


def error_classes() -> list[type[VestigeError]]:
    """Return every error class of the project, each after its parent."""
    for package in (anchor, anchor_api):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return list(_walk(VestigeError))


def _walk(kind: type[VestigeError]) -> list[type[VestigeError]]:
    found = [kind]
    for child in sorted(kind.__subclasses__(), key=lambda c: (c.__module__, c.__name__)):
        if child.__module__.partition(".")[0] in ("anchor", "anchor_api"):
            found.extend(_walk(child))
    return found


def _line(kind: type[VestigeError]) -> str:
    depth = len([base for base in kind.__mro__ if issubclass(base, VestigeError)]) - 1
    name = "&nbsp;&nbsp;" * depth + f"`{kind.__name__}`"
    meaning = (kind.__doc__ or "").partition("\n")[0]
    status = next(EXIT_STATUS[base] for base in kind.__mro__ if base in EXIT_STATUS)
    return f"| {name} | `{kind.default_code}` | {status} | {row_of(kind).status} | {meaning} |\n"


if __name__ == "__main__":
    sys.stdout.write(error_guide())
