"""The command line: words in, calls to the floors below, words out.

One module a verb. Only the verb that was asked for is imported, so that ``vestige verify`` costs
little more than Python and the kernel. No module here holds a rule of its own: what stamping or
judging means stands below. Layout and voice are in :mod:`anchor.cli._output`.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``vestige`` with these arguments (default: the process's own); return the exit status."""
    from anchor.cli.program import run_program

    return run_program(argv)
