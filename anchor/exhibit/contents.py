"""Everything of a bag, read once: the digests of all files, and the bytes of those that are judged.

Specification: ``docs/spec/exhibit.md``, steps E1 (limits) and E2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from anchor import limits
from anchor.errors import LimitExceededError
from anchor.exhibit.container import Container, check_count
from anchor.exhibit.layout import is_evidence, max_bytes_read_whole


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bag holds.

    Attributes:
        folder: name of the top folder, or None.
        sizes: bytes of each file, by path.
        sha256, sha512: digests of each file, by path.
        texts: the bytes of the files that are judged, by path.
    """

    folder: str | None
    sizes: Mapping[str, int]
    sha256: Mapping[str, bytes]
    sha512: Mapping[str, bytes]
    texts: Mapping[str, bytes]


def read_contents(
    container: Container, reached: Callable[[int], None] = lambda _count: None
) -> Contents:
    """Read a bag from front to back.

    Args:
        container: the bag.
        reached: told how many bytes were read so far.

    Raises:
        LimitExceededError: a text is longer than is read, or all of them together
            (``exhibit.too_large``).
        FormatError, StoreError: as :meth:`Container.blocks`.
    """
    sizes = container.sizes
    check_sizes(sizes)
    sha256: dict[str, bytes] = {}
    sha512: dict[str, bytes] = {}
    texts: dict[str, bytes] = {}
    done = 0
    for path in sizes:
        first, second = hashlib.sha256(), hashlib.sha512()
        kept: list[bytes] | None = None if max_bytes_read_whole(path) is None else []
        for block in container.blocks(path):
            first.update(block)
            second.update(block)
            if kept is not None:
                kept.append(block)
            done += len(block)
            reached(done)
        sha256[path], sha512[path] = first.digest(), second.digest()
        if kept is not None:
            texts[path] = b"".join(kept)
    return Contents(container.folder, sizes, sha256, sha512, texts)


def check_sizes(sizes: Mapping[str, int], *, more: int = 0) -> None:
    """Check how many files there are, and how long those are that are read whole.

    Args:
        sizes: bytes, by path.
        more: how many files there will be besides.

    Raises:
        LimitExceededError: more than is read (``exhibit.entries``, ``exhibit.too_large``).
    """
    check_count(len(sizes) + more)
    total = 0
    for path, size in sizes.items():
        most = max_bytes_read_whole(path)
        if most is not None and size > most:
            raise LimitExceededError(
                f"{path}: {size:,} bytes, at most {most:,} are read", code="exhibit.too_large"
            )
        total += size if is_evidence(path) else 0
    if total > limits.MAX_EXHIBIT_EVIDENCE_BYTES:
        raise LimitExceededError(
            f"records and proofs of {total:,} bytes, "
            f"at most {limits.MAX_EXHIBIT_EVIDENCE_BYTES:,} are read",
            code="exhibit.too_large",
        )
