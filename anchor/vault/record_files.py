"""The records as files: one a number, ASCII, written once, never changed.

The folder is the truth; everything else about records is derived from it. Numbers are contiguous
from 0: a hole means that a file was lost, since no crash leaves one (names are given in order), and
nothing is written above a hole, as that could give one number to two records.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from anchor import limits
from anchor.client.local_file import load_bytes
from anchor.errors import StoreConflictError
from anchor.records.record import Record, parse_record
from anchor.vault.durable import discard, flush_folder, give_name, translated, write_scratches
from anchor.vault.layout import Layout

_RUBBISH_AFTER_S: Final = 24 * 3600


class RecordFiles:
    """The records of one vault."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def has(self, seq: int) -> bool:
        """Return whether a record is there."""
        return self._layout.record(seq).exists()

    def read(self, seq: int) -> Record:
        """Read a record; its signature is not verified.

        Raises:
            NotFoundError: it is not there.
            FormatError, VerificationError: the file is not what was written.
        """
        data = load_bytes(
            self._layout.record(seq), max_bytes=limits.MAX_RECORD_BYTES, what="record"
        )
        return parse_record(data)

    def write(self, records: Sequence[Record]) -> None:
        """Write records in order; the write lock is held. All are durable on return, or none is.

        Raises:
            StoreConflictError: a number is taken.
            StoreUnavailableError: the disk is full or failing.
        """
        named: list[Path] = []
        waiting: list[Path] = []
        contents = [record.sd_jwt.serialize().encode("ascii") for record in records]
        try:
            with translated(self._layout.records):
                waiting += write_scratches(self._layout.scratch, contents)
                for record, scratch in zip(records, waiting, strict=True):
                    path = self._layout.record(record.seq)
                    give_name(scratch, path)
                    named.append(path)
                flush_folder(self._layout.records)
        except BaseException:
            # Nobody was told of them and none was sent: taking them back makes no fork. The last
            # one goes first, so that a kill in between leaves no hole.
            for path in reversed(named):
                discard(path)
            for path in waiting:
                discard(path)
            raise

    def numbers(self) -> list[int]:
        """Return the numbers of all records; they are contiguous from 0.

        Raises:
            StoreConflictError: one is missing below another (``vault.record_missing``).
        """
        numbers = self._layout.record_numbers()
        for expected, number in enumerate(numbers):
            if number != expected:
                raise StoreConflictError(
                    f"record {expected} is missing, and record {number} is there",
                    code="vault.record_missing",
                    hint=f"restore {self._layout.record(expected)} from a copy of the vault",
                )
        return numbers

    def clear_scratch(self, now_s: float) -> None:
        """Remove what was left in ``tmp/`` a day ago or longer; what is still written is younger.

        Args:
            now_s: Unix time.
        """
        with contextlib.suppress(OSError):
            for path in self._layout.scratch.iterdir():
                if now_s - path.stat().st_mtime > _RUBBISH_AFTER_S:
                    discard(path)
