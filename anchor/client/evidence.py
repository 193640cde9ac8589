"""What a path on the command line stands for: a proof or an ``.ots`` file, and the file it is of.

Rules:

* ``NAME.proof`` and ``NAME.ots`` are evidence; the file they are of is ``NAME`` if it lies beside.
* Any other path is a file whose evidence is ``PATH.proof``, else ``PATH.ots``, beside it. What the
  file itself holds does not matter: a document that is a proof of something else is still a
  document, and its verdict must not be taken for one about it.
* Evidence under another name is read where it is named as evidence (``proof``).
* ``-`` is evidence on standard input.
* Only regular files are opened; a pipe or a device is never waited for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor import limits
from anchor.client.local_file import beside, file_digest, load_regular
from anchor.errors import (
    LimitExceededError,
    NotFoundError,
    StoreError,
    StoreUnavailableError,
    UsageError,
    VestigeError,
)
from anchor.formats.ots.codec import MAGIC, DetachedTimestamp, parse_detached
from anchor.proof.codec import ProofReader, parse_proof
from anchor.proof.proof import Proof

PROOF_SUFFIX: Final = ".proof"
OTS_SUFFIX: Final = ".ots"
RECORD_SUFFIX: Final = ".sdjwt"
ZIP_SUFFIX: Final = ".zip"
_STANDARD_INPUT: Final = "-"
_SHOWN_PATH: Final = 300


@dataclass(frozen=True, slots=True)
class Evidence:
    """A proof or an ``.ots`` file as found, parsed, with the digest of its file.

    Attributes:
        path: where the evidence was read; None for standard input.
        content: what it says.
        file_path: the file that it is of, or None if there is none at hand.
        file_digest: made with the evidence's own algorithm (a proof's is SHA-256), or None.
    """

    path: Path | None
    content: Proof | DetachedTimestamp
    file_path: Path | None
    file_digest: bytes | None

    @property
    def name(self) -> str:
        """Return what people know it by: the file's name if there is one."""
        if self.file_path is not None:
            return str(self.file_path)
        return "standard input" if self.path is None else str(self.path)


def load_evidence(
    text: str | None,
    *,
    file: Path | None = None,
    proof: Path | None = None,
    reader: ProofReader | None = None,
) -> Evidence:
    """Find and read what ``text`` stands for.

    Args:
        text: a path as typed; None where there is only ``proof``.
        file: the file that the evidence is of, where it does not lie beside it.
        proof: the evidence, whatever its name, where it does not lie beside ``text``.
        reader: reads proofs; the same one for many of a round is quicker.

    Raises:
        NotFoundError: there is no such file, or no evidence of it.
        StoreError: a file cannot be read.
        FormatError: what was found is no evidence that this release reads.
    """
    if text == _STANDARD_INPUT:
        data = sys.stdin.buffer.read(limits.MAX_PROOF_BYTES + 1)
        if len(data) > limits.MAX_PROOF_BYTES:
            raise LimitExceededError("standard input holds more than any proof does")
        return _evidence(None, parse_evidence(data, reader), file)
    if proof is not None:
        path, beside_it = proof, None if text is None else Path(text)
    elif text is None:
        raise UsageError("neither a file nor its evidence is named")
    else:
        path, beside_it = _find(Path(text))
    data = load_regular(path, max_bytes=limits.MAX_PROOF_BYTES, what="proof")
    return _evidence(path, parse_evidence(data, reader), file or beside_it)


def parse_evidence(data: bytes, reader: ProofReader | None = None) -> Proof | DetachedTimestamp:
    """Read a proof or an ``.ots`` file, told apart by the first bytes; FormatError if neither."""
    if data.startswith(MAGIC[:8]):
        return parse_detached(data)
    return parse_proof(data) if reader is None else reader.parse(data)


@dataclass(frozen=True, slots=True)
class FolderEvidence:
    """What a folder holds.

    Attributes:
        files: those that have evidence beside them; records are not among them.
        alone: evidence whose file is not there.
        records: names of the records there, without ``.sdjwt``; their proofs have those names too.
        failures: of folders that cannot be listed.
        zips: the zip files, of which some may be exhibits.
    """

    files: tuple[Path, ...]
    alone: tuple[Path, ...]
    records: frozenset[str]
    failures: tuple[VestigeError, ...]
    zips: tuple[Path, ...] = ()


def files_with_evidence(folder: Path) -> FolderEvidence:
    """Look through a folder and those below it, files first, in the order of names.

    What begins with a dot, symbolic links and what is no regular file are passed over, as by
    ``stamp``. A folder that cannot be listed is reported, and the rest goes on.
    """
    files: list[Path] = []
    alone: list[Path] = []
    records: set[str] = set()
    failures: list[VestigeError] = []
    zips: list[Path] = []
    for path in _regular_files(folder, failures):
        if path.suffix.lower() == ZIP_SUFFIX:
            zips.append(path)
        if path.suffix == RECORD_SUFFIX:
            records.add(path.stem)
        elif path.suffix not in (PROOF_SUFFIX, OTS_SUFFIX):
            if any(beside(path, suffix).is_file() for suffix in (PROOF_SUFFIX, OTS_SUFFIX)):
                files.append(path)
        elif not path.with_suffix("").exists():
            alone.append(path)
    return FolderEvidence(
        tuple(files), tuple(alone), frozenset(records), tuple(failures), tuple(zips)
    )


def _regular_files(folder: Path, failures: list[VestigeError]) -> Iterator[Path]:
    """Yield the files of a folder, then those of each folder in it; add what cannot be listed."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            where = str(here) if len(str(here)) <= _SHOWN_PATH else f"{str(here)[:_SHOWN_PATH]}…"
            failures.append(StoreUnavailableError(f"{where}: {reason}", code="file.unavailable"))
            continue
        shown = [entry for entry in entries if not entry.name.startswith(".")]
        for entry in shown:
            if entry.is_file(follow_symlinks=False):
                yield here / entry.name
        folders = [entry for entry in shown if entry.is_dir(follow_symlinks=False)]
        waiting += [here / entry.name for entry in reversed(folders)]


def _find(path: Path) -> tuple[Path, Path | None]:
    """Return where the evidence is, and the file beside it."""
    if path.suffix in (PROOF_SUFFIX, OTS_SUFFIX):
        original = path.with_suffix("")
        return path, original if original.is_file() else None
    for suffix in (PROOF_SUFFIX, OTS_SUFFIX):
        candidate = beside(path, suffix)
        if candidate.is_file():
            return candidate, path
    if not os.path.lexists(path):
        raise NotFoundError(f"{path}: there is no such file", code="file.not_found")
    if path.exists() and not path.is_file():
        raise StoreError(f"{path} is no regular file", code="file.kind")
    raise NotFoundError(
        f"{path}: there is no {path.name}{PROOF_SUFFIX} or {path.name}{OTS_SUFFIX} beside it",
        code="proof.not_found",
        hint=f"vestige stamp {path} makes one; --proof names one that lies elsewhere",
    )


def _evidence(
    path: Path | None, content: Proof | DetachedTimestamp, file_path: Path | None
) -> Evidence:
    if file_path is None:
        return Evidence(path, content, None, None)
    algorithm = "sha256" if isinstance(content, Proof) else content.file_op.name
    return Evidence(path, content, file_path, file_digest(file_path, algorithm))
