"""Counts the kernel: lines of code without blank lines, comments and docstrings.

python -m bench.kernel
"""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

KERNEL = ("anchor/errors.py", "anchor/limits.py", "anchor/formats", "anchor/proof", "anchor/verify")


def code_lines(source: str) -> int:
    """Return the number of lines that hold code."""
    held: set[int] = set()
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (*skipped, tokenize.ENDMARKER):
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            text = node.body[0]
            held.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return len(held)


def main() -> None:
    total_code = total_all = 0
    for place in KERNEL:
        path = Path(place)
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        sources = [file.read_text() for file in files]
        code, every = sum(map(code_lines, sources)), sum(text.count("\n") for text in sources)
        total_code, total_all = total_code + code, total_all + every
        print(f"{place:<20} {len(files):>3} files {code:>6} lines of code {every:>6} lines in all")
    print(f"{'kernel':<20} {'':>9} {total_code:>6} lines of code {total_all:>6} lines in all")


if __name__ == "__main__":
    main()
