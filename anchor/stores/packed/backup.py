"""Copy a packed log while it is written to, and check a copy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from anchor.errors import StoreConflictError
from anchor.formats.note import NoteKey
from anchor.ports import CommittedTree
from anchor.stores.packed.checkpoint_table import CheckpointTable
from anchor.stores.packed.disk import Disk, translated_errors
from anchor.stores.packed.fsck import FsckReport, fsck
from anchor.stores.packed.packed_file import RECORD_BYTES
from anchor.stores.packed.packed_reader import DATABASE_NAME, PackedReader

_COPY_RECORDS: Final = 1 << 18


def backup(log: PackedReader, folder: Path) -> CommittedTree | None:
    """Copy the committed log into an empty folder, durable on return; return the tree it holds.

    The digest index is not copied: it is built again when the copy is opened. The database gets its
    name last, so a copy that was interrupted does not open. A copy restored later than the newest
    checkpoint known outside must not sign; the sequencer's check at start sees to that.

    Raises:
        StoreConflictError: the folder holds something.
        StoreUnavailableError: it cannot be written, or the log cannot be read.
    """
    disk = Disk()
    with translated_errors(f"write {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StoreConflictError(f"{folder} is not empty", code="store.conflict.not_empty")
        draft = folder / f"{DATABASE_NAME}.part"
        # First the row, then the files: they hold at least what the row says, and keep it.
        log.copy_checkpoints(draft)
        tree = _newest(draft, disk)
        size = tree.tree_size if tree is not None else 0
        for level, file in enumerate(log.tree.files):
            _copy(file.path, folder / file.path.name, (size >> 8 * level) * RECORD_BYTES, disk)
        _flush(draft, disk)
        disk.replace(draft, folder / DATABASE_NAME)
        disk.flush_folder(folder)
        disk.flush_folder(folder.absolute().parent)
    return tree


def check_backup(folder: Path, *, note_key: NoteKey | None = None) -> FsckReport:
    """Check a copy as :func:`fsck` does, without changing it.

    Raises:
        LogIntegrityError: it does not even open.
    """
    log = PackedReader(folder)
    try:
        return fsck(log, note_key=note_key)
    finally:
        log.close()


def _newest(path: Path, disk: Disk) -> CommittedTree | None:
    table = CheckpointTable(path, disk, read_only=True)
    try:
        return table.newest()
    finally:
        table.close()


def _copy(source: Path, target: Path, n_bytes: int, disk: Disk) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        left = n_bytes
        while left:
            data = reader.read(min(left, _COPY_RECORDS * RECORD_BYTES))
            if not data:
                message = f"{source} ended {left} bytes early"
                raise OSError(message)
            writer.write(data)
            left -= len(data)
        writer.flush()
        disk.flush(writer.fileno())


def _flush(path: Path, disk: Disk) -> None:
    descriptor = disk.open(path, os.O_RDWR)
    try:
        disk.flush(descriptor)
    finally:
        os.close(descriptor)
