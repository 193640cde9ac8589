"""What a path on the command line stands for: a proof or an ``.ots`` file, and the file it is of.

Rules:

* ``NAME.proof`` and ``NAME.ots`` are evidence; the file they are of is ``NAME`` if it lies beside.
* Any other path is a file whose evidence is ``PATH.proof``, else ``PATH.ots``, beside it; if there
  is neither, the path itself may hold evidence under another name.
* ``-`` is evidence on standard input.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor import limits
from anchor.client.local_file import beside, file_digest, load_bytes
from anchor.errors import LimitExceededError, NotFoundError
from anchor.formats.ots.codec import MAGIC, DetachedTimestamp, parse_detached
from anchor.proof.codec import ProofReader, parse_proof
from anchor.proof.proof import Proof

PROOF_SUFFIX: Final = ".proof"
OTS_SUFFIX: Final = ".ots"
_STANDARD_INPUT: Final = "-"


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
    text: str, *, file: Path | None = None, reader: ProofReader | None = None
) -> Evidence:
    """Find and read what ``text`` stands for.

    Args:
        text: a path as typed.
        file: the file that the evidence is of, where it does not lie beside it.
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
    path, beside_it = _find(Path(text))
    data = load_bytes(path, max_bytes=limits.MAX_PROOF_BYTES, what="proof")
    return _evidence(path, parse_evidence(data, reader), file or beside_it)


def parse_evidence(data: bytes, reader: ProofReader | None = None) -> Proof | DetachedTimestamp:
    """Read a proof or an ``.ots`` file, told apart by the first bytes; FormatError if neither."""
    if data.startswith(MAGIC[:8]):
        return parse_detached(data)
    return parse_proof(data) if reader is None else reader.parse(data)


def _find(path: Path) -> tuple[Path, Path | None]:
    """Return where the evidence is, and the file beside it."""
    if path.suffix in (PROOF_SUFFIX, OTS_SUFFIX):
        original = path.with_suffix("")
        return path, original if original.is_file() else None
    for suffix in (PROOF_SUFFIX, OTS_SUFFIX):
        candidate = beside(path, suffix)
        if candidate.is_file():
            return candidate, path
    if not path.exists():
        raise NotFoundError(f"{path}: there is no such file", code="file.not_found")
    if path.is_file() and _looks_like_evidence(path):
        return path, None
    raise NotFoundError(
        f"{path}: there is no {path.name}{PROOF_SUFFIX} or {path.name}{OTS_SUFFIX} beside it",
        code="proof.not_found",
        hint=f"vestige stamp {path} makes one",
    )


def _looks_like_evidence(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(512)
    return head.startswith(MAGIC[:8]) or (head.lstrip().startswith(b"{") and b'"version"' in head)


def _evidence(
    path: Path | None, content: Proof | DetachedTimestamp, file_path: Path | None
) -> Evidence:
    if file_path is None:
        return Evidence(path, content, None, None)
    algorithm = "sha256" if isinstance(content, Proof) else content.file_op.name
    return Evidence(path, content, file_path, file_digest(file_path, algorithm))
