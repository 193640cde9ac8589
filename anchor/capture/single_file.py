"""Capture a single file, with or without a process of its own."""

from __future__ import annotations

from pathlib import Path

from anchor.capture.capture import Capture
from anchor.capture.capture_limits import CaptureLimits
from anchor.capture.capture_pool import CapturePool
from anchor.capture.file_bytes import FileBytes
from anchor.capture.file_digests import FileDigests
from anchor.capture.open_file import open_file
from anchor.capture.parse import parse_metadata


def read_metadata(
    path: Path, *, limits: CaptureLimits | None = None, follow_links: bool = False
) -> Capture:
    """Capture a file in this process, for files that one made oneself.

    Reads and sizes are limited, time and memory are not: :func:`read_metadata_sandboxed` and
    :class:`CapturePool` are for the rest. A C2PA manifest is found and not read.

    Raises:
        NotFoundError, StoreError, StoreUnavailableError: the file cannot be opened or read to its
            end. What is in it raises nothing.
    """
    limits = limits or CaptureLimits()
    with open_file(path, follow_links=follow_links) as descriptor:
        digests = FileDigests.of_descriptor(descriptor)
        file = FileBytes.of_descriptor(descriptor, max_read_bytes=limits.read_bytes)
        return Capture.of(parse_metadata(file, limits)[0], digests)


def read_metadata_sandboxed(
    path: Path, *, limits: CaptureLimits | None = None, follow_links: bool = False
) -> Capture:
    """Capture a file, its metadata in a confined process that ends afterwards.

    For more than one file a :class:`CapturePool` saves the tenth of a second of starting it.

    Raises:
        NotFoundError, StoreError, StoreUnavailableError: the file cannot be opened or read to its
            end. What is in it raises nothing.
    """
    with CapturePool(1, limits) as pool:
        return pool.read(path, follow_links=follow_links)
