"""The voice: how the command line writes, in words, in JSON and in colour.

Rules (the four words and signs are the same in every surface of Vestige):

* results go to standard output, everything else (errors, hints, notes, progress) to standard error;
* ``vestige: error: …`` then, where there is one, ``vestige: hint: …``;
* a word never stands without its sign nor a sign without its word; colour only on a terminal, and
  never where ``NO_COLOR`` is set;
* where the stream cannot encode a sign, an ASCII one takes its place;
* whatever is printed may come from a file that nobody trusts: characters that are not printable
  (escape sequences, line breaks, bidirectional controls) are replaced by ``?``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TextIO

from anchor.errors import VestigeError

# Keyed by the values of anchor.verify.verdict.Status, which would bring in the judge.
SIGNS: Final = {
    "verified": ("✓ verified", "32"),
    "failed": ("✕ failed", "31"),
    "pending": ("… pending", "33"),
    "not_checked": ("○ not checked", "90"),
}
_ASCII: Final = {
    ord("✓"): "+", ord("✕"): "x", ord("○"): "o", ord("…"): "...", ord("–"): "-", ord("‖"): "||",
    ord("→"): "->", ord("·"): "-", ord("─"): "-", ord("█"): "#", ord("░"): ".",
    ord("●"): "*", ord("│"): "|", ord("├"): "|", ord("┤"): "|", ord("┼"): "+",
    ord("╭"): ".", ord("╮"): ".", ord("┬"): ".", ord("╰"): "'", ord("╯"): "'", ord("┴"): "'",
}  # fmt: skip
COLUMNS_VARIABLE: Final = "_VESTIGE_COLUMNS"
_DIM: Final = "2"
_BOLD: Final = "1"


@dataclass(frozen=True, slots=True)
class Painted:
    """Text with a colour (SGR parameters), used where the stream shows colours."""

    text: str
    colour: str


Cell = str | Painted


def word(status: str) -> Painted:
    """Return the sign and word of a status (``anchor.verify.verdict.Status`` or its value)."""
    return Painted(*SIGNS[status])


def dim(text: str) -> Painted:
    """Return text that steps back."""
    return Painted(text, _DIM)


def bold(text: str) -> Painted:
    """Return text that stands out."""
    return Painted(text, _BOLD)


@lru_cache(maxsize=4096)
def width(text: str) -> int:
    """Return how many columns a terminal needs for the text."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def padded(cell: Cell, columns: int) -> Cell:
    """Return the cell followed by spaces up to a number of columns; two spaces at the least."""
    text = cell.text if isinstance(cell, Painted) else cell
    spaces = " " * max(columns - width(text), 2)
    return Painted(text + spaces, cell.colour) if isinstance(cell, Painted) else text + spaces


def short(digest: bytes) -> str:
    """Return the first 8 hexadecimal digits and an ellipsis."""
    return f"{digest.hex()[:8]}…"


def shown_time(time: datetime) -> str:
    """Return a time as it is shown to people, without the zone: ``2026-11-23 10:02:08``."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def printable(text: str) -> str:
    """Return the text with every character that is not printable replaced by ``?``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "?" for c in text)


def about(path: Path, error: VestigeError) -> VestigeError:
    """Return the error with the file that it is about in its message."""
    if str(path) in error.message:
        return error
    return VestigeError(f"{path}: {error.message}", code=error.code, hint=error.hint)


class Output:
    """Where a command writes.

    Args:
        stdout, stderr: default: those of the process.
        as_json: results are one JSON object, and nothing else goes to standard output.
        quiet: only results and errors.
        environ: read for ``NO_COLOR`` and ``TERM``.
    """

    def __init__(
        self,
        *,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        as_json: bool = False,
        quiet: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.as_json = as_json
        self.quiet = quiet
        self._environ = environ
        self._coloured = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        # Wipes a progress bar, so that no line is glued to it.
        self.before_line: Callable[[], None] = lambda: None

    # -- results -----------------------------------------------------------------------------------

    def line(self, *cells: Cell) -> None:
        """Write one line of the result; nothing under ``--json``."""
        if not self.as_json:
            self._write(self.stdout, cells)

    def object(self, value: Mapping[str, Any]) -> None:
        """Write the result under ``--json``; nothing otherwise."""
        if self.as_json:
            self.stdout.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")

    def raw(self, data: bytes) -> None:
        """Write bytes as they are to standard output."""
        self.stdout.flush()
        buffer = getattr(self.stdout, "buffer", None)
        if buffer is not None:
            buffer.write(data)
            buffer.flush()
        else:
            self.stdout.write(data.decode())

    # -- everything else ---------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Write one line about what is going on; silent under ``--quiet``."""
        if not self.quiet:
            self._write(self.stderr, (f"vestige: {text}",))

    def warn(self, text: str, hint: str | None = None) -> None:
        """Write a warning, under ``--quiet`` too."""
        self._write(self.stderr, ("vestige: ", Painted("warning: ", "33"), text))
        self._hint(hint)

    def error(self, error: VestigeError | str, hint: str | None = None) -> None:
        """Write an error and its hint."""
        message = error.message if isinstance(error, VestigeError) else error
        self._write(self.stderr, ("vestige: ", Painted("error: ", "31"), message))
        self._hint(hint or (error.hint if isinstance(error, VestigeError) else None))

    def _hint(self, hint: str | None) -> None:
        if hint is not None:
            self._write(self.stderr, ("vestige: ", Painted("hint: ", "36"), hint))

    # -- streams -----------------------------------------------------------------------------------

    def shows_unicode(self, stream: TextIO) -> bool:
        """Return whether the stream can encode the signs."""
        try:
            "✓✕…○–‖→█░●│├┤┼╭╮┬╰╯┴".encode(stream.encoding or "utf-8")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def columns(self) -> int:
        """Return how wide a line of the result may be; in a pipe there is no bound.

        Another process of ours that shows what it reads from the pipe says how wide it is.
        """
        if not self.is_terminal(self.stdout):
            asked = self._environ.get(COLUMNS_VARIABLE, "")
            return int(asked) if asked.isascii() and asked.isdigit() and int(asked) else 1 << 16
        return shutil.get_terminal_size((100, 24)).columns

    def is_terminal(self, stream: TextIO) -> bool:
        """Return whether a person may be watching."""
        return stream.isatty()

    def _write(self, stream: TextIO, cells: tuple[Cell, ...]) -> None:
        self.before_line()
        unicode_shown = self.shows_unicode(stream)
        coloured = self._coloured and self.is_terminal(stream)
        parts = []
        for cell in cells:
            text = printable(cell.text if isinstance(cell, Painted) else cell)
            if not unicode_shown:
                encoding = stream.encoding or "ascii"
                text = text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
            painted = coloured and isinstance(cell, Painted) and bool(text.strip())
            parts.append(f"\x1b[{cell.colour}m{text}\x1b[0m" if painted else text)  # type: ignore[union-attr]
        stream.write("".join(parts).rstrip(" ") + "\n")
        stream.flush()
