"""Records and proofs as files: as a vault lays them out, or all in one folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anchor.proof.codec import serialize_proof
from anchor.records.record import Record
from anchor.verify import ProvenRecord
from tests.recorder import ENTRIES


def write_records(
    folder: Path, items: Sequence[ProvenRecord], *, proofs: str = "../proofs", suffix: str = ""
) -> list[Path]:
    """Write ``NNNNNNNN.sdjwt`` and the proofs that there are; return the records' paths.

    Args:
        folder: of the records.
        items: records with their proofs.
        proofs: folder of the proofs, seen from the records'.
        suffix: between the record's number and ``.proof``.
    """
    paths = []
    (folder / proofs).mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        path = folder / f"{item.record.seq:08}.sdjwt"
        path.write_text(item.record.sd_jwt.serialize())
        if item.proof is not None:
            name = f"{item.record.seq:08}{suffix}.proof"
            (folder / proofs / name).write_bytes(serialize_proof(item.proof))
        paths.append(path)
    return paths


def write_policy(path: Path, **changes: Any) -> Path:
    """Write a policy under which the tests' authority and drand are believed."""
    value = {"version": 1, "name": "tests", "class": "test", **ENTRIES, **changes}
    path.write_text(json.dumps(value))
    return path


def text_of(record: Record) -> str:
    """Return a record as it is written."""
    return record.sd_jwt.serialize()
