"""A flat file of 32-byte records, appended to by one writer and read by anybody.

Record i stands at byte 32·i; there is no header and no padding, so the file is what ``xxd`` shows.
Which records belong to the log is not known here: the caller keeps the committed count, writes only
past it and never reads past it.

The writer's descriptor and the readers' are different ones: after a failed flush the writer's is
closed and opened anew while reading goes on.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anchor.errors import LogIntegrityError, StoreUnavailableError
from anchor.stores.packed.disk import Disk, translated_errors

RECORD_BYTES: Final = 32
# Records closer than this are fetched in one read: a read costs about as much as copying this many.
_GATHER_GAP: Final = 8


class PackedFile:
    """One open file of records.

    Args:
        path: made if it is not there, unless ``read_only``.
        disk: where the calls go.
        read_only: never open for writing.
    """

    def __init__(self, path: Path, disk: Disk, *, read_only: bool = False) -> None:
        self.path = path
        self._disk = disk
        self._write_fd = -1
        with translated_errors(f"open {path}"):
            if not read_only:
                self._write_fd = disk.open(path, os.O_RDWR | os.O_CREAT)
            self._read_fd = disk.open(path, os.O_RDONLY)

    def count(self) -> int:
        """Return the number of whole records in the file, committed or not."""
        with translated_errors(f"read {self.path}"):
            return os.fstat(self._open_reader()).st_size // RECORD_BYTES

    def read(self, first: int, count: int) -> bytes:
        """Return ``count`` records from index ``first``, joined.

        Raises:
            LogIntegrityError: the file ends before them.
            StoreUnavailableError: the disk does not answer.
        """
        with translated_errors(f"read {self.path}"):
            data = self._disk.read_at(
                self._open_reader(), count * RECORD_BYTES, first * RECORD_BYTES
            )
        self._require_length(len(data), count)
        return data

    def gather(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the records at these indices, in their order, as an array of shape (n, 32)."""
        order = indices.argsort()
        ascending = indices[order]
        starts_run = np.ones(len(indices), dtype=bool)
        starts_run[1:] = np.diff(ascending) > _GATHER_GAP
        run_of = starts_run.cumsum() - 1
        firsts = ascending[starts_run]
        lasts = ascending[np.append(np.flatnonzero(starts_run)[1:], len(indices)) - 1]
        lengths = lasts - firsts + 1
        reader, read_at = self._open_reader(), self._disk.read_at
        with translated_errors(f"read {self.path}"):
            data = b"".join(
                read_at(reader, length * RECORD_BYTES, first * RECORD_BYTES)
                for first, length in zip(firsts.tolist(), lengths.tolist(), strict=True)
            )
        self._require_length(len(data), int(lengths.sum()))
        row_of_run = lengths.cumsum() - lengths
        rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, RECORD_BYTES)
        result = np.empty((len(indices), RECORD_BYTES), dtype=np.uint8)
        result[order] = rows[row_of_run[run_of] + ascending - firsts[run_of]]
        return result

    def write(self, first: int, records: bytes) -> None:
        """Write records from index ``first``; OSError if not, durable only after :meth:`flush`."""
        self._disk.write_at(self._open_writer(), records, first * RECORD_BYTES)

    def flush(self) -> None:
        """Make what was written durable; OSError if not, after which only :meth:`reopen` helps."""
        self._disk.flush(self._open_writer())

    def truncate(self, count: int) -> None:
        """Drop every record from index ``count`` on, and a part of one at the end."""
        with translated_errors(f"truncate {self.path}"):
            writer = self._open_writer()
            if os.fstat(writer).st_size != count * RECORD_BYTES:
                self._disk.truncate(writer, count * RECORD_BYTES)
                self._disk.flush(writer)

    def reopen(self) -> None:
        """Close the writer's descriptor and open a new one."""
        with translated_errors(f"open {self.path}"):
            if self._write_fd >= 0:
                descriptor, self._write_fd = self._write_fd, -1
                os.close(descriptor)
            self._write_fd = self._disk.open(self.path, os.O_RDWR)

    def close(self) -> None:
        """Close both descriptors; safe to call twice."""
        descriptors = (self._write_fd, self._read_fd)
        self._write_fd = self._read_fd = -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)

    def _require_length(self, n_bytes: int, count: int) -> None:
        if n_bytes != count * RECORD_BYTES:
            raise LogIntegrityError(
                f"{self.path} ends early: wanted {count} records, got {n_bytes // RECORD_BYTES}",
                code="log.integrity.short_file",
            )

    def _open_reader(self) -> int:
        if self._read_fd < 0:
            raise StoreUnavailableError(f"{self.path} is closed", code="store.unavailable.closed")
        return self._read_fd

    def _open_writer(self) -> int:
        if self._write_fd < 0:
            raise StoreUnavailableError(
                f"{self.path} is not open for writing", code="store.unavailable.closed"
            )
        return self._write_fd
