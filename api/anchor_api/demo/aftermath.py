"""After the service is gone: proofs are verified from files alone, and changed copies fail."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from anchor.cli import _exit_status
from anchor.cli._output import SIGNS, Cell, Output, padded, word
from anchor.client.evidence import PROOF_SUFFIX
from anchor.client.local_file import beside
from anchor_api.demo.offline import OfflineRun, run_offline

# Narrower than this, a sentence and its word do not stand in one line.
_LEAST_COLUMNS: Final = 80


def tell_verified(paths: Sequence[Path], policy: Path, out: Output) -> OfflineRun:
    """Verify all files; show the first one's ladder and the others' sentences."""
    ran = _run(paths, policy, out, columns=max(out.columns(), _LEAST_COLUMNS))
    first = True
    for number, line in enumerate(ran.lines if not out.as_json else ()):
        first = first and (number == 0 or line.startswith(" "))
        if first or not line.startswith(" "):
            out.line(*_coloured(line))
    return ran


def tell_exhibit(path: Path, policy: Path, out: Output) -> OfflineRun:
    """Verify the exhibit; show its sentence and what it proves."""
    ran = _run([path], policy, out, columns=max(out.columns(), _LEAST_COLUMNS))
    lines = () if out.as_json else ran.lines
    for line in lines[:1]:
        out.line("")
        out.line(*_coloured(line))
    for line in itertools.takewhile(bool, itertools.dropwhile(_is_not_proved, lines)):
        out.line(line)
    return ran


def _is_not_proved(line: str) -> bool:
    return line != "proved"


def _run(
    paths: Sequence[Path], policy: Path, out: Output, *, columns: int | None = None
) -> OfflineRun:
    """Verify files of one folder, called by their names there."""
    words = ["verify", "--policy", str(policy.absolute()), *(["--json"] if out.as_json else [])]
    names = [path.name for path in paths]
    return run_offline([*words, "--", *names], folder=paths[0].parent, columns=columns)


def make_tampered(path: Path, folder: Path) -> list[tuple[Path, str]]:
    """Make two copies: of the file with one bit flipped, of the proof with one digit changed."""
    folder.mkdir()
    proof = beside(path, PROOF_SUFFIX).read_bytes()
    changed_file = folder / f"file-changed{path.suffix}"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 1] = bytes([data[middle] ^ 1]) if data else b"\x00"
    changed_file.write_bytes(data)
    beside(changed_file, PROOF_SUFFIX).write_bytes(proof)
    changed_proof = folder / f"proof-changed{path.suffix}"
    changed_proof.write_bytes(path.read_bytes())
    place = proof.index(b'"root_hash": "') + len(b'"root_hash": "')
    digit = b"0" if proof[place : place + 1] != b"0" else b"1"
    beside(changed_proof, PROOF_SUFFIX).write_bytes(proof[:place] + digit + proof[place + 1 :])
    return [
        (changed_file, f"byte {middle:,} of the file, one bit"),
        (changed_proof, "the proof, one digit of a root hash"),
    ]


def tell_tampered(path: Path, what: str, policy: Path, out: Output) -> OfflineRun:
    """Verify a changed copy; show what was changed and what came of it."""
    ran = _run([path], policy, out)
    if not out.as_json:
        status = "failed" if ran.status == _exit_status.FAILED else "not_checked"
        reason = ran.lines[0].removeprefix(f"{path.name}: ").partition(SIGNS[status][0])[0].strip()
        out.line("  ", padded(what, 40), padded(word(status), 12), reason)
    return ran


def _coloured(line: str) -> list[Cell]:
    """Return a line of another process with its sign and word as a cell of its own."""
    for status, (text, _) in SIGNS.items():
        before, found, after = line.partition(text)
        if found:
            return [before, word(status), after]
    return [line]


def verdicts_of(ran: OfflineRun) -> list[Any]:
    """Return the verdicts of a run under ``--json``; none of another."""
    try:
        value = ran.json
    except ValueError:
        return []  # it was asked for text
    return list(value.get("verdicts", [value]))
