"""Writes docs/errors.md from the error classes, the two tables and the places that raise.

python -m tests.docs.errors_page > docs/errors.md
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import anchor
import anchor_api
from anchor.cli._exit_status import EXIT_STATUS
from anchor.errors import VestigeError
from anchor_api.problems import row_of

ROOT = Path(__file__).parents[2]
SOURCES = ("anchor", "api/anchor_api")

HEAD = """# Errors

Every error that Vestige raises on purpose. The *type* says whose fault it is and what to do next:
it gives the exit status of a command and the status of an HTTP answer (RFC 9457). The *code* names
the cause for programs; it is in `--json`, in the HTTP problem's `code` and in a verdict's rows.
The hint, where there is one, says what to try.

This page is made by `python -m tests.docs.errors_page` and compared in a test.

## Types

| type | code | means | exit | HTTP |
|---|---|---|---|---|
"""


def every_class() -> list[type[VestigeError]]:
    """Return VestigeError and every class under it, in the order of their names' tree."""
    for package in (anchor, anchor_api):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found: list[type[VestigeError]] = []

    def visit(kind: type[VestigeError]) -> None:
        if kind not in found:
            found.append(kind)
        for child in sorted(kind.__subclasses__(), key=lambda c: c.__name__):
            visit(child)

    visit(VestigeError)
    return [k for k in found if k.__module__.split(".")[0] in ("anchor", "anchor_api")]


def exit_status(kind: type[VestigeError]) -> int:
    return next(EXIT_STATUS[k] for k in kind.__mro__ if k in EXIT_STATUS)


def class_rows() -> list[str]:
    rows = []
    for kind in every_class():
        first = (kind.__doc__ or "").strip().split("\n")[0]
        status = row_of(kind).status
        name, code = kind.__name__, kind.default_code
        rows.append(f"| {name} | `{code}` | {first} | {exit_status(kind)} | {status} |")
    return rows


def codes() -> dict[str, set[str]]:
    """Return each code that the sources write, with the modules that do."""
    found: dict[str, set[str]] = {}
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("api.")
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.keyword) and node.arg == "code":
                    value = node.value
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        found.setdefault(value.value, set()).add(module)
    return found


def page() -> str:
    lines = [HEAD + "\n".join(class_rows()), "", "## Codes", ""]
    lines += ["Each with the module that gives it.", "", "| code | from |", "|---|---|"]
    lines += [
        f"| `{code}` | {', '.join(sorted(modules))} |" for code, modules in sorted(codes().items())
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
