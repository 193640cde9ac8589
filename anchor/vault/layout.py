"""Where everything in a vault stands, and how a folder with a vault is found.

``.vestige/`` in the working folder, readable with standard tools; its own ``README.txt`` says how.
``records/`` and ``objects/`` are only ever added to; ``proofs/`` grow by upgrade; ``index.sqlite``
and ``cache/`` are derived and can be deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor.errors import NotFoundError

VAULT_FOLDER: Final = ".vestige"
RECORD_SUFFIX: Final = ".sdjwt"
PROOF_SUFFIX: Final = ".proof"
_RECORD_NAME: Final = re.compile(r"([0-9]{8,})\.sdjwt", re.ASCII)


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one vault.

    Attributes:
        work: the working folder, absolute, without symbolic links.
    """

    work: Path

    @property
    def root(self) -> Path:
        """Return ``.vestige``."""
        return self.work / VAULT_FOLDER

    @property
    def project_file(self) -> Path:
        """Return the file that makes the folder a vault; written last by ``init``."""
        return self.root / "project.json"

    @property
    def instance_file(self) -> Path:
        """Return the file that names the instance that may write (see ``instance.py``)."""
        return self.root / "instance.json"

    @property
    def readme(self) -> Path:
        """Return the file that says how to read the rest."""
        return self.root / "README.txt"

    @property
    def records(self) -> Path:
        """Return the folder of records."""
        return self.root / "records"

    @property
    def proofs(self) -> Path:
        """Return the folder of proofs."""
        return self.root / "proofs"

    @property
    def objects(self) -> Path:
        """Return the folder of byte-exact originals."""
        return self.root / "objects"

    @property
    def scratch(self) -> Path:
        """Return the folder of what is half written."""
        return self.root / "tmp"

    @property
    def cache(self) -> Path:
        """Return the folder of thumbnails; it can be deleted."""
        return self.root / "cache"

    @property
    def index(self) -> Path:
        """Return the derived index; it can be deleted."""
        return self.root / "index.sqlite"

    def lock(self, name: str) -> Path:
        """Return the file that a lock is held on: ``write``, ``watch`` or ``send``."""
        return self.root / f"{name}.lock"

    def record(self, seq: int) -> Path:
        """Return the file of a record."""
        return self.records / f"{seq:08}{RECORD_SUFFIX}"

    def proof(self, seq: int) -> Path:
        """Return the file of a record's proof."""
        return self.proofs / f"{seq:08}{PROOF_SUFFIX}"

    def object(self, sha256: bytes) -> Path:
        """Return the file of an original, by its SHA-256."""
        name = sha256.hex()
        return self.objects / name[:2] / name[2:]

    def record_numbers(self) -> list[int]:
        """Return the numbers of the records that are there, ascending."""
        matches = (_RECORD_NAME.fullmatch(path.name) for path in _names(self.records))
        return sorted(int(match[1]) for match in matches if match)


def find_layout(start: Path) -> Layout:
    """Return the vault of a folder, or of the nearest folder above it, as git does.

    Raises:
        NotFoundError: there is none.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / VAULT_FOLDER / "project.json").is_file():
            return Layout(folder)
    raise NotFoundError(
        f"there is no vault in {here} or above it",
        code="vault.not_found",
        hint="make one with: vestige init",
    )


def _names(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except FileNotFoundError:
        return
