"""Records on disk: where their proofs lie, and which others belong to the same list.

Rules:

* ``NAME.sdjwt`` is a record. Its proof is ``NAME.sdjwt.proof`` or ``NAME.proof`` beside it or, as
  in a vault, ``NAME.proof`` in the folder ``proofs`` beside the record's own.
* One record can hardly be judged alone, as earlier ones name its key. So the other records of its
  folder are read with it; they are evidence like itself, and no more believed.
* A folder stands for its own records, else for those of the vault in it (``.vestige``), or that it
  is.
* What cannot be read is reported with its path, and the rest goes on.

Deliberately unaware of the vault's index and project file: whoever has only copies of some records
and proofs gets the same verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anchor import limits
from anchor.client.evidence import PROOF_SUFFIX, RECORD_SUFFIX
from anchor.client.local_file import beside, load_regular
from anchor.errors import LimitExceededError, StoreUnavailableError, VestigeError
from anchor.proof.codec import ProofReader
from anchor.proof.proof import Proof
from anchor.records.record import parse_record
from anchor.verify.records import ProvenRecord

_VAULT: Final = ".vestige"
_RECORDS: Final = "records"
_PROOFS: Final = "proofs"


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A record as found: where it was read, with its proof if there is one."""

    path: Path
    item: ProvenRecord


@dataclass(frozen=True, slots=True)
class LoadedRecords:
    """Records that were read, and what could not be: the path and the reason."""

    files: tuple[RecordFile, ...]
    failures: tuple[tuple[Path, VestigeError], ...]


def load_records(
    paths: Iterable[Path],
    *,
    reader: ProofReader | None = None,
    proof: Path | None = None,
    step: Callable[[], None] = lambda: None,
) -> LoadedRecords:
    """Read records and their proofs.

    A record whose proof cannot be read is given without one, and the failure is reported.

    Args:
        paths: of the records.
        reader: reads the proofs.
        proof: the proof of the only record, where it does not lie beside it.
        step: called after each.
    """
    reader = reader or ProofReader()
    files: list[RecordFile] = []
    failures: list[tuple[Path, VestigeError]] = []
    for path in paths:
        try:
            record = parse_record(
                load_regular(path, max_bytes=limits.MAX_RECORD_BYTES, what="record")
            )
        except VestigeError as error:
            failures.append((path, _at(path, error)))
        else:
            found = proof or find_proof(path)
            content: Proof | None = None
            try:
                content = None if found is None else _load_proof(found, reader)
            except VestigeError as error:
                failures.append((path, _at(found or path, error)))
            files.append(RecordFile(path, ProvenRecord(record, content)))
        step()
    return LoadedRecords(tuple(files), tuple(failures))


def find_proof(path: Path) -> Path | None:
    """Return where the proof of a record lies, or None."""
    places = [beside(path, PROOF_SUFFIX), path.with_suffix(PROOF_SUFFIX)]
    folder = path.absolute().parent
    if folder.name == _RECORDS:
        places.append(folder.parent / _PROOFS / path.with_suffix(PROOF_SUFFIX).name)
    return next((place for place in places if place.exists()), None)


def record_paths(folder: Path) -> list[Path]:
    """Return the records of a folder, or of the vault that it has or is, by name; perhaps none.

    Raises:
        StoreUnavailableError: the folder cannot be listed.
        LimitExceededError: there are more than any project has.
    """
    for place in (folder, folder / _RECORDS, folder / _VAULT / _RECORDS):
        if place is not folder and not place.is_dir():
            continue
        found = sorted(_listed(place))
        if len(found) > limits.MAX_PROJECT_RECORDS:
            raise LimitExceededError(
                f"{place}: more than {limits.MAX_PROJECT_RECORDS} records", code="file.too_many"
            )
        if found:
            return found
    return []


def vault_records_above(path: Path) -> list[Path]:
    """Return the records of the vault that a file lies in, or none."""
    for folder in path.absolute().parents:
        if (folder / _VAULT / _RECORDS).is_dir():
            return record_paths(folder / _VAULT)
    return []


def _listed(folder: Path) -> Iterator[Path]:
    try:
        for path in folder.iterdir():
            if path.suffix == RECORD_SUFFIX and not path.name.startswith(".") and path.is_file():
                yield path
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreUnavailableError(f"{folder}: {reason}", code="file.unavailable") from error


def _load_proof(path: Path, reader: ProofReader) -> Proof:
    return reader.parse(load_regular(path, max_bytes=limits.MAX_PROOF_BYTES, what="proof"))


def _at(path: Path, error: VestigeError) -> VestigeError:
    """Return the error with the path before its message, once."""
    if error.message.startswith(str(path)):
        return error
    return type(error)(f"{path}: {error.message}", code=error.code, hint=error.hint)
