"""Inflate zlib and gzip data up to a limit, and never past it."""

from __future__ import annotations

import zlib

from anchor.errors import FormatError, LimitExceededError, TruncatedError

_ZLIB_OR_GZIP = 47


def inflate(data: bytes, *, max_bytes: int, what: str) -> bytes:
    """Return what zlib (RFC 1950) or gzip (RFC 1952) data holds; bytes after its end are left.

    Raises:
        LimitExceededError: it would be more than ``max_bytes``; no more than that was inflated.
        TruncatedError: the data ends before the stream does.
        FormatError: it is neither zlib nor gzip.
    """
    stream = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        result = stream.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise FormatError(f"{what}: cannot be inflated", code="capture.inflate") from error
    if len(result) > max_bytes:
        raise LimitExceededError(
            f"{what}: inflates to more than {max_bytes} bytes", code="capture.inflate"
        )
    if not stream.eof:
        raise TruncatedError(f"{what}: the compressed data ends too early", code="capture.inflate")
    return result
