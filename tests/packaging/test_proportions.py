"""The proportions of the house: short files, short functions (docstrings apart), no catch-alls."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted((*(ROOT / "anchor").rglob("*.py"), *(ROOT / "api").rglob("*.py")))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
CATCH_ALL = {"utils", "helpers", "common", "core", "manager", "misc"}


def test_files_are_short() -> None:
    lengths = {path: path.read_text().count("\n") for path in SOURCES}
    assert {str(path): n for path, n in lengths.items() if n > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    long = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if ast.get_docstring(node):
                    docs = node.body[0]
                    length -= (docs.end_lineno or docs.lineno) - docs.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    long[f"{path}:{node.lineno} {node.name}"] = length
    assert long == {}


def test_no_module_is_a_catch_all() -> None:
    assert [path for path in SOURCES if path.stem in CATCH_ALL] == []


def test_nothing_asserts_outside_the_tests() -> None:
    asserts = [
        f"{path}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assert)
    ]
    assert asserts == []
