"""The two digests of a file, read as a stream, and whether it held still meanwhile."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from anchor.capture.file_bytes import read_at
from anchor.errors import StoreUnavailableError

_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class FileDigests:
    """Size and digests of one file; ``stable`` is False if it changed while it was read."""

    size: int
    sha256: str
    sha3_256: str
    stable: bool = True

    @classmethod
    def of_descriptor(
        cls, descriptor: int, *, between: Callable[[], object] = lambda: None
    ) -> FileDigests:
        """Hash an open file from its first byte, whatever its position, in blocks of 1 MiB.

        Args:
            descriptor: of a regular file.
            between: called after each block.

        Raises:
            StoreUnavailableError: the disk does not answer.
        """
        sha256, sha3 = hashlib.sha256(), hashlib.sha3_256()
        size = 0
        try:
            before = os.fstat(descriptor)
            while block := read_at(descriptor, _BLOCK_BYTES, size):
                sha256.update(block)
                sha3.update(block)
                size += len(block)
                between()
            after = os.fstat(descriptor)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StoreUnavailableError(
                f"the file could not be read to its end: {reason}", code="file.unavailable"
            ) from error
        stable = size == before.st_size and _version(before) == _version(after)
        return cls(size, sha256.hexdigest(), sha3.hexdigest(), stable)


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
